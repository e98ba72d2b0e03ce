// Datagrams as the Ethernet library has them.
#pragma once
#include "Arduino.h"

class EthernetUDP {
  int fd = -1;
  uint8_t out[1500], in[1500];
  size_t out_length = 0, in_length = 0;

 public:
  uint8_t begin(uint16_t) {
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    return fd >= 0;
  }
  int beginPacket(IPAddress, uint16_t) {
    out_length = 0;
    return 1;
  }
  size_t write(uint8_t byte) { return write(&byte, 1); }
  size_t write(const uint8_t *bytes, size_t length) {
    memcpy(out + out_length, bytes, length);
    out_length += length;
    return length;
  }
  int endPacket() {
    sockaddr_in to = stub_address();
    return sendto(fd, out, out_length, 0, (sockaddr *)&to, sizeof to) == ssize_t(out_length);
  }
  int parsePacket() {
    if (!stub_waits(fd, 10)) return 0;
    ssize_t n = recv(fd, in, sizeof in, 0);
    in_length = n < 0 ? 0 : size_t(n);
    return int(in_length);
  }
  int read(uint8_t *into, size_t length) {
    size_t n = in_length < length ? in_length : length;
    memcpy(into, in, n);
    return int(n);
  }
};
