//! The entrypoint of a KServe ModelCar base image.
//!
//! A ModelCar pod runs it twice: first `sh -c SCRIPT` checks `/models`, then `sh -c SCRIPT` makes a symbolic link
//! to its own `/proc/PID/root/models`, where the model server finds the model, and sleeps until the pod stops.
//! This program understands those scripts, and what else people run in a model image, without a shell, without libc,
//! in some kilobytes.
//!
//! A script goes through these modules from the top down; none knows one above it.
//!
//! | module | what it is |
//! |---|---|
//! | [`shell`] | the language: lists, conditions, loops; words, variables, patterns |
//! | [`command`] | the commands: `ln`, `ls`, `cp`, ... |
//! | [`directory`] | names in a directory |
//! | [`memory`] | where strings are put together |
//! | [`report`] | what the user reads |
//! | [`sys`] | system calls as safe functions |
//! | [`arch`] | the machine: entry point and system calls, one file per architecture |
//! | [`table`], [`text`] | tables of words; strings as the kernel takes them |
//!
//! `unsafe` is allowed in `memory`, `sys`, `arch` and `text`, and for the entry here, and nowhere else.

#![cfg_attr(not(test), no_std)]

#[allow(unsafe_code)]
pub mod arch;
pub mod command;
pub mod directory;
pub mod memory;
pub mod report;
pub mod shell;
pub mod sys;
pub mod table;
pub mod text;

use command::Context;
use memory::Memory;
use shell::Shell;
use sys::{Fd, Follow, Start, Stat};
use text::ZStr;

/// What the image does without arguments: KServe's default, where there is a place for the link.
const DEFAULT: ZStr = z!("if [ -d /mnt ]; then ln -sf /proc/$$/root/models /mnt/models; else \
     echo 'link-model-and-wait: no /mnt to make a link in: waiting' >&2; fi && sleep infinity");

const HELP: ZStr = ZStr::new(command::HELP);

/// Where `_start` arrives: `frame` is the stack as the kernel left it, [`sys::SCRATCH`] free bytes below it. It unwinds in
/// the fuzz harness only, where that is how a process ends.
///
/// # Safety
/// `_start` owes that `frame` is the initial stack pointer, that the scratch memory is free, and that this is
/// called once.
#[allow(unsafe_code)]
pub unsafe extern "C-unwind" fn entry(frame: *mut usize) -> ! {
    // SAFETY: what the caller owes.
    let (start, scratch) = unsafe { (Start::read(frame), sys::scratch(frame)) };
    sys::exit(main(start, scratch))
}

/// Does what the arguments say; returns the exit status. `scratch` is the first memory to use.
///
/// The first argument is the name that the program was called by. If that is a command's (a link to the
/// program), it is the command; if not, the command follows.
pub fn main<'a>(start: Start<'a>, scratch: &'a mut [usize]) -> u8 {
    let mut words = start.arguments;
    if let [name, rest @ ..] = words {
        let base = name.get().base();
        if command::is_known(base) {
            name.set(base);
        } else {
            words = rest;
        }
    }
    let mut context = Context::new(Memory::new(scratch), start);
    let handled = sys::handle_signals();
    if context.outcome(z!("signals"), handled).is_err() {
        return 1;
    }
    if let [word] = words {
        let help = word.get().is(z!("--help"));
        if help || word.get().is(z!("--version")) {
            return context.say(if help { HELP } else { command::VERSION });
        }
    }
    if context.check_environment().is_err() {
        return context.status;
    }
    if words.is_empty() && !is_image(&context.start) {
        context.streams.output = Fd::STDERR;
        context.say(HELP);
        return 2;
    }
    let mut shell = Shell::new(&mut context);
    loop {
        let run = shell.context.run;
        if words.is_empty() {
            shell.read(DEFAULT);
        } else {
            shell.call(words);
        }
        if run {
            return shell.context.status;
        }
        shell.context.run = true;
    }
}

/// Whether the root directory is that of an image made on this base: its `sh` is this program. On a host, where somebody
/// tries the file by hand, it is another.
#[cold]
#[inline(never)]
fn is_image(start: &Start) -> bool {
    let (mut this, mut sh) = (Stat::buffer(), Stat::buffer());
    match (
        sys::stat(Fd::CWD, start.file, Follow::Yes, &mut this),
        sys::stat(Fd::CWD, z!("/bin/sh"), Follow::Yes, &mut sh),
    ) {
        (Ok(this), Ok(sh)) => this.identity() == sh.identity(),
        _ => false,
    }
}
