//! The system calls that the program makes, as safe functions. Below this border there is `unsafe`; above it none.
//!
//! All strings go to the kernel as [`ZStr`], all buffers as slices, so the kernel reads and writes only what
//! the caller could. A path is looked up from a directory, [`Fd::CWD`] being the current one.

#![allow(unsafe_code)]

use crate::arch::{self, nr};
use crate::text::ZStr;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::num::NonZeroIsize;
use core::ptr::NonNull;
use core::slice;

/// Bytes of stack, below the kernel's frame, that [`entry`](crate::entry) hands to the program as its first memory.
///
/// KServe's scripts need about 100. All that the stack holds should fit on two 4 KiB pages.
pub const SCRATCH: usize = 512;

/// An error number, negative as the kernel returns it: `include/uapi/asm-generic/errno-base.h` and `errno.h`. Those
/// named here are the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(NonZeroIsize);

impl Errno {
    /// Operation not permitted.
    pub const EPERM: Errno = Errno::new(1);
    /// No such file or directory.
    pub const ENOENT: Errno = Errno::new(2);
    /// Interrupted system call.
    pub const EINTR: Errno = Errno::new(arch::EINTR);
    /// Input/output error.
    pub const EIO: Errno = Errno::new(5);
    /// Bad file descriptor.
    pub const EBADF: Errno = Errno::new(9);
    /// Resource temporarily unavailable.
    pub const EAGAIN: Errno = Errno::new(11);
    /// Cannot allocate memory.
    pub const ENOMEM: Errno = Errno::new(12);
    /// Permission denied.
    pub const EACCES: Errno = Errno::new(13);
    /// File exists.
    pub const EEXIST: Errno = Errno::new(17);
    /// Not a directory.
    pub const ENOTDIR: Errno = Errno::new(20);
    /// Is a directory.
    pub const EISDIR: Errno = Errno::new(21);
    /// Invalid argument.
    pub const EINVAL: Errno = Errno::new(22);
    /// Function not implemented.
    pub const ENOSYS: Errno = Errno::new(38);
    /// Directory not empty.
    pub const ENOTEMPTY: Errno = Errno::new(39);
    /// Not the kernel's, which does not use the number: the kernel, or a filter before it, does not know statx(2).
    pub const NO_STATX: Errno = Errno::new(41);
    /// Operation not supported.
    pub const EOPNOTSUPP: Errno = Errno::new(95);
    /// Stale file handle.
    pub const ESTALE: Errno = Errno::new(116);

    const fn new(number: isize) -> Errno {
        match NonZeroIsize::new(-number) {
            Some(number) => Errno(number),
            None => Errno(NonZeroIsize::MIN), // no caller passes 0
        }
    }

    /// The number itself, positive.
    pub fn number(self) -> u32 {
        self.0.get().unsigned_abs() as u32
    }

    /// What a call returned, where success carries no value.
    pub fn unit(result: isize) -> Result<(), Errno> {
        match NonZeroIsize::new(result) {
            Some(number) => Err(Errno(number)),
            None => Ok(()),
        }
    }

    /// What a call returned, where success is a number of 0 or more.
    fn value(result: isize) -> Result<usize, Errno> {
        if result >= 0 {
            return Ok(result as usize);
        }
        // SAFETY: it is less than 0.
        Err(Errno(unsafe { NonZeroIsize::new_unchecked(result) }))
    }
}

/// The number of an open file, which may be closed meanwhile: then calls fail with `EBADF`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
pub struct Fd(isize);

impl Fd {
    /// Paths are looked up from the current directory: `AT_FDCWD`, `include/uapi/linux/fcntl.h`.
    pub const CWD: Fd = Fd(-100);
    /// Standard input.
    pub const STDIN: Fd = Fd(0);
    /// Standard output.
    pub const STDOUT: Fd = Fd(1);
    /// Standard error.
    pub const STDERR: Fd = Fd(2);

    fn raw(self) -> usize {
        self.0 as usize
    }

    /// Closes it.
    pub fn close(self) {
        drop(Open(self));
    }
}

/// An open file; closed when dropped.
pub struct Open(Fd);

impl Open {
    /// Its number.
    pub fn fd(&self) -> Fd {
        self.0
    }

