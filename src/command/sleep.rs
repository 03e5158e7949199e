//! `sleep N|infinity`

use crate::memory::ZStr;
use crate::shell::Shell;
use crate::sys;

impl<'a> Shell<'a> {
    /// Sleeps for N seconds, or for ever.
    pub(super) fn sleep(&mut self) {
        let word = self.operand();
        let seconds = if word.is(const { ZStr::new(c"infinity") }) { None } else { Some(self.number(word, 10)) };
        if !self.run {
            return;
        }
        // Whoever reads the model looks into this process from now on. Before, a script may still need its rights.
        if self.linked || seconds.is_none() {
            sys::drop_capabilities();
        }
        self.outcome(const { ZStr::new(c"ppoll") }, sys::sleep(seconds));
    }
}
