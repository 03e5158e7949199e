//! No machine: a hosted program is the kernel, such as the fuzz harness, which defines the two functions below.
//!
//! There is no `start!`: it calls `entry` itself. The numbers are the host's own, from the crate `sc`, which has those
//! of x86_64, aarch64 and riscv64 only.

unsafe extern "Rust" {
    fn hosted_syscall(number: usize, args: [usize; 6]) -> isize;
    safe fn hosted_exit(status: u8) -> !;
}

/// Makes system call `number` with up to three arguments.
///
/// # Safety
/// The caller owes what the call's man page demands of its arguments.
pub unsafe fn syscall3(number: usize, a: usize, b: usize, c: usize) -> isize {
    // SAFETY: passed on to the caller.
    unsafe { hosted_syscall(number, [a, b, c, 0, 0, 0]) }
}

/// Makes system call `number` with up to six arguments.
///
/// # Safety
/// The caller owes what the call's man page demands of its arguments.
pub unsafe fn syscall6(number: usize, args: [usize; 6]) -> isize {
    // SAFETY: passed on to the caller.
    unsafe { hosted_syscall(number, args) }
}

/// exit_group(2): ends the process with `status` and does not return.
pub fn exit_group(status: u8) -> ! {
    hosted_exit(status)
}

/// Waits for ever; the stack stays.
///
/// # Safety
/// None is needed here.
pub unsafe fn wait(from: usize, length: usize, failed: extern "C-unwind" fn(isize) -> !) -> ! {
    // SAFETY: to the harness these are numbers.
    unsafe {
        hosted_syscall(nr::MADVISE, [from, length, super::MADV_DONTNEED, 0, 0, 0]);
        loop {
            let result = hosted_syscall(nr::PPOLL, [0; 6]);
            if result != -super::EINTR {
                failed(result);
            }
        }
    }
}

pub use sc::nr;

/// The values of most machines.
pub const MAP_NORESERVE: usize = 0x4000;
/// See [`MAP_NORESERVE`].
pub const O_DIRECTORY: usize = 0o200000;
/// See [`MAP_NORESERVE`].
pub const O_NOFOLLOW: usize = 0o400000;
/// See [`MAP_NORESERVE`].
pub const SA_RESTORER: usize = 0;