    /// Leaves it open.
    pub fn leak(self) -> Fd {
        let fd = self.0;
        core::mem::forget(self);
        fd
    }
}

impl Drop for Open {
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: the descriptor is this value's own. What close(2) can report, an earlier write has reported,
        // but on NFS; there fsync(2) would be needed too.
        unsafe { arch::syscall3(nr::CLOSE, self.0.raw(), 0, 0) };
    }
}

// Processes.

/// Ends the process with `status`. exit_group(2).
#[inline(never)]
pub fn exit(status: u8) -> ! {
    arch::exit_group(status)
}

/// The process's number in its PID namespace. getpid(2): never fails.
pub fn getpid() -> u32 {
    // SAFETY: the call takes no argument.
    unsafe { arch::syscall3(nr::GETPID, 0, 0, 0) as u32 }
}

/// The permission bits that new files do not get. umask(2): it can only be read by setting it.
pub fn umask() -> u32 {
    let set = |mask: usize| {
        // SAFETY: the call takes a number and never fails.
        unsafe { arch::syscall3(nr::UMASK, mask, 0, 0) as usize }
    };
    let mask = set(0o777);
    set(mask);
    mask as u32
}

/// Makes `path` the current directory. chdir(2).
pub fn chdir(path: ZStr) -> Result<(), Errno> {
    // SAFETY: it is NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::CHDIR, path.address(), 0, 0) })
}

/// Makes an open directory the current one. fchdir(2).
pub fn fchdir(directory: Fd) -> Result<(), Errno> {
    // SAFETY: the call takes a number.
    Errno::unit(unsafe { arch::syscall3(nr::FCHDIR, directory.raw(), 0, 0) })
}

// Names.

/// Makes `link` a symbolic link that holds `target`, in one step; an existing `link` is `EEXIST`. symlinkat(2).
#[inline(never)]
pub fn symlink(target: ZStr, directory: Fd, link: ZStr) -> Result<(), Errno> {
    // SAFETY: both are NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::SYMLINKAT, target.address(), directory.raw(), link.address()) })
}

/// How [`rename`] does it. `include/uapi/linux/fs.h`.
#[derive(Clone, Copy)]
pub enum Rename {
    /// What bears the new name is replaced.
    Replace = 0,
    /// The two change places. `RENAME_EXCHANGE`
    Exchange = 2,
}

/// Renames `from` to `to` in one step; both are looked up from `directory`. renameat2(2).
pub fn rename(directory: Fd, from: ZStr, to: ZStr, how: Rename) -> Result<(), Errno> {
    let args = [directory.raw(), from.address(), directory.raw(), to.address(), how as usize, 0];
    // SAFETY: both are NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall6(nr::RENAMEAT2, args) })
}

/// Removes a name: a directory's, which must be empty, if `directories`, else one that is not a directory's. unlinkat(2).
pub fn unlink(directory: Fd, path: ZStr, directories: bool) -> Result<(), Errno> {
    const AT_REMOVEDIR: usize = 0x200;
    let flags = if directories { AT_REMOVEDIR } else { 0 };
    // SAFETY: it is NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::UNLINKAT, directory.raw(), path.address(), flags) })
}

/// Makes a directory of `mode`, less the umask. mkdirat(2).
#[inline(never)]
pub fn mkdir(directory: Fd, path: ZStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: it is NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall3(nr::MKDIRAT, directory.raw(), path.address(), mode as usize) })
}

/// What the symbolic link `path` holds: as many bytes as `buffer` takes, and how many. readlinkat(2).
pub fn read_link(directory: Fd, path: ZStr, buffer: &[Cell<u8>]) -> Result<usize, Errno> {
    let args = [directory.raw(), path.address(), buffer.as_ptr() as usize, buffer.len(), 0, 0];
    // SAFETY: the path is NUL-terminated (ZStr); the kernel writes at most the length of the buffer.
    Errno::value(unsafe { arch::syscall6(nr::READLINKAT, args) })
}

// Attributes.

/// What a file is: the type in a mode, as in inode(7).
pub const DIRECTORY: u32 = 0o040000;
/// See [`DIRECTORY`].
pub const REGULAR: u32 = 0o100000;
/// See [`DIRECTORY`].
pub const SYMLINK: u32 = 0o120000;
/// See [`DIRECTORY`].
pub const FIFO: u32 = 0o010000;
/// See [`DIRECTORY`].
pub const SOCKET: u32 = 0o140000;
/// The bits of a mode in which the type is.
pub const TYPE: u32 = 0o170000;

