//! A made-up kernel for the program's `arch::hosted`: files in memory, and a tape that says when calls go wrong.

use crate::files::*;
use crate::oracle::{Command, Watch};
use link_model_and_wait::arch::nr;
#[cfg(miri)]
use std::alloc;
use std::cell::RefCell;
use std::panic;
use std::ptr;
use std::rc::Rc;
use std::slice;

/// What a thread unwinds with when the process would end; None if it would go on for ever.
pub struct Exit(pub Option<u8>);

/// The process.
pub const PID: usize = 4242;

/// More calls than any script here needs, unless it goes on for ever.
const CALLS: usize = 1000;

/// Bytes of memory that there are, unless the tape says that it is more than anyone asks for: what has been used must be
/// made zero for the next program.
const MEMORY: usize = 384 << 10;

/// Bytes of what is printed that are looked at.
const PRINTED: usize = 1 << 18;

/// What is in use from the number 3 on, at most.
const OPEN: usize = 64;

/// Calls of which each can be made to fail in the same way whenever it comes.
const FAILING: &[usize] = &[
    nr::MMAP,
    nr::OPENAT,
    nr::STATX,
    nr::READ,
    nr::WRITE,
    nr::GETDENTS64,
    nr::LSEEK,
    nr::UNLINKAT,
    nr::MKDIRAT,
    nr::RENAMEAT2,
    nr::SYMLINKAT,
    nr::READLINKAT,
    nr::FCHMOD,
    nr::FCHMODAT,
    nr::FCHOWNAT,
    nr::UTIMENSAT,
    nr::COPY_FILE_RANGE,
    nr::SENDFILE,
    nr::CHDIR,
    nr::FCHDIR,
    nr::FCNTL,
    nr::FLOCK,
    nr::PPOLL,
    nr::CLOCK_NANOSLEEP,
    nr::RT_SIGACTION,
    nr::RT_SIGPROCMASK,
];

/// Names that mean something to the program, and some that it should not stumble over.
const NAMES: &[&[u8]] = &[
    b"a",
    b"b",
    b"models",
    b"m",
    b"-",
    b"--",
    b"-rf",
    b"*",
    b"[a]",
    b" ",
    b"a b",
    b"\n",
    b"a\nb",
    b"\xff\xfe",
    b"\xc3\xa9",
    b"...",
    b".a",
    b"\\",
    b"'",
    b"$x",
    b".modelcar-0",
    b".modelcar-3876335077", // what a copy to `b` is called first
    b"x.tar",
    b"1",
];

/// An open file, or a stream of bytes that is none.
#[derive(Clone, Default)]
struct Open {
    node: Option<usize>,
    at: usize,
    writes: bool,
    appends: bool,
    /// For its place only: `O_PATH`.
    path: bool,
}

#[derive(Default)]
struct Kernel {
    files: Files,
    open: Vec<Option<Open>>,
    here: usize,
    umask: u16,
    tape: Vec<u8>,
    position: usize,
    calls: usize,
    /// A call that always fails, and how.
    failing: (usize, isize),
    /// Directories do not tell what their names are of.
    untold: bool,
    /// A call was made to fail.
    failed: bool,
    /// Somebody else has changed the files.
    moved: bool,
    /// From the beginning there is a name like those for the time being.
    planted: bool,
    /// Something was changed or printed.
    done: bool,
    /// The messages, but those that the program says to nobody.
    lines: Vec<Vec<u8>>,
    /// What was written to standard output, and whether some was not.
    printed: Vec<u8>,
    unprinted: bool,
    /// How many files were open when the program ended, but the standard streams.
    left: usize,
    /// The files as they were, and the directory that it began in.
    before: Rc<Files>,
    began: usize,
    watch: Option<Watch>,
    /// More memory than it needs.
    large: bool,
    /// Where argc is.
    frame: usize,
    mappings: Vec<Mapping>,
}

struct Mapping {
    address: usize,
    length: usize,
    used: bool,
}

impl Mapping {
    /// Its bytes become zero again.
    #[cfg(not(miri))]
    fn reset(&mut self) {
        if std::mem::take(&mut self.used) {
            // SAFETY: this module's own mapping.
            unsafe { libc::madvise(self.address as *mut libc::c_void, self.length, libc::MADV_DONTNEED) };
        }
    }

