//! The system calls that the program makes, as safe functions. Below this border there is `unsafe`; above it none.
//!
//! All strings go to the kernel as [`ZStr`], all buffers as slices, so the kernel reads and writes only what
//! the caller could.

#![allow(unsafe_code)]

use crate::arch::{self, nr};
use core::marker::PhantomData;
use core::num::NonZeroU16;

/// Bytes of stack, below the kernel's frame, that [`entry`] hands to the program as its first memory.
///
/// KServe's scripts need about 100. All that the stack holds should fit on two 4 KiB pages.
pub const SCRATCH: usize = 512;

/// An error number: `include/uapi/asm-generic/errno-base.h` and `errno.h`. Those named here are the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(NonZeroU16);

impl Errno {
    /// No such file or directory.
    pub const ENOENT: Errno = Errno::new(2);
    /// Interrupted system call.
    pub const EINTR: Errno = Errno::new(4);
    /// Input/output error.
    pub const EIO: Errno = Errno::new(5);
    /// Cannot allocate memory.
    pub const ENOMEM: Errno = Errno::new(12);
    /// File exists.
    pub const EEXIST: Errno = Errno::new(17);

    /// Invalid argument.
    pub const EINVAL: Errno = Errno::new(22);
    /// File name too long.
    pub const ENAMETOOLONG: Errno = Errno::new(36);

    const fn new(number: u16) -> Errno {
        match NonZeroU16::new(number) {
            Some(number) => Errno(number),
            None => Errno(NonZeroU16::MIN), // no caller passes 0
        }
    }

    /// The number itself.
    pub fn number(self) -> u16 {
        self.0.get()
    }

    /// What a call returned, where success carries no value.
    fn unit(result: isize) -> Result<(), Errno> {
        match NonZeroU16::new(result.wrapping_neg() as u16) {
            Some(number) => Err(Errno(number)),
            None => Ok(()),
        }
    }

    /// What a call returned, where success is a number of 0 or more.
    fn value(result: isize) -> Result<usize, Errno> {
        if result < 0 { Err(Errno::new(result.wrapping_neg() as u16)) } else { Ok(result as usize) }
    }
}

/// Bytes that end with a NUL and hold no other: what the kernel takes as a string.
#[derive(Clone, Copy)]
pub struct ZStr<'a>(&'a [u8]);

impl<'a> ZStr<'a> {
    /// The current directory.
    pub const DOT: ZStr<'static> = ZStr(b".\0");

    /// Cuts the string up to the first NUL off `bytes`; returns it and what follows. None if there is no NUL.
    pub fn cut(bytes: &'a [u8]) -> Option<(ZStr<'a>, &'a [u8])> {
        let mut length = 0;
        while *bytes.get(length)? != 0 {
            length += 1;
        }
        let (string, rest) = bytes.split_at_checked(length + 1)?;
        Some((ZStr(string), rest))
    }

    /// Writes `parts`, one after the other, and a NUL to the start of `memory`. None if they do not fit.
    pub fn join(memory: &'a mut [u8], parts: [&[u8]; 3]) -> Option<ZStr<'a>> {
        let mut length = 0;
        for part in parts {
            for &byte in part {
                *memory.get_mut(length)? = byte;
                length += 1;
            }
        }
        *memory.get_mut(length)? = 0;
        memory.get(..length + 1).map(ZStr)
    }

    /// The bytes before the NUL.
    pub fn bytes(self) -> &'a [u8] {
        self.0.split_last().map_or(self.0, |(_, bytes)| bytes)
    }

    /// The bytes and the NUL.
    pub fn bytes_with_nul(self) -> &'a [u8] {
        self.0
    }

    fn address(self) -> usize {
        self.0.as_ptr() as usize
    }
}

/// A directory to look names up from: an open one, or [`CWD`].
#[derive(Clone, Copy)]
pub struct Dir(usize);

/// The current directory: `AT_FDCWD`, `include/uapi/linux/fcntl.h`.
pub const CWD: Dir = Dir(-100_isize as usize);

/// Standard output.
pub const STDOUT: usize = 1;
/// Standard error.
pub const STDERR: usize = 2;

