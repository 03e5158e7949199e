//! The commands. Each is first called to check its words, and refuses what it does not know; then to run.
//!
//! A command knows no parser. It finds its name, options and words in the [`Context`], and leaves a status there.

mod cat;
mod chmod;
mod cp;
mod echo;
mod ln;
pub(crate) mod ls;
mod mkdir;
mod mode;
mod number;
mod readlink;
mod rm;
mod shell;
mod sleep;
mod tail;
mod tar;
mod test;
mod touch;
mod tree;

use crate::memory::{Mark, Memory, Words};
use crate::report::{self, COLON, MISSING, NOT_SUPPORTED, UNEXPECTED};
use crate::sys::{self, Errno, Fd, Open, Start};
use crate::table;
use crate::text::ZStr;
use crate::z;

/// A command gave up: what is wrong has been said.
pub struct Failed;

/// Whether a command could go on.
pub type Done<T = ()> = Result<T, Failed>;

macro_rules! commands {
    (
        $($waits:ident $waits_name:literal $waits_operands:literal $waits_letters:literal => $wait:expr;)*
        ---
        $($row:ident $name:literal $operands:literal $letters:literal => $run:expr;)*
    ) => {
        table! {
            /// All commands: how many operands, and the letters of the options.
            COMMANDS: Command {
                $($waits $waits_name concat!($waits_operands, $waits_letters);)*
                $($row $name concat!($operands, $letters);)*
            }
        }

        /// Names and option letters, for [`option`].
        const LETTERS: &[(&str, &str)] = &[$(($waits_name, $waits_letters),)* $(($name, $letters)),*];

        fn run(command: Command, context: &mut Context) -> Done {
            match command {
                $(Command::$waits => $wait(context),)*
                _ => run_other(command, context),
            }
        }

        #[cold]
        #[inline(never)]
        fn run_other(command: Command, context: &mut Context) -> Done {
            match command {
                $(Command::$row => $run(context),)*
                _ => Ok(()),
            }
        }
    };
}

// First those of a ModelCar that waits, which lie in the file's first segment (src/link.ld). The Containerfile reads the
// names here, too. Operands: the least and the most (`*`: any number), `-` if the command reads its words itself.
// A colon behind a letter: the option has an argument.
commands! {
    LN       "ln"       "1*" "sfnTv"    => ln::run;
    SLEEP    "sleep"    "1*" ""         => sleep::run;
    SH       "sh"       "-"  ""         => shell::sh;
    MKDIR    "mkdir"    "1*" "pm:"      => mkdir::run;
    ---
    BRACKET  "["        "-"  ""         => test::run;
    ECHO     "echo"     "-"  "n"        => echo::run;
    LS       "ls"       "0*" "1AaldhRnFr" => ls::run;
    TEST     "test"     "-"  ""         => test::run;
    CP       "cp"       "2*" "raRpdPfTv" => cp::run;
    CHMOD    "chmod"    "-"  ""         => chmod::run;
    TRUE     "true"     "-"  ""         => nothing;
    FALSE    "false"    "-"  ""         => shell::no;
    RM       "rm"       "1*" "rRf"      => rm::run;
    CAT      "cat"      "0*" ""         => cat::run;
    READLINK "readlink" "1*" "n"        => readlink::run;
    TAIL     "tail"     "11" "f"        => tail::run;
    TAR      "tar"      "-"  ""         => tar::run;
    TOUCH    "touch"    "1*" ""         => touch::run;
    // From here on for scripts only, without a name in the image's /bin.
    EXIT     "exit"     "01" ""         => shell::exit;
    COLON    ":"        "-"  ""         => nothing;
    SET      "set"      "-"  ""         => shell::set;
    CD       "cd"       "11" ""         => shell::cd;
    EXEC     "exec"     "-"  ""         => nothing;
}

