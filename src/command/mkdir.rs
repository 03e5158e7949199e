//! `mkdir [-p] DIRECTORY...`

use crate::shell::Shell;
use crate::sys::{self, Follow};

impl<'a> Shell<'a> {
    /// Makes directories; with `-p` also those above them, and one that is there is no error.
    pub(super) fn mkdir(&mut self) {
        let parents = self.options != 0;
        loop {
            let mut path = self.operand();
            let place = self.memory.length();
            while self.run {
                self.memory.push(path.first());
                path = path.rest();
                let byte = path.first();
                if byte == 0 || parents && byte == b'/' {
                    let prefix = self.memory.string(place);
                    self.memory.strip(place, 0);
                    let mut made = sys::mkdir(prefix);
                    if parents && sys::is(sys::mode(prefix, Follow::Yes), sys::DIRECTORY) {
                        made = Ok(());
                    }
                    if byte == 0 || made.is_err() {
                        self.outcome(prefix, made);
                        break;
                    }
                }
            }
            if self.words.is_empty() {
                return;
            }
        }
    }
}