/// Whether a symbolic link at the end of a path is looked through. `AT_SYMLINK_NOFOLLOW`, `include/uapi/linux/fcntl.h`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// To what it points at.
    Yes = 0,
    /// The link itself is meant.
    No = 0x100,
}

/// An empty path means the file that it would be looked up from. `include/uapi/linux/fcntl.h`
const AT_EMPTY_PATH: usize = 0x1000;

/// `struct statx_timestamp`, `include/uapi/linux/stat.h`.
#[repr(C)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And nanoseconds.
    pub nanoseconds: u32,
    reserved: i32,
}

/// `struct statx`, `include/uapi/linux/stat.h`; the same on all machines, unlike `struct stat`.
#[repr(C)]
#[allow(missing_docs)]
pub struct Stat {
    before: [u32; 4],
    pub links: u32,
    pub uid: u32,
    pub gid: u32,
    pub mode: u16,
    between: u16,
    pub inode: u64,
    pub size: u64,
    /// Of 512 bytes.
    pub blocks: u64,
    attributes_mask: u64,
    pub accessed: Time,
    /// When the file came to be; 0 where the file system does not know.
    pub created: Time,
    changed: Time,
    pub modified: Time,
    pub special: [u32; 2],
    pub device: [u32; 2],
    after: [u64; 14],
}

const _: () = assert!(size_of::<Stat>() == 256);
const _: () = assert!(core::mem::offset_of!(Stat, mode) == 28 && core::mem::offset_of!(Stat, device) == 136);

impl Stat {
    /// Where [`stat`] may write.
    pub fn buffer() -> MaybeUninit<Stat> {
        MaybeUninit::uninit()
    }

    /// Type and permission bits.
    pub fn mode(&self) -> u32 {
        self.mode.into()
    }

    /// Whether it is of that type.
    pub fn is(&self, kind: u32) -> bool {
        self.mode() & TYPE == kind
    }

    /// Which file it is: inode and device.
    pub fn identity(&self) -> [u64; 2] {
        let [major, minor] = self.device;
        [self.inode, u64::from(major) << 32 | u64::from(minor)]
    }
}

/// What the kernel knows of `path`; an empty path means `directory` itself. statx(2).
///
/// It never gives `EPERM` and `ENOSYS` of itself: then it is a kernel before 4.11, or an old seccomp filter.
pub fn stat<'s>(
    directory: Fd,
    path: ZStr,
    follow: Follow,
    buffer: &'s mut MaybeUninit<Stat>,
) -> Result<&'s Stat, Errno> {
    const STATX_BASIC_STATS: usize = 0x7ff;
    const STATX_BTIME: usize = 0x800;
    let flags = follow as usize | (AT_EMPTY_PATH * usize::from(path.is_empty() && directory != Fd::CWD));
    let args =
        [directory.raw(), path.address(), flags, STATX_BASIC_STATS | STATX_BTIME, buffer.as_mut_ptr() as usize, 0];
    // SAFETY: the path is NUL-terminated (ZStr), and the kernel writes the 256 bytes that `Stat` has.
    match Errno::unit(unsafe { arch::syscall6(nr::STATX, args) }) {
        // SAFETY: on success the kernel has written all of it.
        Ok(()) => Ok(unsafe { buffer.assume_init_ref() }),
        Err(Errno::EPERM | Errno::ENOSYS) => Err(Errno::NO_STATX),
        Err(error) => Err(error),
    }
}

/// Type and permission bits of `path`. statx(2).
pub fn mode(path: ZStr, follow: Follow) -> Result<u32, Errno> {
    Ok(stat(Fd::CWD, path, follow, &mut Stat::buffer())?.mode())
}

/// Whether the process may read (4), write (2) or execute (1) `path`. faccessat(2): the real ids count.
pub fn access(path: ZStr, how: usize) -> bool {
    // SAFETY: it is NUL-terminated (ZStr).
    unsafe { arch::syscall3(nr::FACCESSAT, Fd::CWD.raw(), path.address(), how) == 0 }
}

