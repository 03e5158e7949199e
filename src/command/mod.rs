//! The commands. Each first looks at its words and refuses what it does not know; it goes on only if it is to run.

pub mod chmod;
pub mod echo;
pub mod ln;
pub mod ls;
pub mod mkdir;
pub mod sleep;
pub mod test;

use crate::report::{self, NOT_SUPPORTED, Refused, UNEXPECTED};
use crate::sys::{self, ZStr};
use crate::text::{after, eq, find};

/// A command's exit status, or that it was refused.
pub type Outcome = Result<u8, Refused>;

/// The commands there are.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Command {
    True,
    False,
    Exit,
    Echo,
    Test,
    Ln,
    Mkdir,
    Ls,
    Sleep,
    Chmod,
}

impl Command {
    /// The command of that name, which may have `/bin/` or `/usr/bin/` before it.
    pub fn named(name: &[u8]) -> Option<Command> {
        use Command::*;
        const NAMES: &[u8] = b": true false exit echo [ test ln mkdir ls sleep chmod ";
        const COMMANDS: [Command; 12] = [True, True, False, Exit, Echo, Test, Test, Ln, Mkdir, Ls, Sleep, Chmod];
        COMMANDS.get(find(NAMES, base(name))?).copied()
    }
}

/// `name` without `/bin/` or `/usr/bin/` before it.
pub fn base(name: &[u8]) -> &[u8] {
    after(after(name, b"/usr").unwrap_or(name), b"/bin/").unwrap_or(name)
}

/// What commands leave behind for those after them.
#[derive(Default)]
pub struct State {
    /// Exit status of the last command.
    pub status: u8,
    /// `exit` has run: nothing else does.
    pub exited: bool,
    /// A link has been made: whoever follows it will look into this process.
    pub linked: bool,
}

/// Runs `command`, or only checks it if `run` is false. `words` are its name and arguments, a NUL behind each;
/// `free` is memory to use. Returns how many bytes of output it has left at the start of `free`.
pub fn run(
    command: Option<Command>,
    words: &mut [u8],
    free: &mut [u8],
    run: bool,
    state: &mut State,
) -> Result<usize, Refused> {
    use Command::*;
    let Some(end) = words.iter().position(|&byte| byte == 0) else { return Ok(0) };
    let (name, rest) = words.split_at_mut_checked(end + 1).unwrap_or_default();
    let name = name.get(..end).unwrap_or_default();
    let args = Args { name, rest, operands_only: false };
    let mut output = 0;
    let status = match command {
        None => {
            if run {
                report::line(b"sh", name, b": ", b"not found");
            }
            127
        }
        Some(True) => 0,
        Some(False) => 1,
        Some(Exit) => exit(args, run, state)?,
        Some(Echo) => echo::echo(name, rest, run)?,
        Some(Test) => test::test(args, run)?,
        Some(Ln) => ln::ln(args, free, run, state)?,
        Some(Mkdir) => mkdir::mkdir(args, free, run)?,
        Some(Ls) => ls::ls(args, free, run, &mut output)?,
        Some(Sleep) => sleep::sleep(args, run, state.linked)?,
        Some(Chmod) => chmod::chmod(args, free, run)?,
    };
    if run {
        state.status = status;
    }
    Ok(output)
}

/// `exit [N]`: what follows does not run.
fn exit(mut args: Args, run: bool, state: &mut State) -> Outcome {
    let status = match args.word() {
        None => state.status,
        Some(word) => match number(word.bytes()) {
            Some(number) => number as u8, // as any shell: the low eight bits
            None => return Err(args.refuse(word)),
        },
    };
    args.end()?;
    state.exited |= run;
    Ok(status)
}

/// Writes `output` to standard output. Returns the exit status of the command called `name`.
pub fn print(name: &[u8], output: &[u8]) -> u8 {
    match sys::write_all(sys::STDOUT, output) {
        Ok(()) => 0,
        Err(error) => report::failed(name, b"standard output", error),
    }
}

/// A decimal number; one that is too large is as large as there is.
pub fn number(digits: &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.saturating_mul(10).saturating_add(digit.into());
    }
    if digits.is_empty() { None } else { Some(number) }
}

/// The words behind a command's name.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    /// The command's name, as it was called.
    pub name: &'a [u8],
    rest: &'a [u8],
    /// `--` has passed: what follows are operands.
    operands_only: bool,
}

impl<'a> Args<'a> {
    /// The next word, whatever it is.
    pub fn word(&mut self) -> Option<ZStr<'a>> {
        let (word, rest) = ZStr::cut(self.rest)?;
        self.rest = rest;
        Some(word)
    }

    /// The options among the words, wherever they stand, as bits in the order of `allowed`.
    pub fn options(mut self, allowed: &[u8]) -> Result<u8, Refused> {
        let mut options = 0;
        while let Some(word) = self.word() {
            let Some(letters) = option(word) else { continue };
            if eq(letters, b"-") {
                break;
            }
            for letter in letters {
                match allowed.iter().position(|known| known == letter) {
                    Some(index) => options |= 1 << index,
                    None => return Err(self.refuse(word)),
                }
            }
        }
        Ok(options)
    }

    /// The next word that is not an option.
    pub fn operand(&mut self) -> Option<ZStr<'a>> {
        loop {
            let word = self.word()?;
            match option(word) {
                Some(letters) if !self.operands_only => self.operands_only = eq(letters, b"-"),
                _ => return Some(word),
            }
        }
    }

    /// The next operand, which must be there.
    pub fn required(&mut self) -> Result<ZStr<'a>, Refused> {
        self.operand().ok_or_else(|| report::refuse(self.name, b"missing operand", b"nothing was run"))
    }

    /// No operand must be left.
    pub fn end(&mut self) -> Result<(), Refused> {
        match self.operand() {
            None => Ok(()),
            Some(word) => Err(report::refuse(self.name, word.bytes(), UNEXPECTED)),
        }
    }

    /// Says that this command does not have `word`.
    pub fn refuse(&self, word: ZStr) -> Refused {
        report::refuse(self.name, word.bytes(), NOT_SUPPORTED)
    }
}

/// The letters of an option; `-` for the `--` that ends them.
fn option(word: ZStr<'_>) -> Option<&[u8]> {
    after(word.bytes(), b"-").filter(|letters| !letters.is_empty())
}
