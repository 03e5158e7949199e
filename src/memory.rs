//! Strings as the kernel takes them, and the memory they are put together in.
//!
//! A [`ZStr`] is one pointer, so that it costs one register wherever it goes; what makes that safe is here.

#![allow(unsafe_code)]

use crate::report;
use crate::sys::{self, Errno};
use core::cell::Cell;
use core::ffi::CStr;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

/// A string that ends with a NUL.
///
/// Invariant: from the pointer on, within one allocation that lives for `'a`, there is a byte that is NUL and
/// stays so. Bytes before it may change ([`Memory`] is reused); then the string does.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct ZStr<'a>(NonNull<u8>, PhantomData<&'a u8>);

impl<'a> ZStr<'a> {
    /// No bytes.
    pub const EMPTY: ZStr<'static> = ZStr::new(c"");

    /// A string literal, or what else is known to be one.
    pub const fn new(string: &'a CStr) -> Self {
        // SAFETY: a CStr's pointer is not null; its NUL is immutable for 'a.
        ZStr(unsafe { NonNull::new_unchecked(string.as_ptr().cast_mut().cast()) }, PhantomData)
    }

    /// For the kernel.
    pub fn address(self) -> usize {
        self.0.as_ptr() as usize
    }

    /// The first byte; NUL if the string is empty.
    pub fn first(self) -> u8 {
        // SAFETY: at most the NUL is read (the invariant).
        unsafe { self.0.read() }
    }

    /// What follows the first byte; of an empty string, itself.
    pub fn rest(self) -> Self {
        // SAFETY: if the byte is not the NUL, the next one is still within the allocation (the invariant).
        ZStr(unsafe { self.0.add(usize::from(self.first() != 0)) }, PhantomData)
    }

    /// What is left from the first `byte` on; nothing if there is none, as for a number that is no byte's.
    #[inline(never)] // a call is shorter
    pub fn find(mut self, byte: u32) -> Self {
        while u32::from(self.first()) != byte && self.first() != 0 {
            self = self.rest();
        }
        self
    }

    /// Whether `byte` is among the bytes or the NUL behind them.
    pub fn has(self, byte: u8) -> bool {
        self.find(byte.into()).first() == byte
    }

    /// Bytes before the first newline, or else the NUL.
    pub fn line_len(self) -> usize {
        self.take_while(|&byte| byte != b'\n').count()
    }

    /// Whether the NUL comes first.
    pub fn is_empty(self) -> bool {
        self.first() == 0
    }

    /// Whether the bytes are the same.
    pub fn is(self, other: ZStr) -> bool {
        self.after(other).is_some_and(ZStr::is_empty)
    }

    /// What follows `prefix`, if the string begins with it.
    pub fn after(mut self, prefix: ZStr) -> Option<Self> {
        for byte in prefix {
            if self.next() != Some(byte) {
                return None;
            }
        }
        Some(self)
    }

    /// Whether this sorts before `other`, by bytes.
    pub fn before(mut self, mut other: Self) -> bool {
        loop {
            let (a, b) = (self.first(), other.first());
            if a != b || a == 0 {
                return a < b;
            }
            self = self.rest();
            other = other.rest();
        }
    }
}

/// The bytes before the NUL.
impl Iterator for ZStr<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let first = self.first();
        if first == 0 {
            return None;
        }
        *self = self.rest();
        Some(first)
    }
}

/// The words of a command: those that the kernel passed to execve(2), or some that a script has.
pub type Words<'a> = &'a [Cell<ZStr<'a>>];

/// Two stacks: of bytes, of which words are made, and of words. A little of the process's own stack, and when that is
/// full, one large mapping.
///
/// It comes first in [`Shell`](crate::shell::Shell), so that one pointer is both.
#[repr(C)]
pub struct Memory<'a> {
    /// Invariant: `half` bytes from here on are this value's alone for 'a, and as many behind them, where words are.
    /// The last byte of the first half is NUL and never written, so that there is one behind every place.
    start: NonNull<u8>,
    half: usize,
    /// Bytes in use; less than half. Only [`Memory::read_directory`] says how many were written.
    length: usize,
    /// Words in use.
    count: usize,
    lifetime: PhantomData<&'a mut u8>,
}

impl<'a> Memory<'a> {
    /// Bytes of each half of the mapping. A page of it costs nothing until it is touched, so this is only a bound: room
    /// for every word of the longest argument that Linux passes (2 MiB), and for the names of some hundred thousand files.
    const LARGE: usize = 32 << 20;

    /// A place in the mapping, halfway to where words are.
    const FAR: usize = Self::LARGE / 2;

    /// Begins with `scratch`.
    pub fn new(scratch: &'a mut [usize]) -> Self {
        let half = size_of_val(scratch) / 2;
        let start = NonNull::from_mut(scratch).cast::<u8>();
        if half > 0 {
            // SAFETY: within the slice.
            unsafe { start.add(half - 1).write(0) };
        }
        Memory { start, half, length: 0, count: 0, lifetime: PhantomData }
    }

    /// Goes over to the mapping; strings stay where they are. Ends the process if there is none, or if it is in use
    /// already: without memory there is nothing left to try.
    #[inline(never)] // a call is shorter
    fn grow(&mut self) {
        if self.half == Self::LARGE {
            out();
        }
        let Ok(new) = sys::map(2 * Self::LARGE) else { out() };
        // Bytes that may be a word's: as integers they would be no pointers any more.
        let (from, to) = (self.start.cast::<MaybeUninit<u8>>(), new.cast::<MaybeUninit<u8>>());
        for index in 0..self.half {
            // SAFETY: within the halves of both. Volatile, or LLVM makes it a call of memcpy(3), which is not there.
            unsafe {
                to.add(index).write(from.add(index).read_volatile());
                to.add(Self::LARGE + index).write(from.add(self.half + index).read_volatile());
            }
        }
        self.start = new;
        self.half = Self::LARGE;
    }

