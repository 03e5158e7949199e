//! `chmod [-R] MODE PATH...`, where MODE is octal or `a=rX`

use crate::memory::{ALMOST_ALL, ZStr};
use crate::shell::Shell;
use crate::sys::{self, Errno, Follow};

/// In the place of a mode: readable for all, and executable for all what is a directory or executable for anyone.
const A_RX: u32 = 0o10000;

impl<'a> Shell<'a> {
    /// Sets permission bits; with `-R` of all below, where symbolic links stay as they are.
    pub(super) fn chmod(&mut self) {
        let word = self.operand();
        let mut mode = A_RX;
        if !word.is(const { ZStr::new(c"a=rX") }) {
            mode = self.number(word, 8);
            if mode >= A_RX {
                self.unsupported(word);
            }
        }
        loop {
            let path = self.operand();
            if self.run {
                self.change(path, mode, Follow::Yes);
            }
            if self.words.is_empty() {
                return;
            }
        }
    }

    fn change(&mut self, path: ZStr<'a>, mode: u32, follow: Follow) {
        let there = sys::mode(path, follow);
        if sys::is(there, sys::SYMLINK) {
            return;
        }
        let directory = sys::is(there, sys::DIRECTORY);
        let mut to = mode;
        if mode == A_RX {
            to = if directory || there & 0o111 != 0 { 0o555 } else { 0o444 };
        }
        let (place, count) = (self.memory.length(), self.memory.count());
        let mut changed = if there < 0 { Errno::unit(there as isize) } else { sys::chmod(path, to) };
        if changed.is_ok() && self.options != 0 && directory {
            changed = self.memory.read_directory(path, ALMOST_ALL);
        }
        self.outcome(path, changed);
        for name in self.memory.words(count) {
            let below = self.path(path, const { ZStr::new(c"/") }, name.get());
            self.change(below, mode, Follow::No);
        }
        // However many files there are, only those on the way to one of them are in memory.
        self.memory.truncate(place);
        self.memory.truncate_words(count);
    }
}
