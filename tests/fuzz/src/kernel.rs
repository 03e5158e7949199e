//! A made-up kernel for the program's `arch::hosted`: what it answers is on a tape.

use link_model_and_wait::arch::nr;
#[cfg(miri)]
use std::alloc;
use std::cell::RefCell;
use std::panic;
use std::ptr;
use std::slice;

/// What a thread unwinds with when the process would end; None if it would go on for ever.
pub struct Exit(pub Option<u8>);

/// More calls than any script here needs, unless it goes on for ever.
const CALLS: usize = 300;

#[derive(Default)]
struct Kernel {
    tape: Vec<u8>,
    position: usize,
    calls: usize,
    /// The call about signals that fails.
    failing: usize,
    /// Something was changed or printed.
    done: bool,
    open: usize,
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

/// Puts in a tape, for a program whose frame is at this address. This call about signals is to fail.
pub fn begin(tape: &[u8], failing: usize, frame: usize) {
    KERNEL.with_borrow_mut(|kernel| {
        let mappings = std::mem::take(&mut kernel.mappings);
        *kernel = Kernel { tape: tape.to_vec(), failing, frame, mappings, ..Kernel::default() };
    });
}

/// The program has ended.
pub fn end() {
    KERNEL.with_borrow_mut(|kernel| {
        poison(kernel.frame, false);
        kernel.mappings.iter_mut().for_each(Mapping::reset);
        #[cfg(miri)]
        kernel.mappings.clear(); // new ones each time
    });
}

/// Whether it has changed or printed something.
pub fn done() -> bool {
    KERNEL.with_borrow(|kernel| kernel.done)
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
    // A directory is closed while the thread unwinds: that is no place to end it once more.
    let end = KERNEL.with_borrow_mut(|kernel| {
        if kernel.calls == 0 {
            poison(kernel.frame, true);
        }
        let counts = !matches!(number, nr::CLOSE | nr::MMAP);
        kernel.calls += usize::from(counts);
        counts && kernel.calls > CALLS || number == nr::PPOLL && args[2] == 0
    });
    if end {
        panic::resume_unwind(Box::new(Exit(None)));
    }
    // SAFETY: passed on to the caller.
    KERNEL.with_borrow_mut(|kernel| unsafe { kernel.call(number, args) })
}

/// The program ends.
#[unsafe(no_mangle)]
extern "Rust" fn hosted_exit(status: u8) -> ! {
    panic::resume_unwind(Box::new(Exit(Some(status))))
}

impl Kernel {
    /// The next byte of the tape; zeros behind its end.
    fn next(&mut self) -> u8 {
        let byte = self.tape.get(self.position).copied().unwrap_or(0);
        self.position += 1;
        byte
    }

    /// Zeroed memory, or none left.
    fn map(&mut self, length: usize) -> isize {
        if self.next() == 0xff {
            return -12;
        }
        let free = self.mappings.iter_mut().find(|mapping| !mapping.used && mapping.length == length);
        if let Some(mapping) = free {
            mapping.used = true;
            return mapping.address as isize;
        }
        let mapping = Mapping::new(length);
        let address = mapping.address;
        self.mappings.push(mapping);
        address as isize
    }

    /// Success, or an error: the likely ones of small numbers, or any other.
    fn answer(&mut self) -> isize {
        match self.next() {
            byte @ 0..128 => [0, 0, 0, -17, -2, -20, -13, -30][usize::from(byte % 8)],
            byte => -isize::from(byte - 127),
        }
    }