table! {
    /// What other shells have and this language has not, and what to write instead.
    REFUSED: Refused {
        FOR "for" "write each command out, or use a pattern";
        CASE "case" "use if and [ A = B ]";
        TRAP "trap" "leave it out: SIGTERM ends this program at once";
        EVAL "eval" "write the command itself";
        FUNCTION "function" "write the commands where they are needed";
        EXPORT "export" "set it with ENV in the image or env in the pod";
        DOT "." "write the commands here";
        BREAK "break" "let the condition end the loop";
        CONTINUE "continue" "use if in the loop";
        WAIT "wait" "use sleep infinity";
    }
}

/// The bit of an option of a command: its place among the command's letters.
#[allow(clippy::indexing_slicing)] // the compiler runs it, and an index beyond the end would be its error
const fn option(command: &str, letter: char) -> u32 {
    let mut row = 0;
    while row < LETTERS.len() {
        let (name, letters) = (LETTERS[row].0.as_bytes(), LETTERS[row].1.as_bytes());
        let mut same = name.len() == command.len();
        let mut index = 0;
        while same && index < name.len() {
            same = name[index] == command.as_bytes()[index];
            index += 1;
        }
        if same {
            index = 0;
            let mut bit = 0;
            while index < letters.len() {
                if letters[index] == letter as u8 {
                    bit |= 1 << index; // a letter that stands there twice would not be one bit
                }
                index += 1;
            }
            assert!(bit != 0 && bit & (bit - 1) == 0, "not an option of that command, or twice");
            return bit;
        }
        row += 1;
    }
    panic!("no such command")
}

/// Where a command reads and writes.
#[derive(Clone, Copy)]
pub struct Streams {
    /// Standard input.
    pub input: Fd,
    /// Standard output.
    pub output: Fd,
    /// Standard error.
    pub error: Fd,
}

impl Streams {
    /// Closes those of `others` that are neither among these nor `kept`.
    #[inline(never)]
    pub fn close_others(&self, others: &Streams, kept: &Streams) {
        let has = |streams: &Streams, file| streams.input == file || streams.output == file || streams.error == file;
        let mut closed = Fd::CWD;
        for file in [others.input, others.output, others.error] {
            // Two of them may be the same file: output and error.
            if file != closed && !has(self, file) && !has(kept, file) {
                file.close();
                closed = file;
            }
        }
    }
}

/// Whether what a command prints stays in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// It is written.
    No,
    /// It stays.
    All,
    /// It stays, but only the beginning of very much: enough to see that there is something.
    Beginning,
}

/// Where `cd` goes back to at the end of `( ... )`.
pub enum Back {
    /// Nowhere: it is not in one.
    Never,
    /// Not gone yet.
    Here,
    /// There.
    To(Open),
}

/// What `set` and `sh` can set.
#[derive(Clone, Copy)]
pub struct Settings {
    /// `-e`: a command that fails ends the script.
    pub exit_on_error: bool,
    /// `-u`: a variable that is not there ends the script.
    pub unset_is_error: bool,
}

/// What a command finds, and what it leaves.
#[repr(C)] // the memory first: then its address is the context's
pub struct Context<'a> {
    /// Where strings are put together.
    pub memory: Memory<'a>,
    /// What the kernel has left.
    pub start: Start<'a>,
    /// The command's name.
    pub name: ZStr<'a>,
    /// The words behind it that it has not taken yet.
    pub words: Words<'a>,
    /// Its options, as [`option`] has them.
    pub options: u32,
    /// The argument of an option.
    pub argument: ZStr<'a>,
    /// Where it reads and writes.
    pub streams: Streams,
    /// Whether its output stays in memory.
    pub capture: Capture,
    /// Commands run; if not, they are only checked.
    pub run: bool,
    /// While only checked: a word has been put together from what is only known later.
    pub open: bool,
    /// While only checked: a pattern may become more words.
    pub pattern: bool,
    /// Exit status of the last command.
    pub status: u8,
    /// `exit` has run: nothing else does.
    pub over: bool,
    /// The script that `sh` is to read.
    pub script: Option<ZStr<'a>>,
    /// The text of a file that is a script, once it has been read.
    pub file: Option<ZStr<'a>>,
    /// What `set` has set.
    pub settings: Settings,
    /// Somewhere in the script, `-e` is.
    pub exits_on_error: bool,
    /// Where `cd` goes back to.
    pub back: Back,
    /// A link has been made: whoever follows it will look into this process.
    pub linked: bool,
}

