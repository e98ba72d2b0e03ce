// A Watchtower device over TCP: says hello on channel 5, and prints what is said there.
#include <SPI.h>
#include <Ethernet.h>

byte mac[] = {0xDE, 0xAD, 0xBE, 0xEF, 0xFE, 0xED};
IPAddress server(192, 168, 1, 10);
const uint16_t port = 3033;
const uint32_t channel = 5;

EthernetClient client;
uint32_t id = 0;

void put(uint32_t number) {  // little-endian
  for (int i = 0; i < 4; i++) client.write(uint8_t(number >> (8 * i)));
}

uint32_t number(const uint8_t *at) {
  return at[0] | uint32_t(at[1]) << 8 | uint32_t(at[2]) << 16 | uint32_t(at[3]) << 24;
}

bool accepted(uint32_t *value) {  // A and a number; E means no
  uint8_t answer[5];
  if (client.readBytes(answer, 1) != 1 || answer[0] != 'A') return false;
  if (client.readBytes(answer + 1, 4) != 4) return false;
  return *value = number(answer + 1), true;
}

void say(const char *words) {
  client.write('M'), put(id), put(channel), put(strlen(words));
  client.print(words);
}

bool enter() {
  uint32_t joined;
  if (!client.connect(server, port)) return false;
  client.write('R');
  if (!accepted(&id)) return false;
  client.write('J'), put(id), put(channel);
  if (!accepted(&joined)) return false;
  say("hello from an Arduino");
  return true;
}

void setup() {
  Serial.begin(9600);
  Ethernet.begin(mac);
}

void loop() {
  if (!client.connected()) {
    client.stop();
    if (!enter()) client.stop(), delay(1000);
  } else if (client.available() && client.read() == 'M') {
    uint8_t head[14], one;  // sender, channel, type, length
    if (client.readBytes(head, 14) != 14) return client.stop();
    for (uint32_t left = number(head + 10); left > 0 && client.readBytes(&one, 1) == 1; left--) Serial.write(one);
    Serial.println();
  }
}
