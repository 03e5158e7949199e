//! `test EXPRESSION`, `[ EXPRESSION ]`

use super::NOT_CLOSED;
use crate::memory::ZStr;
use crate::shell::{Shell, lookup};
use crate::sys::{self, Follow};

/// Behind the types of file stand the type bits of their modes, as a digit; `:` follows 9.
const OPERATORS: ZStr = ZStr::new(c"-L=: -d=4 -f=8 -e= -n= -z=");
const SYMLINK: u8 = 0;
const EXISTS: u8 = 3;
const EMPTY: u8 = 5;

impl<'a> Shell<'a> {
    /// True (0) or false (1): nothing, STRING, `-d PATH` and its like, or `!` and one of these.
    pub(super) fn test(&mut self, bracket: bool) {
        if bracket {
            match self.words {
                [rest @ .., last] if last.get().is(const { ZStr::new(c"]") }) => self.words = rest,
                _ => self.refuse(self.name, NOT_CLOSED),
            }
        }
        let mut negate = false;
        let holds = loop {
            let left = self.words.len();
            let word = self.next().unwrap_or(ZStr::EMPTY);
            if left < 2 {
                break !word.is_empty();
            }
            if word.is(const { ZStr::new(c"!") }) {
                negate = !negate;
                continue;
            }
            let (operator, kind) = lookup(OPERATORS, word, false);
            if operator > EMPTY {
                self.unsupported(word);
            }
            let operand = self.next().unwrap_or(ZStr::EMPTY);
            if operator > EXISTS {
                break operand.is_empty() == (operator == EMPTY);
            }
            if !self.run {
                return;
            }
            let mode = sys::mode(operand, if operator == SYMLINK { Follow::No } else { Follow::Yes });
            break mode >= 0 && (operator == EXISTS || kind.first() == b'0' + (mode >> 12) as u8);
        };
        if self.run {
            self.status = u8::from(holds == negate);
        }
    }
}
