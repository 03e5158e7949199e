//! What works on the shell itself: `exit [N]`, `false`, `set -e`, `cd DIRECTORY`, `sh -c SCRIPT`, `sh FILE`

use super::{Back, Context, Done};
use crate::memory::Memory;
use crate::report::{MISSING, NOT_SUPPORTED};
use crate::sys::{self, Errno, Fd, Follow, Stat, flags};
use crate::text::ZStr;
use crate::z;

/// Nothing that follows runs.
pub(super) fn exit(context: &mut Context) -> Done {
    let mut status = context.status;
    if let Some(word) = context.next() {
        status = context.number(word)? as u8; // as in any shell: the low eight bits
    }
    if context.run {
        context.status = status;
        context.over = true;
    }
    Ok(())
}

/// Fails.
pub(super) fn no(context: &mut Context) -> Done {
    if context.run {
        context.status = 1;
    }
    Ok(())
}

/// Goes to another directory; at the end of `( ... )` back.
pub(super) fn cd(context: &mut Context) -> Done {
    let path = context.operand()?;
    if path.is(z!("-")) {
        return Err(context.refuse(path, NOT_SUPPORTED));
    }
    if !context.run {
        return Ok(());
    }
    if let Back::Here = context.back {
        let here = sys::open(Fd::CWD, z!("."), flags::PLACE, 0);
        context.back = Back::To(context.outcome(z!("."), here)?);
    }
    context.outcome(path, sys::chdir(path))
}

/// Sets what the language knows.
pub(super) fn set(context: &mut Context) -> Done {
    if context.words.is_empty() {
        return Err(context.refuse(z!("operand"), MISSING));
    }
    settings(context)?;
    match context.next() {
        Some(word) => Err(context.refuse(word, NOT_SUPPORTED)),
        None => Ok(()),
    }
}

/// Only as the program's own command: reading another script would lose the place in this one.
pub(super) fn sh(context: &mut Context) -> Done {
    if context.script.is_some() {
        return Err(context.refuse_for(context.name, z!("write the commands in ( )")));
    }
    let command = settings(context)?;
    let Some(word) = context.next() else {
        return Err(if command {
            context.refuse(z!("operand"), MISSING)
        } else {
            context
                .refuse_for(z!("interactive"), z!("use sh -c SCRIPT, or kubectl debug with an image that has a shell"))
        });
    };
    // What stands behind it are names for parameters, which the language does not have.
    context.script = Some(if command { word } else { file(context, word)? });
    Ok(())
}

/// The script in a file. It is read once: what runs is what was checked.
#[cold]
#[inline(never)]
fn file<'a>(context: &mut Context<'a>, path: ZStr) -> Done<ZStr<'a>> {
    if let Some(text) = context.file {
        return Ok(text);
    }
    let text = sys::open(Fd::CWD, path, flags::READ, 0).and_then(|file| {
        let mut buffer = Stat::buffer();
        let stat = sys::stat(file.fd(), z!(""), Follow::Yes, &mut buffer)?;
        match stat.mode() & sys::TYPE {
            sys::REGULAR => Memory::hold(file.fd(), stat.size),
            sys::DIRECTORY => Err(Errno::EISDIR),
            _ => Err(Errno::EOPNOTSUPP), // how much would come is not known
        }
    });
    let text = context.outcome(path, text);
    if text.is_err() {
        context.end(2);
    }
    context.file = text.as_ref().ok().copied();
    text
}

/// Takes `-e`, `-u`, `-o NAME`, with `+` the contrary, and `-c`; returns whether that was there.
fn settings(context: &mut Context) -> Done<bool> {
    let mut command = false;
    while let [word, rest @ ..] = context.words {
        let word = word.get();
        let on = word.first() == '-';
        if !on && word.first() != '+' || word.rest().is_empty() {
            break;
        }
        context.words = rest;
        if word.is(z!("--")) {
            break;
        }
        for letter in word.rest() {
            let mut set = context.settings;
            match letter {
                'e' => set.exit_on_error = on,
                'u' => set.unset_is_error = on,
                'c' if on => command = true,
                'o' => {
                    let name = context.operand()?;
                    if name.is(z!("errexit")) {
                        set.exit_on_error = on;
                    } else if name.is(z!("nounset")) {
                        set.unset_is_error = on;
                    } else if !name.is(z!("pipefail")) {
                        // There are no pipes, so that one holds always.
                        return Err(context.refuse(name, NOT_SUPPORTED));
                    }
                }
                _ => return Err(context.refuse(word, NOT_SUPPORTED)),
            }
            context.exits_on_error |= set.exit_on_error;
            if context.run {
                context.settings = set;
            }
        }
    }
    Ok(command)
}
