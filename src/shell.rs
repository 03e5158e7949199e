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

/// The words with a meaning where a command is expected, a blank before and behind each; their index is their token.
const KEYWORDS: ZStr = ZStr::new(c" do done ! while until ");

/// What a script is made of. Operators are known by their first character.
type Token = u8;
const END: Token = 0;
const DO: Token = 1;
const DONE: Token = 2; // the last of those that end a list
const NOT: Token = 3;
const WHILE: Token = 4;
const UNTIL: Token = 5;
const WORD: Token = 6;
const NEWLINE: Token = 7;

/// A script, how far it has been read, and what its commands have left behind.
pub struct Shell<'a> {
    /// What is still to be read.
    at: ZStr<'a>,
    /// The last token, and where it began. A word is still to be read, all others have been.
    token: Token,
    start: ZStr<'a>,
    pub(crate) depth: u8,
    /// Where words are put together.
    pub(crate) memory: Memory<'a>,
    /// Name and further words of the command at hand.
    pub(crate) name: ZStr<'a>,
    pub(crate) words: Words<'a>,
    /// The output of the command at hand is to stay in memory.
    pub(crate) capture: bool,
    /// Exit status of the last command.
    pub(crate) status: u8,
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
            at: ZStr::EMPTY,
            token: END,
            start: ZStr::EMPTY,
            depth: 0,
            memory,
            name: ZStr::EMPTY,
            words: Words::NONE,
            capture: false,
            status: 0,
            run: false,
            exited: false,
            linked: false,
        }
    }

    /// Reads `script`: runs it if `run` is set, else checks it, which ends the process if it is refused.
    pub fn read(&mut self, script: ZStr<'a>) {
        self.at = script;
        self.newlines();
        // An empty script is one, an empty list in it is not.
        if self.token != END {
            self.list();
        }
        self.expect(END);
    }

    // What a script is made of.

    /// The list that begins with the next token.
    fn list_next(&mut self) {
        self.newlines();
        self.list();
    }

    /// The list that begins with the token at hand.
    fn list(&mut self) {
        self.deeper();
        let run = self.run;
        loop {
            self.pipeline();
            self.allow(run);
            match self.token {
                b'&' => self.run &= self.status == 0,
                b'|' => self.run &= self.status != 0,
                b';' | NEWLINE => {
                    self.newlines();
                    if self.token <= DONE || self.token == b')' {
                        break;
                    }
                    continue;
                }
                _ => break,
            }
            self.newlines();
        }
        self.depth -= 1;
    }

    fn pipeline(&mut self) {
        let negate = self.token == NOT;
        if negate {
            self.advance();
        }
        match self.token {
            WHILE => self.repeat(true),
            UNTIL => self.repeat(false),
            b'(' => self.subshell(),
            WORD => self.simple(),
            _ => self.unexpected(),
        }
        self.advance();
        if negate && self.run {
            self.status = u8::from(self.status == 0);
        }
    }

    /// It shares all that this language can change; only its `exit` ends with it.
    fn subshell(&mut self) {
        let (run, exited) = (self.run, self.exited);
        self.list_next();
        self.expect(b')');
        (self.run, self.exited) = (run, exited);
    }

    /// A loop, which goes on while the success of its condition is as `wanted`.
    fn repeat(&mut self, wanted: bool) {
        let (start, run) = (self.at, self.run);
        let mut status = 0;
        loop {
            self.at = start;
            self.list_next();
            self.expect(DO);
            self.run &= (self.status == 0) == wanted;
            let go = self.run;
            self.list_next();
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

    fn simple(&mut self) {
        let start = self.memory.length();
        self.read_words();
        self.call(self.memory.words(start));
        self.memory.set_length(start);
    }

    /// Whether commands run from here on.
    fn allow(&mut self, run: bool) {
        self.run = run && !self.exited;
    }

    // Words.

    /// Reads words into memory, a NUL behind each, up to what ends a command.
    fn read_words(&mut self) {
        while !ends_word(self.blanks()) {
            self.read_word();
        }
    }

    fn read_word(&mut self) {
        self.start = self.at;
        let mut quote = 0; // the quotation mark that must end what it has begun
        loop {
            let character = self.at.first();
            let next = self.at.rest().first();
            match character {
                0 if quote != 0 => self.refuse_here(NOT_CLOSED),
                _ if character == quote && quote != 0 => {
                    quote = 0;
                    self.skip();
                }
                b'$' if quote != b'\'' => {
                    self.skip();
                    self.skip();
                    match next {
                        b'$' => self.push_pid(),
                        b'(' if quote != 0 => self.substitution(),
                        _ => self.refuse_here(NOT_SUPPORTED),
                    }
                }
                b'`' if quote != b'\'' => self.refuse_here(NOT_SUPPORTED),
                b'\\' if next == 0 => self.refuse_here(NOT_CLOSED),
                b'\\' if quote == 0 || quote == b'"' && matches!(next, b'$' | b'`' | b'"' | b'\\' | b'\n') => {
                    self.skip();
                    if next == b'\n' {
                        self.skip();
                    } else {
                        self.take();
                    }
                }
                _ if quote != 0 => self.take(),
                _ if ends_word(character) => break,
                b'\'' | b'"' => {
                    quote = character;
                    self.skip();
                }
                // `[` is a command; as part of a word it begins a pattern, as `*` and `?` do.
                // `{` and a first `~` mean something else in other shells.
                b'[' if self.at == self.start && ends_word(next) => self.take(),
                b'~' if self.at != self.start => self.take(),
                b'*' | b'?' | b'{' | b'[' | b'~' => self.refuse_here(NOT_SUPPORTED),
                _ => self.take(),
            }
        }
        self.memory.push(0);
    }

    fn push_pid(&mut self) {
        let mut digits = [0; report::DIGITS];
        // Where nothing runs, any number will do.
        let pid = if self.run { sys::getpid() } else { 0 };
        self.memory.extend(report::decimal(pid, &mut digits));
    }

    /// The output of an `ls`, less the newlines at its end.
    fn substitution(&mut self) {
        self.deeper();
        let word = self.start;
        let start = self.memory.length();
        self.read_words();
        self.advance();
        self.expect(b')');
        let words = self.memory.words(start);
        self.memory.set_length(start);
        self.capture = true;
        self.call(words);
        self.capture = false;
        while self.memory.length() > start && self.memory.last() == b'\n' {
            self.memory.set_length(self.memory.length() - 1);
        }
        self.start = word;
        self.depth -= 1;
    }

    fn take(&mut self) {
        self.memory.push(self.at.first());
        self.skip();
    }

    fn skip(&mut self) {
        self.at = self.at.rest();
    }

    // Tokens.

    /// Goes past blanks and comments; returns the character there.
    fn blanks(&mut self) -> u8 {
        loop {
            let character = self.at.first();
            match character {
                b' ' | b'\t' => {}
                b'\\' if self.at.rest().first() == b'\n' => self.skip(),
                b'#' => {
                    while !matches!(self.at.rest().first(), 0 | b'\n') {
                        self.skip();
                    }
                }
                _ => return character,
            }
            self.skip();
        }
    }

    /// Reads the next token, of a word only that it is one.
    fn advance(&mut self) {
        let character = self.blanks();
        self.start = self.at;
        self.token = character;
        if !ends_word(character) {
            self.token = index(KEYWORDS, self.at, true);
            if self.token != WORD {
                while !ends_word(self.at.first()) {
                    self.skip();
                }
            }
            return;
        }
        self.skip();
        match character {
            b'\n' => self.token = NEWLINE,
            b'&' | b'|' if self.at.first() == character => self.skip(),
            b'&' | b'|' | b'<' | b'>' => self.refuse_here(NOT_SUPPORTED),
            _ => {}
        }
    }

    /// Reads the next token that is not a newline.
    fn newlines(&mut self) {
        loop {
            self.advance();
            if self.token != NEWLINE {
                break;
            }
        }
    }

    fn expect(&mut self, token: Token) {
        if self.token != token {
            self.unexpected();
        }
    }

    // Refusals.

    fn deeper(&mut self) {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.refuse_here(const { ZStr::new(c"too deep") });
        }
    }

    fn unexpected(&mut self) -> ! {
        if matches!(self.token, END | NEWLINE) {
            self.start = const { ZStr::new(c"line end") };
        }
        self.refuse_here(UNEXPECTED)
    }

    /// Refuses the token or word that has begun last.
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
fn ends_word(character: u8) -> bool {
    matches!(character, 0 | b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

/// The index in `table`, whose words each have a blank behind them, of `text`, or if it is `source`, of the word that
/// it begins with; the number of words if it is none of them.
pub(crate) fn index(table: ZStr, text: ZStr, source: bool) -> u8 {
    let mut index = 0;
    let mut at = text;
    let mut same = true;
    for byte in table {
        if byte == b' ' {
            let next = at.first();
            if same && (next == 0 || source && ends_word(next)) {
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
