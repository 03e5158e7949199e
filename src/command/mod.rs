//! The commands. Each is first called to check its words, and refuses what it does not know; then to run.

mod chmod;
mod echo;
mod ln;
mod ls;
mod mkdir;
mod sleep;
mod test;

use crate::memory::{Words, ZStr};
use crate::report::{self, MISSING, NOT_CLOSED, NOT_SUPPORTED, UNEXPECTED};
use crate::shell::{Shell, lookup};
use crate::sys::{self, Errno};

/// What can stand where a command does, and the letters of its options, the most frequent first; the index is its name
/// below.
///
/// Those behind `exec` a shell has and this language has not: taken for unknown commands, the script would go on
/// without them.
const COMMANDS: ZStr = ZStr::new(
    c"ln=sfn sleep= sh=c mkdir=p ls=1Aa exit= echo=n chmod=R [= test= true= := false= exec= \
if= case= for= .= break= cd= continue= export= set= trap=",
);
const LN: u8 = 0;
const SLEEP: u8 = 1;
const SH: u8 = 2;
const MKDIR: u8 = 3;
const LS: u8 = 4;
const EXIT: u8 = 5;
const ECHO: u8 = 6;
const CHMOD: u8 = 7; // the last that has options
const BRACKET: u8 = 8;
const TEST: u8 = 9; // the last that may have words too many
const FALSE: u8 = 12;
const EXEC: u8 = 13;
const UNKNOWN: u8 = 24;

fn find(name: ZStr) -> (u8, ZStr<'static>) {
    lookup(COMMANDS, name.after(const { ZStr::new(c"/bin/") }).unwrap_or(name), false)
}

/// Whether there is a command of that name.
pub fn is_known(name: ZStr) -> bool {
    find(name).0 <= EXEC
}

impl<'a> Shell<'a> {
    /// Runs the command that `words` are, or only checks it.
    pub(crate) fn call(&mut self, words: Words<'a>) {
        self.words = words;
        let mut exec = false;
        while let Some(name) = self.next() {
            self.name = name;
            let (command, letters) = find(name);
            // When commands run, a name may be the output of `ls`, which means nothing but itself.
            if !self.run
                && (self.capture && command != LS
                    || command > EXEC && (command < UNKNOWN || !name.find(b'='.into()).is_empty()))
            {
                self.unsupported(name);
            }
            if self.run && command != EXIT {
                self.status = u8::from(command == FALSE);
            }
            if command == EXEC {
                exec = true;
                continue;
            }
            if command <= CHMOD {
                self.take_options(letters);
            }
            match command {
                ECHO => self.echo(),
                BRACKET | TEST => self.test(command == BRACKET),
                EXIT => self.exit(),
                LN => self.ln(),
                MKDIR => self.mkdir(),
                LS => self.ls(),
                SLEEP => self.sleep(),
                CHMOD => self.chmod(),
                SH => self.sh(),
                EXEC.. if self.run => {
                    self.status = 127;
                    report::line(const { ZStr::new(c"sh") }, name, report::COLON, const { ZStr::new(c"not found") });
                }
                _ => {}
            }
            if command <= TEST
                && let Some(word) = self.next()
            {
                self.refuse(word, UNEXPECTED);
            }
            self.exited |= exec & self.run;
            break;
        }
        self.run &= !self.exited;
    }

    /// Takes the options that stand first among the words.
    fn take_options(&mut self, letters: ZStr) {
        self.options = 0;
        while let [word, rest @ ..] = self.words
            && is_option(word.get())
        {
            for letter in word.get().rest() {
                let mut known = letters;
                while known.first() != letter {
                    if known.first() <= b' ' {
                        self.unsupported(word.get());
                    }
                    known = known.rest();
                }
                self.options |= bit(letter);
            }
            self.words = rest;
        }
    }

    /// Refuses a word that is not known.
    fn unsupported(&self, word: ZStr) -> ! {
        self.refuse(word, NOT_SUPPORTED)
    }

    /// The next word.
    #[inline(never)] // a call is shorter
    fn next(&mut self) -> Option<ZStr<'a>> {
        let [word, rest @ ..] = self.words else { return None };
        self.words = rest;
        Some(word.get())
    }

    /// The next word, which must be there and not be an option.
    #[inline(never)] // a call is shorter
    fn operand(&mut self) -> ZStr<'a> {
        match self.next() {
            Some(word) if !is_option(word) => word,
            Some(word) => self.unsupported(word),
            None => self.refuse(const { ZStr::new(c"operand") }, MISSING),
        }
    }

    /// `sh -c SCRIPT`
    fn sh(&mut self) {
        // Only as the program's own command: reading another script would lose the place in this one.
        if self.depth > 0 || self.options == 0 {
            self.unsupported(self.name);
        }
        let script = self.operand();
        self.read(script);
        self.words = &[];
    }

    /// `exit [N]`: what follows does not run.
    fn exit(&mut self) {
        if let Some(word) = self.next() {
            let status = self.number(word, 10) as u8; // as in any shell: the low eight bits
            if self.run {
                self.status = status;
            }
        }
        self.exited |= self.run;
    }

    /// The number that `word` is to `base`; more than any command needs is refused.
    #[inline(never)] // a call is shorter
    fn number(&self, word: ZStr, base: u32) -> u32 {
        let mut number = 0;
        let mut rest = word;
        loop {
            let digit = u32::from(rest.first()).wrapping_sub(b'0'.into());
            if digit >= base || number > 99_999_999 {
                self.unsupported(word);
            }
            number = number * base + digit;
            rest = rest.rest();
            if rest.is_empty() {
                return number;
            }
        }
    }

    /// If `result` is an error, it is the command's, about `what`.
    #[inline(never)] // a call is shorter
    pub(crate) fn outcome(&mut self, what: ZStr, result: Result<(), Errno>) {
        let Err(error) = result else { return };
        self.status = 1;
        let place = self.memory.length();
        let mut reason = report::reason(error);
        if reason.is_empty() {
            self.memory.push_decimal(error.number());
            reason = self.memory.string(place);
        }
        report::line(self.name, what, report::COLON, reason);
        self.memory.truncate(place); // what is captured is output only
    }

    /// Writes the bytes in memory from `place` to standard output.
    fn print(&mut self, place: usize) {
        let written = sys::write_all(sys::STDOUT, self.memory.bytes(place));
        self.outcome(const { ZStr::new(c"stdout") }, written);
    }

    /// Puts `head`, `separator` and `tail` together to a path, without slashes at its end.
    #[inline(never)] // a call is shorter
    fn path(&mut self, head: ZStr, separator: ZStr, tail: ZStr) -> ZStr<'a> {
        let place = self.memory.length();
        self.memory.extend(head);
        self.memory.extend(separator);
        self.memory.extend(tail);
        self.memory.strip(place + 1, b'/');
        self.memory.string(place)
    }
}

/// The bit of an option. Those of each command differ in it.
const fn bit(letter: u8) -> u32 {
    1 << ((letter >> 1) & 31)
}

/// Whether `word` is a `-` and something.
fn is_option(word: ZStr) -> bool {
    word.first() == b'-' && !word.rest().is_empty()
}
