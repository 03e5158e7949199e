//! The language: the part of the POSIX shell in which ModelCars are told what to do.
//!
//! ```text
//! list     = and_or { ( ";" | newline ) and_or } [ ";" | newline ]
//! and_or   = pipeline { ( "&&" | "||" ) pipeline }
//! pipeline = [ "!" ] command
//! command  = compound { redirection } | simple
//! compound = "(" list ")"
//!          | "{" list "}"
//!          | "if" list "then" list { "elif" list "then" list } [ "else" list ] "fi"
//!          | ( "while" | "until" ) list "do" list "done"
//! simple   = ( word | redirection ) { word | redirection }
//! ```
//!
//! There is no tree: the text is read twice. The first time nothing runs, and what the language does not have is
//! refused; the second time commands run as they are read. What must not run, such as the right side of
//! `false && ...`, is only read, as all was the first time. A loop goes back to where its condition began. What stands
//! behind a compound command (where its output goes, or `&&`) is looked up before it runs, by reading it once more.
//!
//! Source: POSIX.1-2024, XCU chapter 2, Shell Command Language.

mod pattern;
mod word;

use crate::command::{Back, Context, Streams};
use crate::memory::Words;
use crate::report::{NOT_SUPPORTED, UNEXPECTED};
use crate::sys::{self, Fd, flags};
use crate::text::ZStr;
use crate::{report, table, z};

/// How deep lists, and `$(`, may nest: each level needs a few hundred bytes of stack. The script itself is the first.
const DEEPEST: u8 = 101;

table! {
    /// Words that are no command's where a command may stand. Up to `fi` they end a list.
    KEYWORDS: Token {
        END "" "";
        CLOSE ")" "";
        DO "do" "";
        DONE "done" "";
        THEN "then" "";
        ELIF "elif" "";
        ELSE "else" "";
        CLOSE_BRACE "}" "";
        FI "fi" "";
        NOT "!" "";
        IF "if" "";
        WHILE "while" "";
        UNTIL "until" "";
        BRACE "{" "";
        OPEN "(" "";
    }
}

table! {
    /// POSIX's special built-ins: when their redirection fails, the script ends.
    SPECIAL: Special {
        COLON ":" "";
        EXEC "exec" "";
        EXIT "exit" "";
        SET "set" "";
    }
}

/// A script and how far it has been read.
pub struct Shell<'c, 'a> {
    /// What commands find.
    pub context: &'c mut Context<'a>,
    /// What is still to be read.
    at: ZStr<'a>,
    /// Where the last word, keyword or operator began.
    start: ZStr<'a>,
    /// What stands where a command may. A keyword has been read, anything else is still to be.
    token: Token,
    depth: u8,
    /// Whether a command that fails may do so: it is tested.
    tested: bool,
    /// Somewhere in the script a redirection stands behind a compound command.
    redirects: bool,
    /// What the words at hand were put together from.
    word: word::Parts,
    /// The streams as they were before the redirections of the command at hand.
    before: Streams,
    /// It reads what stands in `$( )`, where standard error alone can go elsewhere.
    substitutes: bool,
    /// The streams that come back when the compound command ends that is being run: `exec` closes none of them.
    kept: Streams,
}

impl<'c, 'a> Shell<'c, 'a> {
    /// A shell whose commands find `context`.
    pub fn new(context: &'c mut Context<'a>) -> Self {
        let kept = context.streams;
        Shell {
            context,
            kept,
            at: report::PROGRAM,
            start: report::PROGRAM,
            token: Token::END,
            depth: 0,
            tested: false,
            redirects: false,
            word: word::Parts::default(),
            before: kept,
            substitutes: false,
        }
    }

    /// Runs a command that is no script's, or only checks it.
    pub fn call(&mut self, words: Words<'a>) {
        self.context.script = None;
        self.context.call(words);
        if let Some(script) = self.context.script {
            self.read(script);
        }
    }

    /// Reads `script`: runs it or only checks it, which ends the process if it is refused.
    pub fn read(&mut self, script: ZStr<'a>) {
        self.context.script = Some(script);
        self.at = script;
        self.go_on();
        self.list();
        if self.token != Token::END {
            self.unexpected();
        }
    }

    // Characters. A backslash before a newline is nothing, wherever it stands but in '...' and comments.

    /// Goes past the character at hand.
    fn skip(&mut self) {
        self.at = self.at.rest();
        self.go_on();
    }

    /// Goes past what continues a line.
    fn go_on(&mut self) {
        while let Some(rest) = self.at.after(z!("\\\n")) {
            self.at = rest;
        }
    }

