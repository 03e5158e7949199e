//! `echo [-n] [WORD]...`

use super::{Context, Done};
use crate::report::NOT_SUPPORTED;
use crate::z;

/// Prints the words with blanks between them, and a newline unless `-n`. Backslashes stay. Shells differ on them, and on
/// the options that are about them, which are refused.
pub(super) fn run(context: &mut Context) -> Done {
    let mut newline = true;
    while let [word, rest @ ..] = context.words
        && let Some(mut letters) = word.get().after(z!("-"))
        && !letters.is_empty()
        && letters.all(|letter| z!("neE").has(letter))
    {
        if word.get().has('e') || word.get().has('E') {
            return Err(context.refuse(word.get(), NOT_SUPPORTED));
        }
        newline = false;
        context.words = rest;
    }
    if !context.run {
        return Ok(());
    }
    let mark = context.memory.mark();
    while let Some(word) = context.next() {
        context.memory.extend(word);
        if !context.words.is_empty() {
            context.memory.push(' ');
        }
    }
    if newline {
        context.memory.push('\n');
    }
    context.print(mark)
}
