// A Watchtower device over UDP: says hello on channel 5, and prints what is said there.
#include <SPI.h>
#include <Ethernet.h>
#include <EthernetUdp.h>

byte mac[] = {0xDE, 0xAD, 0xBE, 0xEF, 0xFE, 0xED};
IPAddress server(192, 168, 1, 10);
const uint16_t port = 3033;
const uint32_t channel = 5;
const char hello[] = "hello from an Arduino";

EthernetUDP udp;
uint8_t cookie[9] = {'C'};  // what proves our address to a server that is not on this machine
uint8_t frame[512];
uint32_t id = 0, joined = 0, asked = 0;

uint32_t number(const uint8_t *at) {  // little-endian
  return at[0] | uint32_t(at[1]) << 8 | uint32_t(at[2]) << 16 | uint32_t(at[3]) << 24;
}

void put(uint32_t number) {
  for (int i = 0; i < 4; i++) udp.write(uint8_t(number >> (8 * i)));
}

void ask() {  // datagrams get lost: ask until it is answered, then show a sign of life
  asked = millis();
  udp.beginPacket(server, port);
  udp.write(cookie, sizeof cookie);
  if (!id) udp.write('R');
  else if (!joined) udp.write('J'), put(id), put(channel);
  else udp.write('K');
  udp.endPacket();
}

void say(const char *words) {
  udp.beginPacket(server, port);
  udp.write('M'), put(id), put(channel), put(strlen(words));
  udp.write((const uint8_t *)words, strlen(words));
  udp.endPacket();
}

void setup() {
  Serial.begin(9600);
  Ethernet.begin(mac);
  udp.begin(port);
}

void loop() {
  if (!asked || millis() - asked > (joined ? 30000u : 1000u)) ask();
  if (udp.parsePacket() <= 0) return;
  int length = udp.read(frame, sizeof frame);
  if (frame[0] == 'C' && length == 9) memcpy(cookie, frame, 9), ask();
  else if (frame[0] == 'E') id = joined = 0;  // the server has forgotten us
  else if (frame[0] == 'A' && !id) id = number(frame + 1), ask();
  else if (frame[0] == 'A' && !joined && number(frame + 1) == channel) joined = channel, say(hello);
  else if (frame[0] == 'M' && length >= 15) Serial.write(frame + 15, length - 15), Serial.println();
}