/// Ends the process with `status`. exit_group(2).
pub fn exit(status: u8) -> ! {
    arch::exit_group(status)
}

/// The process's number in its PID namespace. getpid(2): never fails.
pub fn getpid() -> usize {
    // SAFETY: the call takes no argument.
    unsafe { arch::syscall3(nr::GETPID, 0, 0, 0) as usize }
}

/// Makes `link` a symbolic link that holds `target`, in one step; an existing `link` is `EEXIST`. symlinkat(2).
pub fn symlink(target: ZStr, link: ZStr) -> Result<(), Errno> {
    // SAFETY: both are NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::SYMLINKAT, target.address(), CWD.0, link.address()) })
}

/// Renames `from` to `to`, which it replaces, in one step. renameat2(2) without flags.
pub fn rename(from: ZStr, to: ZStr) -> Result<(), Errno> {
    // SAFETY: both are NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall6(nr::RENAMEAT2, [CWD.0, from.address(), CWD.0, to.address(), 0, 0]) })
}

/// Removes a name that is not a directory's. unlinkat(2) without flags.
pub fn unlink(path: ZStr) -> Result<(), Errno> {
    // SAFETY: it is NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::UNLINKAT, CWD.0, path.address(), 0) })
}

/// Makes a directory of mode 0777, less the umask. mkdirat(2).
pub fn mkdir(path: ZStr) -> Result<(), Errno> {
    // SAFETY: it is NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::MKDIRAT, CWD.0, path.address(), 0o777) })
}

/// Sets the permission bits of `path`; a symbolic link is followed. fchmodat(2).
pub fn chmod(path: ZStr, mode: u16) -> Result<(), Errno> {
    // SAFETY: it is NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::FCHMODAT, CWD.0, path.address(), mode.into()) })
}

/// What statx(2) says of a file: the head of `struct statx`, `include/uapi/linux/stat.h`; the same on all machines.
#[repr(C)]
pub struct Status {
    before: [u32; 7],
    /// File type and permission bits, as in inode(7).
    pub mode: u16,
    between: [u16; 5],
    /// Bytes.
    pub size: u64,
    after: [u64; 26],
}

const _: () = assert!(size_of::<Status>() == 256);
const _: () = assert!(core::mem::offset_of!(Status, mode) == 28);
const _: () = assert!(core::mem::offset_of!(Status, size) == 40);

impl Status {
    const TYPE: u16 = 0o170000;

    /// It is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & Self::TYPE == 0o040000
    }

    /// It is a regular file.
    pub fn is_regular(&self) -> bool {
        self.mode & Self::TYPE == 0o100000
    }

    /// It is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.mode & Self::TYPE == 0o120000
    }
}

/// Whether a symbolic link at the end of a path is looked through. `AT_SYMLINK_NOFOLLOW`, `include/uapi/linux/fcntl.h`.
#[derive(Clone, Copy)]
pub enum Follow {
    /// To what it points at.
    Yes = 0,
    /// The link itself is meant.
    No = 0x100,
}

/// Type, permission bits and size of `path`, looked up from `dir`. statx(2).
pub fn status(dir: Dir, path: ZStr, follow: Follow) -> Result<Status, Errno> {
    const STATX_TYPE_MODE_SIZE: usize = 0x1 | 0x2 | 0x200;
    let mut status = core::mem::MaybeUninit::<Status>::uninit();
    let args = [dir.0, path.address(), follow as usize, STATX_TYPE_MODE_SIZE, status.as_mut_ptr() as usize, 0];
    // SAFETY: the path is NUL-terminated (ZStr), and the kernel writes the 256 bytes that `Status` has.
    Errno::unit(unsafe { arch::syscall6(nr::STATX, args) })?;
    // SAFETY: on success the kernel has written all of it; every bit pattern is a value of its integers.
    Ok(unsafe { status.assume_init() })
}

