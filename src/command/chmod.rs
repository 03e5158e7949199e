//! `chmod [-R] MODE PATH...`

use super::{Context, Done, Failed, is_option, mode, tree};
use crate::report::{MISSING, NOT_SUPPORTED};
use crate::sys::{self, Fd, Follow, Stat};
use crate::text::ZStr;
use crate::z;
use tree::{Step, Walk};

/// Sets permission bits; with `-R` of all below, where symbolic links stay as they are.
pub(super) fn run<'a>(context: &mut Context<'a>) -> Done {
    // It takes its words itself, as a mode may look like options: `-w`.
    let mut recursive = false;
    let mut end = false;
    let mut change = None;
    let mut count = 0;
    let words = context.words;
    for word in words {
        let word = word.get();
        if !end && is_option(word) && !(change.is_none() && mode::is_mode(word)) {
            end = word.is(z!("--"));
            if !end && !word.is(z!("-R")) {
                return Err(context.refuse(word, NOT_SUPPORTED));
            }
            recursive |= !end;
        } else if change.is_none() {
            change = Some(word);
        } else {
            count += 1;
        }
    }
    let Some(change) = change else { return Err(context.refuse(z!("operand"), MISSING)) };
    if !mode::is_mode(change) {
        return Err(context.refuse(change, NOT_SUPPORTED));
    }
    if count == 0 && (context.run || !context.pattern) {
        return Err(context.refuse(z!("operand"), MISSING));
    }
    if !context.run {
        return Ok(());
    }
    context.options = if mode::needs_umask(change) { sys::umask() } else { 0 };
    context.argument = change;
    (end, count) = (false, 0);
    for word in words {
        let word = word.get();
        if !end && is_option(word) && !(count == 0 && mode::is_mode(word)) {
            end = word.is(z!("--"));
        } else if count == 0 {
            count = 1; // the mode
        } else if recursive {
            tree::walk(context, Fd::CWD, word, None, visit);
        } else {
            let _ = set(context, Fd::CWD, word, word, Follow::Yes);
        }
    }
    Ok(())
}

fn visit(walk: &mut Walk, step: Step) -> Done<bool> {
    if step == Step::After {
        return Ok(false);
    }
    // The operand itself may be a link to what is meant.
    let follow = if walk.depth == 0 { Follow::Yes } else { Follow::No };
    let (directory, name, path) = (walk.directory(), walk.name(), walk.path());
    set(walk.context, directory, name, path, follow)
}

/// Returns whether it is a directory.
fn set(context: &mut Context, directory: Fd, name: ZStr, path: ZStr, follow: Follow) -> Result<bool, Failed> {
    let mut buffer = Stat::buffer();
    let stat = context.outcome(path, sys::stat(directory, name, follow, &mut buffer))?;
    let is_directory = stat.is(sys::DIRECTORY);
    if !stat.is(sys::SYMLINK) {
        let bits = mode::change(context.argument, stat.mode(), is_directory, context.options).unwrap_or(stat.mode());
        let changed = sys::chmod(directory, name, bits);
        context.outcome(path, changed)?;
    }
    Ok(is_directory)
}
