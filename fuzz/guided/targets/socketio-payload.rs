//! libFuzzer looks for input for which an oracle of `socketio-payload` does not hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::check("socketio-payload", input));