/// Opens a directory for reading its names. openat(2) with `O_DIRECTORY` and `O_CLOEXEC`; [`Open::dir`] is for lookups.
pub fn open_directory(path: ZStr) -> Result<Open, Errno> {
    const O_CLOEXEC: usize = 0o2000000;
    // SAFETY: the path is NUL-terminated (ZStr).
    let fd = unsafe { arch::syscall3(nr::OPENAT, CWD.0, path.address(), O_CLOEXEC | arch::O_DIRECTORY) };
    Errno::value(fd).map(Open)
}

/// An open directory; closed when dropped.
pub struct Open(usize);

impl Open {
    /// To look names up from it.
    pub fn dir(&self) -> Dir {
        Dir(self.0)
    }

    /// Reads all entries into `buffer`, for [`Names`]; returns the bytes written. getdents64(2), until there are
    /// no more; `ENOMEM` if they do not fit.
    pub fn read_all(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let mut length = 0;
        loop {
            let free = buffer.get_mut(length..).unwrap_or_default();
            // SAFETY: the kernel writes at most the length of the slice.
            let read = unsafe { arch::syscall3(nr::GETDENTS64, self.0, free.as_mut_ptr() as usize, free.len()) };
            match Errno::value(read) {
                Ok(0) => return Ok(length),
                Ok(read) => length += read,
                Err(Errno::EINVAL) => return Err(Errno::ENOMEM), // what is left is too small for an entry
                Err(error) => return Err(error),
            }
        }
    }
}

/// The names in what [`Open::read_all`] has read: `struct linux_dirent64`, `include/linux/dirent.h`.
pub struct Names<'a> {
    entries: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Names<'a> {
    const RECORD_LENGTH: usize = 16; // d_reclen, two bytes
    const NAME: usize = 19; // d_name

    /// Begins at the first entry.
    pub fn new(entries: &'a [u8]) -> Self {
        Names { entries, rest: entries }
    }

    /// Where among the entries the next name begins.
    pub fn position(&self) -> usize {
        self.entries.len() - self.rest.len() + Self::NAME
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = ZStr<'a>;

    fn next(&mut self) -> Option<ZStr<'a>> {
        let &[low, high] = self.rest.get(Self::RECORD_LENGTH..)?.first_chunk()?;
        let (entry, rest) = self.rest.split_at_checked(u16::from_ne_bytes([low, high]).into())?;
        self.rest = rest;
        ZStr::cut(entry.get(Self::NAME..)?).map(|(name, _)| name)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this value's own. close(2) on a directory has nothing to report.
        unsafe { arch::syscall3(nr::CLOSE, self.0, 0, 0) };
    }
}

/// Writes all of `bytes`, in as few calls as the kernel allows. write(2), again after `EINTR` or a short count.
pub fn write_all(fd: usize, mut bytes: &[u8]) -> Result<(), Errno> {
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

/// A piece of a message: `struct iovec`, `include/uapi/linux/uio.h`.
#[repr(C)]
pub struct Piece<'a> {
    address: *const u8,
    length: usize,
    bytes: PhantomData<&'a [u8]>,
}

impl<'a> From<&'a [u8]> for Piece<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Piece { address: bytes.as_ptr(), length: bytes.len(), bytes: PhantomData }
    }
}

/// Writes the pieces to standard error with one writev(2), so that lines of several processes do not mix.
///
/// There is nobody to tell when it fails, so it returns nothing.
pub fn message(pieces: &[Piece]) {
    // SAFETY: each piece was made from a slice that it still borrows.
    unsafe { arch::syscall3(nr::WRITEV, STDERR, pieces.as_ptr() as usize, pieces.len()) };
}

/// Maps `length` bytes of zeroed memory; a page costs nothing until it is touched. mmap(2).
pub fn map(length: usize) -> Result<&'static mut [u8], Errno> {
    const PROT_READ_WRITE: usize = 0x1 | 0x2;
    const MAP_PRIVATE_ANONYMOUS_NORESERVE: usize = 0x2 | 0x20 | 0x4000;
    // SAFETY: a new mapping, at an address of the kernel's choice, overlaps nothing.
    let address = unsafe { arch::mmap([0, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE, usize::MAX, 0]) };
    if let -4095..=-1 = address {
        return Err(Errno::ENOMEM);
    }
    // SAFETY: the kernel gave these bytes to this caller alone; they are zero and stay mapped for ever.
    Ok(unsafe { core::slice::from_raw_parts_mut(address as *mut u8, length) })
}