    /// Zeroed memory, with pages around it that must not be touched.
    #[cfg(not(miri))]
    fn new(length: usize) -> Mapping {
        const GUARD: usize = 1 << 20;
        // SAFETY: new mappings, the second inside the first.
        unsafe {
            let (none, flags) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
            let outer = libc::mmap(ptr::null_mut(), length + 2 * GUARD, none, flags, -1, 0);
            assert_ne!(outer, libc::MAP_FAILED);
            let address = outer as usize + GUARD;
            assert_eq!(libc::mprotect(address as *mut libc::c_void, length, libc::PROT_READ | libc::PROT_WRITE), 0);
            Mapping { address, length, used: true }
        }
    }

    /// Gives it back: an interpreter takes long to make it zero.
    #[cfg(miri)]
    fn reset(&mut self) {
        // SAFETY: as it was allocated below.
        unsafe { alloc::dealloc(ptr::with_exposed_provenance_mut(self.address), Self::layout(self.length)) };
    }

    /// Zeroed memory; the interpreter knows its ends.
    #[cfg(miri)]
    fn new(length: usize) -> Mapping {
        // SAFETY: the length is not zero.
        let address = unsafe { alloc::alloc_zeroed(Self::layout(length)) }.expose_provenance();
        Mapping { address, length, used: true }
    }

    #[cfg(miri)]
    fn layout(length: usize) -> alloc::Layout {
        alloc::Layout::from_size_align(length, 4096).expect("a length that fits")
    }
}

thread_local!(static KERNEL: RefCell<Kernel> = RefCell::default());

/// What is known when a program has ended.
pub struct End {
    /// Something was changed or printed.
    pub done: bool,
    /// A call was made to fail.
    pub failed: bool,
    /// Somebody else has changed the files.
    pub moved: bool,
    /// From the beginning there was a name like those for the time being.
    pub planted: bool,
    /// All that was said to the user.
    pub lines: Vec<Vec<u8>>,
    /// What was written to standard output, and whether some was not.
    pub printed: Vec<u8>,
    pub unprinted: bool,
    /// How many files were open but the standard streams.
    pub left: usize,
    /// The permission bits that new files do not get.
    pub umask: u16,
    /// The files, as they were and are, and the directory in which it began.
    pub before: Rc<Files>,
    pub files: Files,
    pub here: usize,
}

/// Puts in a tape, for a program whose frame is at this address. A script in a file lies in `/tmp`. What the program
/// does may be one command of which something is known.
pub fn begin(tape: &[u8], frame: usize, script: Option<&[u8]>, command: Option<&Command>) {
    KERNEL.with_borrow_mut(|kernel| {
        let mappings = std::mem::take(&mut kernel.mappings);
        *kernel =
            Kernel { tape: tape.to_vec(), frame, mappings, umask: 0o022, files: Files::new(), ..Kernel::default() };
        kernel.set_up(script);
        kernel.began = kernel.here;
        if let Some(command) = command {
            kernel.before = Rc::new(kernel.files.clone());
            kernel.watch = command.is_copy().then(|| Watch {
                command: command.clone(),
                before: kernel.before.clone(),
                sources: command.sources(&kernel.files, kernel.here),
            });
        }
    });
}

/// The program has ended.
pub fn end() -> End {
    KERNEL.with_borrow_mut(|kernel| {
        poison(kernel.frame, false);
        kernel.mappings.iter_mut().for_each(Mapping::reset);
        #[cfg(miri)]
        kernel.mappings.clear(); // new ones each time
        End {
            done: kernel.done,
            failed: kernel.failed,
            moved: kernel.moved,
            planted: kernel.planted,
            lines: std::mem::take(&mut kernel.lines),
            printed: std::mem::take(&mut kernel.printed),
            unprinted: kernel.unprinted,
            left: kernel.left,
            umask: kernel.umask,
            before: kernel.before.clone(),
            files: std::mem::take(&mut kernel.files),
            here: kernel.began,
        }
    })
}

/// Makes a word in memory, argc, one that must not be touched: it lies between the scratch memory and argv, and the
/// program has read it before its first call.
#[cfg(feature = "fuzzer")]
fn poison(address: usize, on: bool) {
    unsafe extern "C" {
        fn __asan_poison_memory_region(address: usize, size: usize);
        fn __asan_unpoison_memory_region(address: usize, size: usize);
    }
    let change = if on { __asan_poison_memory_region } else { __asan_unpoison_memory_region };
    // SAFETY: a word of the harness's own.
    unsafe { change(address, size_of::<usize>()) };
}

#[cfg(not(feature = "fuzzer"))]
fn poison(_: usize, _: bool) {}