/// Sets the permission bits of `path`; a symbolic link is followed. An empty path means `file` itself. fchmodat(2),
/// fchmod(2).
pub fn chmod(file: Fd, path: ZStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: the path is NUL-terminated (ZStr).
    Errno::unit(unsafe {
        if path.is_empty() && file != Fd::CWD {
            arch::syscall3(nr::FCHMOD, file.raw(), mode as usize, 0)
        } else {
            arch::syscall3(nr::FCHMODAT, file.raw(), path.address(), mode as usize)
        }
    })
}

/// Gives `path` the owner and group of `stat`; of a symbolic link, the link. An empty path means `file` itself.
/// fchownat(2).
pub fn chown(file: Fd, path: ZStr, stat: &Stat) -> Result<(), Errno> {
    let flags = Follow::No as usize | AT_EMPTY_PATH;
    let args = [file.raw(), path.address(), stat.uid as usize, stat.gid as usize, flags, 0];
    // SAFETY: the path is NUL-terminated (ZStr).
    Errno::unit(unsafe { arch::syscall6(nr::FCHOWNAT, args) })
}

/// Gives `path` the times of `stat`, or the present one; of a symbolic link, the link if `follow` says so. No path means
/// `file` itself. utimensat(2).
pub fn set_times(file: Fd, path: Option<ZStr>, stat: Option<&Stat>, follow: Follow) -> Result<(), Errno> {
    // Two struct __kernel_timespec.
    let mut times = [0_i64; 4];
    let mut address = 0;
    if let Some(stat) = stat {
        for (place, time) in times.chunks_exact_mut(2).zip([&stat.accessed, &stat.modified]) {
            place.copy_from_slice(&[time.seconds, time.nanoseconds.into()]);
        }
        address = times.as_ptr() as usize;
    }
    let args = [file.raw(), path.map_or(0, ZStr::address), address, follow as usize, 0, 0];
    // SAFETY: the path is NUL-terminated (ZStr) or null, which means the file; the times outlive the call, or null means
    // now.
    Errno::unit(unsafe { arch::syscall6(nr::UTIMENSAT, args) })
}

// Files.

/// How a file is opened. `include/uapi/asm-generic/fcntl.h`; what differs by machine is in `arch`.
pub mod flags {
    use crate::arch;

    const O_CLOEXEC: usize = 0o2000000;
    const O_CREAT: usize = 0o100;
    const O_WRONLY: usize = 1;
    const O_NONBLOCK: usize = 0o4000;

    /// For reading.
    pub const READ: usize = O_CLOEXEC;
    /// For reading, a regular file that was just seen: neither a link nor a pipe that came in its place.
    pub const READ_FILE: usize = O_CLOEXEC | arch::O_NOFOLLOW | O_NONBLOCK;
    /// For writing, from its beginning, made if it is not there.
    pub const WRITE: usize = O_CLOEXEC | O_CREAT | O_WRONLY | 0o1000;
    /// For writing at its end, made if it is not there.
    pub const APPEND: usize = O_CLOEXEC | O_CREAT | O_WRONLY | 0o2000;
    /// For writing, new: whatever bears the name is `EEXIST`.
    pub const NEW: usize = O_CLOEXEC | O_CREAT | O_WRONLY | 0o200;
    /// Made if it is not there, and nothing else.
    pub const TOUCH: usize = O_CLOEXEC | O_CREAT | O_WRONLY | O_NONBLOCK;
    /// A directory, for reading its names.
    pub const DIRECTORY: usize = O_CLOEXEC | arch::O_DIRECTORY;
    /// The same, but not through a link.
    pub const SUBDIRECTORY: usize = DIRECTORY | arch::O_NOFOLLOW;
    /// A directory, to come back to.
    pub const PLACE: usize = DIRECTORY | 0o10000000;
}

/// Opens a file; if it is made, with the bits of `mode` less the umask. openat(2).
///
/// Its number is never that of a standard stream, even if one is closed: what is written there would end up in the file.
pub fn open(directory: Fd, path: ZStr, flags: usize, mode: u32) -> Result<Open, Errno> {
    const F_DUPFD_CLOEXEC: usize = 1030;
    // SAFETY: the path is NUL-terminated (ZStr).
    let fd = unsafe { arch::syscall6(nr::OPENAT, [directory.raw(), path.address(), flags, mode as usize, 0, 0]) };
    let open = Open(Fd(Errno::value(fd)? as isize));
    if open.fd() > Fd::STDERR {
        return Ok(open);
    }
    // SAFETY: the call takes numbers.
    let fd = unsafe { arch::syscall3(nr::FCNTL, open.fd().raw(), F_DUPFD_CLOEXEC, 3) };
    Ok(Open(Fd(Errno::value(fd)? as isize)))
}

