//! `mkdir [-p] DIRECTORY...`

use crate::memory::ZStr;
use crate::shell::Shell;
use crate::sys::{self, Follow};

impl Shell<'_> {
    /// Makes directories; with `-p` also those above them, and one that is there is no error.
    pub(super) fn mkdir(&mut self) -> u8 {
        let parents = self.options(const { ZStr::new(c"p") }) != 0;
        let mut status = 0;
        loop {
            let path = self.operand();
            if self.run {
                status |= self.make(path, parents);
            }
            if self.words.is_empty() {
                return status;
            }
        }
    }

    fn make(&mut self, mut path: ZStr, parents: bool) -> u8 {
        let start = self.memory.length();
        loop {
            let byte = path.first();
            let end = self.memory.length();
            if byte == 0 || parents && byte == b'/' && end > start {
                self.memory.push(0);
                self.memory.set_length(end);
                let prefix = self.memory.string(start);
                let mut made = sys::mkdir(prefix);
                if parents && sys::is(sys::mode(prefix, Follow::Yes), sys::DIRECTORY) {
                    made = Ok(());
                }
                if byte == 0 || made.is_err() {
                    return self.outcome(prefix, made);
                }
            }
            self.memory.push(byte);
            path = path.rest();
        }
    }
}