/// A system call of the program's.
///
/// # Safety
/// What the man page demands of the arguments.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn hosted_syscall(number: usize, args: [usize; 6]) -> isize {
    // A file is closed while the thread unwinds: that is no place to end it once more.
    let end = KERNEL.with_borrow_mut(|kernel| {
        if kernel.calls == 0 {
            poison(kernel.frame, true);
        }
        let counts = number != nr::CLOSE;
        kernel.calls += usize::from(counts);
        counts && kernel.calls > CALLS
    });
    if end {
        panic::resume_unwind(Box::new(Exit(None)));
    }
    // SAFETY: passed on to the caller.
    match KERNEL.with_borrow_mut(|kernel| unsafe { kernel.call(number, args) }) {
        Ok(Some(result)) => result as isize,
        Ok(None) => panic::resume_unwind(Box::new(Exit(None))),
        Err(error) => error,
    }
}

/// The program ends.
#[unsafe(no_mangle)]
extern "Rust" fn hosted_exit(status: u8) -> ! {
    KERNEL.with_borrow_mut(|kernel| kernel.left = kernel.open.iter().skip(3).flatten().count());
    panic::resume_unwind(Box::new(Exit(Some(status))))
}

impl Kernel {
    /// The next byte of the tape; zeros behind its end.
    fn next(&mut self) -> u8 {
        let byte = self.tape.get(self.position).copied().unwrap_or(0);
        self.position += 1;
        byte
    }

    fn choose(&mut self, count: usize) -> usize {
        usize::from(self.next()) % count
    }

    /// Makes the files that are there when the program begins.
    fn set_up(&mut self, script: Option<&[u8]>) {
        let flags = self.next();
        let (call, error) = (self.choose(256), self.next());
        if let Some(&call) = FAILING.get(call.wrapping_sub(1)) {
            self.failing = (call, -isize::from(error.max(1)));
            self.failed = true;
        }
        self.untold = flags & 1 != 0;
        self.large = !cfg!(miri) && flags & 0x60 == 0x60;
        let stream = |writes| Some(Open { writes, ..Open::default() });
        self.open = vec![stream(false), stream(true), stream(true)];
        for number in 0..3 {
            if flags & 2 << number != 0 {
                self.open[number] = None;
            }
        }
        let (d, f) = (DIRECTORY | 0o755, REGULAR | 0o644);
        for (path, mode, content) in [
            (&b"bin"[..], d, &b""[..]),
            (b"bin/sh", REGULAR | 0o755, b""),
            (b"dev", d, b""),
            (b"dev/null", DEVICE | 0o666, b""),
            (b"mnt", d, b""),
            (b"tmp", DIRECTORY | 0o1777, b""),
            (b"models", d, b""),
            (b"models/m", f, b"weights\n"),
            (b"models/s", d, b""),
            (b"models/s/l", SYMLINK | 0o777, b"../m"),
        ] {
            let place = self.files.find(0, path, false).expect("a path of this table");
            self.files.make(&place, mode, content).expect("nothing there yet");
        }
        if let Some(script) = script {
            let place = self.files.find(0, b"tmp/s", false).expect("a path in this table's directory");
            self.files.make(&place, f, script).expect("nothing there yet");
        }
        for _ in 0..self.choose(12) {
            self.plant();
        }
        if flags & 0x10 != 0 {
            self.here = 7; // models
        }
    }

    fn pick(&mut self) -> usize {
        let nodes = self.files.nodes.len();
        self.choose(nodes)
    }

    /// Puts something somewhere.
    fn plant(&mut self) {
        let node = self.pick();
        let directory = if self.files.nodes[node].is(DIRECTORY) { node } else { self.here };
        let name = match self.next() {
            byte @ 0..224 => NAMES[usize::from(byte) % NAMES.len()].to_vec(),
            byte => {
                let length = if byte < 250 { 1 + usize::from(byte % 5) } else { usize::from(byte) };
                let bytes = (0..length).map(|_| self.next());
                bytes.map(|byte| if matches!(byte, 0 | b'/') { b'n' } else { byte }).collect()
            }
        };
        if matches!(&name[..], b"." | b"..") || self.files.entry(directory, &name).is_some() {
            return;
        }
        self.planted |= is_temporary(&name);
        let kind = self.next();
        let bits = u16::from(self.next()) << 4 | 0o4;
        let (mode, content) = match kind % 10 {
            0..3 => (DIRECTORY, vec![]),
            3 => (REGULAR, vec![]),
            4 => (REGULAR, vec![b'x'; usize::from(kind) * 40]),
            5 => (SYMLINK, NAMES[usize::from(kind / 10) % NAMES.len()].to_vec()),
            6 => (SYMLINK, b"..".to_vec()),
            7 => (FIFO, vec![]),
            8 => (SOCKET, vec![]),
            _ => {
                let other = self.pick();
                if !self.files.nodes[other].is(DIRECTORY) {
                    let _ = self.files.name(directory, &name, other);
                }
                return;
            }
        };
        let _ = self.files.make(&Place { directory, name, node: None, slash: false }, mode | bits, &content);
    }

