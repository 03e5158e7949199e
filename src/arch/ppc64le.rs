//! powerpc64, little-endian
//!
//! - instruction: `sc` (never `scv`: that is an illegal instruction on POWER8)
//! - number: `r0`
//! - arguments: `r3` to `r8`
//! - result: `r3`; an error sets `cr0.SO` and leaves the error number itself, here made negative
//! - clobbered: `r0`, `r4` to `r12`, `cr0`, `ctr`, `xer`
//! - stack: `r1` 16-byte aligned at entry with argc at `0(r1)`; a function expects a 32-byte frame below it,
//!   its first word the back chain, and stores into its caller's frame
//!
//! Sources: [psABI](https://openpowerfoundation.org/specifications/64bitelfabi/) 2.2 and 4.1.2;
//! Linux `Documentation/arch/powerpc/syscall64-abi.rst`, `arch/powerpc/kernel/syscalls/syscall.tbl`,
//! `arch/powerpc/kernel/process.c` (`start_thread`), `arch/powerpc/kernel/signal_64.c`.

use super::{EINTR, MADV_DONTNEED};
use core::arch::asm;

/// Defines `_start`: calls `$entry(frame)` with the address of argc, `$scratch` bytes of stack below it left free.
#[macro_export]
macro_rules! start {
    ($entry:path, $scratch:path) => {
        /// The first instruction of the process. The kernel sets `r1` and `r12`; nothing may call it.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn _start() -> ! {
            core::arch::naked_asm!(
                "addis 2, 12, .TOC.-_start@ha", // r12 is the address of _start: from it the TOC pointer,
                "addi 2, 2, .TOC.-_start@l",    // by which position-independent code finds its constants
                "mr 3, 1",                      // the one argument: what the kernel left on the stack
                "li 0, 0",                      // a back chain of zero: there is no frame above
                "stdu 0, -({scratch} + 32)(1)", // the scratch memory, and the frame a function expects
                "bl {entry}",                   // the local entry, which trusts r2; it does not return
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
            "sc",
            "bns+ 2f",   // no summary overflow: success, the result stands
            "neg 3, 3",  // else it is an error number: the other machines have it negative
            "2:",
            inlateout("r0") number => _,
            inlateout("r3") a => result,
            inlateout("r4") b => _, inlateout("r5") c => _,
            lateout("r6") _, lateout("r7") _, lateout("r8") _,
            lateout("r9") _, lateout("r10") _, lateout("r11") _, lateout("r12") _,
            lateout("cr0") _, lateout("ctr") _, lateout("xer") _,
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
            "sc",
            "bns+ 2f",   // no summary overflow: success, the result stands
            "neg 3, 3",  // else it is an error number: the other machines have it negative
            "2:",
            inlateout("r0") number => _,
            inlateout("r3") a => result,
            inlateout("r4") b => _, inlateout("r5") c => _,
            inlateout("r6") d => _, inlateout("r7") e => _, inlateout("r8") f => _,
            lateout("r9") _, lateout("r10") _, lateout("r11") _, lateout("r12") _,
            lateout("cr0") _, lateout("ctr") _, lateout("xer") _,
            options(nostack, preserves_flags),
        );
    }
    result
}

/// exit_group(2): ends the process with `status` and does not return.
#[inline(always)]
pub fn exit_group(status: u8) -> ! {
    // SAFETY: the call takes no pointer and does not return; `trap` would trap if it did.
    unsafe {
        asm!(
            "sc",
            "trap",
            in("r0") nr::EXIT_GROUP,
            in("r3") usize::from(status),
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
            "sc",              // madvise: if the kernel does not, all else is as well
            "2:",
            "li 0, {ppoll}",
            "li 3, 0",         // no descriptors:
            "li 4, 0",         // none
            "li 5, 0",         // no end
            "li 6, 0",         // no other mask,
            "li 7, 0",         // of no size
            "sc",
            "cmpdi 3, {eintr}", // of no descriptors, it is an error number
            "beq 2b",
            "neg 3, 3",        // the other machines have it negative; the one argument
            "mr 12, 14",       // from which a function finds its TOC pointer
            "mtctr 14",
            "stdu 1, -32(1)",  // the frame a function expects
            "bctrl",
            ppoll = const nr::PPOLL,
            eintr = const EINTR,
            in("r0") nr::MADVISE, in("r3") from, in("r4") length, in("r5") MADV_DONTNEED,
            in("r14") failed,  // which the kernel leaves alone
            options(noreturn),
        );
    }
}

/// System call numbers. `arch/powerpc/kernel/syscalls/syscall.tbl`.
#[allow(missing_docs)]
pub mod nr {
    pub const CAPSET: usize = 184;
    pub const CHDIR: usize = 12;
    pub const CLOCK_GETTIME: usize = 246;
    pub const CLOCK_NANOSLEEP: usize = 248;
    pub const CLOSE: usize = 6;
    pub const COPY_FILE_RANGE: usize = 379;
    pub const EXIT_GROUP: usize = 234;
    pub const FACCESSAT: usize = 298;
    pub const FCHDIR: usize = 133;
    pub const FCHMOD: usize = 94;
    pub const FCHMODAT: usize = 297;
    pub const FCHOWNAT: usize = 289;
    pub const FCNTL: usize = 55;
    pub const FLOCK: usize = 143;
    pub const FTRUNCATE: usize = 93;
    pub const GETDENTS64: usize = 202;
    pub const GETPID: usize = 20;
    pub const LSEEK: usize = 19;
    pub const MADVISE: usize = 205;
    pub const MKDIRAT: usize = 287;
    pub const MMAP: usize = 90;
    pub const MUNMAP: usize = 91;
    pub const OPENAT: usize = 286;
    pub const PPOLL: usize = 281;
    pub const PRCTL: usize = 171;
    pub const READ: usize = 3;
    pub const READLINKAT: usize = 296;
    pub const RENAMEAT2: usize = 357;
    pub const RT_SIGACTION: usize = 173;
    pub const RT_SIGPROCMASK: usize = 174;
    pub const SENDFILE: usize = 186;
    pub const STATX: usize = 383;
    pub const SYMLINKAT: usize = 295;
    pub const UMASK: usize = 60;
    pub const UNLINKAT: usize = 292;
    pub const UNSHARE: usize = 282;
    pub const UTIMENSAT: usize = 304;
    pub const WRITE: usize = 4;
    pub const WRITEV: usize = 146;
}

/// mmap(2): do not set swap space aside. `arch/powerpc/include/uapi/asm/mman.h`.
pub const MAP_NORESERVE: usize = 0x40;

/// openat(2): fail unless it is a directory. `arch/powerpc/include/uapi/asm/fcntl.h`.
pub const O_DIRECTORY: usize = 0o40000;

/// openat(2): fail if it is a symbolic link. `arch/powerpc/include/uapi/asm/fcntl.h`.
pub const O_NOFOLLOW: usize = 0o100000;

/// rt_sigaction(2): the address to return to is given. Ignored here: the vDSO has the code to return with.
pub const SA_RESTORER: usize = 0;
