//! `ls [-1Aa] [PATH]`

use crate::memory::{Memory, ZStr};
use crate::shell::Shell;
use crate::sys::{self, Errno, Follow};
use core::cell::Cell;

const ALMOST_ALL: u8 = 2;
const ALL: u8 = 4;

impl<'a> Shell<'a> {
    /// Prints the names in a directory, sorted by their bytes, one to a line; of a file its path. `-A` also those
    /// that begin with a dot, `-a` also `.` and `..`.
    pub(super) fn ls(&mut self) -> u8 {
        let options = self.options(const { ZStr::new(c"1Aa") });
        let path = self.words.next().unwrap_or(ZStr::DOT);
        self.end();
        if !self.run {
            return 0;
        }
        self.memory.map();
        let start = self.memory.length();
        // Entries lie far behind, so that the lines which are made of them can begin here.
        let mut entry = Memory::FAR;
        self.memory.set_length(entry);
        let mut listed = self.memory.read_directory(path);
        let end = self.memory.length();
        self.memory.set_length(start);
        if listed == Err(Errno::ENOTDIR) && sys::mode(path, Follow::Yes) >= 0 {
            self.line(path);
            listed = Ok(());
        }
        if listed.is_err() {
            return self.outcome(path, listed);
        }
        let strings = self.memory.strings();
        let mut count = 0;
        while entry < end {
            let name = self.memory.entry(&mut entry);
            let wanted = if name.is_dots() { ALL } else { ALL | ALMOST_ALL };
            if (name.first() != b'.' || options & wanted != 0)
                && let Some(cell) = strings.get(count)
            {
                cell.set(Some(name));
                count += 1;
            }
        }
        let strings = strings.get(..count).unwrap_or_default();
        sort(strings);
        for string in strings {
            self.line(string.get().unwrap_or(ZStr::EMPTY));
        }
        if self.capture { 0 } else { self.print(start) }
    }

    fn line(&mut self, name: ZStr) {
        self.memory.extend(name);
        self.memory.push(b'\n');
    }
}

/// Comb sort: close to the fastest, and the shortest.
fn sort(strings: &[Cell<Option<ZStr>>]) {
    let mut gap = strings.len();
    let mut sorted = false;
    while !sorted {
        sorted = gap <= 1;
        gap = (gap * 3 / 4).max(1);
        for (low, high) in strings.iter().zip(strings.get(gap..).unwrap_or_default()) {
            if let (Some(a), Some(b)) = (low.get(), high.get())
                && b.before(a)
            {
                low.set(Some(b));
                high.set(Some(a));
                sorted = false;
            }
        }
    }
}