    /// Somebody else changes the files.
    fn disturb(&mut self) {
        self.moved = true;
        let directory = self.pick();
        let names = self.files.nodes[directory].entries.len();
        if names == 0 {
            return self.plant();
        }
        let at = self.choose(names);
        let (_, name, node) = self.files.nodes[directory].entries[at].clone();
        let from = Place { directory, name, node: Some(node), slash: false };
        match self.next() % 5 {
            0 => {
                let _ = self.files.remove(&from, self.files.nodes[node].is(DIRECTORY));
            }
            1 | 2 => {
                let other = self.pick();
                if self.files.nodes[other].is(DIRECTORY) {
                    let name = NAMES[self.choose(NAMES.len())].to_vec();
                    let there = self.files.entry(other, &name);
                    let _ =
                        self.files.rename(&from, &Place { directory: other, name, node: there, slash: false }, false);
                }
            }
            3 => {
                self.files.unname(directory, &from.name);
                let link = Place { node: None, ..from };
                let _ = self.files.make(&link, SYMLINK | 0o777, b"..");
            }
            _ if self.files.nodes[node].is(REGULAR) => self.files.nodes[node].content.truncate(1),
            _ => self.plant(),
        }
    }

    /// Zeroed memory.
    fn map(&mut self, length: usize) -> usize {
        let free = self.mappings.iter_mut().find(|mapping| !mapping.used && mapping.length == length);
        if let Some(mapping) = free {
            mapping.used = true;
            return mapping.address;
        }
        let mapping = Mapping::new(length);
        let address = mapping.address;
        self.mappings.push(mapping);
        address
    }

    fn file(&self, number: usize) -> Answer<Open> {
        let open = self.open.get(number).cloned().flatten();
        assert!(open.is_some() || number < 3 || number as isize == -100, "{number} is no open file");
        open.ok_or(EBADF)
    }

    fn put(&mut self, least: usize, open: Open) -> Answer {
        if self.open.len() > OPEN {
            return Err(-24);
        }
        let number = (least..).find(|&number| self.open.get(number).is_none_or(Option::is_none)).unwrap_or(0);
        if number >= self.open.len() {
            self.open.resize(number + 1, None);
        }
        self.open[number] = Some(open);
        Ok(number)
    }

    /// The directory from which a path is looked up.
    fn from(&self, directory: usize, path: &[u8]) -> Answer {
        if directory as isize == -100 || path.starts_with(b"/") {
            return Ok(self.here);
        }
        let node = self.file(directory)?.node.ok_or(ENOTDIR)?;
        if self.files.nodes[node].is(DIRECTORY) { Ok(node) } else { Err(ENOTDIR) }
    }

    /// Where a path leads that the program gives.
    ///
    /// # Safety
    /// It is the address of a string.
    unsafe fn find(&self, directory: usize, path: usize, follow: bool) -> Answer<Place> {
        // SAFETY: passed on to the caller.
        let path = unsafe { string(path) }?;
        self.files.find(self.from(directory, path)?, path, follow)
    }

    /// What a path leads to.
    ///
    /// # Safety
    /// It is the address of a string.
    unsafe fn named(&self, directory: usize, path: usize, follow: bool) -> Answer {
        // SAFETY: passed on to the caller.
        unsafe { self.find(directory, path, follow) }?.node.ok_or(ENOENT)
    }

    /// What an open file is.
    fn opened(&self, number: usize) -> Answer {
        self.file(number)?.node.ok_or(EINVAL)
    }

