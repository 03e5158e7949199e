//! `test EXPRESSION`, `[ EXPRESSION ]`

use super::{Context, Done};
use crate::report::{NOT_CLOSED, NOT_SUPPORTED};
use crate::sys::{self, Errno, Fd, Follow, Stat};
use crate::table;
use crate::text::ZStr;
use crate::z;

table! {
    /// Operators before one operand: behind those that are about a type of file stand the type bits of its mode, as a
    /// letter: `@` and the bits.
    OPERATORS: Operator {
        DIRECTORY "-d" "D";
        REGULAR "-f" "H";
        EXISTS "-e" "";
        NOT_EMPTY "-n" "";
        EMPTY "-z" "";
        SIZE "-s" "";
        LINK "-L" "J";
        LINK_TOO "-h" "J";
        READ "-r" "";
        WRITE "-w" "";
        EXECUTE "-x" "";
    }
}

const _: () = assert!('@' as u32 + (sys::DIRECTORY >> 12) == 'D' as u32);
const _: () =
    assert!('@' as u32 + (sys::REGULAR >> 12) == 'H' as u32 && '@' as u32 + (sys::SYMLINK >> 12) == 'J' as u32);

/// True (0) or false (1): as POSIX has it for up to four words, which only their number tells apart.
pub(super) fn run(context: &mut Context) -> Done {
    if context.name.base().is(z!("[")) {
        match context.words {
            [rest @ .., last] if last.get().is(z!("]")) => context.words = rest,
            _ => return Err(context.refuse(context.name, NOT_CLOSED)),
        }
    }
    let mut negate = false;
    let holds = loop {
        match context.words {
            [] => break false,
            [word] => break !word.get().is_empty(),
            [left, operator, right] if let Some(equal) = binary(operator.get()) => {
                break left.get().is(right.get()) == equal;
            }
            [not, rest @ ..] if not.get().is(z!("!")) => {
                negate = !negate;
                context.words = rest;
            }
            [operator, operand] => {
                let (found, row) = Operator::find(operator.get());
                if found == Operator::UNKNOWN {
                    return Err(context.refuse(operator.get(), NOT_SUPPORTED));
                }
                let operand = operand.get();
                break context.run && unary(context, found, row.first(), operand);
            }
            [_, operator, ..] => {
                for word in context.words {
                    let word = word.get();
                    if word.is(z!("-a")) || word.is(z!("-o")) {
                        return Err(context.refuse_for(word, z!("use two tests with && or ||")));
                    }
                }
                return Err(context.refuse(operator.get(), NOT_SUPPORTED));
            }
        }
    };
    if context.run {
        context.status = u8::from(holds == negate);
    }
    Ok(())
}

/// Whether an operator between two strings wants them to be the same.
fn binary(operator: ZStr) -> Option<bool> {
    if operator.is(z!("=")) {
        return Some(true);
    }
    operator.is(z!("!=")).then_some(false)
}

fn unary(context: &mut Context, operator: Operator, kind: char, operand: ZStr) -> bool {
    match operator {
        Operator::NOT_EMPTY | Operator::EMPTY => operand.is_empty() == (operator == Operator::EMPTY),
        Operator::READ => sys::access(operand, 4),
        Operator::WRITE => sys::access(operand, 2),
        Operator::EXECUTE => sys::access(operand, 1),
        _ => {
            let follow = if kind == 'J' { Follow::No } else { Follow::Yes };
            let mut buffer = Stat::buffer();
            let stat = match sys::stat(Fd::CWD, operand, follow, &mut buffer) {
                Ok(stat) => stat,
                Err(error) => {
                    // All else says what it was asked: that there is no such file.
                    if error == Errno::NO_STATX {
                        context.fail(operand, error);
                    }
                    return false;
                }
            };
            match operator {
                Operator::EXISTS => true,
                Operator::SIZE => stat.size > 0,
                _ => kind as u32 == '@' as u32 + (stat.mode() >> 12),
            }
        }
    }
}
