//! Words.
//!
//! ```text
//! word      = { character | "\" character | "'" ... "'" | '"' ... '"' | parameter | pattern }
//! "..."     = { character | "\" any of $ ` " \ | parameter | "$(" "ls" { word | redirection } ")" }
//! parameter = "$$" | "$NAME" | "${NAME}" | "${NAME:-word}"
//! pattern   = "*" | "?" | "[...]"
//! ```

use super::{Shell, Token, ends_word};
use crate::command::Capture;
use crate::report::{NOT_CLOSED, NOT_SUPPORTED};
use crate::sys;
use crate::text::ZStr;
use crate::{table, z};

/// What a word was put together from.
#[derive(Default)]
pub(super) struct Parts {
    /// Quotation marks: it is a word even if it is empty.
    quoted: bool,
    /// `*`, `?` or `[` that mean other characters.
    pattern: bool,
    /// The output of a command.
    output: bool,
    /// It is read once more, for what its pattern is: what is quoted gets a backslash.
    escape: bool,
}

table! {
    /// Variables that other shells set themselves.
    OWN: OwnVariable {
        LAST "_" "";
        PWD "PWD" "";
        OLDPWD "OLDPWD" "";
        IFS "IFS" "";
        PPID "PPID" "";
        LINENO "LINENO" "";
        OPTIND "OPTIND" "";
        PS1 "PS1" "";
        PS2 "PS2" "";
        PS4 "PS4" "";
    }
}

