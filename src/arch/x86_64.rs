//! x86_64
//!
//! - instruction: `syscall`
//! - number: `rax`
//! - arguments: `rdi`, `rsi`, `rdx`, `r10`, `r8`, `r9` (`r10`, not `rcx`: the instruction overwrites that)
//! - result: `rax`; an error is -4095 to -1
//! - clobbered: `rcx` (return address), `r11` (flags)
//! - stack: 16-byte aligned at entry with argc at `rsp`; a function expects `rsp + 8` to be so aligned
//!
//! Sources: [psABI](https://gitlab.com/x86-psABIs/x86-64-ABI) 3.4.1 and A.2.1;
//! Linux `arch/x86/entry/entry_64.S`, `arch/x86/entry/syscalls/syscall_64.tbl`,
//! `arch/x86/kernel/signal_64.c`.

use super::{EINTR, MADV_DONTNEED};
use core::arch::asm;

/// Defines `_start`: calls `$entry(frame)` with the address of argc, `$scratch` bytes of stack below it left free.
#[macro_export]
macro_rules! start {
    ($entry:path, $scratch:path) => {
        /// The first instruction of the process. The kernel sets `rsp`; nothing may call it.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn _start() -> ! {
            core::arch::naked_asm!(
                "mov rdi, rsp",       // the one argument: what the kernel left on the stack
                "sub rsp, {scratch}", // the scratch memory lies between that and the first frame
                "call {entry}",       // pushes 8 bytes, which is the alignment that a function expects
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
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c,
            lateout("rcx") _, lateout("r11") _,
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
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    result
}

/// exit_group(2): ends the process with `status` and does not return.
#[inline(always)]
pub fn exit_group(status: u8) -> ! {
    // SAFETY: the call takes no pointer and does not return; `ud2` would trap if it did.
    unsafe {
        asm!(
            "syscall",
            "ud2",
            in("rax") nr::EXIT_GROUP,
            in("rdi") usize::from(status),
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
            "syscall",         // madvise: if the kernel does not, all else is as well
            "2:",
            "mov eax, {ppoll}",
            "xor edi, edi",    // no descriptors:
            "xor esi, esi",    // none
            "xor edx, edx",    // no end
            "xor r10d, r10d",  // no other mask,
            "xor r8d, r8d",    // of no size
            "syscall",
            "cmp eax, -{eintr}",
            "je 2b",
            "mov rdi, rax",    // the one argument
            "call r12",
            ppoll = const nr::PPOLL,
            eintr = const EINTR,
            in("rax") nr::MADVISE, in("rdi") from, in("rsi") length, in("rdx") MADV_DONTNEED,
            in("r12") failed,  // which the kernel leaves alone
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

/// openat(2): fail unless it is a directory. `arch/x86/include/uapi/asm/fcntl.h` (the generic value).
pub const O_DIRECTORY: usize = 0o200000;

/// openat(2): fail if it is a symbolic link. `arch/x86/include/uapi/asm/fcntl.h` (the generic value).
pub const O_NOFOLLOW: usize = 0o400000;

/// rt_sigaction(2): the address to return to is given. The kernel refuses to deliver a signal without it.
pub const SA_RESTORER: usize = 0x0400_0000;
