// Runs a sketch as a board does: once setup, then loop for ever.
#include "Arduino.h"

void setup();
void loop();

int main() {
  setup();
  for (;;) loop();
}