    unsafe fn call(&mut self, number: usize, args: [usize; 6]) -> isize {
        let [a, b, c, d, e, _] = args;
        // SAFETY: what the program owes for each call; if it does not, that is a finding.
        unsafe {
            match number {
                nr::GETPID => return 4242,
                nr::MMAP => return self.map(b),
                nr::RT_SIGACTION | nr::RT_SIGPROCMASK => {
                    read(b, if number == nr::RT_SIGACTION { 32 } else { 8 });
                    assert_eq!((c, d), (0, 8));
                    return if self.calls == self.failing { -22 } else { 0 };
                }
                nr::CAPSET => {
                    read(a, 8);
                    read(b, 24);
                }
                nr::CLOSE => {
                    assert_eq!((a, self.open), (5, 1), "it closes what is open");
                    self.open = 0;
                }
                nr::SYMLINKAT => {
                    if let Some(error) = path(a).or(path(c)) {
                        return error;
                    }
                }
                nr::UNLINKAT | nr::MKDIRAT | nr::FCHMODAT => {
                    if let Some(error) = path(b) {
                        return error;
                    }
                    if number == nr::FCHMODAT {
                        assert!(c <= 0o7777, "mode {c:o}");
                    }
                }
                nr::RENAMEAT2 => {
                    assert_eq!(e, 0);
                    if let Some(error) = path(b).or(path(d)) {
                        return error;
                    }
                }
                nr::STATX => {
                    if let Some(error) = path(b) {
                        return error;
                    }
                    let result = self.answer();
                    if result == 0 {
                        let statx = slice::from_raw_parts_mut(e as *mut u8, 256);
                        statx.fill(0xee);
                        let kind = [0o040000, 0o100000, 0o120000, 0o010000, 0o060000][usize::from(self.next() % 5)];
                        let mode: u16 = kind | u16::from(self.next()) << 1;
                        statx[28..30].copy_from_slice(&mode.to_ne_bytes());
                    }
                    return result;
                }
                nr::OPENAT => {
                    if let Some(error) = path(b) {
                        return error;
                    }
                    let result = self.answer();
                    if result == 0 {
                        assert_eq!(self.open, 0, "one directory at a time");
                        self.open = 1;
                        return 5;
                    }
                    return result;
                }
                nr::GETDENTS64 => {
                    assert_eq!((a, self.open), (5, 1), "it reads what is open");
                    return self.entries(slice::from_raw_parts_mut(b as *mut u8, c));
                }
                nr::WRITE if a == 1 => {
                    read(b, c);
                    let result = match self.next() {
                        0..200 => c as isize,
                        200..210 => c.min(1) as isize,
                        210..220 => 0,
                        byte => -isize::from(byte - 219),
                    };
                    self.done |= result > 0;
                    return result;
                }
                nr::WRITE => {
                    assert_eq!(a, 2);
                    return line(slice::from_raw_parts(b as *const u8, c));
                }
                nr::WRITEV => {
                    assert_eq!(a, 2);
                    let mut text = Vec::new();
                    for piece in slice::from_raw_parts(b as *const [usize; 2], c) {
                        text.extend_from_slice(slice::from_raw_parts(piece[0] as *const u8, piece[1]));
                    }
                    return line(&text);
                }
                nr::PPOLL => {
                    read(c, 16);
                    return [0, 0, 0, -4, -12][usize::from(self.next() % 5)];
                }
                _ => panic!("call {number}"),
            }
        }
        let result = if number == nr::CLOSE { 0 } else { self.answer() };
        if matches!(number, nr::SYMLINKAT | nr::UNLINKAT | nr::MKDIRAT | nr::FCHMODAT | nr::RENAMEAT2) {
            self.done = true;
        }
        result
    }

    /// Entries with names of all lengths and bytes.
    fn entries(&mut self, buffer: &mut [u8]) -> isize {
        let count = match self.next() {
            0 => return 0,
            byte @ 1..200 => usize::from(byte % 8),
            byte => return -isize::from(byte - 199),
        };
        let mut used = 0;
        for _ in 0..count {
            let length = match self.next() {
                byte @ 0..250 => 1 + usize::from(byte % 6),
                byte => 255 - usize::from(255 - byte),
            };
            let size = (19 + length + 1).next_multiple_of(8);
            if size > buffer.len() - used {
                return if used == 0 { -22 } else { used as isize };
            }
            let entry = &mut buffer[used..used + size];
            entry.fill(0xcc);
            entry[16..18].copy_from_slice(&(size as u16).to_ne_bytes());
            entry[18] = 8;
            for place in &mut entry[19..19 + length] {
                *place = match self.position.checked_sub(self.tape.len()) {
                    None => [self.tape[self.position], b'n'][usize::from(matches!(self.tape[self.position], 0 | b'/'))],
                    Some(_) => b'e',
                };
                self.position += 1;
            }
            entry[19 + length] = 0;
            used += size;
        }
        used as isize
    }
}

/// What goes to standard error is one line.
fn line(text: &[u8]) -> isize {
    let newlines = text.iter().filter(|&&byte| byte == b'\n').count();
    assert!(newlines == 1 && text.ends_with(b"\n"), "{:?}", String::from_utf8_lossy(text));
    text.len() as isize
}

/// Reads memory as the kernel would.
unsafe fn read(address: usize, length: usize) {
    // SAFETY: passed on to the caller.
    let bytes = unsafe { slice::from_raw_parts(address as *const u8, length) };
    std::hint::black_box(bytes.iter().fold(0_u8, |sum, byte| sum ^ byte));
}

/// Reads a path; the error, if it cannot be one.
unsafe fn path(address: usize) -> Option<isize> {
    let mut length = 0;
    // SAFETY: passed on to the caller.
    while unsafe { *((address + length) as *const u8) } != 0 {
        length += 1;
        if length == 4096 {
            return Some(-36);
        }
    }
    (length == 0).then_some(-2)
}
