//! `test EXPRESSION`, `[ EXPRESSION ]`

use super::{Args, Outcome};
use crate::report::{self, NOT_CLOSED, NOT_SUPPORTED, Refused};
use crate::sys::{self, CWD, Follow};
use crate::text::eq;

/// True (0) or false (1).
pub fn test(args: Args, run: bool) -> Outcome {
    let mut words = args;
    let mut count = 0;
    let mut last = None;
    while let Some(word) = words.word() {
        last = Some(word);
        count += 1;
    }
    if eq(args.name, b"[") {
        if !last.is_some_and(|word| eq(word.bytes(), b"]")) {
            return Err(report::refuse(args.name, args.name, NOT_CLOSED));
        }
        count -= 1;
    }
    Ok(u8::from(!holds(args, count, run)?))
}

/// Whether the next `count` words hold: `[]`, `[STRING]`, `[! ...]`, `[-d PATH]` and its like.
fn holds(mut args: Args, mut count: usize, run: bool) -> Result<bool, Refused> {
    let mut negate = false;
    loop {
        let Some(word) = args.word().filter(|_| count > 0) else { return Ok(negate) };
        if count == 1 {
            return Ok(word.bytes().is_empty() == negate);
        }
        count -= 1;
        if eq(word.bytes(), b"!") {
            negate = !negate;
            continue;
        }
        let operand = args.word().filter(|_| count == 1);
        let (Some(operand), [b'-', letter @ (b'd' | b'e' | b'f' | b'L' | b'n' | b'z')]) = (operand, word.bytes())
        else {
            return Err(report::refuse(args.name, b"expression", NOT_SUPPORTED));
        };
        let empty = operand.bytes().is_empty();
        let holds = match letter {
            b'n' => !empty,
            b'z' => empty,
            _ if !run => false,
            letter => {
                let follow = if *letter == b'L' { Follow::No } else { Follow::Yes };
                sys::status(CWD, operand, follow).is_ok_and(|status| match letter {
                    b'd' => status.is_directory(),
                    b'f' => status.is_regular(),
                    b'L' => status.is_symlink(),
                    _ => true,
                })
            }
        };
        return Ok(holds != negate);
    }
}
