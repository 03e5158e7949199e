//! The language: the part of the POSIX shell in which ModelCars are told what to do.
//!
//! ```text
//! list     = and_or { ( ";" | newline ) and_or } [ ";" | newline ]
//! and_or   = pipeline { ( "&&" | "||" ) pipeline }
//! pipeline = [ "!" ] command
//! command  = "(" list ")"
//!          | ( "while" | "until" ) list "do" list "done"
//!          | "if" list "then" list { "elif" list "then" list } [ "else" list ] "fi"
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

use crate::command::Words;
use crate::memory::{Memory, ZStr};
use crate::report::{self, NOT_CLOSED, NOTHING_RUN, NOT_SUPPORTED, UNEXPECTED};
use crate::sys;

/// How deep `(`, loops, conditions and `$(` may nest: each level needs a few hundred bytes of stack.
const DEEPEST: u8 = 200;

/// How much of a refused word a message shows, in bytes.
const LONGEST: usize = 64;

/// The words with a meaning where a command is expected, each with a blank behind it; their index is their name.
const KEYWORDS: ZStr = ZStr::new(c"do done then elif else fi ! while until if ");
const DO: usize = 0;
const DONE: usize = 1;
const THEN: usize = 2;
const ELIF: usize = 3;
const ELSE: usize = 4;
const FI: usize = 5; // the last of those that end a list
const NOT: usize = 6; // the last of those that a command cannot begin with
const WHILE: usize = 7;
const UNTIL: usize = 8;
const IF: usize = 9;

/// Who speaks where it is not a command.
pub(crate) const SH: ZStr = ZStr::new(c"sh");

/// A script, how far it has been read, and what its commands have left behind.
pub struct Shell<'a> {
    /// What is still to be read.
    at: ZStr<'a>,
    /// Where words are put together.
    pub(crate) memory: Memory<'a>,
    /// The command at hand.
    pub(crate) words: Words<'a>,
    /// Exit status of the last command.
    pub(crate) status: u8,
    /// Commands run; if not, they are only checked.
    pub(crate) run: bool,
    /// `exit` has run: nothing else does.
    pub(crate) exited: bool,
    /// A link has been made: whoever follows it will look into this process.
    pub(crate) linked: bool,
    depth: u8,
}

impl<'a> Shell<'a> {
    /// A shell that keeps its words in `memory`.
    pub fn new(memory: Memory<'a>) -> Self {
        let at = ZStr::EMPTY;
        Shell { at, memory, words: Words::new(), status: 0, run: false, exited: false, linked: false, depth: 0 }
    }

    /// Runs `script`, if all of it is understood. Returns its exit status.
    pub fn script(&mut self, script: ZStr<'a>) -> u8 {
        self.read(script);
        self.run = true;
        self.read(script);
        self.status
    }

    /// Runs the one command that `words` are. Returns its exit status.
    pub fn command_of(&mut self, words: impl Iterator<Item = ZStr<'a>>) -> u8 {
        let mut count = 0;
        for word in words {
            self.memory.extend(word);
            self.memory.push(0);
            count += 1;
        }
        self.call(0, count, false);
        self.run = true;
        self.call(0, count, false);
        self.status
    }

    /// Reads `script`: runs it if `run` is set, else checks it, which ends the process if it is refused.
    pub fn read(&mut self, script: ZStr<'a>) {
        self.at = script;
        self.newlines();
        if self.peek() != 0 {
            self.list();
        }
        if self.peek() != 0 {
            self.unexpected();
        }
    }

    // What a script is made of.

    fn list(&mut self) {
        self.deeper();
        let run = self.run;
        loop {
            self.newlines();
            self.pipeline();
            self.allow(run);
            let operator = self.peek();
            let twice = self.peek_next() == operator;
            if twice && matches!(operator, b'&' | b'|') {
                self.skip();
                self.skip();
                self.run &= (self.status == 0) == (operator == b'&');
                continue;
            }
            if operator != b'\n' && (operator != b';' || twice) {
                break;
            }
            self.skip();
            self.newlines();
            if matches!(self.peek(), 0 | b')') || self.keyword() <= FI {
                break;
            }
        }
        self.depth -= 1;
    }