    /// Goes past `character` if it is at hand.
    fn take(&mut self, character: char) -> bool {
        let there = self.at.first() == character;
        if there {
            self.skip();
        }
        there
    }

    /// Goes past blanks and comments, and newlines if they count as such; returns the character there.
    fn blanks(&mut self, newlines: bool) -> char {
        loop {
            match self.at.first() {
                ' ' | '\t' => {}
                '\n' if newlines => {}
                '#' => {
                    self.at = self.at.find('\n');
                    continue;
                }
                character => return character,
            }
            self.skip();
        }
    }

    // What a script is made of.

    /// A list, and the token that ends it.
    fn list(&mut self) {
        self.deeper();
        let (run, tested) = (self.context.run, self.tested);
        self.advance(true);
        let mut first = true;
        while self.token > Token::FI {
            first = false;
            self.and_or(run, tested);
            match self.at.first() {
                ';' | '\n' => {
                    self.skip();
                    self.advance(true);
                }
                _ => {
                    self.advance(false);
                    break;
                }
            }
        }
        // An empty script is one, an empty list in it is not.
        if self.token > Token::FI || first && (self.depth > 1 || self.token != Token::END) {
            self.unexpected();
        }
        self.tested = tested;
        self.depth -= 1;
    }

    fn and_or(&mut self, run: bool, tested: bool) {
        loop {
            self.tested = tested;
            self.pipeline();
            self.context.run = run && !self.context.over;
            let operator = self.blanks(false);
            if !self.is_and_or() {
                self.start = self.at;
                match operator {
                    '&' => self.refuse_for(z!("use ; as commands run one after another")),
                    '|' => self.refuse_for(z!("write to a file, or use && between commands")),
                    '(' => self.refuse_for(z!("write the commands where they are needed")),
                    _ => return,
                }
            }
            self.skip();
            self.skip();
            self.context.run &= (self.context.status == 0) == (operator == '&');
            self.advance(true);
        }
    }

    /// Whether `&&` or `||` is at hand.
    fn is_and_or(&mut self) -> bool {
        let operator = self.at.first();
        let before = self.at;
        let is = matches!(operator, '&' | '|') && {
            self.skip();
            self.at.first() == operator
        };
        self.at = before;
        is
    }

    fn pipeline(&mut self) {
        let negate = self.token == Token::NOT;
        if negate {
            self.tested = true;
            self.advance(false);
        }
        match self.token {
            Token::UNKNOWN => self.simple(),
            Token::OPEN | Token::BRACE | Token::IF | Token::WHILE | Token::UNTIL => self.compound(),
            _ => self.unexpected(),
        }
        if negate && self.context.run && !self.context.over {
            self.context.status = u8::from(self.context.status == 0);
        }
    }

    /// A compound command and the redirections behind it.
    #[cold]
    #[inline(never)]
    fn compound(&mut self) {
        let (at, token, run, tested) = (self.at, self.token, self.context.run, self.tested);
        let before = self.context.streams;
        if run && (self.redirects || self.context.exits_on_error) {
            self.context.run = false;
            self.body();
            self.context.run = true;
            self.context.memory.clear();
            self.before = before;
            let failed = self.redirections();
            self.blanks(false);
            self.tested |= self.is_and_or();
            if failed {
                self.context.run = false;
                self.context.status = 2;
            }
            (self.at, self.token) = (at, token);
        }
        let runs = self.context.run;
        let within = self.context.streams;
        let kept = core::mem::replace(&mut self.kept, within);
        self.body();
        self.kept = kept;
        // What it was redirected to ends with it; what `exec` has changed besides stays.
        let after = self.context.streams;
        self.context.streams = Streams {
            input: if within.input == before.input { after.input } else { before.input },
            output: if within.output == before.output { after.output } else { before.output },
            error: if within.error == before.error { after.error } else { before.error },
        };
        self.context.streams.close_others(&after, &within);
        self.context.streams.close_others(&within, &self.kept);
        // They are read, but have been done already.
        self.context.run = false;
        let end = self.at;
        self.context.memory.clear();
        self.redirections();
        self.redirects |= self.at != end && self.is_redirected(end);
        self.context.run = run;
        self.tested |= tested;
        if run && (!runs || token == Token::OPEN) {
            self.checked();
        }
    }

    /// Whether something other than blanks lies between `from` and what is at hand.
    fn is_redirected(&mut self, from: ZStr<'a>) -> bool {
        let end = core::mem::replace(&mut self.at, from);
        self.blanks(false);
        let redirected = self.at != end;
        self.at = end;
        redirected
    }

