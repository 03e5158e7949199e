//! The machine: entry point, system calls, and the few constants that differ.
//!
//! One file per architecture, the same items in the same order, so that a diff of two of them reads as the
//! difference of the machines. Each provides:
//!
//! | item | what it is |
//! |---|---|
//! | `start!` | a macro that defines `_start`; a macro, so that the library links into hosted programs too |
//! | `syscall3` | system call of up to three arguments |
//! | `syscall6` | system call of up to six arguments |
//! | `mmap` | only where its arguments are not passed as those of other calls |
//! | `exit_group` | end the process; does not return |
//! | `wait` | wait for ever, without a stack; does not return |
//! | `nr` | system call numbers |
//! | `MAP_NORESERVE`, `O_DIRECTORY`, `O_NOFOLLOW`, `SA_RESTORER` | the constants that differ |
//!
//! All results follow one convention: 0 or more is success, -4095 to -1 is the negated error number.
//! An argument that is not used is passed as zero, never left to chance.
//!
//! A new architecture: `docs/porting.md`. That every file here has a row in `arches.txt`, a test says.

cfg_if::cfg_if! {
    if #[cfg(not(target_os = "linux"))] {
        compile_error!("link-model-and-wait makes Linux system calls: build it for a Linux target");
    } else if #[cfg(feature = "hosted")] {
        mod hosted;
        pub use hosted::*;
    } else if #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))] {
        mod x86_64;
        pub use x86_64::*;
    } else if #[cfg(all(target_arch = "aarch64", target_pointer_width = "64", target_endian = "little"))] {
        mod aarch64;
        pub use aarch64::*;
    } else if #[cfg(all(target_arch = "powerpc64", target_endian = "little"))] {
        mod ppc64le;
        pub use ppc64le::*;
    } else if #[cfg(target_arch = "s390x")] {
        mod s390x;
        pub use s390x::*;
    } else if #[cfg(all(target_arch = "riscv64", target_pointer_width = "64"))] {
        mod riscv64;
        pub use riscv64::*;
    } else {
        compile_error!(
            "link-model-and-wait is written for x86_64 (not x32), aarch64 (64-bit, little-endian), \
             powerpc64 little-endian, s390x and riscv64: see docs/porting.md for another machine"
        );
    }
}

/// mmap(2), its arguments in registers as those of any call; s390x has its own.
///
/// # Safety
/// The caller owes what mmap(2) demands of its arguments.
#[cfg(any(feature = "hosted", not(target_arch = "s390x")))]
#[inline(always)]
pub unsafe fn mmap(args: [usize; 6]) -> isize {
    // SAFETY: passed on to the caller.
    unsafe { syscall6(nr::MMAP, args) }
}

/// Interrupted system call. `include/uapi/asm-generic/errno-base.h`
pub const EINTR: isize = 4;

/// madvise(2): the pages are not needed any more; anonymous memory is zero when touched again.
/// `include/uapi/asm-generic/mman-common.h`
const MADV_DONTNEED: usize = 4;
