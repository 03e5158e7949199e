//! s390x, big-endian
//!
//! - instruction: `svc 0` (the immediate holds numbers up to 255 only, so the number goes into a register)
//! - number: `r1`
//! - arguments: `r2` to `r7` (mmap takes one pointer to all six)
//! - result: `r2`; an error is -4095 to -1
//! - clobbered: nothing else
//! - stack: `r15` 16-byte aligned at entry with argc at `0(r15)`; a function expects 160 bytes below it for
//!   its caller's registers, the first word the back chain, and stores into its caller's frame
//!
//! Sources: [psABI](https://github.com/IBM/s390x-abi) 1.2.2 and 1.6; Linux `arch/s390/kernel/entry.S`,
//! `arch/s390/kernel/syscall.c`, `arch/s390/kernel/syscalls/syscall.tbl`, `arch/s390/kernel/signal.c`.

use super::{EINTR, MADV_DONTNEED};
use core::arch::asm;

/// Defines `_start`: calls `$entry(frame)` with the address of argc, `$scratch` bytes of stack below it left free.
#[macro_export]
macro_rules! start {
    ($entry:path, $scratch:path) => {
        /// The first instruction of the process. The kernel sets `r15`; nothing may call it.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn _start() -> ! {
            core::arch::naked_asm!(
                "lgr %r2, %r15",                   // the one argument: what the kernel left on the stack
                "aghi %r15, -({scratch} + 160)",   // the scratch memory, and the area a function expects
                "xc 0(8, %r15), 0(%r15)",          // a back chain of zero: there is no frame above
                "jg {entry}",                      // a jump: nothing returns
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
            in("r1") number,
            inlateout("r2") a => result,
            in("r3") b, in("r4") c,
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
            in("r1") number,
            inlateout("r2") a => result,
            in("r3") b, in("r4") c, in("r5") d, in("r6") e, in("r7") f,
            options(nostack, preserves_flags),
        );
    }
    result
}

/// mmap(2), its arguments in memory: `sys_old_mmap` takes a pointer to the six of them.
///
/// # Safety
/// The caller owes what mmap(2) demands of its arguments.
#[inline(always)]
pub unsafe fn mmap(args: [usize; 6]) -> isize {
    // SAFETY: the array outlives the call; the rest is passed on to the caller.
    unsafe { syscall3(nr::MMAP, args.as_ptr() as usize, 0, 0) }
}

/// exit_group(2): ends the process with `status` and does not return.
#[inline(always)]
pub fn exit_group(status: u8) -> ! {
    // SAFETY: the call takes no pointer and does not return; the jump to its own zero half-word would trap if it did.
    unsafe {
        asm!(
            "svc 0",
            "j .+2",
            in("r1") nr::EXIT_GROUP,
            in("r2") usize::from(status),
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
            "svc 0",               // madvise: if the kernel does not, all else is as well
            "2:",
            "lghi %r1, {ppoll}",
            "lghi %r2, 0",         // no descriptors:
            "lghi %r3, 0",         // none
            "lghi %r4, 0",         // no end
            "lghi %r5, 0",         // no other mask,
            "lghi %r6, 0",         // of no size
            "svc 0",
            "cghi %r2, -{eintr}",
            "je 2b",
            "aghi %r15, -160",     // the area a function expects
            "br %r8",              // a jump: nothing returns; the result is the one argument
            ppoll = const nr::PPOLL,
            eintr = const EINTR,
            in("r1") nr::MADVISE, in("r2") from, in("r3") length, in("r4") MADV_DONTNEED,
            in("r8") failed,       // which the kernel leaves alone
            options(noreturn),
        );
    }
}

/// System call numbers. `arch/s390/kernel/syscalls/syscall.tbl`.
#[allow(missing_docs)]
pub mod nr {
    pub const CAPSET: usize = 185;
    pub const CHDIR: usize = 12;
    pub const CLOCK_GETTIME: usize = 260;
    pub const CLOCK_NANOSLEEP: usize = 262;
    pub const CLOSE: usize = 6;
    pub const COPY_FILE_RANGE: usize = 375;
    pub const EXIT_GROUP: usize = 248;
    pub const FACCESSAT: usize = 300;
    pub const FCHDIR: usize = 133;
    pub const FCHMOD: usize = 94;
    pub const FCHMODAT: usize = 299;
    pub const FCHOWNAT: usize = 291;
    pub const FCNTL: usize = 55;
    pub const FLOCK: usize = 143;
    pub const FTRUNCATE: usize = 93;
    pub const GETDENTS64: usize = 220;
    pub const GETPID: usize = 20;
    pub const LSEEK: usize = 19;
    pub const MADVISE: usize = 219;
    pub const MKDIRAT: usize = 289;
    pub const MMAP: usize = 90;
    pub const MUNMAP: usize = 91;
    pub const OPENAT: usize = 288;
    pub const PPOLL: usize = 302;
    pub const PRCTL: usize = 172;
    pub const READ: usize = 3;
    pub const READLINKAT: usize = 298;
    pub const RENAMEAT2: usize = 347;
    pub const RT_SIGACTION: usize = 174;
    pub const RT_SIGPROCMASK: usize = 175;
    pub const SENDFILE: usize = 187;
    pub const STATX: usize = 379;
    pub const SYMLINKAT: usize = 297;
    pub const UMASK: usize = 60;
    pub const UNLINKAT: usize = 294;
    pub const UNSHARE: usize = 303;
    pub const UTIMENSAT: usize = 315;
    pub const WRITE: usize = 4;
    pub const WRITEV: usize = 146;
}

/// mmap(2): do not set swap space aside. `include/uapi/asm-generic/mman-common.h`.
pub const MAP_NORESERVE: usize = 0x4000;

/// openat(2): fail unless it is a directory. `arch/s390/include/uapi/asm/fcntl.h` (the generic value).
pub const O_DIRECTORY: usize = 0o200000;

/// openat(2): fail if it is a symbolic link. `arch/s390/include/uapi/asm/fcntl.h` (the generic value).
pub const O_NOFOLLOW: usize = 0o400000;

/// rt_sigaction(2): the address to return to is given. Not needed: the vDSO has the code to return with.
pub const SA_RESTORER: usize = 0;