    fn pipeline(&mut self) {
        let negate = self.accept(NOT);
        self.blanks();
        match self.keyword() {
            WHILE => self.repeat(true),
            UNTIL => self.repeat(false),
            IF => self.condition(),
            ..=NOT => self.unexpected(),
            _ if self.peek() == b'(' => self.subshell(),
            _ => self.simple(),
        }
        self.blanks();
        if negate && self.run {
            self.status = u8::from(self.status == 0);
        }
    }

    /// It shares all that this language can change; only its `exit` ends with it.
    fn subshell(&mut self) {
        let (run, exited) = (self.run, self.exited);
        self.skip();
        self.list();
        self.close();
        (self.run, self.exited) = (run, exited);
    }

    /// A loop, which goes on while the success of its condition is as `wanted`.
    fn repeat(&mut self, wanted: bool) {
        self.skip_word();
        let (start, run) = (self.at, self.run);
        let mut status = 0;
        loop {
            self.at = start;
            self.list();
            self.expect(DO);
            self.run &= (self.status == 0) == wanted;
            let go = self.run;
            self.list();
            self.expect(DONE);
            self.allow(run);
            if !(go && self.run) {
                break;
            }
            status = self.status;
        }
        if self.run {
            self.status = status;
        }
    }

    fn condition(&mut self) {
        self.skip_word();
        let run = self.run;
        let mut open = run; // no branch has been taken yet
        loop {
            self.allow(open);
            self.list();
            self.expect(THEN);
            self.run &= self.status == 0;
            open &= !self.run;
            self.list();
            if !self.accept(ELIF) {
                break;
            }
        }
        self.allow(open);
        if self.run {
            self.status = 0; // where no branch runs, that is success
        }
        if self.accept(ELSE) {
            self.list();
        }
        self.expect(FI);
        self.allow(run);
    }

    fn simple(&mut self) {
        let start = self.memory.length();
        let count = self.read_words();
        if count == 0 {
            self.unexpected();
        }
        self.call(start, count, false);
        self.memory.truncate(start);
    }

    /// Whether commands run from here on.
    fn allow(&mut self, run: bool) {
        self.run = run && !self.exited;
    }

    // Words.

    /// Reads words into memory, a NUL behind each, up to what ends a command. Returns how many.
    fn read_words(&mut self) -> usize {
        let mut count = 0;
        loop {
            self.blanks();
            if ends_word(self.peek()) {
                return count;
            }
            self.read_word();
            count += 1;
        }
    }

    fn read_word(&mut self) {
        let start = self.at;
        let mut quote = 0; // the quotation mark that must end what it has begun
        loop {
            let character = self.peek();
            let next = self.peek_next();
            match character {
                0 if quote != 0 => self.refuse_here(NOT_CLOSED),
                _ if quote == 0 && ends_word(character) => break,
                _ if quote != 0 && character == quote => {
                    quote = 0;
                    self.skip();
                }
                _ if quote == b'\'' => self.take(),
                b'\\' if quote == 0 || matches!(next, b'$' | b'`' | b'"' | b'\\' | b'\n') => {
                    self.skip();
                    match next {
                        b'\n' => self.skip(),
                        0 => self.memory.push(b'\\'),
                        _ => self.take(),
                    }
                }
                b'$' if next == b'$' => {
                    self.skip();
                    self.skip();
                    let mut digits = [0; report::DIGITS];
                    // Where nothing runs, any number will do.
                    let pid = if self.run { sys::getpid() } else { 0 };
                    self.memory.extend(report::decimal(pid as u64, &mut digits));
                }
                b'$' if next == b'(' && quote != 0 => self.substitution(),
                b'$' | b'`' => self.refuse_here(NOT_SUPPORTED),
                _ if quote != 0 => self.take(),
                b'\'' | b'"' => {
                    quote = character;
                    self.skip();
                }
                // `[` is a command; as part of a word it begins a pattern, as `*` and `?` do.
                // `{` and a first `~` mean something else in other shells.
                b'*' | b'?' | b'{' => self.refuse_from(start),
                b'[' if self.at != start || !ends_word(next) => self.refuse_from(start),
                b'~' if self.at == start => self.refuse_from(start),
                _ => self.take(),
            }
        }
        self.memory.push(0);
    }

