//! `echo [-n] [WORD]...`

use crate::memory::ZStr;
use crate::shell::Shell;

impl Shell<'_> {
    /// Prints the words with blanks between them, and a newline unless `-n`. Backslashes stay: shells differ on
    /// them, as they do on which other first words are options.
    pub(super) fn echo(&mut self) -> u8 {
        let newline = self.options(const { ZStr::new(c"n") }) == 0;
        if !self.run {
            return 0;
        }
        let start = self.memory.length();
        #[allow(clippy::while_let_on_iterator)] // a copy of the iterator would be bytes more
        while let Some(word) = self.words.next() {
            self.memory.extend(word);
            self.memory.push(b' ');
        }
        self.memory.set_length(start.max(self.memory.length() - 1));
        if newline {
            self.memory.push(b'\n');
        }
        self.print(start)
    }
}