    /// A call; None if it never returns.
    unsafe fn call(&mut self, number: usize, args: [usize; 6]) -> Answer<Option<usize>> {
        let [a, b, c, d, e, f] = args;
        match number {
            nr::GETPID => return Ok(Some(PID)),
            nr::MMAP if args[1] > MEMORY && !self.large => return Err(-12),
            nr::UMASK => return Ok(Some(std::mem::replace(&mut self.umask, a as u16 & 0o777).into())),
            nr::CLOSE => {
                let closed = self.open.get_mut(a).and_then(Option::take);
                assert!(closed.is_some() || a < 3, "{a} is closed, and no open file");
                return Ok(Some(0));
            }
            _ => {}
        }
        let (mut short, mut wrong) = (false, None);
        match self.next() {
            0..200 => {}
            200..216 => self.disturb(),
            216..232 => short = true,
            byte => {
                const LIKELY: [isize; 8] = [-1, -2, -4, -5, -12, -13, -17, -20];
                wrong = Some(match byte {
                    232..240 => LIKELY[usize::from(byte - 232)],
                    _ => -isize::from(self.next().max(1)),
                });
            }
        }
        if number == self.failing.0 && self.failing.1 != 0 {
            wrong = Some(self.failing.1);
        }
        self.failed |= wrong.is_some();
        // SAFETY: what the program owes for each call; if it does not, that is a finding.
        let result = unsafe { self.answer(number, [a, b, c, d, e, f], short, wrong) };
        self.unprinted |= number == nr::WRITE && a == 1 && result.is_err();
        if result.is_ok()
            && matches!(
                number,
                nr::SYMLINKAT
                    | nr::UNLINKAT
                    | nr::MKDIRAT
                    | nr::FCHMOD
                    | nr::FCHMODAT
                    | nr::RENAMEAT2
                    | nr::UTIMENSAT
                    | nr::FCHOWNAT
            )
        {
            self.done = true;
        }
        result
    }

    /// Something has got a name.
    fn appears(&self, place: &Place) {
        if let (Some(watch), false) = (&self.watch, self.moved) {
            watch.appears(&self.files, place.directory, &place.name, !self.failed);
        }
    }

