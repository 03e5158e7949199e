//! `echo [-n] [WORD]...`

use crate::shell::Shell;

impl<'a> Shell<'a> {
    /// Prints the words with blanks between them, and a newline unless `-n`. Backslashes stay: shells differ on
    /// them, as they do on which other first words are options.
    pub(super) fn echo(&mut self) {
        let place = self.memory.length();
        while let Some(word) = self.next() {
            self.memory.extend(word);
            self.memory.push(b' ');
        }
        self.memory.strip_one(place);
        if self.options == 0 {
            self.memory.push(b'\n');
        }
        if self.run {
            self.print(place);
        }
    }
}
