//! What works on the shell itself: `exit [N]`, `false`, `set -e`, `cd DIRECTORY`, `sh -c SCRIPT`

use super::{Back, Context, Done};
use crate::report::{MISSING, NOT_SUPPORTED};
use crate::sys::{self, Fd, flags};
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
    if !settings(context)? {
        return Err(context
            .refuse_for(z!("interactive"), z!("use sh -c SCRIPT, or kubectl debug with an image that has a shell")));
    }
    // What stands behind the script are names for parameters, which the language does not have.
    context.script = Some(context.operand()?);
    Ok(())
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
            if context.run {
                context.settings = set;
            }
        }
    }
    Ok(command)
}
