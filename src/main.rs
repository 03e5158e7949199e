//! The program: `_start` for the machine, and nothing else; all of the rest is in the library.

#![no_std]
#![no_main]
#![allow(unsafe_code)] // the entry point

link_model_and_wait::start!(link_model_and_wait::entry, link_model_and_wait::sys::SCRATCH);

/// No code panics; the linker finds this unused and leaves it out.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    link_model_and_wait::sys::exit(101)
}
