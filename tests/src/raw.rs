//! What a child of clone3(2) may do in the copy of a program that has threads: system calls, and nothing else of the C
//! library, which may wait for a lock that another thread held at that moment. `signal`, for one, takes such a lock.

use libc::c_int;
use std::io;
use std::mem;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

/// A system call with these arguments; as in C: -1, and [`errno`](crate::raw::errno), where it fails.
#[macro_export]
macro_rules! system_call {
    ($name:ident $(, $argument:expr)*) => {
        libc::syscall(libc::$name $(, $argument as libc::c_long)*)
    };
}

/// The error number of this thread's last system call.
pub fn errno() -> c_int {
    // SAFETY: a variable of this thread's own.
    unsafe { *libc::__errno_location() }
}

/// Sets what comes of a signal, `SIG_DFL` or `SIG_IGN`; this fails for a few of them.
///
/// # Safety
/// None of this process's code may rely on what came of it before.
pub unsafe fn set_action(signal: c_int, handler: libc::sighandler_t) {
    // The kernel's struct, which on all of these machines begins with the handler: no flags, no mask.
    let action = [handler, 0, 0, 0];
    // SAFETY: long enough, and a mask of eight bytes.
    unsafe { system_call!(SYS_rt_sigaction, signal, action.as_ptr(), 0, 8) };
}

/// Blocks these signals and no others.
pub fn block(signals: &[c_int]) {
    let mut mask = 0_u64;
    for &signal in signals {
        mask |= 1 << (signal - 1);
    }
    // SAFETY: eight bytes, as is said.
    unsafe { system_call!(SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, 0, size_of_val(&mask)) };
}

/// Ends this process.
pub fn exit(code: c_int) -> ! {
    loop {
        // SAFETY: does not return.
        unsafe { system_call!(SYS_exit_group, code) };
    }
}

/// Waits until it is killed.
pub fn wait_for_ever() -> ! {
    loop {
        // SAFETY: polls nothing, without an end.
        unsafe { system_call!(SYS_ppoll, 0, 0, 0, 0, 0) };
    }
}

/// A child of this process that runs `child`, which does not return and only makes system calls, in new namespaces if
/// `flags` say so, with this number if it is said.
pub fn clone3<Never>(flags: c_int, pid: Option<i32>, child: impl FnOnce() -> Never) -> io::Result<(i32, OwnedFd)> {
    let mut pidfd: c_int = -1;
    // SAFETY: all zero is a value of this struct.
    let mut arguments: libc::clone_args = unsafe { mem::zeroed() };
    arguments.flags = (flags | libc::CLONE_PIDFD) as u64;
    arguments.pidfd = (&raw mut pidfd) as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(pid) = &pid {
        arguments.set_tid = ptr::from_ref(pid) as u64;
        arguments.set_tid_size = 1;
    }
    // SAFETY: as fork(2): a copy of the memory, no new stack.
    let result = unsafe { system_call!(SYS_clone3, &raw const arguments, size_of_val(&arguments)) };
    if result == 0 {
        child();
        exit(127) // not reached; the copy of this process must not go on as the test program
    }
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel wrote a new descriptor.
    Ok((result as i32, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}
