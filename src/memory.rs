//! The memory in which strings are put together: three stacks in one piece.
//!
//! ```text
//! start            start + length        top             end of bytes            end
//! |  bytes, upwards ->  |      free      |  <- numbers   |0|  words, upwards ->    |
//! ```
//!
//! A string is made at the end of the bytes: characters are pushed, then [`Memory::string`] puts a NUL behind them.
//! [`Memory::release`] goes back to an earlier [`Mark`]: strings that were made since may be read until the next
//! push, which writes over them. Whoever reads a string after pushing must have made it before the mark.

#![allow(unsafe_code)]

use crate::report;
use crate::sys::{self, Errno, Fd};
use crate::text::ZStr;
use crate::z;
use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

/// The words of a command: those that the kernel passed to execve(2), or some that a script has.
pub type Words<'a> = &'a [Cell<ZStr<'a>>];

/// How much was in use at some moment; only [`Memory`] makes it.
#[derive(Clone, Copy)]
pub struct Mark {
    length: usize,
    count: usize,
}

/// Three stacks: of bytes, of which words are made, of numbers, and of words. A little of the process's own stack, and
/// when that is full, one large mapping.
pub struct Memory<'a> {
    /// Invariant: `size` initialised bytes from here on are this value's alone for 'a. Those from `bytes` on hold words.
    /// The byte before them is NUL and never written, so that there is one behind every place.
    start: NonNull<u8>,
    /// Invariant: a multiple of the size of a word, and more than 0.
    bytes: usize,
    size: usize,
    /// Bytes in use; at most `top`.
    length: usize,
    /// Numbers in use lie from here on; less than `bytes`.
    top: usize,
    /// Words in use.
    count: usize,
    lifetime: PhantomData<&'a mut u8>,
}

impl<'a> Memory<'a> {
    /// Bytes of the mapping. A page of it costs nothing until it is touched, so this is only a bound: below KServe's
    /// memory limit of 15 MiB, and room for the names of some hundred thousand files.
    const LARGE: usize = 12 << 20;

    /// Bytes that a directory's names leave for other things.
    const SPARE: usize = 64 << 10;

    /// The least that is asked for instead; more than any scratch memory.
    const LEAST: usize = 1 << 18;

    /// Begins with `scratch`, of which there must be at least some words.
    pub fn new(scratch: &'a mut [usize]) -> Self {
        let start = NonNull::from_mut(scratch).cast();
        let mut memory = Memory { start, bytes: 0, size: 0, length: 0, top: 0, count: 0, lifetime: PhantomData };
        memory.place(start, size_of_val(scratch));
        memory
    }

    /// Uses the `size` bytes from `start` on.
    fn place(&mut self, start: NonNull<u8>, size: usize) {
        self.start = start;
        self.size = size;
        self.bytes = size / 24 * 16; // two thirds
        self.top = self.bytes.saturating_sub(size_of::<u64>());
        if self.bytes > 0 {
            // SAFETY: within the piece.
            unsafe { start.add(self.bytes - 1).write(0) };
        }
    }

