//! The system calls that the program makes, as safe functions. Below this border there is `unsafe`; above it none.
//!
//! All strings go to the kernel as [`ZStr`], all buffers as slices, so the kernel reads and writes only what
//! the caller could.

#![allow(unsafe_code)]

use crate::arch::{self, nr};
use crate::memory::ZStr;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::num::NonZeroI32;
use core::ptr::NonNull;
use core::slice;

/// Bytes of stack, below the kernel's frame, that [`entry`] hands to the program as its first memory.
///
/// KServe's scripts need about 100. All that the stack holds should fit on two 4 KiB pages.
pub const SCRATCH: usize = 512;

/// An error number, negative as the kernel returns it: `include/uapi/asm-generic/errno-base.h` and `errno.h`. Those
/// named here are the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(NonZeroI32);

impl Errno {
    /// Interrupted system call.
    pub const EINTR: Errno = Errno::new(4);
    /// Input/output error.
    pub const EIO: Errno = Errno::new(5);
    /// Cannot allocate memory.
    pub const ENOMEM: Errno = Errno::new(12);
    /// File exists.
    pub const EEXIST: Errno = Errno::new(17);
    /// Not a directory.
    pub const ENOTDIR: Errno = Errno::new(20);

    const fn new(number: i32) -> Errno {
        match NonZeroI32::new(-number) {
            Some(number) => Errno(number),
            None => Errno(NonZeroI32::MIN), // no caller passes 0
        }
    }

    /// The number itself, positive.
    pub fn number(self) -> u32 {
        self.0.get().unsigned_abs()
    }

    /// What a call returned, where success carries no value.
    pub fn unit(result: isize) -> Result<(), Errno> {
        match NonZeroI32::new(result as i32) {
            Some(number) => Err(Errno(number)),
            None => Ok(()),
        }
    }

    /// What a call returned, where success is a number of 0 or more.
    fn value(result: isize) -> Result<usize, Errno> {
        if result >= 0 {
            return Ok(result as usize);
        }
        // SAFETY: the kernel's errors are -4095 to -1 (`arch`), so the low half is not 0 either.
        Err(Errno(unsafe { NonZeroI32::new_unchecked(result as i32) }))
    }
}

/// Names are looked up from the current directory: `AT_FDCWD`, `include/uapi/linux/fcntl.h`.
const CWD: usize = -100_isize as usize;

/// Standard output.
pub const STDOUT: usize = 1;
/// Standard error.
pub const STDERR: usize = 2;

/// Ends the process with `status`. exit_group(2).
#[inline(never)] // a call is shorter
pub fn exit(status: u8) -> ! {
    arch::exit_group(status)
}

/// The process's number in its PID namespace. getpid(2): never fails.
pub fn getpid() -> u32 {
    // SAFETY: the call takes no argument.
    unsafe { arch::syscall3(nr::GETPID, 0, 0, 0) as u32 }
}

/// Makes `link` a symbolic link that holds `target`, in one step; an existing `link` is `EEXIST`. symlinkat(2).
#[inline(never)] // a call is shorter
pub fn symlink(target: ZStr, link: ZStr) -> Result<(), Errno> {
    // SAFETY: both are NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::SYMLINKAT, target.address(), CWD, link.address()) })
}

/// Renames `from` to `to`, which it replaces, in one step. renameat2(2) without flags.
pub fn rename(from: ZStr, to: ZStr) -> Result<(), Errno> {
    // SAFETY: both are NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall6(nr::RENAMEAT2, [CWD, from.address(), CWD, to.address(), 0, 0]) })
}

/// Removes a name that is not a directory's. unlinkat(2) without flags.
pub fn unlink(path: ZStr) -> Result<(), Errno> {
    // SAFETY: it is NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::UNLINKAT, CWD, path.address(), 0) })
}

/// Makes a directory of mode 0777, less the umask. mkdirat(2).
pub fn mkdir(path: ZStr) -> Result<(), Errno> {
    // SAFETY: it is NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::MKDIRAT, CWD, path.address(), 0o777) })
}

/// Sets the permission bits of `path`; a symbolic link is followed. fchmodat(2).
pub fn chmod(path: ZStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: it is NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::FCHMODAT, CWD, path.address(), mode as usize) })
}

/// What a file is: the type in a mode, as in inode(7).
pub const DIRECTORY: i32 = 0o040000;
/// See [`DIRECTORY`].
pub const REGULAR: i32 = 0o100000;
/// See [`DIRECTORY`].
pub const SYMLINK: i32 = 0o120000;

/// Whether `mode`, as [`mode`] gives it, is that of a file of type `kind`.
pub fn is(mode: i32, kind: i32) -> bool {
    mode & 0o170000 == kind // no type has all four bits, as a small negative number has
}