    /// What the call gives. All that the program has to provide is looked at first, whether or not it is `wrong`.
    unsafe fn answer(
        &mut self,
        number: usize,
        [a, b, c, d, e, f]: [usize; 6],
        short: bool,
        wrong: Option<isize>,
    ) -> Answer<Option<usize>> {
        let wrong = wrong.map_or(Ok(()), Err);
        // SAFETY: what the program owes for each call.
        unsafe {
            let number = match number {
                nr::MMAP => {
                    wrong?;
                    self.map(b)
                }
                nr::RT_SIGACTION | nr::RT_SIGPROCMASK => {
                    read(b, if number == nr::RT_SIGACTION { 32 } else { 8 });
                    assert_eq!((c, d), (0, 8));
                    wrong?;
                    0
                }
                nr::CAPSET => {
                    read(a, 8);
                    read(b, 24);
                    wrong?;
                    0
                }
                nr::UNSHARE | nr::MADVISE => {
                    wrong?;
                    0
                }
                nr::PPOLL => {
                    assert_eq!((a, b, c, d), (0, 0, 0, 0));
                    wrong?;
                    return Ok(None);
                }
                nr::CLOCK_GETTIME => {
                    let time: [i64; 2] = [self.calls as i64, 999_999_999];
                    (b as *mut [i64; 2]).write_unaligned(time);
                    wrong?;
                    0
                }
                nr::CLOCK_NANOSLEEP => {
                    let time = (c as *const [i64; 2]).read_unaligned();
                    assert!(time[0] >= 0 && (0..1_000_000_000).contains(&time[1]), "sleep until {time:?}");
                    wrong?;
                    if time[0] > 1 << 40 {
                        return Ok(None);
                    }
                    0
                }
                nr::SYMLINKAT => {
                    let target = string(a);
                    let place = self.find(b, c, false);
                    wrong?;
                    let target = target?;
                    if target.is_empty() {
                        return Err(ENOENT);
                    }
                    let place = place?;
                    self.files.make(&place, SYMLINK | 0o777, target)?;
                    self.appears(&place);
                    0
                }
                nr::UNLINKAT => {
                    let place = self.find(a, b, false);
                    assert!(matches!(c, 0 | 0x200));
                    wrong?;
                    let place = place?;
                    if let (Some(watch), Some(_), false) = (&self.watch, place.node, self.moved) {
                        watch.vanishes(&self.files, &place, !self.failed);
                    }
                    self.files.remove(&place, c != 0)?;
                    0
                }
                nr::MKDIRAT => {
                    let place = self.find(a, b, false);
                    assert!(c <= 0o7777, "mode {c:o}");
                    wrong?;
                    let place = place?;
                    self.files.make(&place, DIRECTORY | c as u16 & !self.umask, b"")?;
                    self.appears(&place);
                    0
                }
                nr::RENAMEAT2 => {
                    let (from, to) = (self.find(a, b, false), self.find(c, d, false));
                    assert!(matches!(e, 0..=2));
                    wrong?;
                    let (from, to) = (from?, to?);
                    if e == 1 && to.node.is_some() {
                        return Err(EEXIST);
                    }
                    self.files.rename(&from, &to, e == 2)?;
                    self.appears(&to);
                    self.appears(&from);
                    0
                }
                nr::READLINKAT => {
                    let place = self.find(a, b, false);
                    let buffer = slice::from_raw_parts_mut(c as *mut u8, d);
                    wrong?;
                    let node = place?.node.ok_or(ENOENT)?;
                    if !self.files.nodes[node].is(SYMLINK) || d == 0 {
                        return Err(EINVAL);
                    }
                    let content = &self.files.nodes[node].content;
                    let length = content.len().min(d);
                    buffer[..length].copy_from_slice(&content[..length]);
                    length
                }
                nr::FACCESSAT => {
                    let place = self.find(a, b, true);
                    assert!(c <= 7);
                    wrong?;
                    let node = place?.node.ok_or(ENOENT)?;
                    if c == 1 && self.files.nodes[node].mode & 0o111 == 0 {
                        return Err(-13);
                    }
                    0
                }
                nr::FCHMOD | nr::FCHMODAT => {
                    let (node, mode) =
                        if number == nr::FCHMOD { (self.opened(a), b) } else { (self.named(a, b, true), c) };
                    assert!(mode <= 0o7777, "mode {mode:o}");
                    wrong?;
                    let file = &mut self.files.nodes[node?].mode;
                    *file = *file & TYPE | mode as u16;
                    0
                }
                nr::FCHOWNAT => {
                    assert_eq!(e & !0x1100, 0);
                    let empty = e & 0x1000 != 0 && string(b) == Ok(b"");
                    let node = if empty { self.opened(a) } else { self.named(a, b, e & 0x100 == 0) };
                    wrong?;
                    node?;
                    0
                }
                nr::UTIMENSAT => {
                    let node = if b == 0 { self.opened(a) } else { self.named(a, b, d == 0) };
                    assert!(matches!(d, 0 | 0x100));
                    let times = (c != 0).then(|| (c as *const [i64; 4]).read_unaligned());
                    wrong?;
                    let node = node?;
                    let times = times.unwrap_or([9, 9, 9, 9]);
                    assert!([times[1], times[3]].iter().all(|part| (0..1_000_000_000).contains(part)), "{times:?}");
                    self.files.nodes[node].times = times;
                    0
                }
                nr::STATX => {
                    let place = if string(b) == Ok(b"") && c & 0x1000 != 0 {
                        self.file(a).map(|open| open.node)
                    } else {
                        self.find(a, b, c & 0x100 == 0).and_then(|place| place.node.ok_or(ENOENT)).map(Some)
                    };
                    let statx = slice::from_raw_parts_mut(e as *mut u8, 256);
                    statx.fill(0xee);
                    wrong?;
                    self.describe(place?, statx);
                    0
                }
                nr::OPENAT => {
                    let place = self.find(a, b, c & 0o400000 == 0 && c & 0o300 != 0o300);
                    assert!(d <= 0o7777, "mode {d:o}");
                    wrong?;
                    match self.open_file(place?, c, d as u16)? {
                        Some(number) => number,
                        None => return Ok(None),
                    }
                }
                nr::FCNTL => {
                    assert_eq!(b, 1030);
                    wrong?;
                    let open = self.file(a)?;
                    self.put(c, open)?
                }
                nr::FLOCK => {
                    assert_eq!(b, 2 | 4);
                    wrong?;
                    self.file(a)?;
                    0
                }
                nr::LSEEK => {
                    assert_eq!(c, 0);
                    wrong?;
                    self.file(a)?;
                    self.open[a].as_mut().ok_or(EBADF)?.at = b;
                    b
                }
                nr::CHDIR => {
                    let place = self.find(-100_isize as usize, a, true);
                    wrong?;
                    let node = place?.node.ok_or(ENOENT)?;
                    self.enter(node)?
                }
                nr::FCHDIR => {
                    wrong?;
                    let node = self.file(a)?.node.ok_or(ENOTDIR)?;
                    self.enter(node)?
                }
                nr::GETDENTS64 => {
                    let buffer = slice::from_raw_parts_mut(b as *mut u8, c);
                    wrong?;
                    self.entries(a, buffer, short)?
                }
                nr::READ => {
                    let buffer = slice::from_raw_parts_mut(b as *mut u8, c);
                    wrong?;
                    match self.read(a, c, short)? {
                        Some(bytes) => {
                            buffer[..bytes.len()].copy_from_slice(&bytes);
                            bytes.len()
                        }
                        None => return Ok(None),
                    }
                }
                nr::WRITE => {
                    read(b, c);
                    wrong?;
                    let length = if short { c.min(1) } else { c };
                    self.write(a, slice::from_raw_parts(b as *const u8, length))?
                }
                nr::WRITEV => {
                    let mut text = Vec::new();
                    for piece in slice::from_raw_parts(b as *const [usize; 2], c) {
                        text.extend_from_slice(slice::from_raw_parts(piece[0] as *const u8, piece[1]));
                    }
                    // It is a message, and that is one line.
                    let newlines = text.iter().filter(|&&byte| byte == b'\n').count();
                    assert!(newlines == 1 && text.ends_with(b"\n"), "{:?}", String::from_utf8_lossy(&text));
                    let done = self.done;
                    let written = wrong.and_then(|()| self.write(a, &text));
                    self.done = done; // a refusal is one, too
                    if a as isize != -100 {
                        self.lines.push(text);
                    }
                    written?
                }
                nr::COPY_FILE_RANGE => {
                    assert_eq!((b, d, f), (0, 0, 0));
                    wrong?;
                    self.transfer(a, c, e, short, true)?
                }
                nr::SENDFILE => {
                    assert_eq!(c, 0);
                    wrong?;
                    self.transfer(b, a, d, short, false)?
                }
                _ => panic!("call {number}"),
            };
            Ok(Some(number))
        }
    }

