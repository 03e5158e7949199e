//! The commands. Each is first called to check its words, and refuses what it does not know; then to run.

mod chmod;
mod echo;
mod ln;
mod ls;
mod mkdir;
mod sleep;
mod test;

use crate::memory::ZStr;
use crate::report::{self, NEWLINE, NOT_SUPPORTED, UNEXPECTED};
use crate::shell::{SH, Shell, index};
use crate::sys::{self, Errno};

/// What can stand where a command does, each with a blank behind it; the index is its name below. Those behind
/// `exec` a shell has and this language has not: taken for unknown commands, the script would go on without them.
const COMMANDS: ZStr = ZStr::new(
    c": true false exit echo [ test ln mkdir ls sleep chmod exec \
} case esac for . break cd continue eval export read readonly return set shift trap umask unset wait ",
);
const COLON: usize = 0;
const TRUE: usize = 1;
const FALSE: usize = 2;
const EXIT: usize = 3;
const ECHO: usize = 4;
const BRACKET: usize = 5;
const TEST: usize = 6;
const LN: usize = 7;
const MKDIR: usize = 8;
const LS: usize = 9;
const SLEEP: usize = 10;
const CHMOD: usize = 11;
const EXEC: usize = 12;
const UNKNOWN: usize = 32;

/// `name` without `/bin/` or `/usr/bin/` before it.
pub fn base(name: ZStr) -> ZStr {
    name.after(c"/usr").unwrap_or(name).after(c"/bin/").unwrap_or(name)
}

/// Whether there is a command of that name.
pub fn is_known(name: ZStr) -> bool {
    index(COMMANDS, base(name)) <= EXEC
}

/// The command at hand.
pub struct Words<'a> {
    /// Its name, as it was called.
    name: ZStr<'a>,
    /// Where the next of its words lies in memory.
    next: usize,
    /// How many there still are.
    left: usize,
}

impl Words<'_> {
    /// None yet.
    pub fn new() -> Self {
        Words { name: ZStr::EMPTY, next: 0, left: 0 }
    }
}

impl<'a> Shell<'a> {
    /// Runs the command that is `count` words in memory from `start`, or only checks it. With `capture`, what it
    /// prints stays in memory; returns where that begins.
    pub(crate) fn call(&mut self, start: usize, count: usize, capture: bool) -> usize {
        self.words.next = start;
        self.words.left = count;
        let mut output = self.memory.length();
        let mut exec = false;
        let mut status = 0;
        while let Some(name) = self.next() {
            self.words.name = name;
            let command = index(COMMANDS, base(name));
            if command == EXEC {
                exec = !capture;
                continue;
            }
            if capture && command != LS {
                self.refuse(const { ZStr::new(c"$(") }, name, NOT_SUPPORTED);
            }
            status = match command {
                COLON | TRUE => 0,
                FALSE => 1,
                EXIT => self.exit(),
                ECHO => self.echo(),
                BRACKET | TEST => self.test(command == BRACKET),
                LN => self.ln(),
                MKDIR => self.mkdir(),
                LS => self.ls(capture, &mut output),
                SLEEP => self.sleep(),
                CHMOD => self.chmod(),
                UNKNOWN if !name.has(b'=') => {
                    if self.run {
                        report::line(SH, name, report::COLON, const { ZStr::new(c"not found") }, NEWLINE);
                    }
                    127
                }
                _ => self.refuse(SH, name, NOT_SUPPORTED),
            };
            break;
        }
        if self.run {
            self.status = status;
            self.exited |= exec && count > 1;
            self.run = !self.exited;
        }
        output
    }

    /// `exit [N]`: what follows does not run.
    fn exit(&mut self) -> u8 {
        let mut status = self.status;
        if let Some(word) = self.next() {
            status = match number(word) {
                Some(number) if self.words.left == 0 => number as u8, // as in any shell: the low eight bits
                _ => self.refuse_word(word),
            };
        }
        self.exited |= self.run;
        status
    }

    /// The next word, whatever it is.
    fn next(&mut self) -> Option<ZStr<'a>> {
        self.words.left = self.words.left.checked_sub(1)?;
        let word = self.memory.string(self.words.next);
        self.words.next += word.len() + 1;
        Some(word)
    }

    /// The next word; empty if there is none.
    fn operand(&mut self) -> ZStr<'a> {
        self.next().unwrap_or(ZStr::EMPTY)
    }

    /// Takes the options from among the words, wherever they stand, and leaves the operands, of which there must
    /// be `least` to `most`. Returns the options as bits in the order of `allowed`.
    fn options(&mut self, allowed: &[u8], least: usize, most: usize) -> u8 {
        let start = self.memory.length();
        let mut options = 0;
        let mut count = 0;
        let mut only_operands = false;
        while let Some(word) = self.next() {
            if only_operands || word.first() != b'-' || word.rest().is_empty() {
                if count == most {
                    self.refuse(self.words.name, word, UNEXPECTED);
                }
                count += 1;
                self.memory.extend(word);
                self.memory.push(0);
                continue;
            }
            only_operands = word.is(c"--");
            for letter in word.rest() {
                match allowed.iter().position(|known| *known == letter) {
                    Some(index) => options |= 1 << index,
                    None if only_operands => {}
                    None => self.refuse_word(word),
                }
            }
        }
        if count < least {
            self.refuse(self.words.name, const { ZStr::new(c"operand") }, const { ZStr::new(c"missing") });
        }
        self.words.next = start;
        self.words.left = count;
        options
    }

    /// The command does not have `word`.
    fn refuse_word(&self, word: ZStr) -> ! {
        self.refuse(self.words.name, word, NOT_SUPPORTED)
    }

    /// The command failed on `what`; returns its exit status.
    fn failed(&self, what: ZStr, error: Errno) -> u8 {
        report::failed(self.words.name, what, error)
    }

    /// Writes what is in memory from `place` to standard output; returns the exit status.
    fn print(&self, place: usize) -> u8 {
        match sys::write_all(sys::STDOUT, self.memory.used(place)) {
            Ok(()) => 0,
            Err(error) => self.failed(const { ZStr::new(c"standard output") }, error),
        }
    }

    /// Puts `head`, `separator` unless it is 0, and `tail` together to a path, without slashes at its end.
    fn path(&mut self, head: ZStr, separator: u8, tail: ZStr) -> ZStr<'a> {
        let start = self.memory.length();
        self.memory.extend(head);
        if separator != 0 {
            self.memory.push(separator);
        }
        self.memory.extend(tail);
        let mut end = self.memory.length();
        while end > start + 1 && self.memory.byte(end - 1) == b'/' {
            end -= 1;
        }
        self.memory.truncate(end);
        self.memory.push(0);
        self.memory.string(start)
    }
}

/// The number that `word` is in decimal.
fn number(word: ZStr) -> Option<i64> {
    let mut number: i64 = 0;
    for digit in word {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(digit.into())?;
    }
    if word.is_empty() { None } else { Some(number) }
}
