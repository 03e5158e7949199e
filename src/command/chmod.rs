//! `chmod [-R] MODE PATH...`, where MODE is octal or `a=rX`

use crate::memory::ZStr;
use crate::shell::Shell;
use crate::sys::{self, Errno, Follow};

/// In the place of a mode: readable for all, and executable for all what is a directory or executable for anyone.
const A_RX: u16 = 0o10000;

impl<'a> Shell<'a> {
    /// Sets permission bits; with `-R` of all below, where symbolic links stay as they are.
    pub(super) fn chmod(&mut self) -> u8 {
        let recursive = self.options(b"R", 2, usize::MAX) != 0;
        let word = self.operand();
        let mode = if word.is(c"a=rX") { A_RX } else { octal(word) };
        if mode > A_RX {
            self.refuse_word(word);
        }
        let mut status = 0;
        while let Some(path) = self.next().filter(|_| self.run) {
            status |= self.change(path, mode, recursive, Follow::Yes);
        }
        status
    }

    fn change(&mut self, path: ZStr<'a>, mode: u16, recursive: bool, follow: Follow) -> u8 {
        let start = self.memory.length();
        let mut status = 0;
        if let Err(error) = self.change_one(path, mode, recursive, follow) {
            status = self.failed(path, error);
        }
        let end = self.memory.length();
        let mut entry = start;
        while entry < end {
            let (name, next) = self.memory.entry(entry);
            let name = self.memory.string(name);
            if !name.is_dots() {
                let below = self.path(path, b'/', name);
                status |= self.change(below, mode, recursive, Follow::No);
                self.memory.truncate(end);
            }
            entry = next;
        }
        self.memory.truncate(start);
        status
    }

    /// Changes one file; if it is a directory to go into, leaves its entries in memory.
    fn change_one(&mut self, path: ZStr, mode: u16, recursive: bool, follow: Follow) -> Result<(), Errno> {
        let there = sys::mode(path, follow);
        if sys::is(there, sys::SYMLINK) {
            return Ok(());
        }
        let directory = sys::is(there, sys::DIRECTORY);
        let all = if directory || there & 0o111 != 0 { 0o555 } else { 0o444 };
        sys::chmod(path, if mode == A_RX { all } else { mode })?;
        if recursive && directory {
            self.memory.read(&sys::open_directory(path)?)?;
        }
        Ok(())
    }
}

/// The mode that `word` is in octal, more than `A_RX` if it is none.
fn octal(word: ZStr) -> u16 {
    let mut mode = if word.is_empty() { u16::MAX } else { 0 };
    for digit in word {
        let digit = digit.wrapping_sub(b'0');
        mode = if digit > 7 || mode > 0o777 { u16::MAX } else { mode << 3 | u16::from(digit) };
    }
    mode
}
