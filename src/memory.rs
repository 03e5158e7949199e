//! Where words and listings lie: a little stack at first, one large mapping once that is too small.

use crate::report;
use crate::sys::{self, Errno, ZStr};

/// Bytes of the mapping. A page of it costs nothing until it is touched, so this is only a bound:
/// room for every word of the longest argument that Linux passes (2 MiB), and for the names of
/// half a million files.
const LARGE: usize = 64 << 20;

/// Memory that is filled from the start, like a stack.
pub struct Memory<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

impl<'a> Memory<'a> {
    /// Begins with `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Memory { bytes, length: 0 }
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
        self.reserve(1);
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// Uses `bytes.len()` more bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.push(byte);
        }
    }

    /// The byte at `index`, 0 if there is none.
    pub fn byte(&self, index: usize) -> u8 {
        self.bytes.get(index).copied().unwrap_or(0)
    }

    /// The string in use that begins at `start`, without its NUL.
    pub fn string(&self, start: usize) -> &[u8] {
        let used = self.bytes.get(start..self.length).unwrap_or_default();
        ZStr::cut(used).map_or(&[], |(string, _)| string.bytes())
    }

    /// What is in use from `start`, and what is free behind it.
    pub fn split(&mut self, start: usize) -> (&mut [u8], &mut [u8]) {
        let (used, free) = self.bytes.split_at_mut_checked(self.length).unwrap_or_default();
        (used.get_mut(start..).unwrap_or_default(), free)
    }

    /// Sees to it that `count` bytes are free, or ends the process: without memory there is nothing left to try.
    pub fn reserve(&mut self, count: usize) {
        if self.bytes.len() - self.length >= count {
            return;
        }
        let large = if self.bytes.len() < LARGE { sys::map(LARGE) } else { Err(Errno::ENOMEM) };
        let large = large.unwrap_or_else(|error| sys::exit(report::failed(report::PROGRAM, b"memory", error)));
        let small = core::mem::replace(&mut self.bytes, large);
        let used = core::mem::take(&mut self.length);
        self.extend(small.get(..used).unwrap_or_default());
    }

    /// Sees to it that as much is free as there ever is.
    pub fn reserve_large(&mut self) {
        self.reserve(LARGE / 2);
    }
}
