//! `rm [-rRf] PATH...`

use super::{Context, Done, option, tree};
use crate::report::NOT_SUPPORTED;
use crate::sys::{self, Errno, Fd, Follow};

const RECURSIVE: u32 = option("rm", 'r') | option("rm", 'R');
const FORCE: u32 = option("rm", 'f');

/// Removes files, and with `-r` directories with all that is in them; with `-f` what is not there is no error.
pub(super) fn run(context: &mut Context) -> Done {
    if !context.run {
        return Ok(());
    }
    while let Some(path) = context.next() {
        let base = path.base();
        if base.is_dots() || base.is_empty() && path.first() == '/' {
            context.refuse(path, NOT_SUPPORTED);
            continue;
        }
        let (recursive, forced) = (context.has(RECURSIVE), context.has(FORCE));
        match sys::mode(path, Follow::No) {
            Err(Errno::ENOENT | Errno::ENOTDIR) if forced => {}
            Err(error) => {
                context.fail(path, error);
            }
            Ok(mode) if mode & sys::TYPE == sys::DIRECTORY => {
                if recursive {
                    tree::remove(context, Fd::CWD, path);
                } else {
                    context.fail(path, Errno::EISDIR);
                }
            }
            Ok(_) => {
                let _ = context.outcome(path, sys::unlink(Fd::CWD, path, false));
            }
        }
    }
    Ok(())
}