impl<'a> Context<'a> {
    /// What the first command finds.
    pub fn new(memory: Memory<'a>, start: Start<'a>) -> Self {
        Context {
            memory,
            start,
            name: report::PROGRAM,
            words: &[],
            options: 0,
            argument: z!(""),
            streams: Streams { input: Fd::STDIN, output: Fd::STDOUT, error: Fd::STDERR },
            capture: Capture::No,
            run: false,
            open: false,
            pattern: false,
            status: 0,
            over: false,
            script: None,
            file: None,
            settings: Settings { exit_on_error: false, unset_is_error: false },
            exits_on_error: false,
            back: Back::Never,
            linked: false,
        }
    }

    /// The value of an environment variable.
    pub fn variable(&self, name: ZStr) -> Option<ZStr<'a>> {
        for entry in self.start.environment {
            if let Some(rest) = entry.get().after(name)
                && let Some(value) = rest.after(z!("="))
            {
                return Some(value);
            }
        }
        None
    }

    /// Whether the variable `name` says `second` and not `first`, which holds if it is empty or not there.
    fn choice(&mut self, name: ZStr, first: ZStr, second: ZStr) -> Done<bool> {
        let value = self.variable(name).unwrap_or(first);
        if value.is_empty() || value.is(first) {
            return Ok(false);
        }
        if value.is(second) {
            return Ok(true);
        }
        let who = core::mem::replace(&mut self.name, report::PROGRAM);
        report::line(self.streams.error, self.name, name, COLON, value, z!(": not supported"));
        self.name = who;
        self.status = 2;
        Err(Failed)
    }

    /// Whether what would be linked is to be copied.
    fn copies(&mut self) -> Done<bool> {
        self.choice(z!("MODELCAR_MODE"), z!("link"), z!("copy"))
    }

    /// Whether a user namespace is to let readers of other groups in.
    fn user_namespace(&mut self) -> Done<bool> {
        self.choice(z!("MODELCAR_USERNS"), z!("on"), z!("off")).map(|off| !off)
    }

    /// Refuses what the variables of this program cannot be.
    pub fn check_environment(&mut self) -> Done {
        self.copies()?;
        self.user_namespace()?;
        Ok(())
    }

    /// Prints `text`; returns the exit status.
    pub fn say(&mut self, text: ZStr) -> u8 {
        let mark = self.memory.mark();
        self.memory.extend(text);
        let _ = self.print(mark);
        self.status
    }

    /// Runs the command that `words` are, or only checks it.
    pub fn call(&mut self, words: Words<'a>) {
        self.words = words;
        let mut exec = false;
        while let Some(name) = self.next() {
            self.name = name;
            let (command, row) = Command::find(name.after(z!("/bin/")).unwrap_or(name));
            if command == Command::EXEC {
                exec = true;
                continue;
            }
            if command == Command::UNKNOWN || self.capture != Capture::No && command != Command::LS {
                self.unknown(command);
                break;
            }
            if self.run && command != Command::EXIT {
                self.status = 0;
            }
            if self.take_options(row).is_ok() {
                // Those whose half is no success, whoever ends them.
                let works = matches!(command, Command::CP | Command::CAT | Command::RM | Command::CHMOD | Command::TAR);
                let _ = if works && self.run { sys::working(|| run_other(command, self)) } else { run(command, self) };
            }
            break;
        }
        self.over |= exec & self.run;
    }

    /// Says that the command's name is none, or not here.
    #[cold]
    #[inline(never)]
    fn unknown(&mut self, command: Command) {
        let name = self.name;
        if !self.run && self.open && name.is_empty() {
            return; // what it is will be known when it comes
        }
        self.name = z!("sh");
        if command != Command::UNKNOWN {
            self.refuse_for(name, z!("only ls can stand in $( )"));
        } else if name.has('=') {
            self.refuse_for(name, z!("set it with ENV in the image or env in the pod"));
        } else {
            let (refused, instead) = Refused::find(name);
            if refused != Refused::UNKNOWN {
                self.refuse_for(name, instead);
            } else {
                report::line(self.streams.error, self.name, name, COLON, z!("not found"), OWN_COMMANDS);
                self.end(127);
            }
        }
    }

    /// Takes the options among the words, and counts the operands: `row` says which and how many.
    fn take_options(&mut self, row: ZStr<'static>) -> Done {
        self.options = 0;
        let (least, most, letters) = (row.first(), row.rest().first(), row.rest().rest());
        if least == '-' {
            return Ok(());
        }
        // What is an option goes before the operands, in the order that it has; so it stands there the next time, too.
        let words = self.words;
        let mut operands = 0;
        let mut index = 0;
        while let Some(word) = words.get(index) {
            let option = word.get();
            index += 1;
            if !is_option(option) {
                continue;
            }
            move_up(words, operands, index);
            operands += 1;
            if option.is(z!("--")) {
                break;
            }
            let mut given = option.rest();
            while !given.is_empty() {
                let (mut known, mut place) = (letters, 0);
                while known.first() != given.first() && !matches!(known.first(), '\n' | '\0') {
                    known = known.rest();
                    place += 1;
                }
                if matches!(known.first(), '\n' | '\0' | ':') {
                    return Err(self.refuse(option, NOT_SUPPORTED));
                }
                self.options |= 1 << place;
                given = given.rest();
                if known.rest().first() == ':' {
                    self.argument = given;
                    if given.is_empty() {
                        let Some(word) = words.get(index) else { return Err(self.refuse(option, MISSING)) };
                        self.argument = word.get();
                        index += 1;
                        move_up(words, operands, index);
                        operands += 1;
                    }
                    break;
                }
            }
        }
        self.words = words.get(operands..).unwrap_or_default();
        let count = self.words.len();
        if !self.run && self.pattern {
            return Ok(());
        }
        if count < least as usize - '0' as usize {
            return Err(self.refuse(z!("operand"), MISSING));
        }
        if most != '*'
            && let Some(word) = self.words.get(most as usize - '0' as usize)
        {
            return Err(self.refuse(word.get(), UNEXPECTED));
        }
        Ok(())
    }

    /// The next word.
    fn next(&mut self) -> Option<ZStr<'a>> {
        let [word, rest @ ..] = self.words else { return None };
        self.words = rest;
        Some(word.get())
    }

    /// The next word, which must be there.
    fn operand(&mut self) -> Done<ZStr<'a>> {
        match self.next() {
            Some(word) => Ok(word),
            None => Err(self.refuse(z!("operand"), MISSING)),
        }
    }

    /// Whether one of these options is given.
    fn has(&self, options: u32) -> bool {
        self.options & options != 0
    }

    /// Says what is wrong with the script or the words; before anything has run, that ends the process.
    #[cold]
    #[inline(never)]
    pub fn refuse(&mut self, what: ZStr, why: ZStr) -> Failed {
        self.refuse_more(what, why, z!(""))
    }

    /// The same of what is not supported, with what to write instead.
    #[cold]
    #[inline(never)]
    pub fn refuse_for(&mut self, what: ZStr, instead: ZStr) -> Failed {
        self.refuse_more(what, z!("not supported: "), instead)
    }

    #[cold]
    #[inline(never)]
    fn refuse_more(&mut self, what: ZStr, why: ZStr, more: ZStr) -> Failed {
        if self.run || !self.open || !what.is_empty() {
            report::line(self.streams.error, self.name, what, COLON, why, more);
            // Once it runs, a command may only fail, as its like elsewhere do.
            let test = matches!(self.name.base().first(), '[') || self.name.base().is(z!("test"));
            self.end(if self.run && !test { 1 } else { 2 });
        }
        Failed
    }

    /// A command ends with `status`; before anything has run, so does the process.
    fn end(&mut self, status: u8) {
        self.status = status;
        if !self.run {
            sys::exit(status);
        }
    }

    /// Says that a command could not do something to `what`.
    #[cold]
    #[inline(never)]
    pub fn fail(&mut self, what: ZStr, error: Errno) -> Failed {
        self.status = 1;
        report::failure(self.streams.error, self.name, what, error);
        Failed
    }

    /// If `result` is an error, it is the command's, about `what`.
    pub fn outcome<T>(&mut self, what: ZStr, result: Result<T, Errno>) -> Done<T> {
        result.map_err(|error| self.fail(what, error))
    }

    /// Writes the bytes in memory since `mark` to standard output, and lets go of them; if they are captured they stay.
    fn print(&mut self, mark: Mark) -> Done {
        if self.capture != Capture::No {
            return Ok(());
        }
        let written = sys::write_all(self.streams.output, self.memory.cells(mark));
        self.memory.release(mark);
        self.outcome(z!("stdout"), written)
    }

    /// Prints `'FROM' -> 'TO'`.
    #[cold]
    #[inline(never)]
    fn say_link(&mut self, from: ZStr, to: ZStr) -> Done {
        let mark = self.memory.mark();
        for piece in [z!("'"), from, z!("' -> '"), to, z!("'\n")] {
            self.memory.extend(piece);
        }
        self.print(mark)
    }

    /// Puts `head`, a slash and `tail` together to a path, without slashes at its end.
    fn path(&mut self, head: ZStr, tail: ZStr) -> ZStr<'a> {
        let mark = self.memory.mark();
        self.memory.extend(head);
        if !self.memory.ends_with(mark, '/') && !tail.is_empty() {
            self.memory.push('/');
        }
        self.memory.extend(tail);
        while self.memory.length(mark) > 1 && self.memory.strip(mark, '/') {}
        self.memory.string(mark)
    }
}