impl<'a> Shell<'_, 'a> {
    /// Reads a word, and uses it, or what its pattern stands for.
    pub(super) fn one_word(&mut self) {
        let start = self.at;
        let mark = self.context.memory.mark();
        self.text_of_word();
        if self.word.pattern {
            if self.word.output {
                self.start = start;
                self.refuse_for(z!("a pattern and $( ) in one word"));
            }
            if self.context.run {
                self.context.memory.release(mark);
                self.at = start;
                self.word.escape = true;
                self.text('\0', '\0');
                self.word.escape = false;
                let pattern = self.context.memory.string(mark);
                return super::pattern::expand(self.context, pattern);
            }
            self.context.pattern = true;
        }
        // An unquoted variable that is empty is no word.
        if self.word.quoted || self.context.memory.length(mark) > 0 {
            let word = self.context.memory.string(mark);
            self.context.memory.push_word(word);
        }
    }

    /// Reads the word behind `>` or `<`, where patterns mean themselves.
    pub(super) fn redirected_word(&mut self) -> ZStr<'a> {
        let mark = self.context.memory.mark();
        self.text_of_word();
        self.context.memory.string(mark)
    }

    fn text_of_word(&mut self) {
        self.start = self.at;
        self.word = Parts::default();
        self.text('\0', '\0');
        self.context.open |= self.word.output && !self.context.run;
    }

    /// Reads up to what ends a word, or to `end`; what comes first is quoted by `quote`.
    fn text(&mut self, quote: char, end: char) {
        let begin = self.at;
        let outer = quote;
        let mut quote = quote;
        loop {
            let character = self.at.first();
            if quote == outer && (if end != '\0' { character == end } else { quote == '\0' && ends_word(character) }) {
                return;
            }
            if character == '\0' {
                self.refuse_here(NOT_CLOSED);
            }
            if character == quote {
                if outer != '\0' {
                    self.refuse_for(z!("no quotation marks in it"));
                }
                quote = '\0';
                self.skip();
                continue;
            }
            if quote == '\'' {
                self.literal(character);
                self.at = self.at.rest(); // a backslash is one here
                continue;
            }
            match character {
                '$' => {
                    self.skip();
                    self.dollar(quote);
                    continue;
                }
                '`' => self.refuse_here(NOT_SUPPORTED),
                '\\' => {
                    let next = self.at.rest();
                    if quote == '\0' || next.first() == end || z!("$`\"\\").has(next.first()) {
                        if next.is_empty() {
                            self.refuse_here(NOT_CLOSED);
                        }
                        self.at = next;
                        self.word.quoted = true;
                    }
                    self.literal(self.at.first());
                    self.skip();
                    continue;
                }
                _ if quote != '\0' => {
                    self.literal(character);
                    self.skip();
                    continue;
                }
                '\'' | '"' => {
                    quote = character;
                    self.word.quoted = true;
                    if character == '\'' {
                        self.at = self.at.rest();
                    } else {
                        self.skip();
                    }
                    continue;
                }
                // Where a default ends at a brace, blanks would make two words of it.
                _ if end != '\0' && ends_word(character) => self.refuse_for(z!("quote it")),
                // `{` and a first `~` mean something else in other shells.
                '{' => self.refuse_here(NOT_SUPPORTED),
                '~' if self.at == begin => self.refuse_here(NOT_SUPPORTED),
                // A script that was written on Windows. The character itself would spoil the message.
                '\r' => {
                    self.start = z!("a carriage return");
                    self.refuse_for(z!("end lines with a newline alone"));
                }
                '*' | '?' => self.word.pattern = true,
                // `[` is a command; as part of a word it begins a pattern if there is an end to it.
                '[' => self.word.pattern |= self.closes(),
                _ => {}
            }
            self.context.memory.push(character);
            self.skip();
        }
    }

    /// Whether an end to the `[` at hand follows in the word. `[^...]` and classes, on which shells differ, are refused.
    fn closes(&mut self) -> bool {
        let before = self.at;
        let (mut first, mut last, mut differs) = (true, '\0', false);
        loop {
            self.skip();
            let character = self.at.first();
            if ends_word(character) || character == ']' && !first {
                self.at = before;
                if differs && character == ']' {
                    self.refuse_here(NOT_SUPPORTED);
                }
                return character == ']';
            }
            differs |= first && character == '^' || last == '[' && z!(":.=").has(character);
            first &= character == '!';
            last = character;
        }
    }

    /// Uses a character that means itself.
    fn literal(&mut self, character: char) {
        if self.word.escape && z!("*?[]\\-!").has(character) {
            self.context.memory.push('\\');
        }
        self.context.memory.push(character);
    }

    /// What a `$` begins.
    fn dollar(&mut self, quote: char) {
        let first = self.at.first();
        match first {
            '$' => {
                self.skip();
                // Where nothing runs, any number will do.
                let pid = if self.context.run { sys::getpid() } else { 0 };
                self.context.memory.push_digits(pid.into(), 10);
            }
            '(' if quote != '\0' => {
                self.skip();
                self.substitution();
            }
            '(' => self.refuse_for(z!("quote it: \"$(ls ...)\"")),
            '{' => {
                self.skip();
                self.parameter(quote, true);
            }
            'A'..='Z' | 'a'..='z' | '_' => self.parameter(quote, false),
            _ => self.refuse_here(NOT_SUPPORTED),
        }
    }

    /// The value of a variable of the environment.
    #[cold]
    #[inline(never)]
    fn parameter(&mut self, quote: char, brace: bool) {
        self.deeper();
        let mark = self.context.memory.mark();
        while matches!(self.at.first(), 'A'..='Z' | 'a'..='z' | '_' | '0'..='9') {
            self.context.memory.push(self.at.first());
            self.skip();
        }
        let name = self.context.memory.string(mark);
        let first = name.first();
        if OwnVariable::find(name).0 != OwnVariable::UNKNOWN || matches!(first, '\0' | '0'..='9') {
            self.refuse_here(NOT_SUPPORTED);
        }
        let value = self.context.variable(name);
        let mut default = false;
        if brace {
            default = self.at.first() == ':';
            if default {
                self.skip();
                if !self.take('-') {
                    self.refuse_here(NOT_SUPPORTED);
                }
            }
        }
        self.context.memory.release(mark);
        let given = value.is_some_and(|value| !default || !value.is_empty());
        if let (true, Some(value)) = (given, value) {
            for character in value {
                if quote != '\0' {
                    self.literal(character);
                } else if z!(" \t\n*?[\\").has(character) {
                    self.refuse_for(z!("quote it"));
                } else {
                    self.context.memory.push(character);
                }
            }
        } else if !default && self.context.settings.unset_is_error && self.context.run {
            self.context.name = z!("sh");
            self.context.refuse(name, z!("not set"));
            self.context.status = 2;
            (self.context.over, self.context.run) = (true, false);
        }
        if default {
            // What is not taken is read, too, but does not run.
            let mark = self.context.memory.mark();
            let run = self.context.run;
            self.context.run &= !given;
            self.text(quote, '}');
            self.context.run = run && !self.context.over;
            if given {
                self.context.memory.release(mark);
            }
        }
        if brace && !self.take('}') {
            self.refuse_here(NOT_SUPPORTED);
        }
        self.depth -= 1;
    }

    /// The output of an `ls`, less the newlines at its end.
    #[cold]
    #[inline(never)]
    fn substitution(&mut self) {
        self.deeper();
        let start = self.start;
        let memory = &self.context.memory;
        let mark = memory.mark();
        let parts = core::mem::take(&mut self.word);
        let (open, pattern) = (self.context.open, self.context.pattern);
        let first = memory.first_word();
        let test = first.is(z!("[")) || first.is(z!("test"));
        let run = self.context.run;
        // Words come before the redirections of the command that they are of.
        let error = core::mem::replace(&mut self.context.streams.error, self.before.error);
        let substitutes = core::mem::replace(&mut self.substitutes, true);
        loop {
            let failed = self.redirections();
            self.context.run &= !failed;
            if ends_word(self.at.first()) {
                break;
            }
            self.one_word();
        }
        self.substitutes = substitutes;
        let words = self.context.memory.words(mark);
        self.advance(false);
        if self.token != Token::CLOSE {
            self.unexpected();
        }
        // The output is to begin where the words do.
        let from = self.context.memory.mark();
        if words.is_empty() {
            self.start = start;
            self.refuse_for(z!("only ls can stand in $( )"));
        }
        self.context.capture = if test { Capture::Beginning } else { Capture::All };
        let name = self.context.name;
        if self.context.run || !run {
            self.context.call(words);
        }
        let within = core::mem::replace(&mut self.context.streams.error, error);
        if within != self.before.error {
            within.close();
        }
        self.context.capture = Capture::No;
        // What ends a script ends no more than this.
        self.context.over &= !run;
        self.context.run = run;
        self.context.memory.lower(mark, from);
        while self.context.memory.strip(mark, '\n') {}
        self.context.name = name;
        (self.context.open, self.context.pattern) = (open, pattern);
        self.word = parts;
        self.word.output = true;
        self.start = start;
        self.depth -= 1;
    }
}
