// A TCP connection as the Ethernet library has it.
#pragma once
#include "Arduino.h"

class EthernetClient {
  int fd = -1;

 public:
  int connect(IPAddress, uint16_t) {
    sockaddr_in to = stub_address();
    fd = socket(AF_INET, SOCK_STREAM, 0);
    return ::connect(fd, (sockaddr *)&to, sizeof to) == 0;
  }
  bool connected() {
    char byte;
    return fd >= 0 && !(stub_waits(fd, 0) && recv(fd, &byte, 1, MSG_PEEK) <= 0);
  }
  int available() { return fd >= 0 && stub_waits(fd, 10); }
  int read() {
    uint8_t byte;
    return readBytes(&byte, 1) == 1 ? byte : -1;
  }
  size_t readBytes(uint8_t *into, size_t length) {
    size_t got = 0;
    while (got < length) {
      ssize_t n = recv(fd, into + got, length - got, 0);
      if (n <= 0) break;
      got += size_t(n);
    }
    return got;
  }
  size_t write(uint8_t byte) { return send(fd, &byte, 1, MSG_NOSIGNAL) == 1; }
  size_t print(const char *words) { return size_t(send(fd, words, strlen(words), MSG_NOSIGNAL)); }
  void stop() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};
