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
        let copied = if path.is(z!("-")) {
            tree::copy_content(context, context.streams.input, output)
        } else {
            sys::open(Fd::CWD, path, flags::READ, 0).and_then(|file| tree::copy_content(context, file.fd(), output))
        };
        let _ = context.outcome(path, copied);
        let Some(next) = context.next() else { return Ok(()) };
        path = next;
    }
}
