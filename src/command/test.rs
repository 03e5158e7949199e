//! `test EXPRESSION`, `[ EXPRESSION ]`

use crate::report::{NOT_CLOSED, NOT_SUPPORTED};
use crate::memory::ZStr;
use crate::shell::Shell;
use crate::sys::{self, Follow};

impl Shell<'_> {
    /// True (0) or false (1): nothing, STRING, `-d PATH` and its like, or `!` and one of these.
    pub(super) fn test(&mut self, bracket: bool) -> u8 {
        if bracket {
            let last = self.words.last().unwrap_or(ZStr::EMPTY);
            if !last.is(c"]") {
                self.refuse(self.name, NOT_CLOSED);
            }
            self.words.end_at(last);
        }
        let mut wrong = 1;
        loop {
            let word = self.words.next().unwrap_or(ZStr::EMPTY);
            let words = self.words;
            let Some(operand) = self.words.next() else {
                return if word.is_empty() { wrong } else { 1 - wrong };
            };
            if word.is(c"!") {
                wrong = 1 - wrong;
                self.words = words;
                continue;
            }
            let operator = word.rest();
            if word.first() != b'-' || !operator.rest().is_empty() || self.words.next().is_some() {
                self.refuse(word, NOT_SUPPORTED);
            }
            let letter = operator.first();
            let kind = match letter {
                b'n' | b'z' | b'e' => 0,
                b'd' => sys::DIRECTORY,
                b'f' => sys::REGULAR,
                b'L' => sys::SYMLINK,
                _ => self.refuse(word, NOT_SUPPORTED),
            };
            let holds = if letter == b'n' || letter == b'z' {
                operand.is_empty() == (letter == b'z')
            } else {
                let mode = if self.run { sys::mode(operand, if letter == b'L' { Follow::No } else { Follow::Yes }) } else { 0 };
                mode != 0 && (kind == 0 || sys::is(mode, kind))
            };
            return if holds { 1 - wrong } else { wrong };
        }
    }
}
