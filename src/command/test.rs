//! `test EXPRESSION`, `[ EXPRESSION ]`

use crate::memory::ZStr;
use crate::report::NOT_CLOSED;
use crate::shell::Shell;
use crate::sys::{self, Follow};

impl Shell<'_> {
    /// True (0) or false (1): nothing, STRING, `-d PATH` and its like, or `!` and one of these.
    pub(super) fn test(&mut self, bracket: bool) -> u8 {
        let close = usize::from(bracket);
        if self.words.left < close {
            self.refuse_open();
        }
        self.words.left -= close;
        let mut negate = false;
        let mut word;
        loop {
            word = self.operand();
            if self.words.left == 0 || !word.is(c"!") {
                break;
            }
            negate = !negate;
        }
        let holds = match self.words.left {
            0 => !word.is_empty(),
            1 => self.unary(word),
            _ => self.refuse_word(word),
        };
        self.words.left = close;
        if bracket && !self.operand().is(c"]") {
            self.refuse_open();
        }
        u8::from(holds == negate)
    }

    fn unary(&mut self, operator: ZStr) -> bool {
        let operand = self.operand();
        let letter = operator.rest().first();
        if operator.first() != b'-' || !operator.rest().rest().is_empty() {
            self.refuse_word(operator);
        }
        let kind = match letter {
            b'n' => return !operand.is_empty(),
            b'z' => return operand.is_empty(),
            b'e' => 0,
            b'd' => sys::DIRECTORY,
            b'f' => sys::REGULAR,
            b'L' => sys::SYMLINK,
            _ => self.refuse_word(operator),
        };
        if !self.run {
            return false;
        }
        let mode = sys::mode(operand, if kind == sys::SYMLINK { Follow::No } else { Follow::Yes });
        mode != 0 && (kind == 0 || sys::is(mode, kind))
    }

    fn refuse_open(&self) -> ! {
        self.refuse(self.words.name, self.words.name, NOT_CLOSED)
    }
}
