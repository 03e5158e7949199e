//! `test EXPRESSION`, `[ EXPRESSION ]`

use crate::memory::ZStr;
use crate::report::{NOT_CLOSED, NOT_SUPPORTED};
use crate::shell::{Shell, index};
use crate::sys::{self, Follow};

impl Shell<'_> {
    /// True (0) or false (1): nothing, STRING, `-d PATH` and its like, or `!` and one of these.
    pub(super) fn test(&mut self, bracket: bool) -> u8 {
        if bracket && !self.words.pop().is(c"]") {
            self.refuse(self.name, NOT_CLOSED);
        }
        let mut negate = false;
        let holds = loop {
            let word = self.words.next().unwrap_or(ZStr::EMPTY);
            let words = self.words;
            let Some(operand) = self.words.next() else { break !word.is_empty() };
            if word.is(c"!") {
                negate = !negate;
                self.words = words;
                continue;
            }
            let operator = index(const { ZStr::new(c"-L -d -f -e -n -z ") }, word, false);
            if operator > 5 || !self.words.is_empty() {
                self.refuse(word, NOT_SUPPORTED);
            }
            if operator > 3 {
                break operand.is_empty() == (operator == 5);
            }
            let follow = if operator == 0 { Follow::No } else { Follow::Yes };
            if !self.run {
                return 0;
            }
            let mode = sys::mode(operand, follow);
            let kind = [sys::SYMLINK, sys::DIRECTORY, sys::REGULAR].get(usize::from(operator));
            break mode >= 0 && kind.is_none_or(|kind| sys::is(mode, *kind));
        };
        u8::from(holds == negate)
    }
}
