//! What the user reads: one line, one write, on standard error. KServe shows the last of them as the pod's message.

use crate::sys::{self, Errno, ZStr};

/// The program's name, before a line that is not about one command.
pub const PROGRAM: &[u8] = b"link-model-and-wait";

/// The language does not have it; found before anything ran.
pub const NOT_SUPPORTED: &[u8] = b"not supported; nothing was run";
/// It does not belong where it stands; found before anything ran.
pub const UNEXPECTED: &[u8] = b"unexpected; nothing was run";

/// A quotation has no end; found before anything ran.
pub const NOT_CLOSED: &[u8] = b"not closed; nothing was run";

/// A script or command was refused, and a line says why.
pub struct Refused;

/// `WHO: WHAT<separator>WHY`
pub fn line(who: &[u8], what: &[u8], separator: &[u8], why: &[u8]) {
    sys::message(&[who.into(), b": ".as_slice().into(), what.into(), separator.into(), why.into(), NEWLINE.into()]);
}

const NEWLINE: &[u8] = b"\n";

/// Says what is refused and why.
pub fn refuse(who: &[u8], what: &[u8], why: &[u8]) -> Refused {
    line(who, what, b": ", why);
    Refused
}

/// Says which command failed, on what, and why; returns the exit status of a failed command.
pub fn failed(who: &[u8], what: &[u8], error: Errno) -> u8 {
    let mut digits = [0; 20];
    let number = u64::from(error.number());
    line(who, what, b": ", reason(error).unwrap_or_else(|| decimal(number, &mut digits)));
    1
}

/// As strerror(3) has it, for what the calls of this program can meet; the rest is known by number.
fn reason(error: Errno) -> Option<&'static [u8]> {
    const REASONS: &[u8] = b"\x01Operation not permitted\0\
        \x02No such file or directory\0\
        \x04Interrupted system call\0\
        \x05Input/output error\0\
        \x09Bad file descriptor\0\
        \x0cCannot allocate memory\0\
        \x0dPermission denied\0\
        \x10Device or resource busy\0\
        \x11File exists\0\
        \x14Not a directory\0\
        \x15Is a directory\0\
        \x16Invalid argument\0\
        \x18Too many open files\0\
        \x1bFile too large\0\
        \x1cNo space left on device\0\
        \x1eRead-only file system\0\
        \x1fToo many links\0\
        \x20Broken pipe\0\
        \x24File name too long\0\
        \x26Function not implemented\0\
        \x28Too many levels of symbolic links\0\
        \x7aDisk quota exceeded\0";
    let mut rest = REASONS;
    while let Some((&number, text)) = rest.split_first() {
        let (text, next) = ZStr::cut(text)?;
        if u16::from(number) == error.number() {
            return Some(text.bytes());
        }
        rest = next;
    }
    None
}

/// `number` in decimal, at the end of `digits`.
pub fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut first = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}
