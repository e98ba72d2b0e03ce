// The bus of the Ethernet shield: there is none here.
#pragma once
