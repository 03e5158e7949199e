//! `echo [-n] [WORD]...`

use crate::report::NOT_SUPPORTED;
use crate::shell::Shell;

impl Shell<'_> {
    /// Prints the words with blanks between them, and a newline unless `-n`. Backslashes stay: shells differ on them.
    pub(super) fn echo(&mut self) -> u8 {
        let mut words = self.words;
        let mut word = words.next();
        let newline = !word.is_some_and(|word| word.is(c"-n"));
        if !newline {
            self.words = words;
            word = words.next();
        }
        // Beyond a single -n, shells disagree on which words are options.
        if let Some(word) = word
            && word.first() == b'-'
            && matches!(word.rest().first(), b'n' | b'e' | b'E')
        {
            self.refuse(word, NOT_SUPPORTED);
        }
        if !self.run {
            return 0;
        }
        let start = self.memory.length();
        let mut separator = false;
        while let Some(word) = self.words.next() {
            if separator { self.memory.push(b' '); }
            separator = true;
            self.memory.extend(word);
        }
        if newline {
            self.memory.push(b'\n');
        }
        self.print(start)
    }
}
