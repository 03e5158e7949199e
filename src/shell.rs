//! The language: the part of the POSIX shell in which ModelCars are told what to do.
//!
//! ```text
//! list     = and_or { ( ";" | newline ) and_or } [ ";" | newline ]
//! and_or   = pipeline { ( "&&" | "||" ) pipeline }
//! pipeline = [ "!" ] command
//! command  = "(" list ")"
//!          | ( "while" | "until" ) list "do" list "done"
//!          | [ "exec" ] word { word }
//! word     = { character | "\" character | "$$" | "'" ... "'" | '"' ... '"' }
//! "..."    = { character | "\" any of $ ` " \ | "$$" | "$(" "ls" { word } ")" }
//! ```
//!
//! There is no tree: the text is read twice. The first time nothing runs, and what the language does not have is
//! refused; the second time commands run as they are read. What must not run, such as the right side of
//! `false && ...`, is only read, as all was the first time. A loop goes back to where its condition began.
//!
//! Source: POSIX.1-2024, XCU chapter 2, Shell Command Language.

use crate::memory::{Memory, Words, ZStr};
use crate::report::{self, NOT_CLOSED, NOT_SUPPORTED, UNEXPECTED};
use crate::sys;

/// How deep `(`, loops and `$(` may nest: each level needs a few hundred bytes of stack.
const DEEPEST: u8 = 200;

/// Where a command is expected, these are not its name.
const KEYWORDS: ZStr = ZStr::new(c")= do= done= != while= until=");

/// What was found there: the end of the script, one of [`KEYWORDS`] in that order, or something else.
type Token = u8;
const END: Token = 0;
const CLOSE: Token = 1;
const DO: Token = 2;
const DONE: Token = 3; // the last that ends a list
const NOT: Token = 4;
const WHILE: Token = 5;
const UNTIL: Token = 6;
const OTHER: Token = 7;

/// A script, how far it has been read, and what its commands have left behind.
#[repr(C)] // memory first, so that one pointer is both
pub struct Shell<'a> {
    /// Where words are put together.
    pub(crate) memory: Memory<'a>,
    /// What is still to be read.
    at: ZStr<'a>,
    /// Where the last word, keyword or operator began.
    start: ZStr<'a>,
    /// Name of the command at hand.
    pub(crate) name: ZStr<'a>,
    /// The words behind it that it has not taken yet.
    pub(crate) words: Words<'a>,
    /// Its options: a bit for each letter.
    pub(crate) options: u32,
    /// The last token. A keyword has been read, anything else is still to be.
    token: Token,
    pub(crate) depth: u8,
    /// Exit status of the last command.
    pub(crate) status: u8,
    /// The output of the command at hand is to stay in memory.
    pub(crate) capture: bool,
    /// Commands run; if not, they are only checked.
    pub(crate) run: bool,
    /// `exit` has run: nothing else does.
    pub(crate) exited: bool,
    /// A link has been made: whoever follows it will look into this process.
    pub(crate) linked: bool,
}

impl<'a> Shell<'a> {
    /// A shell that keeps its words in `memory`.
    pub fn new(memory: Memory<'a>) -> Self {
        Shell {
            memory,
            at: report::PROGRAM,
            start: report::PROGRAM,
            name: report::PROGRAM,
            words: &[],
            options: 0,
            token: END,
            depth: 0,
            status: 0,
            capture: false,
            run: false,
            exited: false,
            linked: false,
        }
    }

    /// Reads `script`: runs it if `run` is set, else checks it, which ends the process if it is refused.
    pub fn read(&mut self, script: ZStr<'a>) {
        self.at = script;
        self.list(END);
    }

    // What a script is made of.

