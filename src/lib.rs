//! The entrypoint of a KServe ModelCar base image.
//!
//! A ModelCar pod runs it twice: first `sh -c SCRIPT` checks `/models`, then `sh -c SCRIPT` makes a symbolic link
//! to its own `/proc/PID/root/models`, where the model server finds the model, and sleeps until the pod stops.
//! This program understands those scripts, and the small language around them, without a shell, without libc,
//! in a few kilobytes.
//!
//! | module | what it is |
//! |---|---|
//! | [`arch`] | the machine: entry point and system calls, one file per architecture |
//! | [`sys`] | those system calls as safe functions; the only other place with `unsafe` |
//! | [`memory`] | where words and listings lie |
//! | [`report`] | what the user reads |
//! | [`text`] | comparing bytes |
//! | [`shell`] | the language: words, lists, loops |
//! | [`command`] | the commands: `ln`, `ls`, `mkdir`, ... |

#![no_std]

#[allow(unsafe_code)]
pub mod arch;
pub mod command;
pub mod memory;
pub mod report;
pub mod shell;
pub mod sys;
pub mod text;

use command::{Command, base};
use memory::Memory;
use shell::Shell;
use sys::ZStr;
use text::eq;

/// What the image does without arguments: KServe's default, where there is a place for the link.
const DEFAULT: &[u8] = b"[ ! -d /mnt ] || ln -sf /proc/$$/root/models /mnt/models && sleep infinity";

/// Does what the arguments say; returns the exit status. `scratch` is the first memory to use.
///
/// The first argument is the name that the program was called by. If that is a command's (a link to the
/// program), it is the command; if not, the command follows. `sh` takes `-c` and a script.
pub fn main<'a>(mut arguments: impl Iterator<Item = ZStr<'a>> + Clone, scratch: &'a mut [u8]) -> u8 {
    let mut shell = Shell::new(Memory::new(scratch));
    let mut words = arguments.clone();
    let mut name = arguments.next();
    if !name.is_some_and(|name| is_sh(name) || Command::named(name.bytes()).is_some()) {
        words = arguments.clone();
        name = arguments.next();
    }
    match name {
        None => shell.script(DEFAULT),
        Some(name) if is_sh(name) => match (arguments.next(), arguments.next()) {
            (Some(option), Some(script)) if eq(option.bytes(), b"-c") => shell.script(script.bytes()),
            _ => {
                report::refuse(b"sh", b"other than -c SCRIPT", report::NOT_SUPPORTED);
                2
            }
        },
        Some(_) => shell.words(words),
    }
}

fn is_sh(name: ZStr) -> bool {
    eq(base(name.bytes()), b"sh")
}
