//! riscv64, little-endian
//!
//! - instruction: `ecall`
//! - number: `a7`
//! - arguments: `a0` to `a5`
//! - result: `a0`; an error is -4095 to -1
//! - clobbered: nothing else (the kernel discards vector registers; code for `riscv64gc` has none)
//! - stack: `sp` 16-byte aligned at entry and in every function, with argc at `sp`
//!
//! Sources: [psABI](https://github.com/riscv-non-isa/riscv-elf-psabi-doc) "Integer Calling Convention";
//! Linux `arch/riscv/kernel/entry.S`, `Documentation/arch/riscv/vector.rst`, `include/uapi/asm-generic/unistd.h`,
//! `arch/riscv/kernel/signal.c`.

use super::{EINTR, MADV_DONTNEED};
use core::arch::asm;

/// Defines `_start`: calls `$entry(frame)` with the address of argc, `$scratch` bytes of stack below it left free.
#[macro_export]
macro_rules! start {
    ($entry:path, $scratch:path) => {
        /// The first instruction of the process. The kernel sets `sp`; nothing may call it.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn _start() -> ! {
            core::arch::naked_asm!(
                "mv a0, sp",                // the one argument: what the kernel left on the stack
                "addi sp, sp, -{scratch}",  // the scratch memory lies between that and the first frame
                "tail {entry}",             // a jump: nothing returns, and the kernel has set ra to zero
                entry = sym $entry,
                scratch = const $scratch,
            )
        }
    };
}

/// Makes system call `number` with up to three arguments.
///
/// # Safety
/// The caller owes what the call's man page demands of its arguments.
#[inline(always)]
pub unsafe fn syscall3(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result;
    // SAFETY: the registers are those of the ABI block above and every clobber is listed;
    // what the kernel does to memory is the caller's to answer for.
    unsafe {
        asm!(
            "ecall",
            in("a7") number,
            inlateout("a0") a => result,
            in("a1") b, in("a2") c,
            options(nostack, preserves_flags),
        );
    }
    result
}

/// Makes system call `number` with up to six arguments.
///
/// # Safety
/// The caller owes what the call's man page demands of its arguments.
#[inline(always)]
pub unsafe fn syscall6(number: usize, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result;
    // SAFETY: as in `syscall3`.
    unsafe {
        asm!(
            "ecall",
            in("a7") number,
            inlateout("a0") a => result,
            in("a1") b, in("a2") c, in("a3") d, in("a4") e, in("a5") f,
            options(nostack, preserves_flags),
        );
    }
    result
}

/// exit_group(2): ends the process with `status` and does not return.
#[inline(always)]
pub fn exit_group(status: u8) -> ! {
    // SAFETY: the call takes no pointer and does not return; `unimp` would trap if it did.
    unsafe {
        asm!(
            "ecall",
            "unimp",
            in("a7") nr::EXIT_GROUP,
            in("a0") usize::from(status),
            options(noreturn, nostack),
        );
    }
}

/// Gives `length` bytes of stack from `from` back to the kernel, and waits for ever. madvise(2) with `MADV_DONTNEED`,
/// ppoll(2) on no descriptor; again after `EINTR` (a stop and continue, the freezer), which alone can be helped by waiting
/// again. With any other result it calls `failed`, on a stack of zeros.
///
/// # Safety
/// The caller owes that nobody needs what lies in the range; this function's own frame may.
#[inline(always)]
pub unsafe fn wait(from: usize, length: usize, failed: extern "C-unwind" fn(isize) -> !) -> ! {
    // SAFETY: between the two calls and behind them only registers are used; `failed` does not return.
    unsafe {
        asm!(
            "ecall",           // madvise: if the kernel does not, all else is as well
            "2:",
            "li a7, {ppoll}",
            "li a0, 0",        // no descriptors:
            "li a1, 0",        // none
            "li a2, 0",        // no end
            "li a3, 0",        // no other mask,
            "li a4, 0",        // of no size
            "ecall",
            "li a1, -{eintr}",
            "beq a0, a1, 2b",
            "jr t0",           // a jump: nothing returns; the result is the one argument
            ppoll = const nr::PPOLL,
            eintr = const EINTR,
            in("a7") nr::MADVISE, in("a0") from, in("a1") length, in("a2") MADV_DONTNEED,
            in("t0") failed,   // which the kernel leaves alone
            options(noreturn),
        );
    }
}

/// System call numbers.
pub mod nr {
    pub use sc::nr::{
        CAPSET, CHDIR, CLOCK_GETTIME, CLOCK_NANOSLEEP, CLOSE, COPY_FILE_RANGE, EXIT_GROUP, FACCESSAT, FCHDIR, FCHMOD,
        FCHMODAT, FCHOWNAT, FCNTL, FLOCK, FTRUNCATE, GETDENTS64, GETPID, LSEEK, MADVISE, MKDIRAT, MMAP, MUNMAP, OPENAT,
        PPOLL, PRCTL, READ, READLINKAT, RENAMEAT2, RT_SIGACTION, RT_SIGPROCMASK, SENDFILE, STATX, SYMLINKAT, UMASK,
        UNLINKAT, UNSHARE, UTIMENSAT, WRITE, WRITEV,
    };
}

/// mmap(2): do not set swap space aside. `include/uapi/asm-generic/mman-common.h`.
pub const MAP_NORESERVE: usize = 0x4000;

/// openat(2): fail unless it is a directory. `include/uapi/asm-generic/fcntl.h`.
pub const O_DIRECTORY: usize = 0o200000;

/// openat(2): fail if it is a symbolic link. `include/uapi/asm-generic/fcntl.h`.
pub const O_NOFOLLOW: usize = 0o400000;

/// rt_sigaction(2): the address to return to is given. Not needed: the vDSO has the code to return with.
pub const SA_RESTORER: usize = 0;

// memcpy(3): LLVM calls it for a constant that it would copy in pieces elsewhere, as not every RISC-V machine loads what
// is not aligned. In assembly, as in Rust it would be made of a call to itself.
#[cfg(not(test))]
core::arch::global_asm!(
    ".globl memcpy",
    ".section .text.memcpy, \"ax\", @progbits",
    "memcpy:",
    "beqz a2, 2f",     // no byte is left
    "mv t0, a0",       // the result is where it was copied to
    "1:",              // for each byte:
    "lbu t1, 0(a1)",   //   load it
    "sb t1, 0(t0)",    //   store it
    "addi a1, a1, 1",  //   the next one
    "addi t0, t0, 1",  //   and its place
    "addi a2, a2, -1", //   one less is left
    "bnez a2, 1b",     //   again, if one is
    "2:",
    "ret", // to the caller
);
