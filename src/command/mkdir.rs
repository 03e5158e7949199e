//! `mkdir [-p] DIRECTORY...`

use crate::memory::ZStr;
use crate::shell::Shell;
use crate::sys::{self, Follow};

impl Shell<'_> {
    /// Makes directories; with `-p` also those above them, and one that is there is no error.
    pub(super) fn mkdir(&mut self) -> u8 {
        let parents = self.options(b"p", 1, usize::MAX) != 0;
        let mut status = 0;
        while let Some(path) = self.next().filter(|_| self.run) {
            status |= self.make(path, parents);
        }
        status
    }

    fn make(&mut self, mut path: ZStr, parents: bool) -> u8 {
        let start = self.memory.length();
        loop {
            let byte = path.first();
            let end = self.memory.length();
            if byte == 0 || parents && byte == b'/' && end > start {
                self.memory.push(0);
                self.memory.truncate(end);
                let prefix = self.memory.string(start);
                if let Err(error) = sys::mkdir(prefix)
                    && !(parents && sys::is(sys::mode(prefix, Follow::Yes), sys::DIRECTORY))
                {
                    return self.failed(prefix, error);
                }
                if byte == 0 {
                    return 0;
                }
            }
            self.memory.push(byte);
            path = path.rest();
        }
    }
}
