//! `touch FILE...`

use super::{Context, Done};
use crate::sys::{self, Errno, Fd, Follow, flags};

/// Makes files that are not there, and gives the others the present time.
pub(super) fn run(context: &mut Context) -> Done {
    if !context.run {
        return Ok(());
    }
    while let Some(path) = context.next() {
        let mut touched = sys::set_times(Fd::CWD, Some(path), None, Follow::Yes);
        if touched == Err(Errno::ENOENT) {
            touched = sys::open(Fd::CWD, path, flags::TOUCH, 0o666).map(drop);
        }
        let _ = context.outcome(path, touched);
    }
    Ok(())
}
