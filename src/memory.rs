//! Strings as the kernel takes them, and the memory they are put together in.
//!
//! A [`ZStr`] is one pointer, so that it costs one register wherever it goes; what makes that safe is here.

#![allow(unsafe_code)]

use crate::report;
use crate::sys::{self, Errno};
use core::cell::Cell;
use core::ffi::CStr;
use core::marker::PhantomData;
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

    /// The current directory.
    pub const DOT: ZStr<'static> = ZStr::new(c".");

    /// A string literal, or what else is known to be one.
    pub const fn new(string: &'a CStr) -> Self {
        // SAFETY: a CStr's pointer is not null; its NUL is immutable for 'a.
        ZStr(unsafe { NonNull::new_unchecked(string.as_ptr().cast_mut().cast()) }, PhantomData)
    }

    /// The string at `pointer`, if there is one.
    ///
    /// # Safety
    /// The caller owes the invariant of the type, unless the pointer is null.
    pub const unsafe fn from_pointer(pointer: *const u8) -> Option<Self> {
        match NonNull::new(pointer.cast_mut()) {
            Some(pointer) => Some(ZStr(pointer, PhantomData)),
            None => None,
        }
    }

    /// The string that begins at `index` of `bytes`, the last of which is NUL; else an empty one.
    pub const fn at(bytes: &'a [u8], index: usize) -> Self {
        match bytes {
            // SAFETY: the index is within the slice, and its last byte is NUL; both borrowed for 'a.
            [.., 0] if index < bytes.len() => unsafe {
                ZStr(NonNull::new_unchecked(bytes.as_ptr().add(index).cast_mut()), PhantomData)
            },
            _ => ZStr::EMPTY,
        }
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
        if self.first() == 0 {
            return self;
        }
        // SAFETY: the byte is not the NUL, so the next one is still within the allocation (the invariant).
        ZStr(unsafe { self.0.add(1) }, PhantomData)
    }

    /// Bytes before the NUL.
    pub fn len(self) -> usize {
        let mut length = 0;
        // SAFETY: at most the NUL is read. Volatile, or LLVM makes the loop a call of strlen(3), which is not there.
        while unsafe { self.0.add(length).read_volatile() } != 0 {
            length += 1;
        }
        length
    }

    /// Bytes before the first newline, or else the NUL.
    pub fn line_len(mut self) -> usize {
        let mut length = 0;
        while !matches!(self.first(), 0 | b'\n') {
            self = self.rest();
            length += 1;
        }
        length
    }

    /// Whether the NUL comes first.
    pub fn is_empty(self) -> bool {
        self.first() == 0
    }

    /// Whether the bytes are the same.
    pub fn is(self, other: &'static CStr) -> bool {
        self.after(other).is_some_and(ZStr::is_empty)
    }

    /// Whether it is `.` or `..`: the names of a directory itself and of the one above.
    pub fn is_dots(self) -> bool {
        self.is(c".") || self.is(c"..")
    }

    /// What follows `prefix`, if the string begins with it.
    pub fn after(mut self, prefix: &'static CStr) -> Option<Self> {
        for byte in ZStr::new(prefix) {
            if self.next() != Some(byte) {
                return None;
            }
        }
        Some(self)
    }

    /// Whether `byte` is among the bytes.
    pub fn has(mut self, byte: u8) -> bool {
        self.any(|other| other == byte)
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
        *self = self.rest();
        if first == 0 { None } else { Some(first) }
    }
}

/// Strings that lie one behind the other.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// Invariant: a [`ZStr`], unless it is `end` or beyond.
    next: *const u8,
    end: *const u8,
    memory: PhantomData<&'a u8>,
}

impl<'a> Iterator for Words<'a> {
    type Item = ZStr<'a>;

    fn next(&mut self) -> Option<ZStr<'a>> {
        if self.next >= self.end {
            return None;
        }
        // SAFETY: the invariant.
        let word = unsafe { ZStr::from_pointer(self.next) }?;
        // SAFETY: at most one behind the NUL that ends the memory, which is at `end` or beyond.
        self.next = unsafe { self.next.add(word.len() + 1) };
        Some(word)
    }
}

impl<'a> Words<'a> {
    /// None.
    pub const NONE: Self = Words { next: core::ptr::null(), end: core::ptr::null(), memory: PhantomData };

    /// Whether there is none left.
    pub fn is_empty(&self) -> bool {
        self.next >= self.end
    }

    /// Takes the last one away; an empty string if there is none.
    pub fn pop(&mut self) -> ZStr<'a> {
        let mut last = ZStr::EMPTY;
        for word in *self {
            last = word;
            self.end = word.0.as_ptr();
        }
        last
    }
}

/// Memory that is filled from the start, like a stack: a little of the process's own, or one large mapping.
///
/// Strings in it are known by where they begin.
pub struct Memory<'a> {
    /// Invariant: `room` bytes from here on may be used, and the one behind them is NUL and never written, so that
    /// there is one behind every place. They are this value's alone for 'a.
    start: NonNull<u8>,
    room: usize,
    /// How much is in use; more than the room only if somebody has said so, and no access relies on it.
    length: u32,
    /// Room for as many strings as there can be names in a directory, once there is the mapping.
    strings: &'a [Cell<Option<ZStr<'a>>>],
}

