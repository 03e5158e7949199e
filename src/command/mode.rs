//! Permission bits as POSIX's chmod writes them: octal, or `u+rwX,go=u` and its like. As GNU's, special bits included.

use super::number;
use crate::text::ZStr;
use crate::z;

const SET_ID: u32 = 0o6000;
const ALL: u32 = 0o7777;

/// What `word` makes of `mode`, the bits of a directory or not, with `umask` for what names nobody; none if it is no mode.
pub(super) fn change(mut word: ZStr, mode: u32, directory: bool, umask: u32) -> Option<u32> {
    let mut bits = mode & ALL;
    if let Some(octal) = number::parse(word, 8) {
        // A directory keeps set-user-id and set-group-id unless they are named, or five digits are.
        let kept = if directory && word.len() < 5 { bits & SET_ID } else { 0 };
        return (octal <= ALL).then_some(octal | kept);
    }
    loop {
        let mut who = 0;
        loop {
            who |= match word.first() {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => ALL,
                _ => break,
            };
            word = word.rest();
        }
        loop {
            let operator = word.first();
            if !matches!(operator, '+' | '-' | '=') {
                return None;
            }
            word = word.rest();
            let mut value = 0;
            let copied = match word.first() {
                'u' => bits >> 6 & 7,
                'g' => bits >> 3 & 7,
                'o' => bits & 7,
                _ => 8, // none
            };
            if copied != 8 && matches!(word.first(), 'u' | 'g' | 'o') {
                word = word.rest();
                value = copied * 0o111;
            } else {
                loop {
                    value |= match word.first() {
                        'r' => 0o444,
                        'w' => 0o222,
                        'x' => 0o111,
                        'X' if directory || bits & 0o111 != 0 => 0o111,
                        'X' => 0,
                        's' => SET_ID,
                        't' => 0o1000,
                        _ => break,
                    };
                    word = word.rest();
                }
            }
            let affected = if who != 0 { who } else { ALL & !umask };
            // A directory's are left alone unless they are named.
            let named = if who != 0 { who & value } else { value };
            let left = if directory { SET_ID & !named } else { 0 };
            value &= affected & !left;
            bits = match operator {
                '+' => bits | value,
                '-' => bits & !value,
                _ => bits & ((if who != 0 { !who } else { 0 }) | left) | value,
            };
            if matches!(word.first(), '+' | '-' | '=') {
                continue;
            }
            break;
        }
        match word.first() {
            '\0' => return Some(bits),
            ',' => word = word.rest(),
            _ => return None,
        }
    }
}

/// Whether `word` is a mode.
pub(super) fn is_mode(word: ZStr) -> bool {
    word.after(z!("--")).is_none() && change(word, 0, false, 0).is_some()
}

/// Whether `word` names nobody somewhere, so that the umask counts.
pub(super) fn needs_umask(word: ZStr) -> bool {
    let mut before = ',';
    for character in word {
        if before == ',' && z!("+-=").has(character) {
            return true;
        }
        before = character;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_gnu() {
        for (word, mode, directory, expected) in [
            (z!("755"), 0o644, false, 0o755),
            (z!("755"), 0o2700, true, 0o2755),
            (z!("00755"), 0o2700, true, 0o755),
            (z!("a=rX"), 0o640, false, 0o444),
            (z!("a=rX"), 0o740, false, 0o555),
            (z!("a=rX"), 0o2700, true, 0o2555),
            (z!("a+rX"), 0o600, false, 0o644),
            (z!("g=u"), 0o640, false, 0o660),
            (z!("u=rwX,go=rX"), 0o700, true, 0o755),
            (z!("+x"), 0o600, false, 0o711),
            (z!("+w"), 0o400, false, 0o600),
            (z!("=r"), 0o777, false, 0o444),
            (z!("u+s,g-s"), 0o2755, true, 0o4755),
            (z!("o+t"), 0o755, true, 0o1755),
            (z!("a-w"), 0o666, false, 0o444),
            (z!("u-x+r"), 0o100, false, 0o400),
            (z!("a="), 0o777, false, 0),
            (z!("g+u"), 0o700, false, 0o770),
            (z!("a-g"), 0o100, false, 0o100),
        ] {
            assert_eq!(change(word, mode, directory, 0o022), Some(expected), "{mode:o} {directory} {expected:o}");
        }
    }

    #[test]
    fn no_modes() {
        for word in [z!(""), z!("x"), z!("u"), z!("u+q"), z!("a+r,"), z!(",a+r"), z!("888"), z!("77777"), z!("a+rg")] {
            assert!(!is_mode(word));
        }
    }
}