    /// How many bytes are in use.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Uses no more than the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Uses one more byte. Ends the process if there is none.
    #[inline(never)] // a call is shorter
    pub fn push(&mut self, byte: u8) {
        if self.length + 1 >= self.half {
            self.grow();
        }
        // SAFETY: the invariant; before the last byte of the half.
        unsafe { self.start.add(self.length).write(byte) };
        self.length += 1;
    }

    /// Uses as many more bytes as `string` has.
    #[inline(never)] // a call is shorter
    pub fn extend(&mut self, string: ZStr) {
        for byte in string {
            self.push(byte);
        }
    }

    /// Uses as many more bytes as `number` has decimal digits.
    pub fn push_decimal(&mut self, number: u32) {
        if number > 9 {
            self.push_decimal(number / 10);
        }
        self.push(b'0' + (number % 10) as u8);
    }

    /// Takes back one byte, but not one before `place`.
    pub fn strip_one(&mut self, place: usize) {
        if self.length > place {
            self.length -= 1;
        }
    }

    /// Takes back the bytes at the end that are `byte`, but none before `place`.
    #[inline(never)] // a call is shorter
    pub fn strip(&mut self, place: usize, byte: u8) {
        // SAFETY: the invariant; a byte in use, as there is at least one.
        while self.length > place && unsafe { self.start.add(self.length - 1).read() } == byte {
            self.length -= 1;
        }
    }

    /// The bytes in use from `place`, made a string by one more.
    #[inline(never)] // a call is shorter
    pub fn string(&mut self, place: usize) -> ZStr<'a> {
        self.push(0);
        // SAFETY: the invariant; a place in use.
        ZStr(unsafe { self.start.add(place.min(self.length)) }, PhantomData)
    }

    /// The bytes in use from `place`.
    pub fn bytes(&self, place: usize) -> &[Cell<u8>] {
        let place = place.min(self.length);
        // SAFETY: the invariant; bytes in use.
        unsafe { NonNull::slice_from_raw_parts(self.start.add(place).cast(), self.length - place).as_ref() }
    }

    /// Uses one more word. Ends the process if there is no memory for it.
    #[inline(never)] // a call is shorter
    pub fn push_word(&mut self, word: ZStr<'a>) {
        if (self.count + 1) * size_of::<ZStr>() > self.half {
            self.grow();
        }
        // SAFETY: the invariant; within the second half, which is aligned as words are.
        unsafe { self.start.add(self.half).cast().add(self.count).write(word) };
        self.count += 1;
    }

    /// How many words are in use.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Uses no more than the first `count` words.
    pub fn truncate_words(&mut self, count: usize) {
        self.count = self.count.min(count);
    }

    /// Uses nothing.
    pub fn clear(&mut self) {
        self.length = 0;
        self.count = 0;
    }

    /// The words in use but for the first `count`.
    pub fn words(&self, count: usize) -> Words<'a> {
        let count = count.min(self.count);
        // SAFETY: the invariant; words in use.
        unsafe {
            NonNull::slice_from_raw_parts(self.start.add(self.half).cast().add(count), self.count - count).as_ref()
        }
    }

    /// Uses bytes far behind, so that there is room for many before them.
    pub fn go_far(&mut self) {
        if self.half != Self::LARGE {
            self.grow();
        }
        self.length = Self::FAR;
    }

    /// Uses one more word for each name in the directory `path`; of those that begin with a dot only the `wanted`,
    /// which are [`ALMOST_ALL`] or [`ALL`].
    pub fn read_directory(&mut self, path: ZStr, wanted: u32) -> Result<(), Errno> {
        // struct linux_dirent64, include/linux/dirent.h
        const RECORD_LENGTH: usize = 16;
        const NAME: usize = 19;
        let directory = sys::open_directory(path)?;
        if self.half != Self::LARGE {
            self.grow();
        }
        loop {
            // SAFETY: the invariant; the bytes that are not in use, less the last.
            let free = unsafe {
                NonNull::slice_from_raw_parts(self.start.add(self.length).cast(), self.half - 1 - self.length).as_ref()
            };
            let read = directory.read(free);
            let Ok(used @ 1..) = usize::try_from(read) else { return Errno::unit(read) };
            let end = self.length + used;
            while self.length < end {
                // SAFETY: the kernel writes whole records, each with its length and a name that ends with a NUL.
                let (name, length) = unsafe {
                    let record = self.start.add(self.length);
                    (ZStr(record.add(NAME), PhantomData), record.add(RECORD_LENGTH).cast::<u16>().read_unaligned())
                };
                self.length += usize::from(length);
                // What `..` begins with: it and `.`, for no name is empty.
                let dots = const { ZStr::new(c"..") }.after(name).is_some();
                if name.first() != b'.' || wanted & if dots { ALL } else { ALL | ALMOST_ALL } != 0 {
                    self.push_word(name);
                }
            }
        }
    }
}

/// Names that begin with a dot, but for `.` and `..`, the directory itself and the one above.
pub const ALMOST_ALL: u32 = 1;
/// Names that begin with a dot.
pub const ALL: u32 = 1 << 16;

fn out() -> ! {
    report::line(report::PROGRAM, const { ZStr::new(c"memory") }, report::COLON, report::reason(Errno::ENOMEM));
    sys::exit(1)
}