/// Whether a symbolic link at the end of a path is looked through. `AT_SYMLINK_NOFOLLOW`, `include/uapi/linux/fcntl.h`.
#[derive(Clone, Copy)]
pub enum Follow {
    /// To what it points at.
    Yes = 0,
    /// The link itself is meant.
    No = 0x100,
}

/// `struct statx`, `include/uapi/linux/stat.h`; the same on all machines, unlike `struct stat`.
#[repr(C)]
struct Statx {
    before: [u32; 7],
    mode: u16,
    between: [u16; 5],
    after: [u64; 27],
}

const _: () = assert!(size_of::<Statx>() == 256);
const _: () = assert!(core::mem::offset_of!(Statx, mode) == 28);

/// Type and permission bits of `path`; if it can't be looked up, the negated error number. statx(2).
pub fn mode(path: ZStr, follow: Follow) -> i32 {
    const STATX_TYPE_AND_MODE: usize = 0x1 | 0x2;
    let mut statx = MaybeUninit::<Statx>::uninit();
    let args = [CWD, path.address(), follow as usize, STATX_TYPE_AND_MODE, statx.as_mut_ptr() as usize, 0];
    // SAFETY: the path is NUL-terminated (ZStr), and the kernel writes the 256 bytes that `Statx` has.
    match unsafe { arch::syscall6(nr::STATX, args) } {
        // SAFETY: on success the kernel has written all of it.
        0 => unsafe { statx.assume_init_ref() }.mode.into(),
        error => error as i32,
    }
}

/// Opens a directory for reading its names. openat(2) with `O_DIRECTORY` and `O_CLOEXEC`.
pub fn open_directory(path: ZStr) -> Result<Open, Errno> {
    const O_CLOEXEC: usize = 0o2000000;
    // SAFETY: the path is NUL-terminated (ZStr).
    let fd = unsafe { arch::syscall3(nr::OPENAT, CWD, path.address(), O_CLOEXEC | arch::O_DIRECTORY) };
    Errno::value(fd).map(Open)
}

/// An open directory; closed when dropped.
pub struct Open(usize);

