//! The commands. Each is first called to check its words, and refuses what it does not know; then to run.

mod chmod;
mod echo;
mod ln;
mod ls;
mod mkdir;
mod sleep;
mod test;

use crate::memory::{Words, ZStr};
use crate::report::{self, MISSING, NOT_SUPPORTED, UNEXPECTED};
use crate::shell::{Shell, index};
use crate::sys::{self, Errno};

/// What can stand where a command does, each with a blank behind it; the index is its name below. Those behind
/// `exec` a shell has and this language has not: taken for unknown commands, the script would go on without them.
const COMMANDS: ZStr = ZStr::new(
    c": true false exit echo [ test ln mkdir ls sleep chmod sh exec \
if case for . break cd continue export set trap ",
);
const COLON: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const EXIT: u8 = 3;
const ECHO: u8 = 4;
const BRACKET: u8 = 5;
const TEST: u8 = 6;
const LN: u8 = 7;
const MKDIR: u8 = 8;
const LS: u8 = 9;
const SLEEP: u8 = 10;
const CHMOD: u8 = 11;
const SH: u8 = 12;
const EXEC: u8 = 13;
const UNKNOWN: u8 = 24;

fn find(name: ZStr) -> u8 {
    index(COMMANDS, name.after(c"/bin/").unwrap_or(name), false)
}

/// Whether there is a command of that name.
pub fn is_known(name: ZStr) -> bool {
    find(name) <= EXEC
}

impl<'a> Shell<'a> {
    /// Runs the command that `words` are, or only checks it.
    pub(crate) fn call(&mut self, words: Words<'a>) {
        self.words = words;
        let run = self.run;
        let mut exec = false;
        let mut status = 0;
        while let Some(name) = self.words.next() {
            self.name = name;
            let command = find(name);
            if self.capture && command != LS || command > EXEC && (command < UNKNOWN || name.has(b'=')) {
                self.refuse(name, NOT_SUPPORTED);
            }
            if command == EXEC {
                exec = run;
                continue;
            }
            status = match command {
                COLON | TRUE => 0,
                FALSE => 1,
                EXIT => self.exit(),
                ECHO => self.echo(),
                BRACKET | TEST => self.test(command == BRACKET),
                LN => self.ln(),
                MKDIR => self.mkdir(),
                LS => self.ls(),
                SLEEP => self.sleep(),
                CHMOD => self.chmod(),
                SH => self.sh(),
                _ => {
                    if run {
                        report::line(
                            const { ZStr::new(c"sh") },
                            name,
                            report::COLON,
                            const { ZStr::new(c"not found") },
                        );
                    }
                    127
                }
            };
            self.exited |= exec;
            break;
        }
        if run {
            self.status = status;
            self.run = !self.exited;
        }
    }

    /// `sh -c SCRIPT`
    fn sh(&mut self) -> u8 {
        // Only as the program's own command: reading another script would lose the place in this one.
        if self.depth > 0 || self.options(const { ZStr::new(c"c") }) == 0 {
            self.refuse(self.name, NOT_SUPPORTED);
        }
        let script = self.operand();
        self.read(script);
        self.status
    }

    /// `exit [N]`: what follows does not run.
    fn exit(&mut self) -> u8 {
        let mut status = self.status;
        if let Some(word) = self.words.next() {
            status = self.number(word, 10) as u8; // as in any shell: the low eight bits
        }
        self.end();
        self.exited |= self.run;
        status
    }

    /// The next word, which must be there and not be an option.
    fn operand(&mut self) -> ZStr<'a> {
        match self.words.next() {
            Some(word) if !is_option(word) => word,
            Some(word) => self.refuse(word, NOT_SUPPORTED),
            None => self.refuse(const { ZStr::new(c"operand") }, MISSING),
        }
    }

    /// No word must be left.
    fn end(&mut self) {
        if let Some(word) = self.words.next() {
            self.refuse(word, UNEXPECTED);
        }
    }

    /// The options that stand first among the words, as bits in the order of `allowed`.
    fn options(&mut self, allowed: ZStr) -> u8 {
        let mut options = 0;
        loop {
            let words = self.words;
            let Some(word) = self.words.next().filter(|word| is_option(*word)) else {
                self.words = words;
                return options;
            };
            for letter in word.rest() {
                let mut bit = 1;
                let mut known = allowed;
                while known.first() != letter {
                    if known.is_empty() {
                        self.refuse(word, NOT_SUPPORTED);
                    }
                    known = known.rest();
                    bit <<= 1;
                }
                options |= bit;
            }
        }
    }

    /// The number that `word` is to `base`; more than any command needs is refused.
    fn number(&self, word: ZStr, base: u32) -> u32 {
        let mut number = 0;
        let mut rest = word;
        loop {
            let digit = u32::from(rest.first().wrapping_sub(b'0'));
            if digit >= base || number > 99_999_999 {
                self.refuse(word, NOT_SUPPORTED);
            }
            number = number * base + digit;
            rest = rest.rest();
            if rest.is_empty() {
                return number;
            }
        }
    }

    /// The exit status of the command after `result`, which if it failed was about `what`.
    fn outcome(&self, what: ZStr, result: Result<(), Errno>) -> u8 {
        match result {
            Ok(()) => 0,
            Err(error) => {
                report::failed(self.name, what, error);
                1
            }
        }
    }

    /// Writes what is in memory from `place` to standard output; returns the exit status.
    fn print(&self, place: usize) -> u8 {
        self.outcome(const { ZStr::new(c"stdout") }, sys::write_all(sys::STDOUT, self.memory.used(place)))
    }

    /// Puts `head`, `separator` unless it is 0, and `tail` together to a path, without slashes at its end.
    fn path(&mut self, head: ZStr, separator: u8, tail: ZStr) -> ZStr<'a> {
        let start = self.memory.length();
        self.memory.extend(head);
        if separator != 0 {
            self.memory.push(separator);
        }
        self.memory.extend(tail);
        while self.memory.length() > start + 1 && self.memory.last() == b'/' {
            self.memory.set_length(self.memory.length() - 1);
        }
        self.memory.push(0);
        self.memory.string(start)
    }
}

/// Whether `word` is a `-` and something.
fn is_option(word: ZStr) -> bool {
    word.first() == b'-' && !word.rest().is_empty()
}