    /// The output of an `ls`, less the newlines at its end.
    fn substitution(&mut self) {
        self.deeper();
        self.skip();
        self.skip();
        let start = self.memory.length();
        let count = self.read_words();
        self.close();
        let output = self.call(start, count, true);
        let mut end = self.memory.length();
        while end > output && self.memory.byte(end - 1) == b'\n' {
            end -= 1;
        }
        self.memory.move_down(start, output, end);
        self.depth -= 1;
    }

    fn take(&mut self) {
        self.memory.push(self.peek());
        self.skip();
    }

    // Characters.

    /// The next character; 0 at the end.
    fn peek(&self) -> u8 {
        self.at.first()
    }

    fn peek_next(&self) -> u8 {
        self.at.rest().first()
    }

    fn skip(&mut self) {
        self.at = self.at.rest();
    }

    fn skip_word(&mut self) {
        while !ends_word(self.peek()) {
            self.skip();
        }
    }

    fn blanks(&mut self) {
        loop {
            match self.peek() {
                b' ' | b'\t' => {}
                b'\\' if self.peek_next() == b'\n' => self.skip(),
                b'#' => {
                    while !matches!(self.peek(), 0 | b'\n') {
                        self.skip();
                    }
                    break;
                }
                _ => break,
            }
            self.skip();
        }
    }

    fn newlines(&mut self) {
        loop {
            self.blanks();
            if self.peek() != b'\n' {
                break;
            }
            self.skip();
        }
    }

    /// The keyword that stands here, unquoted; else a number beyond them.
    fn keyword(&self) -> usize {
        index(KEYWORDS, self.at)
    }

    /// Goes past `keyword` if that is what stands here.
    fn accept(&mut self, keyword: usize) -> bool {
        self.blanks();
        let here = self.keyword() == keyword;
        if here {
            self.skip_word();
        }
        here
    }

    fn expect(&mut self, keyword: usize) {
        if !self.accept(keyword) {
            self.unexpected();
        }
    }

    fn close(&mut self) {
        self.newlines();
        if self.peek() != b')' {
            self.unexpected();
        }
        self.skip();
    }

    // Refusals.

    fn deeper(&mut self) {
        if self.depth == DEEPEST {
            self.refuse(SH, const { ZStr::new(c"nesting this deep") }, NOT_SUPPORTED);
        }
        self.depth += 1;
    }

    fn unexpected(&mut self) -> ! {
        let character = self.peek();
        let single = self.peek_next() != character && matches!(character, b'&' | b'|' | b'<' | b'>');
        self.refuse_here(if single { NOT_SUPPORTED } else { UNEXPECTED })
    }

    /// Refuses the word that begins at `start`.
    fn refuse_from(&mut self, start: ZStr<'a>) -> ! {
        self.at = start;
        self.refuse_here(NOT_SUPPORTED)
    }

    /// Refuses what stands here.
    fn refuse_here(&mut self, why: ZStr) -> ! {
        let start = self.memory.length();
        loop {
            self.take();
            if ends_word(self.peek()) || self.memory.length() > start + LONGEST {
                break;
            }
        }
        self.memory.push(0);
        let what = self.memory.string(start);
        let end = what.is_empty() || what.first() == b'\n';
        self.refuse(SH, if end { const { ZStr::new(c"end of line") } } else { what }, why)
    }

    /// Says what is refused and why, and ends the process.
    pub(crate) fn refuse(&self, who: ZStr, what: ZStr, why: ZStr) -> ! {
        report::line(who, what, report::COLON, why, if self.run { report::NEWLINE } else { NOTHING_RUN });
        sys::exit(2)
    }
}

/// Whether an unquoted `character` ends a word.
fn ends_word(character: u8) -> bool {
    matches!(character, 0 | b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

/// The index in `table`, whose words each have a blank behind them, of the one that `text` begins with;
/// the number of words if it is none of them.
pub(crate) fn index(table: ZStr, text: ZStr) -> usize {
    let mut index = 0;
    let mut at = text;
    let mut same = true;
    for byte in table {
        if byte == b' ' {
            if same && ends_word(at.first()) {
                break;
            }
            index += 1;
            at = text;
            same = true;
        } else {
            same &= at.first() == byte;
            at = at.rest();
        }
    }
    index
}