impl<'a> Memory<'a> {
    /// Bytes of the mapping. A page of it costs nothing until it is touched, so this is only a bound: room for
    /// every word of the longest argument that Linux passes (2 MiB), and for the names of a million files.
    const LARGE: usize = 64 << 20;

    /// A place in the mapping, halfway to its end.
    pub const FAR: usize = Self::LARGE / 4;

    /// Begins with `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        let mut memory = Memory { start: ZStr::EMPTY.0, room: 0, length: 0, strings: &[] };
        memory.begin(bytes);
        memory
    }

    fn begin(&mut self, bytes: &'a mut [u8]) {
        if let Some((last, room)) = bytes.split_last_mut() {
            *last = 0;
            self.room = room.len();
            self.start = NonNull::from_mut(bytes).cast();
            self.length = 0;
        }
    }

    /// Goes over to the mapping, which is empty; strings stay where they are. Ends the process if there is none:
    /// without memory there is nothing left to try.
    pub fn map(&mut self) {
        if !self.strings.is_empty() {
            return;
        }
        let Ok(mapping) = sys::map(Self::LARGE) else { out() };
        let (bytes, strings) = mapping.split_at_mut_checked(Self::LARGE / 2).unwrap_or_default();
        self.begin(bytes);
        // SAFETY: zeroed memory of this value's own, aligned to half the mapping; None is all zero, and a ZStr a
        // pointer (transparent).
        self.strings = unsafe {
            core::slice::from_raw_parts(strings.as_mut_ptr().cast(), strings.len() / size_of::<Option<ZStr>>())
        };
    }

    /// How many bytes are in use.
    pub fn length(&self) -> usize {
        self.length as usize
    }

    /// Lets `length` bytes be in use: gives back those behind, or passes over some that are not used.
    pub fn set_length(&mut self, length: usize) {
        self.length = length as u32;
    }

    /// Uses one more byte. Ends the process if there is none.
    pub fn push(&mut self, byte: u8) {
        if self.length() >= self.room {
            out();
        }
        // SAFETY: the invariant; within the room.
        unsafe { self.start.add(self.length()).write(byte) };
        self.length += 1;
    }

    /// Uses as many more bytes as `string` has.
    pub fn extend(&mut self, string: ZStr) {
        for byte in string {
            self.push(byte);
        }
    }

    /// The last byte in use.
    pub fn last(&self) -> u8 {
        self.string(self.length.wrapping_sub(1) as usize).first()
    }

    /// The string that begins at `place`.
    #[inline(never)] // a call is shorter
    pub fn string(&self, place: usize) -> ZStr<'a> {
        // SAFETY: the invariant; at most the NUL behind the room.
        ZStr(unsafe { self.start.add(place.min(self.room)) }, PhantomData)
    }

    /// The bytes in use from `place`.
    pub fn used(&self, place: usize) -> &[Cell<u8>] {
        self.between(place, self.length())
    }

    fn between(&self, place: usize, end: usize) -> &[Cell<u8>] {
        let end = end.min(self.room);
        let place = place.min(end);
        // SAFETY: the invariant; within the room.
        unsafe { NonNull::slice_from_raw_parts(self.start.add(place).cast(), end - place).as_ref() }
    }

    /// The strings in use from `place`.
    pub fn words(&self, place: usize) -> Words<'a> {
        Words { next: self.string(place).0.as_ptr(), end: self.string(self.length()).0.as_ptr(), memory: PhantomData }
    }

    /// Reads all that is in the directory `path`, for [`Memory::entry`].
    pub fn read_directory(&mut self, path: ZStr) -> Result<(), Errno> {
        let directory = sys::open_directory(path)?;
        loop {
            match directory.read(self.between(self.length(), self.room))? {
                0 => return Ok(()),
                used => self.length += used as u32,
            }
        }
    }

    /// The name in the directory entry at `place`, which becomes the next one's: `struct linux_dirent64`,
    /// `include/linux/dirent.h`.
    pub fn entry(&self, place: &mut usize) -> ZStr<'a> {
        const RECORD_LENGTH: usize = 16;
        const NAME: usize = 19;
        let name = self.string(*place + NAME);
        let mut length = u16::MAX; // where no entry can be, there is no next one
        if *place + NAME <= self.room {
            // SAFETY: two bytes within the room.
            length = unsafe { self.start.add(*place + RECORD_LENGTH).cast().read_unaligned() };
        }
        *place += usize::from(length);
        name
    }

    /// Room for strings.
    pub fn strings(&self) -> &'a [Cell<Option<ZStr<'a>>>] {
        self.strings
    }
}

fn out() -> ! {
    report::failed(report::PROGRAM, const { ZStr::new(c"memory") }, Errno::ENOMEM);
    sys::exit(1)
}
