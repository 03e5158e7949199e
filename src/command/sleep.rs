//! `sleep N|infinity`

use super::number;
use crate::memory::ZStr;
use crate::shell::Shell;
use crate::sys;

impl Shell<'_> {
    /// Sleeps for N seconds, or for ever.
    pub(super) fn sleep(&mut self) -> u8 {
        self.options(b"", 1, 1);
        let word = self.operand();
        let seconds = number(word);
        if seconds.is_none() && !word.is(c"infinity") {
            self.refuse_word(word);
        }
        if !self.run {
            return 0;
        }
        // Whoever reads the model looks into this process from now on. Before, a script may still need its rights.
        if self.linked || seconds.is_none() {
            sys::drop_capabilities();
        }
        match sys::sleep(seconds) {
            Ok(()) => 0,
            Err(error) => self.failed(const { ZStr::new(c"ppoll") }, error),
        }
    }
}