/// Sleeps for `seconds`, or for ever. ppoll(2) on no descriptor: there is nothing else that could wake it.
///
/// The kernel writes the time that is left into the argument, so an interruption (a stop and continue,
/// the freezer) does not lengthen the sleep; `EINTR` is the only error after which waiting again can help.
pub fn sleep(seconds: Option<i64>) -> Result<(), Errno> {
    let mut time = [seconds.unwrap_or(0), 0]; // struct __kernel_timespec
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
fn handle_signals() -> Result<(), Errno> {
    const SIGINT: usize = 2;
    const SIGTERM: usize = 15;
    const SIGCHLD: usize = 17;
    const SIG_IGN: usize = 1;
    const SIG_SETMASK: usize = 2;
    let set = |signal, handler| {
        // The address to return to is never used; x86_64 wants one.
        let action = SigAction { handler, flags: arch::SA_RESTORER, restorer: handler, mask: 0 };
        // SAFETY: the action outlives the call, has the kernel's layout, and the set has 8 bytes.
        // The handler is a function of that signature which touches no memory of the program.
        Errno::unit(unsafe {
            arch::syscall6(nr::RT_SIGACTION, [signal, &raw const action as usize, 0, size_of::<u64>(), 0, 0])
        })
    };
    let stop = stop as extern "C" fn(i32) -> ! as usize;
    set(SIGTERM, stop)?;
    set(SIGINT, stop)?;
    set(SIGCHLD, SIG_IGN)?;
    let none = 0_u64;
    // SAFETY: the set is 8 bytes and outlives the call.
    Errno::unit(unsafe {
        arch::syscall6(nr::RT_SIGPROCMASK, [SIG_SETMASK, &raw const none as usize, 0, size_of::<u64>(), 0, 0])
    })
}

/// The strings that the kernel passed to execve(2), in order.
#[derive(Clone)]
pub struct Argv(*const *const u8);

impl Iterator for Argv {
    type Item = ZStr<'static>;

    fn next(&mut self) -> Option<ZStr<'static>> {
        // SAFETY: `entry` made this from the kernel's array, which ends with a null pointer, and we stop there.
        let string = unsafe { *self.0 };
        if string.is_null() {
            return None;
        }
        let mut length = 0;
        // SAFETY: the kernel ends every string with a NUL. Volatile, or the loop becomes a call of strlen(3).
        while unsafe { string.add(length).read_volatile() } != 0 {
            length += 1;
        }
        // SAFETY: the string was not null, so it is not the last element.
        self.0 = unsafe { self.0.add(1) };
        // SAFETY: the bytes were all read above, and nothing ever writes to them.
        Some(ZStr(unsafe { core::slice::from_raw_parts(string, length + 1) }))
    }
}

/// Where `_start` arrives: `frame` is the stack as the kernel left it, [`SCRATCH`] free bytes below it.
///
/// ```text
///               ... strings ...
///               auxiliary vector, AT_NULL
///               envp[0], envp[1], ..., null
///  frame + 8:   argv[0], argv[1], ..., null
///  frame:       argc
///  frame - 512: scratch memory
///               stack pointer
/// ```
///
/// `fs/binfmt_elf.c`, `create_elf_tables`.
///
/// # Safety
/// `_start` owes that `frame` is the initial stack pointer, that the scratch memory is free, and that this is
/// called once.
pub unsafe extern "C" fn entry(frame: *mut usize) -> ! {
    // SAFETY: free memory of the process's own stack (what `_start` owes), initialised by the kernel; used once.
    let scratch = unsafe { core::slice::from_raw_parts_mut(frame.byte_sub(SCRATCH).cast(), SCRATCH) };
    // SAFETY: the array follows argc.
    let argv = Argv(unsafe { frame.add(1) }.cast_const().cast());
    if let Err(error) = handle_signals() {
        exit(crate::report::failed(b"signals", b"rt_sigaction", error));
    }
    exit(crate::main(argv, scratch))
}