    /// struct statx, include/uapi/linux/stat.h
    fn describe(&self, node: Option<usize>, statx: &mut [u8]) {
        let none = Node { mode: FIFO | 0o600, ..Node::default() };
        let file = node.map_or(&none, |node| &self.files.nodes[node]);
        let mut put = |at: usize, bytes: &[u8]| statx[at..at + bytes.len()].copy_from_slice(bytes);
        put(16, &file.links.to_ne_bytes());
        put(20, &[0; 8]);
        put(28, &file.mode.to_ne_bytes());
        put(32, &(node.map_or(7, |node| node as u64 + 10)).to_ne_bytes());
        put(40, &(file.content.len() as u64).to_ne_bytes());
        put(48, &(file.content.len().div_ceil(512) as u64).to_ne_bytes());
        for (at, time) in [(64, 0), (112, 2)] {
            put(at, &file.times[time].to_ne_bytes());
            put(at + 8, &(file.times[time + 1] as u32).to_ne_bytes());
        }
        put(128, &[0; 8]);
        put(136, &[8, 0, 0, 0, u8::from(node.is_none()), 0, 0, 0]);
    }

    /// openat(2); None if it waits for a reader or writer for ever.
    fn open_file(&mut self, place: Place, flags: usize, mode: u16) -> Answer<Option<usize>> {
        let (create, exclusive, truncate) = (flags & 0o100 != 0, flags & 0o200 != 0, flags & 0o1000 != 0);
        let (writes, path) = (flags & 3 != 0, flags & 0o10000000 != 0);
        let node = match place.node {
            Some(_) if create && exclusive => return Err(EEXIST),
            Some(node) => node,
            None if create => {
                self.done = true;
                let node = self.files.make(&place, REGULAR | mode & !self.umask, b"")?;
                self.appears(&place);
                node
            }
            None => return Err(ENOENT),
        };
        let file = &mut self.files.nodes[node];
        match file.mode & TYPE {
            DIRECTORY if writes || create => return Err(EISDIR),
            DIRECTORY => {}
            _ if flags & 0o200000 != 0 => return Err(ENOTDIR),
            SYMLINK => return Err(ELOOP),
            SOCKET => return Err(-6),
            FIFO if flags & 0o4000 == 0 => return Ok(None),
            FIFO if writes => return Err(-6),
            REGULAR if truncate && writes => {
                self.done |= !file.content.is_empty();
                file.content.clear();
            }
            _ => {}
        }
        let open = Open { node: Some(node), at: 0, writes, appends: flags & 0o2000 != 0, path };
        self.put(0, open).map(Some)
    }

    fn enter(&mut self, node: usize) -> Answer {
        if !self.files.nodes[node].is(DIRECTORY) {
            return Err(ENOTDIR);
        }
        self.here = node;
        Ok(0)
    }

    /// The bytes that read(2) gives; None if it waits for them for ever.
    fn read(&mut self, number: usize, count: usize, short: bool) -> Answer<Option<Vec<u8>>> {
        let open = self.file(number)?;
        if open.writes || open.path {
            return Err(EBADF);
        }
        let Some(node) = open.node else {
            // A terminal or a pipe: a few lines, then its end.
            let bytes = if open.at < 3 { b"in\n".to_vec() } else { vec![] };
            self.open[number].as_mut().ok_or(EBADF)?.at += 1;
            return Ok(Some(bytes[..bytes.len().min(count)].to_vec()));
        };
        match self.files.nodes[node].mode & TYPE {
            DIRECTORY => return Err(EISDIR),
            REGULAR => {}
            _ => return Ok(Some(vec![])),
        }
        let content = &self.files.nodes[node].content;
        let rest = &content[open.at.min(content.len())..];
        let bytes = rest[..rest.len().min(if short { count.min(1) } else { count })].to_vec();
        self.open[number].as_mut().ok_or(EBADF)?.at += bytes.len();
        Ok(Some(bytes))
    }

