//! libFuzzer looks for input for which an oracle of `watchtower-http` does not hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::check("watchtower-http", input));
