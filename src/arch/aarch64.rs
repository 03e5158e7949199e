//! aarch64, little-endian
//!
//! - instruction: `svc 0`
//! - number: `x8`
//! - arguments: `x0` to `x5`
//! - result: `x0`; an error is -4095 to -1
//! - clobbered: nothing else (SVE registers become zero above bit 128; Rust code does not keep values there)
//! - stack: `sp` 16-byte aligned at entry and whenever it is used, with argc at `sp`
//!
//! Sources: [psABI](https://github.com/ARM-software/abi-aa/blob/main/aapcs64/aapcs64.rst) 6.4.5;
//! Linux `arch/arm64/kernel/entry.S`, `Documentation/arch/arm64/sve.rst`, `include/uapi/asm-generic/unistd.h`,
//! `arch/arm64/kernel/signal.c`.

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
                "mov x0, sp",              // the one argument: what the kernel left on the stack
                "sub sp, sp, #{scratch}",  // the scratch memory lies between that and the first frame
                "b {entry}",               // a jump: nothing returns, and the kernel has set x30 to zero
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
            "svc 0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b, in("x2") c,
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
            "svc 0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack, preserves_flags),
        );
    }
    result
}

/// exit_group(2): ends the process with `status` and does not return.
#[inline(always)]
pub fn exit_group(status: u8) -> ! {
    // SAFETY: the call takes no pointer and does not return; `brk` would trap if it did.
    unsafe {
        asm!(
            "svc 0",
            "brk #1",
            in("x8") nr::EXIT_GROUP,
            in("x0") usize::from(status),
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
            "svc 0",           // madvise: if the kernel does not, all else is as well
            "2:",
            "mov x8, #{ppoll}",
            "mov x0, xzr",     // no descriptors:
            "mov x1, xzr",     // none
            "mov x2, xzr",     // no end
            "mov x3, xzr",     // no other mask,
            "mov x4, xzr",     // of no size
            "svc 0",
            "cmn x0, #{eintr}",
            "b.eq 2b",
            "br x9",           // a jump: nothing returns; the result is the one argument
            ppoll = const nr::PPOLL,
            eintr = const EINTR,
            in("x8") nr::MADVISE, in("x0") from, in("x1") length, in("x2") MADV_DONTNEED,
            in("x9") failed,   // which the kernel leaves alone
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

/// openat(2): fail unless it is a directory. `arch/arm64/include/uapi/asm/fcntl.h`.
pub const O_DIRECTORY: usize = 0o40000;

/// openat(2): fail if it is a symbolic link. `arch/arm64/include/uapi/asm/fcntl.h`.
pub const O_NOFOLLOW: usize = 0o100000;

/// rt_sigaction(2): the address to return to is given. Not needed: the vDSO has the code to return with.
pub const SA_RESTORER: usize = 0;
