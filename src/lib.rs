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
//! | [`sys`] | those system calls as safe functions |
//! | [`memory`] | strings as the kernel takes them, and where they are put together |
//! | [`report`] | what the user reads |
//! | [`shell`] | the language: words, lists, loops |
//! | [`command`] | the commands: `ln`, `ls`, `mkdir`, ... |
//!
//! The first three are the border to the kernel; `unsafe` is allowed there and nowhere else.

#![no_std]

#[allow(unsafe_code)]
pub mod arch;
pub mod command;
pub mod memory;
pub mod report;
pub mod shell;
pub mod sys;

use memory::{Memory, Words, ZStr};
use shell::Shell;

/// What the image does without arguments: KServe's default, where there is a place for the link.
const DEFAULT: ZStr = ZStr::new(c"[ ! -d /mnt ] || ln -sf /proc/$$/root/models /mnt/models && sleep infinity");

/// Does what the arguments say; returns the exit status. `scratch` is the first memory to use.
///
/// The first argument is the name that the program was called by. If that is a command's (a link to the
/// program), it is the command; if not, the command follows.
pub fn main<'a>(arguments: Words<'a>, scratch: &'a mut [usize]) -> u8 {
    let mut shell = Shell::new(Memory::new(scratch));
    let handled = sys::handle_signals();
    shell.outcome(const { ZStr::new(c"signals") }, handled);
    if shell.status != 0 {
        return 1;
    }
    let words = match arguments {
        [name, words @ ..] if !command::is_known(name.get()) => words,
        words => words,
    };
    loop {
        let run = shell.run;
        if words.is_empty() {
            shell.read(DEFAULT);
        } else {
            shell.call(words);
        }
        if run {
            return shell.status;
        }
        shell.run = true;
    }
}
