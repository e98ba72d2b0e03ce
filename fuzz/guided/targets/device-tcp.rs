//! libFuzzer looks for input for which an oracle of `device-tcp` does not hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::check("device-tcp", input));
