//! Reading a directory, name by name, in constant memory.

use crate::memory::{Mark, Memory};
use crate::sys::{self, Errno, Fd};
use crate::text::ZStr;
use crate::z;

/// Names that have been read and not yet been taken.
pub struct Names {
    /// Where in memory they lie: [`Names::BUFFER`] bytes.
    buffer: Mark,
    /// Where in the directory the next one stands.
    place: u64,
    /// The bytes in use.
    at: usize,
    end: usize,
}

/// A name in a directory, in memory until the next is read.
pub struct Entry<'a> {
    /// The name.
    pub name: ZStr<'a>,
    /// What it is the name of, `DT_DIR` or such; 0 if the file system does not tell. `include/linux/fs_types.h`.
    pub kind: u8,
}

impl Entry<'_> {
    /// A directory's name.
    pub const DIRECTORY: u8 = 4;
    /// The file system does not tell.
    pub const UNKNOWN: u8 = 0;
}

impl Names {
    /// Some hundred names at once. Little, as the rest is read again after the walk of a directory among them.
    const BUFFER: usize = 8 << 10;

    /// Reserves memory to read into.
    pub fn new(memory: &mut Memory) -> Self {
        Names { buffer: memory.reserve(Self::BUFFER), place: 0, at: 0, end: 0 }
    }

    /// The next name in `directory` that is not `.` or `..`; none at the end.
    pub fn next<'a>(&mut self, memory: &Memory<'a>, directory: Fd) -> Result<Option<Entry<'a>>, Errno> {
        // struct linux_dirent64, include/linux/dirent.h
        const OFFSET: usize = 8;
        const RECORD_LENGTH: usize = 16;
        const TYPE: usize = 18;
        const NAME: usize = 19;
        loop {
            if self.at >= self.end {
                let buffer = memory.cells(self.buffer).get(..Self::BUFFER).unwrap_or_default();
                self.at = 0;
                self.end = sys::read_directory(directory, buffer)?;
                if self.end == 0 {
                    return Ok(None);
                }
            }
            let record = self.at;
            self.place = memory.load(self.buffer, record + OFFSET);
            self.at += usize::from(memory.load::<u16>(self.buffer, record + RECORD_LENGTH).max(1));
            let name = memory.at(self.buffer, record + NAME);
            if !name.is(z!(".")) && !name.is(z!("..")) {
                return Ok(Some(Entry { name, kind: memory.load(self.buffer, record + TYPE) }));
            }
        }
    }

    /// Reads from the beginning, in a directory that has just been opened.
    pub fn begin(&mut self) {
        (self.place, self.at, self.end) = (0, 0, 0);
    }

    /// Where the name behind the last one stands.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// Reads on from such a place, in a directory that was opened again.
    pub fn go_on(&mut self, directory: Fd, place: u64) -> Result<(), Errno> {
        (self.place, self.at, self.end) = (place, 0, 0);
        sys::seek(directory, place)
    }
}
