//! `sleep N|infinity`

use crate::memory::ZStr;
use crate::shell::Shell;
use crate::sys;

impl Shell<'_> {
    /// Sleeps for N seconds, or for ever.
    pub(super) fn sleep(&mut self) -> u8 {
        let word = self.operand();
        self.end();
        let seconds = if word.is(c"infinity") { None } else { Some(self.number(word, 10)) };
        if !self.run {
            return 0;
        }
        // Whoever reads the model looks into this process from now on. Before, a script may still need its rights.
        if self.linked || seconds.is_none() {
            sys::drop_capabilities();
        }
        self.outcome(const { ZStr::new(c"ppoll") }, sys::sleep(seconds))
    }
}
