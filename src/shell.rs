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

use crate::command::{self, Command, State};
use crate::memory::Memory;
use crate::report::{self, NOT_CLOSED, NOT_SUPPORTED, UNEXPECTED};
use crate::sys::{self, ZStr};
use crate::text::{eq, find};

/// How deep `(`, loops and conditions may nest: each level needs a few hundred bytes of stack.
const DEEPEST: u8 = 200;

/// Words that end a list where a command could begin.
const CLOSING: &[u8] = b"do done then elif else fi } esac ";

/// What a shell has and this language has not. By any other name it would be an unknown command, and the script
/// would go on without it.
const MISSING: &[u8] =
    b"{ case for . break cd continue eval export read readonly return set shift trap umask unset wait ";

/// How much of a refused word a message shows, in bytes.
const LONGEST: usize = 64;

/// A script, and how far it has been read.
pub struct Shell<'a> {
    text: &'a [u8],
    position: usize,
    memory: Memory<'a>,
    state: State,
    skip: bool,
    refused: bool,
    depth: u8,
}

impl<'a> Shell<'a> {
    /// A shell that keeps its words in `memory`.
    pub fn new(memory: Memory<'a>) -> Self {
        Shell { text: &[], position: 0, memory, state: State::default(), skip: true, refused: false, depth: 0 }
    }

    /// Reads `script` and runs nothing. False if it is refused: a line on standard error has said why.
    pub fn check(&mut self, script: &'a [u8]) -> bool {
        self.text = script;
        self.read();
        !self.refused
    }

    /// Runs `script`, if all of it is understood. Returns its exit status, 2 if it was refused.
    pub fn script(&mut self, script: &'a [u8]) -> u8 {
        if !self.check(script) {
            return 2;
        }
        self.skip = false;
        self.read();
        self.state.status
    }

    /// Runs the one command that `words` are. Returns its exit status, 2 if it was refused.
    pub fn words(&mut self, words: impl Iterator<Item = ZStr<'a>>) -> u8 {
        for word in words {
            self.memory.extend(word.bytes_with_nul());
        }
        self.call(0, false);
        if self.refused {
            return 2;
        }
        self.skip = false;
        self.call(0, false);
        self.state.status
    }

    fn read(&mut self) {
        self.position = 0;
        self.newlines();
        if self.peek() != 0 {
            self.list();
        }
        if self.position < self.text.len() {
            self.unexpected();
        }
    }

    fn running(&self) -> bool {
        !self.skip && !self.state.exited
    }

    // What a script is made of.

    fn list(&mut self) {
        self.deeper();
        loop {
            self.newlines();
            self.and_or();
            match self.peek() {
                b'\n' => {}
                b';' if self.peek_at(1) != b';' => {}
                _ => break,
            }
            self.position += 1;
            self.newlines();
            if matches!(self.peek(), 0 | b')') || find(CLOSING, self.raw()).is_some() {
                break;
            }
        }
        self.depth -= 1;
    }

    fn and_or(&mut self) {
        let skip = self.skip;
        loop {
            self.pipeline();
            let and = match (self.peek(), self.peek_at(1)) {
                (b'&', b'&') => true,
                (b'|', b'|') => false,
                _ => break,
            };
            self.position += 2;
            self.newlines();
            self.skip = skip || (self.state.status == 0) != and;
        }
        self.skip = skip;
    }

    fn pipeline(&mut self) {
        self.blanks();
        let negate = self.keyword(b"!");
        self.command();
        self.blanks();
        if negate && self.running() {
            self.state.status = u8::from(self.state.status == 0);
        }
    }

    fn command(&mut self) {
        let word = self.raw();
        if self.peek() == b'(' {
            // A subshell shares all that this language can change; only its `exit` ends with it.
            let exited = self.state.exited;
            self.position += 1;
            self.list();
            self.close();
            self.state.exited = exited;
        } else if self.keyword(b"while") {
            self.repeat(true);
        } else if self.keyword(b"until") {
            self.repeat(false);
        } else if self.keyword(b"if") {
            self.condition();
        } else if find(CLOSING, word).is_some() {
            self.unexpected();
        } else if find(MISSING, word).is_some() || word.iter().any(|&byte| byte == b'=') {
            self.refuse(word, NOT_SUPPORTED);
        } else {
            self.simple();
        }
    }