/// Locks a file or directory for who has it open, until all of its descriptors are closed; `EAGAIN` if somebody else has.
/// flock(2).
pub fn lock(file: Fd) -> Result<(), Errno> {
    const LOCK_EX: usize = 2;
    const LOCK_NB: usize = 4;
    // SAFETY: the call takes numbers.
    Errno::unit(unsafe { arch::syscall3(nr::FLOCK, file.raw(), LOCK_EX | LOCK_NB, 0) })
}

/// Reads the next entries of an open directory into `buffer`; returns how many bytes they take, 0 at the end.
/// getdents64(2). `EINVAL` if not even one fits.
pub fn read_directory(directory: Fd, buffer: &[Cell<u8>]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most the length of the buffer, whose cells may change.
    Errno::value(unsafe { arch::syscall3(nr::GETDENTS64, directory.raw(), buffer.as_ptr() as usize, buffer.len()) })
}

/// Goes to a place that the kernel named, in an open file or directory. lseek(2) with `SEEK_SET`.
pub fn seek(file: Fd, place: u64) -> Result<(), Errno> {
    // SAFETY: the call takes numbers.
    Errno::value(unsafe { arch::syscall3(nr::LSEEK, file.raw(), place as usize, 0) }).map(|_| ())
}

/// Reads into `buffer`; returns how many bytes, 0 at the end. read(2), again after `EINTR`.
pub fn read(file: Fd, buffer: &[Cell<u8>]) -> Result<usize, Errno> {
    loop {
        // SAFETY: the kernel writes at most the length of the buffer, whose cells may change.
        let read = unsafe { arch::syscall3(nr::READ, file.raw(), buffer.as_ptr() as usize, buffer.len()) };
        match Errno::value(read) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Writes all of `bytes`, in as few calls as the kernel allows. write(2), again after `EINTR` or a short count.
pub fn write_all(fd: Fd, mut bytes: &[Cell<u8>]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads at most the length of the slice.
        match Errno::value(unsafe { arch::syscall3(nr::WRITE, fd.raw(), bytes.as_ptr() as usize, bytes.len()) }) {
            Ok(0) => return Err(Errno::EIO), // no progress: do not spin
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Copies at most `count` bytes from where `from` stands to where `to` stands, within the kernel; returns how many.
/// copy_file_range(2) if `shared` (file systems may then share the blocks), else sendfile(2).
pub fn transfer(from: Fd, to: Fd, count: usize, shared: bool) -> Result<usize, Errno> {
    loop {
        // SAFETY: null means where the files stand.
        let copied = unsafe {
            if shared {
                arch::syscall6(nr::COPY_FILE_RANGE, [from.raw(), 0, to.raw(), 0, count, 0])
            } else {
                arch::syscall6(nr::SENDFILE, [to.raw(), from.raw(), 0, count, 0, 0])
            }
        };
        match Errno::value(copied) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Writes the pieces, each up to its first newline, and a newline to `to`; with one writev(2), so that it
/// is one line, and lines of several processes do not mix.
///
/// There is nobody to tell when it fails, so it returns nothing.
pub fn message(to: Fd, pieces: &[ZStr; 8]) {
    // struct iovec, include/uapi/linux/uio.h: address, length. Not initialised first: that would be a memset(3).
    let mut vector = [const { MaybeUninit::uninit() }; 9];
    for (place, piece) in vector.iter_mut().zip(pieces) {
        place.write([piece.address(), piece.line_len()]);
    }
    let [.., newline] = &mut vector;
    newline.write([c"\n".as_ptr() as usize, 1]);
    // SAFETY: all nine are written; each is a string of at least that length, and all outlive the call.
    unsafe { arch::syscall3(nr::WRITEV, to.raw(), vector.as_ptr() as usize, vector.len()) };
}

// Memory and time.

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

/// Waits for ever, and keeps no memory but the page of the stack where the kernel's strings begin, and what lies above it:
/// nobody comes back to what is below. If it cannot wait it calls `failed` with the kernel's result. madvise(2), ppoll(2).
pub fn wait(start: &Start, failed: extern "C-unwind" fn(isize) -> !) -> ! {
    // As much as the kernel maps to begin with (fs/exec.c, setup_arg_pages); what is not mapped is passed over.
    const LENGTH: usize = 128 << 10;
    // SAFETY: they are pages of the stack (what `Start::read` was owed) or, without arguments, none. What borrows from
    // there lives in a caller, and this does not return.
    unsafe { arch::wait(start.strings.wrapping_sub(LENGTH), LENGTH, failed) }
}

/// Sleeps for a time. clock_gettime(2), clock_nanosleep(2): until a moment, so that an interruption does not lengthen it.
pub fn sleep(seconds: i64, nanoseconds: i64) -> Result<(), Errno> {
    const CLOCK_MONOTONIC: usize = 1;
    const TIMER_ABSTIME: usize = 1;
    let mut time = [0_i64; 2]; // struct __kernel_timespec
    // SAFETY: the kernel writes the two numbers.
    Errno::unit(unsafe { arch::syscall3(nr::CLOCK_GETTIME, CLOCK_MONOTONIC, time.as_mut_ptr() as usize, 0) })?;
    let [now, part] = time;
    let part = part + nanoseconds;
    let over = part >= 1_000_000_000;
    let until =
        [now.saturating_add(seconds).saturating_add(i64::from(over)), part - if over { 1_000_000_000 } else { 0 }];
    let args = [CLOCK_MONOTONIC, TIMER_ABSTIME, until.as_ptr() as usize, 0, 0, 0];
    loop {
        // SAFETY: the time outlives the call.
        match Errno::unit(unsafe { arch::syscall6(nr::CLOCK_NANOSLEEP, args) }) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

// Rights and signals.

/// Makes a user namespace of the process's own. unshare(2) with `CLONE_NEWUSER`.
///
/// Its owner, every process of the same user, has all capabilities over it, and so may look through `/proc/PID/root`
/// whatever its group (`security/commoncap.c`, `cap_capable`). Where it is not allowed nothing is lost but that.
pub fn unshare_user() {
    const CLONE_NEWUSER: usize = 0x1000_0000;
    // SAFETY: the call takes a number; the process has one thread and nothing that depends on its namespace.
    unsafe { arch::syscall3(nr::UNSHARE, CLONE_NEWUSER, 0, 0) };
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

/// The kernel's `struct sigaction`, `include/linux/signal_types.h`; the same on all machines, unlike libc's. riscv64 has
/// no restorer, but the mask in its place: both are 0 there.
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

/// The same in the midst of work: half of it is no success. The exit code is the one that a shell gives.
extern "C" fn interrupt(signal: i32) -> ! {
    exit(128 + signal as u8)
}

const SIGINT: usize = 2;
const SIGTERM: usize = 15;

/// Does `work`, in the midst of which SIGTERM and SIGINT end the process with 128 and their number.
#[cold]
#[inline(never)]
pub fn working<T>(work: impl FnOnce() -> T) -> T {
    // Where they cannot be set they stay as they are: it ends all the same.
    let _ = handle_stop(true);
    let done = work();
    let _ = handle_stop(false);
    done
}

/// Makes SIGTERM and SIGINT end the process at any moment: with exit code 0, or while `working` with 128 and their number.
/// Also as PID 1, and also when they came in ignored. rt_sigaction(2).
fn handle_stop(working: bool) -> Result<(), Errno> {
    let handler: extern "C" fn(i32) -> ! = if working { interrupt } else { stop };
    set_action(SIGTERM, handler as usize)?;
    set_action(SIGINT, handler as usize)
}

/// Handles SIGTERM and SIGINT also when they came in blocked, and lets the kernel reap orphans. rt_sigaction(2),
/// rt_sigprocmask(2).
///
/// SIGPIPE alone stays blocked: a log that nobody reads any more must not end the program.
pub fn handle_signals() -> Result<(), Errno> {
    const SIGPIPE: usize = 13;
    const SIGCHLD: usize = 17;
    const SIG_IGN: usize = 1;
    const SIG_SETMASK: usize = 2;
    handle_stop(false)?;
    set_action(SIGCHLD, SIG_IGN)?;
    let mask = 1_u64 << (SIGPIPE - 1);
    let args = [SIG_SETMASK, &raw const mask as usize, 0, size_of::<u64>(), 0, 0];
    // SAFETY: the set is 8 bytes and outlives the call.
    Errno::unit(unsafe { arch::syscall6(nr::RT_SIGPROCMASK, args) })
}

/// What `signal` does from now on.
fn set_action(signal: usize, handler: usize) -> Result<(), Errno> {
    // The address to return to is never used; x86_64 wants one.
    let restorer = if arch::SA_RESTORER == 0 { 0 } else { handler };
    let action = SigAction { handler, flags: arch::SA_RESTORER, restorer, mask: 0 };
    let args = [signal, &raw const action as usize, 0, size_of::<u64>(), 0, 0];
    // SAFETY: the action outlives the call, has the kernel's layout, and the set has 8 bytes.
    // The handler is a function of that signature which touches no memory of the program, or `SIG_IGN`.
    Errno::unit(unsafe { arch::syscall6(nr::RT_SIGACTION, args) })
}

// The start.

/// What the kernel has left for the program.
#[allow(missing_docs)]
pub struct Start<'a> {
    pub arguments: &'a [Cell<ZStr<'a>>],
    /// `NAME=VALUE` each.
    pub environment: &'a [Cell<ZStr<'a>>],
    /// What was executed: `AT_EXECFN`.
    pub file: ZStr<'a>,
    /// Bits that nobody can foresee: `AT_RANDOM`.
    pub random: u64,
    /// The effective user: `AT_EUID`.
    pub euid: usize,
    /// The page in which the lowest string begins, which is the first argument; 0 if there is none.
    strings: usize,
}

impl<'a> Start<'a> {
    /// Reads the stack as the kernel left it.
    ///
    /// ```text
    ///               ... strings ...
    ///               auxiliary vector, AT_NULL
    ///               envp[0], envp[1], ..., null
    ///  frame + 8:   argv[0], argv[1], ..., null
    ///  frame:       argc
    /// ```
    ///
    /// `fs/binfmt_elf.c`, `create_elf_tables`.
    ///
    /// # Safety
    /// The caller owes that `frame` is the initial stack pointer.
    pub unsafe fn read(frame: *const usize) -> Self {
        const AT_NULL: usize = 0;
        const AT_PAGESZ: usize = 6;
        const AT_EUID: usize = 12;
        const AT_RANDOM: usize = 25;
        const AT_EXECFN: usize = 31;
        // SAFETY: the layout above (what the caller owes). The kernel ends every string with a NUL, and nothing ever
        // writes to them. AT_RANDOM is the address of 16 bytes, AT_EXECFN that of a string.
        unsafe {
            let argc = *frame;
            let environment = frame.add(argc + 2);
            let mut at = environment;
            while *at != 0 {
                at = at.add(1);
            }
            let mut start = Start {
                arguments: slice::from_raw_parts(frame.add(1).cast(), argc),
                environment: slice::from_raw_parts(environment.cast(), at.offset_from(environment) as usize),
                file: ZStr::new(c""),
                random: 0,
                euid: 0,
                strings: *frame.add(1),
            };
            at = at.add(1);
            while *at != AT_NULL {
                let value = *at.add(1);
                match *at {
                    AT_PAGESZ => start.strings &= value.wrapping_neg(),
                    AT_EUID => start.euid = value,
                    AT_RANDOM => start.random = (value as *const u64).read_unaligned(),
                    AT_EXECFN => start.file = *at.add(1).cast(),
                    _ => {}
                }
                at = at.add(2);
            }
            start
        }
    }
}

/// The scratch memory: [`SCRATCH`] bytes below `frame`.
///
/// # Safety
/// The caller owes that `frame` is the initial stack pointer, that the memory is free, and that this is called once.
pub unsafe fn scratch<'a>(frame: *mut usize) -> &'a mut [usize] {
    // SAFETY: free memory of the process's own stack (what the caller owes), initialised by the kernel; used once.
    unsafe { slice::from_raw_parts_mut(frame.byte_sub(SCRATCH), SCRATCH / size_of::<usize>()) }
}
