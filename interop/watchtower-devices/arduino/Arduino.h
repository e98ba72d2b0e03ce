// Enough of an Arduino for the examples to run on this machine: a serial line that is the standard output, and a network
// that is this machine's. Whatever address a sketch names, it reaches 127.0.0.1 and the port in CHAPPE_DEVICE_PORT.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef uint8_t byte;

inline uint32_t millis() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint32_t(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

inline void delay(uint32_t ms) { usleep(ms * 1000); }

struct SerialPort {
  void begin(long) {}
  void write(int byte) { putchar(byte); }
  void write(const uint8_t *bytes, size_t length) { fwrite(bytes, 1, length, stdout); }
  void println() {
    putchar('\n');
    fflush(stdout);
  }
};
inline SerialPort Serial;

struct IPAddress {
  IPAddress(uint8_t, uint8_t, uint8_t, uint8_t) {}
};

struct EthernetShield {
  int begin(const byte *) { return 1; }
};
inline EthernetShield Ethernet;

inline sockaddr_in stub_address() {
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(uint16_t(atoi(getenv("CHAPPE_DEVICE_PORT"))));
  return to;
}

inline bool stub_waits(int fd, int ms) {
  pollfd wait = {fd, POLLIN, 0};
  return poll(&wait, 1, ms) > 0;
}