    /// A list and the token that must end it.
    fn list(&mut self, end: Token) {
        self.deeper();
        let run = self.run;
        self.advance(b'\n');
        // An empty script is one, an empty list in it is not.
        if self.token != END {
            loop {
                self.pipeline();
                self.run = run && !self.exited;
                let separator = self.blanks(b' ');
                match separator {
                    b'&' | b'|' if self.at.rest().first() == separator => {
                        self.skip();
                        self.skip();
                        self.run &= (self.status == 0) == (separator == b'&');
                        self.advance(b'\n');
                    }
                    b';' | b'\n' => {
                        self.skip();
                        self.advance(b'\n');
                        if self.token <= DONE {
                            break;
                        }
                    }
                    b'&' | b'|' | b'<' | b'>' => {
                        self.start = self.at;
                        self.refuse_here(NOT_SUPPORTED);
                    }
                    _ => {
                        self.advance(b' ');
                        break;
                    }
                }
            }
        }
        if self.token != end {
            self.unexpected();
        }
        self.depth -= 1;
    }

    fn pipeline(&mut self) {
        let negate = self.token == NOT;
        if negate {
            self.advance(b' ');
        }
        match self.token {
            WHILE | UNTIL => self.repeat(self.token),
            OTHER if self.at.first() == b'(' => {
                // It shares all that this language can change; only its `exit` ends with it.
                let (run, exited) = (self.run, self.exited);
                self.skip();
                self.list(CLOSE);
                (self.run, self.exited) = (run, exited);
            }
            OTHER => self.simple(),
            _ => self.unexpected(),
        }
        if negate && self.run {
            self.status = u8::from(self.status == 0);
        }
    }

    /// A loop, which goes on while its condition succeeds, or until it does.
    fn repeat(&mut self, keyword: Token) {
        let (start, run) = (self.at, self.run);
        let mut status = 0;
        loop {
            self.list(DO);
            self.run &= (self.status == 0) == (keyword == WHILE);
            let go = self.run;
            self.list(DONE);
            if !(go && self.run) {
                break;
            }
            status = self.status;
            self.at = start;
        }
        self.run = run && !self.exited;
        if self.run {
            self.status = status;
        }
    }

    fn simple(&mut self) {
        self.memory.clear();
        self.words();
        let words = self.memory.words(0);
        if words.is_empty() {
            self.unexpected();
        }
        self.call(words);
    }

    /// Goes past blanks, those that are `also`, and a keyword, if there is one.
    fn advance(&mut self, also: u8) {
        self.token = END;
        if self.blanks(also) != 0 {
            self.token = CLOSE + lookup(KEYWORDS, self.at, true).0;
        }
        self.start = self.at;
        if self.token != OTHER {
            self.skip();
            while !ends_word(self.at.first()) {
                self.skip();
            }
        }
    }

    // Words.

    /// Reads words into memory up to what ends a command.
    fn words(&mut self) {
        while !ends_word(self.blanks(b' ')) {
            let place = self.memory.length();
            self.word();
            let word = self.memory.string(place);
            self.memory.push_word(word);
        }
    }

    /// Reads what one word is made of.
    fn word(&mut self) {
        let mut at = self.at;
        self.start = at;
        let mut quote = 0; // the quotation mark that must end what it has begun
        loop {
            let mut character = at.first();
            if quote == 0 && ends_word(character) {
                break;
            }
            at = at.rest();
            if character == quote {
                quote = 0;
                continue;
            }
            if character == 0 {
                self.refuse_here(NOT_CLOSED);
            }
            if quote != b'\'' {
                let next = at.first();
                match character {
                    b'$' => {
                        self.at = at.rest();
                        match next {
                            b'$' => self.push_pid(),
                            b'(' if quote != 0 => self.substitution(),
                            _ => self.refuse_here(NOT_SUPPORTED),
                        }
                        at = self.at;
                        continue;
                    }
                    b'\\' if quote == 0 || const { ZStr::new(c"$`\"\\\n") }.has(next) => {
                        if next == 0 {
                            self.refuse_here(NOT_CLOSED);
                        }
                        at = at.rest();
                        character = next;
                        if next == b'\n' {
                            continue;
                        }
                    }
                    b'`' => self.refuse_here(NOT_SUPPORTED),
                    _ if quote != 0 => {}
                    b'\'' | b'"' => {
                        quote = character;
                        continue;
                    }
                    // `[` is a command; as part of a word it begins a pattern, as `*` and `?` do.
                    b'[' if at == self.start.rest() && ends_word(next) => {}
                    // `{` and a first `~` mean something else in other shells.
                    b'~' if at != self.start.rest() => {}
                    b'*' | b'?' | b'{' | b'[' | b'~' => self.refuse_here(NOT_SUPPORTED),
                    _ => {}
                }
            }
            self.memory.push(character);
        }
        self.at = at;
    }

