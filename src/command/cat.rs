//! `cat [FILE]...`

use super::{Context, Done, tree};
use crate::sys::{self, Fd, flags};
use crate::z;

/// Copies files to standard output; `-`, or no file at all, is standard input.
pub(super) fn run(context: &mut Context) -> Done {
    if !context.run {
        return Ok(());
    }
    let output = context.streams.output;
    let mut path = context.next().unwrap_or(z!("-"));
    loop {
        let written = if path.is(z!("-")) {
            tree::copy_content(context, context.streams.input, path, output)
        } else {
            let file = sys::open(Fd::CWD, path, flags::READ, 0);
            match context.outcome(path, file) {
                Ok(file) => tree::copy_content(context, file.fd(), path, output),
                Err(failed) => Err(failed),
            }
        };
        if let Ok(written) = written {
            context.outcome(z!("stdout"), written)?;
        }
        let Some(next) = context.next() else { return Ok(()) };
        path = next;
    }
}
