//! The fuzzer's entry.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz::run(input);
});
