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

use memory::{Memory, ZStr};
use shell::Shell;

/// What the image does without arguments: KServe's default, where there is a place for the link.
const DEFAULT: &[u8] = b"sh\0-c\0[ ! -d /mnt ] || ln -sf /proc/$$/root/models /mnt/models && sleep infinity\0";

/// Does what the arguments say; returns the exit status. `scratch` is the first memory to use.
///
/// The first argument is the name that the program was called by. If that is a command's (a link to the
/// program), it is the command; if not, the command follows.
pub fn main<'a>(mut arguments: impl Iterator<Item = ZStr<'a>> + Clone, scratch: &'a mut [u8]) -> u8 {
    let mut shell = Shell::new(Memory::new(scratch));
    let mut words = arguments.clone();
    if !arguments.next().is_some_and(command::is_known) {
        words = arguments;
    }
    // What KServe has the sidecar do is shorter, and the scratch memory holds all its words. The output of a command
    // in a word, `$(`, may be long.
    if words.clone().any(|word| word.len() > 120 || word.has(b'(')) {
        shell.memory.map();
    }
    for word in words {
        shell.memory.extend(word);
        shell.memory.push(0);
    }
    if shell.memory.length() == 0 {
        for &byte in DEFAULT {
            shell.memory.push(byte);
        }
    }
    let words = shell.memory.words(0);
    shell.call(words);
    shell.run = true;
    shell.call(words);
    shell.status
}
