//! `echo [-n] [WORD]...`

use crate::shell::Shell;

impl Shell<'_> {
    /// Prints the words with blanks between them, and a newline unless `-n`. Backslashes stay: shells differ on them.
    pub(super) fn echo(&mut self) -> u8 {
        let mut newline = true;
        let mut first = self.words.next;
        while let Some(word) = self.next() {
            let mut letters = word;
            let dash = letters.next() == Some(b'-') && !letters.is_empty();
            if !(dash && letters.all(|letter| matches!(letter, b'n' | b'e' | b'E'))) {
                break;
            }
            // Beyond a single -n, shells disagree on which words are options.
            if !(newline && word.is(c"-n")) {
                self.refuse_word(word);
            }
            newline = false;
            first = self.words.next;
        }
        if !self.run {
            return 0;
        }
        // In place: the NUL behind each word becomes a blank, the last one a newline.
        let end = self.memory.length();
        if end > first {
            self.memory.truncate(end - 1);
        }
        self.memory.replace(first, 0, b' ');
        if newline {
            self.memory.push(b'\n');
        }
        self.print(first)
    }
}
