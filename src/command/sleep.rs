//! `sleep TIME...`

use super::{Context, Done};
use crate::report::{self, NOT_SUPPORTED};
use crate::sys::{self, Errno, Fd};
use crate::text::ZStr;
use crate::z;

/// Sleeps for the sum of the times, or for ever.
pub(super) fn run(context: &mut Context) -> Done {
    let (mut seconds, mut nanoseconds) = (0_i64, 0_i64);
    let mut ever = false;
    while let Some(word) = context.next() {
        if word.is(z!("infinity")) || word.is(z!("inf")) {
            ever = true;
            continue;
        }
        let Some((more, part)) = time(word) else { return Err(context.refuse(word, NOT_SUPPORTED)) };
        seconds = seconds.saturating_add(more);
        nanoseconds += part;
        if nanoseconds >= SECOND {
            nanoseconds -= SECOND;
            seconds = seconds.saturating_add(1);
        }
    }
    if !context.run {
        return Ok(());
    }
    if ever {
        return wait(context);
    }
    if context.linked {
        let_in(context)?;
    }
    let slept = sys::sleep(seconds, nanoseconds);
    context.outcome(z!("clock_nanosleep"), slept)
}

/// Waits for ever.
pub(super) fn wait(context: &mut Context) -> Done {
    let_in(context)?;
    sys::wait(&context.start, cannot_wait)
}

/// Ends the process. It knows nothing but the kernel's `result`: the stack was given up.
#[cold]
extern "C-unwind" fn cannot_wait(result: isize) -> ! {
    if let Err(error) = Errno::unit(result) {
        report::failure(Fd::STDERR, report::PROGRAM, z!("ppoll"), error);
    }
    sys::exit(1)
}

/// Whoever reads the model looks into this process from now on. Before, a script may still need its rights.
fn let_in(context: &mut Context) -> Done {
    // Root has no need of it: whoever may look into its process is root, too.
    if context.linked && context.start.euid != 0 && context.user_namespace()? {
        sys::unshare_user();
    }
    sys::drop_capabilities();
    Ok(())
}

const SECOND: i64 = 1_000_000_000;

/// Seconds and nanoseconds of `1`, `1.5` or `.5`, and of minutes, hours and days with `m`, `h`, `d` behind them; none if
/// `word` is nothing like that. As many seconds as there are if it is more.
fn time(mut word: ZStr) -> Option<(i64, i64)> {
    let (mut seconds, mut part) = (0_i64, 0_i64);
    let mut scale = SECOND / 10; // of the next digit behind the point
    let (mut point, mut digits) = (false, false);
    loop {
        let character = word.first();
        word = word.rest();
        match character {
            '0'..='9' => {
                let digit = i64::from(character as u32 - '0' as u32);
                digits = true;
                if !point {
                    seconds = seconds.saturating_mul(10).saturating_add(digit);
                } else {
                    part += digit * scale;
                    scale /= 10; // behind the ninth digit nothing counts
                }
            }
            '.' if !point => point = true,
            _ => {
                let unit = match character {
                    '\0' | 's' => 1,
                    'm' => 60,
                    'h' => 3600,
                    'd' => 86400,
                    _ => return None,
                };
                let part = part * unit;
                let seconds = seconds.saturating_mul(unit).saturating_add(part / SECOND);
                return (digits && word.is_empty()).then_some((seconds, part % SECOND));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (word, expected) in [
            (z!("0"), Some((0, 0))),
            (z!("1.5"), Some((1, 500_000_000))),
            (z!(".5s"), Some((0, 500_000_000))),
            (z!("1."), Some((1, 0))),
            (z!("0.5m"), Some((30, 0))),
            (z!("365d"), Some((31_536_000, 0))),
            (z!("0.0000000019"), Some((0, 1))),
            (z!("0.12345678999999"), Some((0, 123_456_789))),
            (z!("99999999999999999999"), Some((i64::MAX, 0))),
            (z!(""), None),
            (z!("."), None),
            (z!("s"), None),
            (z!("1.5.1"), None),
            (z!("-1"), None),
            (z!("1ss"), None),
        ] {
            assert_eq!(time(word), expected);
        }
    }
}