impl Open {
    /// Reads the next entries into `buffer`; returns how many bytes they take, 0 at the end, or a negated error number.
    /// getdents64(2). `EINVAL` if not even one fits.
    pub fn read(&self, buffer: &[Cell<u8>]) -> isize {
        // SAFETY: the kernel writes at most the length of the buffer, whose cells may change.
        unsafe { arch::syscall3(nr::GETDENTS64, self.0, buffer.as_ptr() as usize, buffer.len()) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this value's own. close(2) on a directory has nothing to report.
        unsafe { arch::syscall3(nr::CLOSE, self.0, 0, 0) };
    }
}

/// Writes all of `bytes`, in as few calls as the kernel allows. write(2), again after `EINTR` or a short count.
pub fn write_all(fd: usize, mut bytes: &[Cell<u8>]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads at most the length of the slice.
        match Errno::value(unsafe { arch::syscall3(nr::WRITE, fd, bytes.as_ptr() as usize, bytes.len()) }) {
            Ok(0) => return Err(Errno::EIO), // no progress: do not spin
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes the pieces, each up to its first newline, and a newline to standard error; with one writev(2), so that it
/// is one line, and lines of several processes do not mix.
///
/// There is nobody to tell when it fails, so it returns nothing.
pub fn message(pieces: &[ZStr; 5]) {
    // struct iovec, include/uapi/linux/uio.h: address, length. Not initialised first: that would be a memset(3).
    let mut vector = [const { MaybeUninit::uninit() }; 6];
    for (place, piece) in vector.iter_mut().zip(pieces) {
        place.write([piece.address(), piece.line_len()]);
    }
    let [.., newline] = &mut vector;
    newline.write([c"\n".as_ptr() as usize, 1]);
    // SAFETY: all six are written; each is a string of at least that length, and all outlive the call.
    unsafe { arch::syscall3(nr::WRITEV, STDERR, vector.as_ptr() as usize, vector.len()) };
}

/// Maps `length` bytes of zeroed memory; a page costs nothing until it is touched. mmap(2).
pub fn map(length: usize) -> Result<NonNull<u8>, Errno> {
    const PROT_READ_WRITE: usize = 0x1 | 0x2;
    const MAP_PRIVATE_ANONYMOUS: usize = 0x2 | 0x20;
    // SAFETY: a new mapping, at an address of the kernel's choice, overlaps nothing.
    let address =
        unsafe { arch::mmap([0, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS | arch::MAP_NORESERVE, usize::MAX, 0]) };
    // An address of user space is neither negative nor null, on any machine.
    NonNull::new(Errno::value(address)? as *mut u8).ok_or(Errno::ENOMEM)
}

/// Sleeps for `seconds`, or for ever. ppoll(2) on no descriptor: there is nothing else that could wake it.
///
/// The kernel writes the time that is left into the argument, so an interruption (a stop and continue,
/// the freezer) does not lengthen the sleep; `EINTR` is the only error after which waiting again can help.
pub fn sleep(seconds: Option<u32>) -> Result<(), Errno> {
    let mut time = [i64::from(seconds.unwrap_or(0)), 0]; // struct __kernel_timespec
    let address = if seconds.is_some() { time.as_mut_ptr() as usize } else { 0 };
    loop {
        // SAFETY: the time is ours and outlives the call, or it is null: for ever.
        match Errno::unit(unsafe { arch::syscall6(nr::PPOLL, [0, 0, address, 0, 0, 0]) }) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Gives up every capability. capset(2), version 3: `include/uapi/linux/capability.h`.
///
/// A reader may look through `/proc/PID/root` only if its own capabilities include ours
/// (`security/commoncap.c`, `cap_ptrace_access_check`), so with none left a reader without any can.
/// Where it is not allowed nothing is lost but that.
pub fn drop_capabilities() {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0]; // pid 0: this process
    let none = [0_u32; 6]; // effective, permitted, inheritable; twice, for 64 bits
    // SAFETY: header and data have the sizes that version 3 states and outlive the call.
    unsafe { arch::syscall3(nr::CAPSET, header.as_ptr() as usize, none.as_ptr() as usize, 0) };
}

/// The kernel's `struct sigaction`, `include/linux/signal_types.h`; the same on all four machines, unlike libc's.
#[repr(C)]
struct SigAction {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

const _: () = assert!(size_of::<SigAction>() == 32);

/// Ends the process when it is told to stop: asked to stop, stopped. It never returns, so there is no signal
/// return and no state that it could find half changed.
extern "C" fn stop(_signal: i32) -> ! {
    exit(0)
}

/// Makes SIGTERM and SIGINT end the process with exit code 0 at any moment, also as PID 1 and also when they
/// came in ignored or blocked; lets the kernel reap orphans. rt_sigaction(2), rt_sigprocmask(2).
pub fn handle_signals() -> Result<(), Errno> {
    const SIGINT: usize = 2;
    const SIGTERM: usize = 15;
    const SIGCHLD: usize = 17;
    const SIG_IGN: usize = 1;
    const SIG_SETMASK: usize = 2;
    // One in each byte: an array would be a copy on the stack.
    let mut signals = SIGTERM | SIGINT << 8 | SIGCHLD << 16;
    let mut action =
        SigAction { handler: stop as extern "C" fn(i32) -> ! as usize, flags: arch::SA_RESTORER, restorer: 0, mask: 0 };
    // The address to return to is never used; x86_64 wants one.
    action.restorer = action.handler;
    while signals != 0 {
        if signals == SIGCHLD {
            action.handler = SIG_IGN;
        }
        let args = [signals & 0xff, &raw const action as usize, 0, size_of::<u64>(), 0, 0];
        // SAFETY: the action outlives the call, has the kernel's layout, and the set has 8 bytes.
        // The handler is a function of that signature which touches no memory of the program.
        Errno::unit(unsafe { arch::syscall6(nr::RT_SIGACTION, args) })?;
        signals >>= 8;
    }
    let args = [SIG_SETMASK, &raw const action.mask as usize, 0, size_of::<u64>(), 0, 0];
    // SAFETY: the set is 8 bytes and outlives the call.
    Errno::unit(unsafe { arch::syscall6(nr::RT_SIGPROCMASK, args) })
}

/// Where `_start` arrives: `frame` is the stack as the kernel left it, [`SCRATCH`] free bytes below it.
///
/// ```text
///               ... strings ...
///               auxiliary vector, AT_NULL
///               envp[0], envp[1], ..., null
///  frame + 8:   argv[0], argv[1], ..., null
///  frame:       argc
///  frame - 512:  scratch memory
///               stack pointer
/// ```
///
/// `fs/binfmt_elf.c`, `create_elf_tables`. It unwinds in the fuzz harness only, where that is how a process ends.
///
/// # Safety
/// `_start` owes that `frame` is the initial stack pointer, that the scratch memory is free, and that this is
/// called once.
pub unsafe extern "C-unwind" fn entry(frame: *mut usize) -> ! {
    // SAFETY: free memory of the process's own stack (what `_start` owes), initialised by the kernel; used once.
    let scratch = unsafe { slice::from_raw_parts_mut(frame.byte_sub(SCRATCH), SCRATCH / size_of::<usize>()) };
    // SAFETY: as many pointers as argc says follow it. The kernel ends every string with a NUL, and nothing ever
    // writes to them.
    let argv = unsafe { slice::from_raw_parts(frame.add(1).cast(), *frame) };
    exit(crate::main(argv, scratch))
}