    /// Goes over to the mapping; strings stay where they are. Ends the process if there is none, or if it is in use
    /// already: without memory there is nothing left to try.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let mut size = Self::LARGE;
        let new = loop {
            // Less will do where a process may not have so much (RLIMIT_AS, strict overcommit).
            if self.is_large() || size < Self::LEAST {
                out();
            }
            match sys::map(size) {
                Ok(new) => break new,
                Err(_) => size /= 2,
            }
        };
        // Bytes that may be a word's: as integers they would be no pointers any more.
        let (from, to) = (self.start.cast::<MaybeUninit<u8>>(), new.cast::<MaybeUninit<u8>>());
        let (bytes, old) = (self.bytes, self.size);
        self.place(new, size);
        for index in 0..old {
            let target = if index < bytes { index } else { index - bytes + self.bytes };
            // SAFETY: within both. Volatile, or LLVM makes it a call of memcpy(3), which is not there.
            unsafe { to.add(target).write(from.add(index).read_volatile()) };
        }
    }

    fn is_large(&self) -> bool {
        self.size >= Self::LEAST
    }

    /// Makes sure that the mapping is in use, where there is room for more than some words.
    pub fn enlarge(&mut self) {
        if !self.is_large() {
            self.grow();
        }
    }

    /// How much is in use.
    pub fn mark(&self) -> Mark {
        Mark { length: self.length, count: self.count }
    }

    /// Goes back to what was in use at `mark`.
    pub fn release(&mut self, mark: Mark) {
        // Sound whatever the mark: what was once in use is within the piece and initialised.
        self.length = mark.length;
        self.count = mark.count;
    }

    /// Uses nothing but the numbers.
    pub fn clear(&mut self) {
        self.length = 0;
        self.count = 0;
    }

    /// What the open `file` of `size` bytes holds, up to its first NUL, in memory of its own that stays.
    pub fn hold(file: Fd, size: u64) -> Result<ZStr<'a>, Errno> {
        let start = sys::map(size as usize + 1)?;
        // SAFETY: a new mapping of more bytes, zeroed, which nothing else knows and nobody takes back.
        let mut rest: &[Cell<u8>] = unsafe { NonNull::slice_from_raw_parts(start.cast(), size as usize).as_ref() };
        while !rest.is_empty() {
            match sys::read(file, rest)? {
                0 => break,
                read => rest = rest.get(read..).unwrap_or_default(),
            }
        }
        // SAFETY: the last byte of the mapping is a NUL and is not written to.
        Ok(unsafe { ZStr::from_raw(start) })
    }

    // Bytes.

    /// Uses one more byte. Ends the process if there is none.
    pub fn push(&mut self, byte: char) {
        if self.length >= self.top {
            self.grow();
        }
        // SAFETY: the invariant; below the numbers.
        unsafe { self.start.add(self.length).write(byte as u8) };
        self.length += 1;
    }

    /// Uses as many more bytes as `string` has.
    pub fn extend(&mut self, string: ZStr) {
        for byte in string {
            self.push(byte);
        }
    }

    /// Uses as many more bytes as `number` has digits to `base`.
    pub fn push_digits(&mut self, number: u64, base: u64) {
        if number >= base {
            self.push_digits(number / base, base);
        }
        self.push(char::from(b'0' + (number % base) as u8));
    }

    /// Uses `count` more bytes, whatever is in them. Ends the process if there are not so many.
    pub fn reserve(&mut self, count: usize) -> Mark {
        self.enlarge();
        if self.top - self.length < count {
            out();
        }
        let mark = self.mark();
        self.length += count;
        mark
    }

    /// Whether there are bytes since `mark` and the last is `byte`.
    pub fn ends_with(&self, mark: Mark, byte: char) -> bool {
        self.cells(mark).last().is_some_and(|last| last.get() == byte as u8)
    }

    /// Takes back the last byte, if there is one since `mark` and it is `byte`; says whether.
    pub fn strip(&mut self, mark: Mark, byte: char) -> bool {
        let strip = self.ends_with(mark, byte);
        self.length -= usize::from(strip);
        strip
    }

    /// The bytes in use since `mark`, made a string by one more.
    pub fn string(&mut self, mark: Mark) -> ZStr<'a> {
        self.push('\0');
        self.at(mark, 0)
    }

    /// The string that lies `offset` bytes behind `mark`.
    pub fn at(&self, mark: Mark, offset: usize) -> ZStr<'a> {
        let place = (mark.length + offset).min(self.bytes - 1);
        // SAFETY: the invariant; there is a NUL behind every place of the bytes.
        unsafe { ZStr::from_raw(self.start.add(place)) }
    }

    /// The bytes in use since `mark`.
    pub fn cells(&self, mark: Mark) -> &'a [Cell<u8>] {
        let place = mark.length.min(self.length);
        // SAFETY: the invariant; bytes in use, which may change.
        unsafe { NonNull::slice_from_raw_parts(self.start.add(place).cast(), self.length - place).as_ref() }
    }

    /// The number that lies `offset` bytes behind `mark`, as the machine has it.
    pub fn load<T: Number>(&self, mark: Mark, offset: usize) -> T {
        let place = (mark.length + offset).min(self.bytes - size_of::<u64>());
        // SAFETY: the invariant; within the bytes, which are initialised, and every pattern is a number.
        unsafe { self.start.add(place).cast().read_unaligned() }
    }

    /// Bytes in use since `mark`.
    pub fn length(&self, mark: Mark) -> usize {
        self.length.saturating_sub(mark.length)
    }

    /// Keeps only `count` of the bytes since `mark`.
    pub fn cut(&mut self, mark: Mark, count: usize) {
        self.length = (mark.length + count).min(self.length);
    }

    /// Moves the bytes since `from` down to `to`.
    pub fn lower(&mut self, to: Mark, from: Mark) {
        let bytes = self.cells(from);
        self.release(to);
        for byte in bytes {
            self.push(char::from(byte.get()));
        }
    }

    /// Lets what lies behind `middle` and what lies between it and `mark` change places.
    pub fn rotate(&mut self, mark: Mark, middle: Mark) {
        for (from, to) in [(mark, middle), (middle, mark), (mark, mark)] {
            // Three reversals: of each part, and of the whole.
            let bytes = if from.length < to.length {
                self.cells(from).get(..to.length - from.length).unwrap_or_default()
            } else {
                self.cells(from)
            };
            for (front, back) in bytes.iter().zip(bytes.iter().rev()).take(bytes.len() / 2) {
                front.swap(back);
            }
        }
    }

    // Words.

    /// Uses one more word. Ends the process if there is no memory for it.
    pub fn push_word(&mut self, word: ZStr<'a>) {
        if (self.count + 1) * size_of::<ZStr>() > self.size - self.bytes {
            self.grow();
        }
        // SAFETY: the invariant; within the words, which are aligned as the whole is.
        unsafe { self.start.add(self.bytes).cast().add(self.count).write(word) };
        self.count += 1;
    }

    /// The words in use since `mark`.
    pub fn words(&self, mark: Mark) -> Words<'a> {
        let count = mark.count.min(self.count);
        // SAFETY: the invariant; words in use.
        unsafe {
            NonNull::slice_from_raw_parts(self.start.add(self.bytes).cast().add(count), self.count - count).as_ref()
        }
    }

    /// The first of all words; nothing if there is none.
    pub fn first_word(&self) -> ZStr<'a> {
        self.words(Mark { length: 0, count: 0 }).first().map_or(z!(""), Cell::get)
    }

    // Numbers.

    /// Keeps a number until it is taken back. Ends the process if there is no memory for it.
    pub fn push_number(&mut self, number: u64) {
        self.enlarge();
        if self.top - self.length < size_of::<u64>() {
            out();
        }
        self.top -= size_of::<u64>();
        // SAFETY: the invariant; between the bytes in use and the numbers.
        unsafe { self.start.add(self.top).cast().write_unaligned(number) };
    }

    /// Takes back the number that was kept last.
    pub fn pop_number(&mut self) -> u64 {
        let number = self.load(Mark { length: self.top, count: 0 }, 0);
        self.top = (self.top + size_of::<u64>()).min(self.bytes - size_of::<u64>());
        number
    }

    /// Whether there is no room for another word that is `name`, once all memory is in use.
    pub fn is_full(&self, name: ZStr) -> bool {
        // As much again: what is made of the words.
        let bytes = self.top - self.length < name.len() + Self::SPARE;
        bytes || (self.count + 1) * size_of::<ZStr>() > self.size - self.bytes
    }

    /// How many bytes of numbers are in use.
    pub fn numbers(&self) -> usize {
        self.bytes - self.top
    }

    /// Keeps only so many.
    pub fn release_numbers(&mut self, numbers: usize) {
        // The first of them, the NUL behind all strings among them, stay.
        self.top = self.bytes - numbers.clamp(size_of::<u64>(), self.numbers().max(size_of::<u64>()));
    }
}

/// What [`Memory::load`] can give.
pub trait Number {}
impl Number for u8 {}
impl Number for u16 {}
impl Number for u64 {}

#[cold]
#[inline(never)]
fn out() -> ! {
    report::failure(Fd::STDERR, report::PROGRAM, z!("memory"), Errno::ENOMEM);
    sys::exit(1)
}