    /// The rest of a loop, which goes on while the success of its condition is as `wanted`.
    fn repeat(&mut self, wanted: bool) {
        let start = self.position;
        let skip = self.skip;
        let mut status = 0;
        loop {
            self.position = start;
            self.list();
            self.expect(b"do");
            let go = self.running() && (self.state.status == 0) == wanted;
            self.skip = !go;
            self.list();
            self.expect(b"done");
            self.skip = skip;
            if !go || self.state.exited {
                break;
            }
            status = self.state.status;
        }
        if self.running() {
            self.state.status = status;
        }
    }

    /// The rest of an `if`.
    fn condition(&mut self) {
        let skip = self.skip;
        let mut done = skip; // no further branch is to run
        loop {
            self.skip = done;
            self.list();
            self.expect(b"then");
            let go = self.running() && self.state.status == 0;
            done |= go || self.state.exited;
            self.skip = !go;
            self.list();
            if !self.keyword(b"elif") {
                break;
            }
        }
        self.skip = done;
        if self.running() {
            self.state.status = 0; // where no branch runs, that is success
        }
        if self.keyword(b"else") {
            self.list();
        }
        self.expect(b"fi");
        self.skip = skip;
    }

    fn simple(&mut self) {
        let start = self.memory.length();
        while self.word() {}
        if self.memory.length() == start {
            self.unexpected();
        }
        self.call(start, false);
        self.memory.truncate(start);
    }

    /// Runs the command whose words lie in memory from `start`, or only checks it. With `capture`, its output
    /// stays in the memory behind them; returns how many bytes that is.
    fn call(&mut self, mut start: usize, capture: bool) -> usize {
        if self.refused {
            return 0;
        }
        let run = self.running();
        let mut exec = false;
        let mut name = self.memory.string(start);
        while eq(name, b"exec") {
            exec = true;
            start += b"exec\0".len();
            name = self.memory.string(start);
        }
        let command = Command::named(name);
        if capture && command != Some(Command::Ls) {
            self.refuse(b"$(", NOT_SUPPORTED);
            return 0;
        }
        if run && matches!(command, Some(Command::Ls | Command::Chmod)) {
            self.memory.reserve_large();
        } else {
            self.memory.reserve(2 * (self.memory.length() - start) + command::ln::SUFFIX.len());
        }

        let (words, free) = self.memory.split(start);
        if words.is_empty() && run {
            self.state.status = 0; // a lone `exec`
            return 0;
        }
        let Ok(output) = command::run(command, words, free, run, &mut self.state) else {
            self.give_up();
            return 0;
        };
        self.state.exited |= exec && run;
        if !capture && output > 0 {
            self.state.status |= command::print(b"ls", free.get(..output).unwrap_or_default());
        }
        output
    }

    // Words.

    /// Reads one word into memory, a NUL behind it. False if there is none here.
    fn word(&mut self) -> bool {
        self.blanks();
        let start = self.position;
        loop {
            match self.peek() {
                character if ends_word(character) => break,
                b'\'' => self.single_quoted(),
                b'"' => self.double_quoted(),
                b'$' => self.dollar(false),
                b'\\' => match self.peek_at(1) {
                    0 => self.take(b'\\'),
                    b'\n' => self.position += 2,
                    character => {
                        self.position += 1;
                        self.take(character);
                    }
                },
                // `[` is a command; as part of a word it begins a pattern, as `*` and `?` do.
                // `{` and a first `~` mean something else in every other shell.
                b'[' if self.position == start && self.raw().len() == 1 => self.take(b'['),
                b'~' if self.position != start => self.take(b'~'),
                b'`' | b'*' | b'?' | b'[' | b'{' | b'~' => {
                    self.position = start;
                    self.refuse(self.raw(), NOT_SUPPORTED);
                }
                character => self.take(character),
            }
        }
        if self.position == start {
            return false;
        }
        self.memory.push(0);
        true
    }

    fn single_quoted(&mut self) {
        self.position += 1;
        loop {
            match self.peek() {
                0 => return self.refuse(b"'", NOT_CLOSED),
                b'\'' => break,
                character => self.take(character),
            }
        }
        self.position += 1;
    }

    fn double_quoted(&mut self) {
        self.position += 1;
        loop {
            match self.peek() {
                0 => return self.refuse(b"\"", NOT_CLOSED),
                b'"' => break,
                b'$' => self.dollar(true),
                b'`' => self.refuse(b"`", NOT_SUPPORTED),
                b'\\' => match self.peek_at(1) {
                    b'\n' => self.position += 2,
                    character @ (b'$' | b'`' | b'"' | b'\\') => {
                        self.position += 1;
                        self.take(character);
                    }
                    _ => self.take(b'\\'),
                },
                character => self.take(character),
            }
        }
        self.position += 1;
    }

