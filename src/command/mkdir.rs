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
    let mut bits = None;
    if has_mode {
        bits = mode::change(change, 0o777, true, if mode::needs_umask(change) { sys::umask() } else { 0 });
    }
    while let Some(path) = context.next() {
        let _ = make(context, path, bits);
    }
    Ok(())
}

fn make(context: &mut Context, path: ZStr, bits: Option<u32>) -> Done {
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
        let mut made = sys::mkdir(Fd::CWD, prefix, bits.filter(|_| last).unwrap_or(0o777) & 0o777);
        match (made, bits) {
            // Only the last directory is of that mode.
            (Ok(()), Some(bits)) if last => made = sys::chmod(Fd::CWD, prefix, bits),
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