    fn write(&mut self, number: usize, bytes: &[u8]) -> Answer {
        let open = self.file(number)?;
        if !open.writes {
            return Err(EBADF);
        }
        self.done |= !bytes.is_empty();
        if number == 1 {
            self.unprinted |= self.printed.len() + bytes.len() > PRINTED;
            if !self.unprinted {
                self.printed.extend_from_slice(bytes);
            }
        }
        if let Some(node) = open.node
            && self.files.nodes[node].is(REGULAR)
        {
            let at = if open.appends { self.files.nodes[node].content.len() } else { open.at };
            self.files.write(node, at, bytes)?;
            self.open[number].as_mut().ok_or(EBADF)?.at = at + bytes.len();
        }
        Ok(bytes.len())
    }

    /// copy_file_range(2) if `range`, else sendfile(2).
    fn transfer(&mut self, from: usize, to: usize, count: usize, short: bool, range: bool) -> Answer {
        let (source, target) = (self.file(from)?, self.file(to)?);
        let is = |open: &Open, kind| open.node.is_some_and(|node| self.files.nodes[node].is(kind));
        if is(&source, DIRECTORY) {
            return Err(EISDIR);
        }
        if !is(&source, REGULAR) || range && !is(&target, REGULAR) {
            return Err(EINVAL);
        }
        if source.writes || !target.writes || range && target.appends {
            return Err(EBADF);
        }
        if target.appends || range && source.node == target.node {
            return Err(EINVAL);
        }
        let bytes = self.read(from, if short { count.min(3) } else { count }, false)?.unwrap_or_default();
        match self.write(to, &bytes) {
            Err(error) => {
                self.open[from].as_mut().ok_or(EBADF)?.at = source.at;
                Err(error)
            }
            result => result,
        }
    }

    /// getdents64(2)
    fn entries(&mut self, number: usize, buffer: &mut [u8], short: bool) -> Answer {
        let open = self.file(number)?;
        let node = open.node.ok_or(ENOTDIR)?;
        if open.path {
            return Err(EBADF);
        }
        let directory = &self.files.nodes[node];
        if !directory.is(DIRECTORY) {
            return Err(ENOTDIR);
        }
        let dots = [(1, b".".to_vec(), node), (2, b"..".to_vec(), directory.above)];
        let own = directory.entries.iter().map(|(place, name, node)| (place + 2, name.clone(), *node));
        let (mut used, mut at) = (0, open.at);
        for (place, name, node) in dots.into_iter().chain(own) {
            if place as usize <= open.at {
                continue;
            }
            let size = (19 + name.len() + 1).next_multiple_of(8);
            if size > buffer.len() - used {
                if used == 0 {
                    return Err(EINVAL);
                }
                break;
            }
            let entry = &mut buffer[used..used + size];
            entry.fill(0xcc);
            entry[..8].copy_from_slice(&(node as u64 + 10).to_ne_bytes());
            entry[8..16].copy_from_slice(&place.to_ne_bytes());
            entry[16..18].copy_from_slice(&(size as u16).to_ne_bytes());
            entry[18] = if self.untold { 0 } else { (self.files.nodes[node].mode >> 12) as u8 };
            entry[19..19 + name.len()].copy_from_slice(&name);
            entry[19 + name.len()] = 0;
            used += size;
            at = place as usize;
            if short {
                break;
            }
        }
        self.open[number].as_mut().ok_or(EBADF)?.at = at;
        Ok(used)
    }
}

/// Reads memory as the kernel would.
unsafe fn read(address: usize, length: usize) {
    // SAFETY: passed on to the caller.
    let bytes = unsafe { slice::from_raw_parts(address as *const u8, length) };
    std::hint::black_box(bytes.iter().fold(0_u8, |sum, byte| sum ^ byte));
}

/// Reads a path.
///
/// # Safety
/// It is the address of a string, which stays as it is until the call returns.
unsafe fn string<'p>(address: usize) -> Answer<&'p [u8]> {
    let start = address as *const u8;
    // SAFETY: passed on to the caller. Byte by byte, and none behind its end.
    unsafe {
        let end = (0..4096).find(|&at| *start.add(at) == 0).ok_or(ENAMETOOLONG)?;
        Ok(slice::from_raw_parts(start, end))
    }
}
