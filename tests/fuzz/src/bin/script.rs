//! The fuzzer's entry.

#![no_main]

/// For the harness, of whose memory no sanitizer has to know. What the program gets has malloc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz::run(input);
});