/// What `--help` prints.
pub const HELP: &core::ffi::CStr = c"\
link-model-and-wait: the entrypoint of a KServe ModelCar base image

  (nothing)      in the image: link /mnt/models to the model in /models, and wait
  sh -c SCRIPT   run a script: && || ; ! ( ) { } if while until $NAME \"$(ls)\" > < and patterns
  sh FILE        run the script in a file
  COMMAND ...    run one: [ cat chmod cp echo false ln ls mkdir readlink rm sleep tail tar test touch true

There is no other program and no interactive shell. What is not known is refused before anything runs.
MODELCAR_MODE=copy copies the model where it would be linked.
The contract: docs/contract.md of the project link-model-and-wait.
";

/// What `--version` prints.
pub const VERSION: ZStr = z!("link-model-and-wait ", env!("CARGO_PKG_VERSION"), "\n");

const OWN_COMMANDS: ZStr = z!(": this sh has only its own commands");

/// Whether there is a command of that name.
pub fn is_known(name: ZStr) -> bool {
    Command::find(name).0 != Command::UNKNOWN
}

/// Whether `word` is a `-` and something.
fn is_option(word: ZStr) -> bool {
    word.first() == '-' && !word.rest().is_empty()
}

/// Moves the word before `index` up to `place`.
fn move_up(words: Words, place: usize, index: usize) {
    for pair in words.get(place..index).unwrap_or_default().windows(2).rev() {
        if let [before, word] = pair {
            before.swap(word);
        }
    }
}

fn nothing(_: &mut Context) -> Done {
    Ok(())
}