    fn dollar(&mut self, quoted: bool) {
        match self.peek_at(1) {
            b'$' => {
                self.position += 2;
                let mut digits = [0; 20];
                // Where nothing runs, any digit will do.
                let pid = if self.running() { sys::getpid() } else { 0 };
                self.memory.extend(report::decimal(pid as u64, &mut digits));
            }
            b'(' if quoted => self.substitution(),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'{' | b'(' | b'@' | b'*' | b'#' | b'?' | b'-' | b'!' => {
                self.refuse(self.token(), NOT_SUPPORTED);
            }
            b'\'' | b'"' if !quoted => self.refuse(self.token(), NOT_SUPPORTED),
            _ => self.take(b'$'),
        }
    }

    /// The output of an `ls`, less the newlines at its end.
    fn substitution(&mut self) {
        self.deeper();
        self.position += b"$(".len();
        let start = self.memory.length();
        while self.word() {}
        self.close();
        let mut output = self.call(start, true);
        let from = self.memory.length();
        self.memory.truncate(start);
        while output > 0 && self.memory.byte(from + output - 1) == b'\n' {
            output -= 1;
        }
        for index in from..from + output {
            self.memory.push(self.memory.byte(index)); // downwards: what is written has been read
        }
        self.depth -= 1;
    }

    fn take(&mut self, character: u8) {
        self.memory.push(character);
        self.position += 1;
    }

    // Characters.

    fn peek(&self) -> u8 {
        self.peek_at(0)
    }

    /// 0 at the end, and nowhere else: an argument holds no NUL.
    fn peek_at(&self, ahead: usize) -> u8 {
        self.text.get(self.position + ahead).copied().unwrap_or(0)
    }

    /// The word here as it is written, if nothing in it is quoted.
    fn raw(&self) -> &'a [u8] {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let end = rest.iter().position(|&byte| ends_word(byte));
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    }

    /// What is here, for a message.
    fn token(&self) -> &'a [u8] {
        let mut length = self.raw().len();
        if length == 0 {
            length = 1 + usize::from(self.peek() == self.peek_at(1));
        }
        self.text.get(self.position..self.position + length).unwrap_or_default()
    }

    fn blanks(&mut self) {
        loop {
            match self.peek() {
                b' ' | b'\t' => self.position += 1,
                b'\\' if self.peek_at(1) == b'\n' => self.position += 2,
                b'#' => {
                    while !matches!(self.peek(), 0 | b'\n') {
                        self.position += 1;
                    }
                }
                _ => break,
            }
        }
    }

    fn newlines(&mut self) {
        loop {
            self.blanks();
            if self.peek() != b'\n' {
                break;
            }
            self.position += 1;
        }
    }

    /// Goes past `word` if that is what stands here, unquoted.
    fn keyword(&mut self, word: &[u8]) -> bool {
        let here = eq(self.raw(), word);
        if here {
            self.position += word.len();
        }
        here
    }

    fn expect(&mut self, word: &[u8]) {
        if !self.keyword(word) {
            self.unexpected();
        }
    }

    fn close(&mut self) {
        self.newlines();
        if self.peek() == b')' {
            self.position += 1;
        } else {
            self.unexpected();
        }
    }

    // Refusals.

    fn deeper(&mut self) {
        if self.depth == DEEPEST {
            self.refuse(b"nesting", b"too deep; nothing was run");
        }
        self.depth += 1;
    }

    fn unexpected(&mut self) {
        let token = self.token();
        match token.first() {
            None => self.refuse(b"end of script", UNEXPECTED),
            Some(b'\n') => self.refuse(b"newline", UNEXPECTED),
            Some(b'<' | b'>') => self.refuse(token, NOT_SUPPORTED),
            Some(b'&' | b'|') if token.len() == 1 => self.refuse(token, NOT_SUPPORTED),
            _ => self.refuse(token, UNEXPECTED),
        }
    }

    /// Says, the first time, what is refused and why.
    fn refuse(&mut self, what: &[u8], why: &[u8]) {
        if !self.refused {
            report::refuse(b"sh", what.get(..LONGEST).unwrap_or(what), why);
        }
        self.give_up();
    }

    /// Ends the reading: from here on the text is at its end.
    fn give_up(&mut self) {
        self.refused = true;
        self.position = self.text.len();
    }
}

/// Whether an unquoted `character` ends a word.
fn ends_word(character: u8) -> bool {
    matches!(character, 0 | b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}
