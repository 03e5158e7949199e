//! `chmod [-R] MODE PATH...`, where MODE is octal or `a=rX`

use crate::memory::ZStr;
use crate::report::NOT_SUPPORTED;
use crate::shell::Shell;
use crate::sys::{self, Errno, Follow};

/// In the place of a mode: readable for all, and executable for all what is a directory or executable for anyone.
const A_RX: u32 = 0o10000;

impl<'a> Shell<'a> {
    /// Sets permission bits; with `-R` of all below, where symbolic links stay as they are.
    pub(super) fn chmod(&mut self) -> u8 {
        let recursive = self.options(const { ZStr::new(c"R") }) != 0;
        let word = self.operand();
        let mode = if word.is(c"a=rX") { A_RX } else { self.number(word, 8) };
        if mode > A_RX {
            self.refuse(word, NOT_SUPPORTED);
        }
        if self.run {
            self.memory.map();
        }
        let mut status = 0;
        loop {
            let path = self.operand();
            if self.run {
                status |= self.change(path, mode, recursive, Follow::Yes);
            }
            if self.words.is_empty() {
                return status;
            }
        }
    }

    fn change(&mut self, path: ZStr<'a>, mode: u32, recursive: bool, follow: Follow) -> u8 {
        let there = sys::mode(path, follow);
        if sys::is(there, sys::SYMLINK) {
            return 0;
        }
        let directory = sys::is(there, sys::DIRECTORY);
        let all = if directory || there & 0o111 != 0 { 0o555 } else { 0o444 };
        let mut changed = Errno::unit(there.min(0) as isize);
        if changed.is_ok() {
            changed = sys::chmod(path, if mode == A_RX { all } else { mode });
        }
        let start = self.memory.length();
        if changed.is_ok() && recursive && directory {
            changed = self.memory.read_directory(path);
        }
        let mut status = self.outcome(path, changed);
        let end = self.memory.length();
        let mut entry = start;
        while entry < end {
            let name = self.memory.entry(&mut entry);
            if !name.is_dots() {
                let below = self.path(path, b'/', name);
                status |= self.change(below, mode, recursive, Follow::No);
                self.memory.set_length(end);
            }
        }
        status
    }
}
