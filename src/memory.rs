//! Strings as the kernel takes them, and the memory they are put together in.
//!
//! A [`ZStr`] is one pointer, so that it costs one register wherever it goes; what makes that safe is here.

#![allow(unsafe_code)]

use crate::report;
use crate::sys::{self, Errno, Open};
use core::cell::Cell;
use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// A string that ends with a NUL.
///
/// Invariant: from the pointer on, within one allocation that lives for `'a`, there is a byte that is NUL and
/// stays so. Bytes before it may change ([`Memory`] is reused); then the string does.
#[derive(Clone, Copy, PartialEq, Eq)]
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

/// Memory that is filled from the start, like a stack: a little of the process's own at first, one large mapping
/// when that is too small.
///
/// Strings in it are known by where they begin.
pub struct Memory<'a> {
    /// Invariant: a NUL that is never written lies right behind, so there is one behind every place.
    bytes: &'a [Cell<u8>],
    length: usize,
    /// Room for numbers, once there is the mapping.
    numbers: &'a [Cell<[u8; 4]>],
}

impl<'a> Memory<'a> {
    /// Bytes of the mapping. A page of it costs nothing until it is touched, so this is only a bound: room for
    /// every word of the longest argument that Linux passes (2 MiB), and for the names of half a million files.
    const LARGE: usize = 64 << 20;

    /// Begins with `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        let bytes = match bytes.split_last_mut() {
            Some((last, bytes)) => {
                *last = 0;
                bytes
            }
            None => &mut [],
        };
        Memory { bytes: Cell::from_mut(bytes).as_slice_of_cells(), length: 0, numbers: &[] }
    }

    /// How many bytes are in use.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Gives back all but the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.length = length;
    }

    /// Uses one more byte.
    pub fn push(&mut self, byte: u8) {
        loop {
            if let Some(cell) = self.bytes.get(self.length) {
                cell.set(byte);
                self.length += 1;
                return;
            }
            self.grow();
        }
    }

    /// Uses as many more bytes as `string` has.
    pub fn extend(&mut self, string: ZStr) {
        for byte in string {
            self.push(byte);
        }
    }

    /// The string that begins at `place`.
    pub fn string(&self, place: usize) -> ZStr<'a> {
        match self.bytes.get(place) {
            // SAFETY: the invariant of `bytes`, which are this value's alone for 'a.
            Some(cell) => unsafe { ZStr::from_pointer(cell.as_ptr()) }.unwrap_or(ZStr::EMPTY),
            None => ZStr::EMPTY,
        }
    }

    /// The bytes in use from `place`.
    pub fn used(&self, place: usize) -> &[Cell<u8>] {
        self.bytes.get(place..self.length).unwrap_or_default()
    }

    /// The byte at `place`, 0 if there is none.
    pub fn byte(&self, place: usize) -> u8 {
        self.bytes.get(place).map_or(0, Cell::get)
    }

    /// Lets the bytes from `place` on be those that now lie from `from` to `end`, behind it.
    pub fn move_down(&mut self, place: usize, from: usize, end: usize) {
        self.length = place;
        for from in from..end {
            self.push(self.byte(from));
        }
    }

    /// Changes the bytes in use from `place` that are `old` to `new`.
    pub fn replace(&self, place: usize, old: u8, new: u8) {
        for cell in self.used(place) {
            if cell.get() == old {
                cell.set(new);
            }
        }
    }

    /// Reads all that is in `directory`; its entries are for [`Memory::entry`]. `ENOMEM` if they do not fit.
    pub fn read(&mut self, directory: &Open) -> Result<(), Errno> {
        if self.numbers.is_empty() {
            self.grow();
        }
        loop {
            let free = self.bytes.get(self.length..).unwrap_or_default();
            match directory.read(free)? {
                0 => return Ok(()),
                used => self.length += used,
            }
        }
    }

    /// Where the name of the directory entry at `place` begins, and where the next entry does: `struct
    /// linux_dirent64`, `include/linux/dirent.h`.
    pub fn entry(&self, place: usize) -> (usize, usize) {
        const RECORD_LENGTH: usize = 16;
        const NAME: usize = 19;
        let length = u16::from_ne_bytes([self.byte(place + RECORD_LENGTH), self.byte(place + RECORD_LENGTH + 1)]);
        (place + NAME, place + usize::from(length))
    }

    /// Room for numbers.
    pub fn numbers(&self) -> &'a [Cell<[u8; 4]>] {
        self.numbers
    }

    /// Goes over to the mapping, with what is in use, at the same places. Strings keep the bytes they had.
    ///
    /// Ends the process if there is no memory: there is nothing left to try.
    #[cold]
    fn grow(&mut self) {
        const MEMORY: ZStr = ZStr::new(c"memory");
        let mapping = if self.numbers.is_empty() { sys::map(Self::LARGE) } else { Err(Errno::ENOMEM) };
        let Ok(mapping) = mapping else {
            sys::exit(report::failed(report::PROGRAM, MEMORY, Errno::ENOMEM));
        };
        let (bytes, numbers) = mapping.split_at_mut_checked(Self::LARGE / 2).unwrap_or_default();
        let small = core::mem::replace(self, Memory::new(bytes));
        self.numbers = Cell::from_mut(numbers.as_chunks_mut().0).as_slice_of_cells();
        for cell in small.used(0) {
            self.push(cell.get());
        }
    }
}
