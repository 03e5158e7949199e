//! `echo [-n] [WORD]...`

use super::Outcome;
use crate::report::{self, NOT_SUPPORTED};
use crate::text::eq;

/// Prints the words with blanks between them, and a newline unless `-n`. Backslashes stay as they are: shells differ.
pub fn echo(name: &[u8], words: &mut [u8], run: bool) -> Outcome {
    let mut text = words;
    let mut newline = true;
    loop {
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(0);
        let word = text.get(..end).unwrap_or_default();
        let Some((b'-', letters @ [_, ..])) = word.split_first() else { break };
        if !letters.iter().all(|letter| matches!(letter, b'n' | b'e' | b'E')) {
            break;
        }
        // Beyond a single -n, shells disagree on which words are options.
        if !eq(letters, b"n") || !newline {
            return Err(report::refuse(name, word, NOT_SUPPORTED));
        }
        newline = false;
        text = text.get_mut(end + 1..).unwrap_or_default();
    }
    if !run {
        return Ok(0);
    }
    // In place: the NUL behind each word becomes a blank, the last one a newline.
    for byte in text.iter_mut() {
        if *byte == 0 {
            *byte = b' ';
        }
    }
    let text: &[u8] = match text.split_last_mut() {
        None if newline => b"\n",
        None => b"",
        Some((_, words)) if !newline => words,
        Some((last, _)) => {
            *last = b'\n';
            text
        }
    };
    Ok(super::print(name, text))
}
