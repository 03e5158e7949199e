//! `sleep N|infinity`

use super::{Args, Outcome, number};
use crate::report;
use crate::sys;
use crate::text::eq;

/// Sleeps for N seconds or for ever. `linked`: a link has been made that leads into this process.
pub fn sleep(mut args: Args, run: bool, linked: bool) -> Outcome {
    args.options(b"")?;
    let word = args.required()?;
    args.end()?;
    let seconds = match number(word.bytes()) {
        Some(number) => Some(number.min(i64::MAX as u64) as i64),
        None if eq(word.bytes(), b"infinity") => None,
        None => return Err(args.refuse(word)),
    };
    if !run {
        return Ok(0);
    }
    // Whoever reads the model looks into this process from now on. Before, a script may still need its rights.
    if linked || seconds.is_none() {
        sys::drop_capabilities();
    }
    match sys::sleep(seconds) {
        Ok(()) => Ok(0),
        Err(error) => Ok(report::failed(args.name, b"ppoll", error)),
    }
}
