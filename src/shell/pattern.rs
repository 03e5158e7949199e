//! Patterns: which names a word with `*`, `?` or `[...]` stands for.
//!
//! Source: POSIX.1-2024, XCU 2.14, Pattern Matching Notation. In a pattern a backslash stands before each character that
//! means itself.

use crate::command::Context;
use crate::command::ls::sort;
use crate::directory::Names;
use crate::sys::{self, Fd, Follow, flags};
use crate::text::ZStr;
use crate::z;

/// Uses the words that `pattern` stands for, sorted; if there are none, itself as one.
pub(super) fn expand<'a>(context: &mut Context<'a>, pattern: ZStr<'a>) {
    let mark = context.memory.mark();
    below(context, z!(""), pattern);
    let words = context.memory.words(mark);
    if words.is_empty() {
        let mark = context.memory.mark();
        push_literal(context, pattern, '\0');
        let word = context.memory.string(mark);
        context.memory.push_word(word);
    }
    sort(words);
}

/// The same below the path `head`, which has been found.
fn below<'a>(context: &mut Context<'a>, head: ZStr<'a>, pattern: ZStr<'a>) {
    // What is no pattern up to the last slash before one belongs to the head.
    let (mut rest, mut literal, mut special) = (pattern, pattern, false);
    while !rest.is_empty() {
        match rest.first() {
            '\\' => rest = rest.rest(),
            '/' if special => break,
            '/' => literal = rest.rest(),
            '*' | '?' | '[' => special = true,
            _ => {}
        }
        rest = rest.rest();
    }
    let mark = context.memory.mark();
    context.memory.extend(head);
    let mut begin = pattern;
    while begin != literal {
        if begin.first() == '\\' {
            begin = begin.rest();
        }
        context.memory.push(begin.first());
        begin = begin.rest();
    }
    if !special {
        push_literal(context, literal, '\0');
        let path = context.memory.string(mark);
        if sys::mode(path, Follow::No).is_ok() {
            context.memory.push_word(path);
        }
        return;
    }
    let head = context.memory.string(mark);
    let directory = if head.is_empty() { z!(".") } else { head };
    let Ok(open) = sys::open(Fd::CWD, directory, flags::DIRECTORY, 0) else { return };
    let mut names = Names::new(&mut context.memory);
    while let Ok(Some(entry)) = names.next(&context.memory, open.fd()) {
        if !matches(literal, entry.name) || entry.name.first() == '.' && literal.first() != '.' {
            continue;
        }
        let mark = context.memory.mark();
        context.memory.extend(head);
        context.memory.extend(entry.name);
        if rest.is_empty() {
            let path = context.memory.string(mark);
            context.memory.push_word(path);
        } else {
            context.memory.push('/');
            let path = context.memory.string(mark);
            below(context, path, rest.rest());
        }
    }
}

/// Uses the characters that `pattern` has, up to `end`, without the backslashes.
fn push_literal(context: &mut Context, mut pattern: ZStr, end: char) {
    while pattern.first() != end && !pattern.is_empty() {
        if pattern.first() == '\\' {
            pattern = pattern.rest();
        }
        context.memory.push(pattern.first());
        pattern = pattern.rest();
    }
}

/// Whether `pattern`, up to a slash or its end, stands for `name`.
fn matches(mut pattern: ZStr, mut name: ZStr) -> bool {
    // Where the last `*` was, and what it has to begin with next: one is enough, for an earlier one takes the least.
    let mut star: Option<(ZStr, ZStr)> = None;
    loop {
        let character = pattern.first();
        let fits = match character {
            '*' => {
                pattern = pattern.rest();
                star = Some((pattern, name));
                continue;
            }
            '\0' | '/' if name.is_empty() => return true,
            _ if name.is_empty() => false,
            '\0' | '/' => false,
            '?' => {
                pattern = pattern.rest();
                true
            }
            '[' => match bracket(pattern.rest(), name.first()) {
                Some((rest, fits)) => {
                    pattern = rest;
                    fits
                }
                None => {
                    pattern = pattern.rest();
                    name.first() == '['
                }
            },
            _ => {
                if character == '\\' {
                    pattern = pattern.rest();
                }
                let fits = pattern.first() == name.first();
                pattern = pattern.rest();
                fits
            }
        };
        if fits {
            name = name.rest();
            continue;
        }
        let Some((after, at)) = star else { return false };
        if at.is_empty() {
            return false;
        }
        (pattern, name) = (after, at.rest());
        star = Some((after, name));
    }
}

/// What follows a bracket expression, and whether it stands for `character`; none if it has no end.
fn bracket(mut pattern: ZStr, character: char) -> Option<(ZStr, bool)> {
    let negate = pattern.first() == '!';
    if negate {
        pattern = pattern.rest();
    }
    let mut fits = false;
    let mut first = true;
    loop {
        let mut low = pattern.first();
        match low {
            '\0' | '/' => return None,
            ']' if !first => return Some((pattern.rest(), fits != negate)),
            '\\' => {
                pattern = pattern.rest();
                low = pattern.first();
            }
            _ => {}
        }
        first = false;
        pattern = pattern.rest();
        let mut high = low;
        if pattern.first() == '-' && !matches!(pattern.rest().first(), ']' | '\0') {
            pattern = pattern.rest();
            if pattern.first() == '\\' {
                pattern = pattern.rest();
            }
            high = pattern.first();
            pattern = pattern.rest();
        }
        fits |= (low..=high).contains(&character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (pattern, name, expected) in [
            (z!("*"), z!("abc"), true),
            (z!("a*c"), z!("abcbc"), true),
            (z!("a*c"), z!("abcb"), false),
            (z!("?"), z!(""), false),
            (z!("a?c"), z!("abc"), true),
            (z!("[a-c]x"), z!("bx"), true),
            (z!("[!a-c]x"), z!("bx"), false),
            (z!("[]a]"), z!("]"), true),
            (z!("[a"), z!("[a"), true),
            (z!("\\*"), z!("*"), true),
            (z!("\\*"), z!("a"), false),
            (z!("[a\\-c]"), z!("b"), false),
            (z!("*.bin/x"), z!("model.bin"), true),
            (z!(""), z!(""), true),
            (z!("**b*"), z!("aab"), true),
        ] {
            assert_eq!(matches(pattern, name), expected);
        }
    }
}