    fn push_pid(&mut self) {
        // Where nothing runs, any number will do.
        self.memory.push_decimal(if self.run { sys::getpid() } else { 0 });
    }

    /// The output of an `ls`, less the newlines at its end.
    fn substitution(&mut self) {
        self.deeper();
        let start = self.start;
        let (place, count) = (self.memory.length(), self.memory.count());
        self.words();
        self.advance(b' ');
        // A `)` is one token only where a word ends: not here.
        if self.start.first() != b')' {
            self.unexpected();
        }
        self.at = self.start.rest();
        // The output is to begin where the words do; `ls` has read them by then.
        self.memory.truncate(place);
        self.capture = true;
        self.call(self.memory.words(count));
        self.capture = false;
        self.memory.truncate_words(count);
        self.memory.strip(place, b'\n');
        self.start = start;
        self.depth -= 1;
    }

    /// Goes past blanks, those that are `also`, and comments; returns the character there.
    fn blanks(&mut self, also: u8) -> u8 {
        loop {
            let character = self.at.first();
            match character {
                b' ' | b'\t' => {}
                b'\\' if self.at.rest().first() == b'\n' => self.skip(),
                b'#' => {
                    self.at = self.at.find(b'\n'.into());
                    continue;
                }
                _ if character == also => {}
                _ => return character,
            }
            self.skip();
        }
    }

    #[inline(never)] // a call is shorter
    fn skip(&mut self) {
        self.at = self.at.rest();
    }

    // Refusals.

    fn deeper(&mut self) {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.refuse_here(const { ZStr::new(c"too deep") });
        }
    }

    fn unexpected(&mut self) -> ! {
        if matches!(self.start.first(), 0 | b'\n') {
            self.start = const { ZStr::new(c"line end") };
        }
        self.refuse_here(UNEXPECTED)
    }

    /// Refuses the word or operator that has begun last.
    fn refuse_here(&mut self, why: ZStr) -> ! {
        self.name = const { ZStr::new(c"sh") };
        self.refuse(self.start, why)
    }

    /// Says what is refused and why, and ends the process.
    pub(crate) fn refuse(&self, what: ZStr, why: ZStr) -> ! {
        report::line(self.name, what, report::COLON, why);
        sys::exit(2)
    }
}

/// Whether an unquoted `character` ends a word.
#[inline(never)] // a call is shorter
fn ends_word(character: u8) -> bool {
    matches!(character, 0 | b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

/// Looks up `text`, or if it is `source`, the word that it begins with, in `table`, where each entry is a name, `=` and
/// what belongs to it, and a blank lies between two. Returns the entry's index, or the number of entries if it is none
/// of them, and what belongs to it.
pub(crate) fn lookup<'a>(table: ZStr<'a>, text: ZStr, source: bool) -> (u8, ZStr<'a>) {
    let mut entry = table;
    let mut index = 0;
    while !entry.is_empty() {
        let mut rest = text;
        while entry.first() == rest.first() && entry.first() != 0 {
            entry = entry.rest();
            rest = rest.rest();
        }
        if entry.first() == b'=' && (rest.is_empty() || source && ends_word(rest.first())) {
            return (index, entry.rest());
        }
        entry = entry.find(b' '.into()).rest();
        index += 1;
    }
    (index, entry)
}
