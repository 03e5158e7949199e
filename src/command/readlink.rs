//! `readlink [-n] LINK...`

use super::{Context, Done, option};
use crate::sys::{self, Fd};

const NO_NEWLINE: u32 = option("readlink", 'n');

/// Prints what symbolic links hold; without a newline only what a single one holds, as GNU does.
pub(super) fn run(context: &mut Context) -> Done {
    if !context.run {
        return Ok(());
    }
    let several = context.words.len() > 1;
    while let Some(path) = context.next() {
        let mark = context.memory.mark();
        match read(context, Fd::CWD, path) {
            Ok(()) => {
                if several || !context.has(NO_NEWLINE) {
                    context.memory.push('\n');
                }
                context.print(mark)?;
            }
            Err(error) => {
                context.fail(path, error);
            }
        }
    }
    Ok(())
}

/// Uses as many more bytes as the link `path` holds.
pub(super) fn read(context: &mut Context, directory: Fd, path: crate::text::ZStr) -> Result<(), sys::Errno> {
    const PATH_MAX: usize = 4096; // include/uapi/linux/limits.h; no link holds more
    let mark = context.memory.reserve(PATH_MAX);
    let length = sys::read_link(directory, path, context.memory.cells(mark));
    context.memory.release(mark);
    context.memory.reserve(length?);
    Ok(())
}