    #[cold]
    #[inline(never)]
    fn body(&mut self) {
        match self.token {
            Token::OPEN => {
                // It shares all that this language can change; what its commands change of that ends with it.
                let context = &mut *self.context;
                let (run, settings, streams) = (context.run, context.settings, context.streams);
                let back = core::mem::replace(&mut context.back, Back::Here);
                self.list();
                self.expect(Token::CLOSE);
                let context = &mut *self.context;
                let within = core::mem::replace(&mut context.streams, streams);
                streams.close_others(&within, &streams);
                context.settings = settings;
                if run {
                    context.over = false;
                }
                if let Back::To(there) = core::mem::replace(&mut context.back, back) {
                    let gone = sys::fchdir(there.fd());
                    if context.outcome(z!("cd"), gone).is_err() {
                        context.over = true;
                    }
                }
            }
            Token::BRACE => {
                self.list();
                self.expect(Token::CLOSE_BRACE);
            }
            Token::IF => self.condition(),
            token => self.repeat(token),
        }
    }

    fn condition(&mut self) {
        let run = self.context.run;
        let mut open = run; // no branch has been taken
        loop {
            self.context.run = open;
            self.test();
            self.expect(Token::THEN);
            let taken = self.context.run && self.context.status == 0;
            open &= self.context.run && !taken;
            self.context.run = taken;
            self.list();
            if self.token != Token::ELIF {
                break;
            }
        }
        if self.token == Token::ELSE {
            self.context.run = open && !self.context.over;
            self.list();
        } else if open && !self.context.over {
            self.context.status = 0; // there is no branch
        }
        self.expect(Token::FI);
        self.context.run = run && !self.context.over;
    }

    /// A list whose failure ends nothing.
    fn test(&mut self) {
        let tested = core::mem::replace(&mut self.tested, true);
        self.list();
        self.tested = tested;
    }

    /// A loop, which goes on while its condition succeeds, or until it does.
    fn repeat(&mut self, keyword: Token) {
        let (start, run) = (self.at, self.context.run);
        let mut status = 0;
        loop {
            self.test();
            self.expect(Token::DO);
            self.context.run &= (self.context.status == 0) == (keyword == Token::WHILE);
            let go = self.context.run;
            self.list();
            self.expect(Token::DONE);
            if !(go && self.context.run) {
                break;
            }
            status = self.context.status;
            self.at = start;
        }
        self.context.run = run && !self.context.over;
        if self.context.run {
            self.context.status = status;
        }
    }

    fn expect(&mut self, token: Token) {
        if self.token != token {
            self.unexpected();
        }
    }

    fn simple(&mut self) {
        self.context.memory.clear();
        let mark = self.context.memory.mark();
        self.before = self.context.streams;
        (self.context.open, self.context.pattern) = (false, false);
        let start = self.at;
        let run = self.context.run;
        let mut failed = false;
        loop {
            // Behind one that has failed none is done.
            failed |= self.redirections();
            self.context.run &= !failed;
            if ends_word(self.at.first()) {
                break;
            }
            self.one_word();
        }
        self.context.run = run && !self.context.over;
        if self.at == start {
            self.unexpected();
        }
        if self.at.first() == '(' {
            self.start = start;
            self.refuse_for(z!("write the commands where they are needed"));
        }
        let tested = self.tested || self.is_and_or();
        let words = self.context.memory.words(mark);
        let exec = matches!(words, [word] if word.get().is(z!("exec")));
        if failed {
            self.context.status = 2;
            // As POSIX has it of special built-ins.
            self.context.over |= exec || matches!(words, [word, ..] if Special::find(word.get()).0 != Special::UNKNOWN);
        } else if exec {
            // The script goes on with these streams.
            if self.context.run {
                self.context.status = 0;
                self.context.streams.close_others(&self.before, &self.kept);
            }
            return;
        } else if words.is_empty() {
            if self.context.run {
                self.context.status = 0;
            }
        } else if !self.context.over {
            self.context.name = z!("sh");
            self.context.call(words);
        }
        let within = core::mem::replace(&mut self.context.streams, self.before);
        self.before.close_others(&within, &self.before);
        let outer = core::mem::replace(&mut self.tested, tested);
        self.checked();
        self.tested = outer;
    }

    /// With `set -e`, a command that has failed ends the script, unless it is tested.
    fn checked(&mut self) {
        let context = &mut *self.context;
        if context.run && context.status != 0 && context.settings.exit_on_error && !self.tested {
            context.over = true;
        }
        context.run &= !context.over;
    }

