//! `mkdir [-p] [-m MODE] DIRECTORY...`

use super::{Context, Done, mode, option};
use crate::report::NOT_SUPPORTED;
use crate::sys::{self, Errno, Fd, Follow};
use crate::text::ZStr;
use crate::z;

const PARENTS: u32 = option("mkdir", 'p');
const MODE: u32 = option("mkdir", 'm');

/// Makes directories; with `-p` also those above them, and one that is there is no error.
pub(super) fn run(context: &mut Context) -> Done {
    let change = context.argument;
    let has_mode = context.has(MODE);
    if has_mode && !mode::is_mode(change) {
        return Err(context.refuse(change, NOT_SUPPORTED));
    }
    if !context.run {
        return Ok(());
    }
    let umask = if has_mode && mode::needs_umask(change) { sys::umask() } else { 0 };
    while let Some(path) = context.next() {
        // What `-m` makes of all rights, and of what a directory gets from the one above it.
        let bits = |inherited: u32| {
            if has_mode { mode::change(change, 0o777 | inherited & 0o6000, true, umask) } else { None }
        };
        let _ = make(context, path, bits);
    }
    Ok(())
}

fn make(context: &mut Context, path: ZStr, bits: impl Fn(u32) -> Option<u32>) -> Done {
    let path = context.path(path, z!(""));
    let mark = context.memory.mark();
    let mut rest = path;
    while let Some(character) = rest.next() {
        context.memory.push(character);
        let last = rest.is_empty();
        if !last && (!context.has(PARENTS) || rest.first() != '/') {
            continue;
        }
        let prefix = context.memory.string(mark);
        context.memory.strip(mark, '\0');
        // Only the last directory is of that mode.
        let first = bits(0).filter(|_| last);
        let mut made = sys::mkdir(Fd::CWD, prefix, first.unwrap_or(0o777) & 0o777);
        match (made, first) {
            (Ok(()), Some(first)) => {
                let inherited = sys::mode(prefix, Follow::No).unwrap_or(0);
                made = sys::chmod(Fd::CWD, prefix, bits(inherited).unwrap_or(first));
            }
            (Err(Errno::NO_STATX), _) | (Ok(()), _) => {}
            (Err(error), _) if context.has(PARENTS) => {
                made = match sys::mode(prefix, Follow::Yes) {
                    Ok(there) if there & sys::TYPE == sys::DIRECTORY => Ok(()),
                    Err(Errno::NO_STATX) => Err(Errno::NO_STATX),
                    _ => Err(error),
                }
            }
            _ => {}
        }
        if made.is_err() || last {
            context.memory.push('\0');
            return context.outcome(prefix, made);
        }
    }
    Err(context.fail(path, Errno::ENOENT))
}