    /// Goes past blanks, and past the keyword that is there, if one is.
    fn advance(&mut self, newlines: bool) {
        let first = self.blanks(newlines);
        self.start = self.at;
        self.token = Token::END;
        if first == '\0' {
            return;
        }
        // No keyword is longer.
        let mark = self.context.memory.mark();
        let mut length = 0;
        while length < 6 && (!ends_word(self.at.first()) || length == 0 && matches!(first, '(' | ')')) {
            self.context.memory.push(self.at.first());
            self.skip();
            length += 1;
            if matches!(first, '(' | ')') {
                break;
            }
        }
        let text = self.context.memory.string(mark);
        self.token = if length > 0 && (ends_word(self.at.first()) || matches!(first, '(' | ')')) {
            Token::find(text).0
        } else {
            Token::UNKNOWN
        };
        self.context.memory.release(mark);
        if self.token == Token::UNKNOWN {
            self.at = self.start;
        }
    }

    // Redirections.

    /// Reads redirections, and does them if commands run. Returns whether one failed.
    fn redirections(&mut self) -> bool {
        let mut failed = false;
        loop {
            self.blanks(false);
            self.start = self.at;
            let number = self.stream();
            let direction = self.at.first();
            if !matches!(direction, '<' | '>') {
                return failed;
            }
            self.skip();
            let append = direction == '>' && self.take('>');
            let copy = !append && self.take('&');
            let number = number.unwrap_or(if direction == '<' { '0' } else { '1' });
            if matches!(self.at.first(), '<' | '>' | '|' | '&' | '(')
                || (direction == '<') != (number == '0')
                || number > '2'
                || self.substitutes && (number != '2' || copy)
            {
                self.refuse_here(NOT_SUPPORTED);
            }
            if ends_word(self.blanks(false)) || self.stream().is_some() {
                self.unexpected();
            }
            let streams = &self.context.streams;
            let to;
            if copy {
                to = match self.at.first() {
                    '1' if direction == '>' => streams.output,
                    '2' if direction == '>' => streams.error,
                    _ => self.refuse_here(NOT_SUPPORTED),
                };
                self.skip();
                if !ends_word(self.at.first()) {
                    self.refuse_here(NOT_SUPPORTED);
                }
            } else {
                let path = self.redirected_word();
                if !self.context.run || failed {
                    continue;
                }
                let how = match (direction, append) {
                    ('<', _) => flags::READ,
                    (_, true) => flags::APPEND,
                    _ => flags::WRITE,
                };
                self.context.name = z!("sh");
                match sys::open(Fd::CWD, path, how, 0o666) {
                    Ok(open) => to = open.leak(),
                    Err(error) => {
                        self.context.fail(path, error);
                        failed = true;
                        continue;
                    }
                }
            }
            if self.context.run && !failed {
                let streams = &mut self.context.streams;
                let last = *streams;
                match number {
                    '0' => streams.input = to,
                    '1' => streams.output = to,
                    _ => streams.error = to,
                }
                streams.close_others(&last, &self.before);
            }
        }
    }

    /// Goes past the digit that a redirection begins with, if one does.
    fn stream(&mut self) -> Option<char> {
        let (before, first) = (self.at, self.at.first());
        if first.is_ascii_digit() {
            self.skip();
            if matches!(self.at.first(), '<' | '>') {
                return Some(first);
            }
            self.at = before;
        }
        None
    }

    // Refusals.

    fn deeper(&mut self) {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.refuse_here(z!("too deep"));
        }
    }

    #[cold]
    #[inline(never)]
    fn unexpected(&mut self) -> ! {
        if matches!(self.start.first(), '\0' | '\n') {
            self.start = z!("line end");
        }
        self.refuse_here(UNEXPECTED)
    }

    /// Refuses the word or operator that has begun last.
    #[cold]
    #[inline(never)]
    fn refuse_here(&mut self, why: ZStr) -> ! {
        self.context.name = z!("sh");
        self.context.refuse(self.start, why);
        sys::exit(2)
    }

    /// The same, with what to write instead.
    #[cold]
    #[inline(never)]
    fn refuse_for(&mut self, instead: ZStr) -> ! {
        self.context.name = z!("sh");
        self.context.refuse_for(self.start, instead);
        sys::exit(2)
    }
}

/// Whether an unquoted `character` ends a word.
fn ends_word(character: char) -> bool {
    matches!(character, '\0' | ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}
