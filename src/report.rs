//! What the user reads: one line, one write, on standard error. KServe shows the last of them as the pod's message.

use crate::memory::ZStr;
use crate::sys::{self, Errno};

/// The program's name, before a line that is not about one command.
pub const PROGRAM: ZStr = ZStr::new(c"link-model-and-wait");

/// The language does not have it.
pub const NOT_SUPPORTED: ZStr = ZStr::new(c"not supported");
/// It does not belong where it stands.
pub const UNEXPECTED: ZStr = ZStr::new(c"unexpected");
/// A quotation or expression has no end.
pub const NOT_CLOSED: ZStr = ZStr::new(c"not closed");

/// It has to be there.
pub const MISSING: ZStr = ZStr::new(c"missing");

/// Between the parts of a line.
pub const COLON: ZStr = ZStr::new(c": ");

/// `WHO: WHAT<separator>WHY`
pub fn line(who: ZStr, what: ZStr, separator: ZStr, why: ZStr) {
    sys::message(&[who, COLON, what, separator, why]);
}

/// Says who failed, on what, and why.
pub fn failed(who: ZStr, what: ZStr, error: Errno) {
    let mut digits = [0; DIGITS];
    let number = error.number();
    let known = REASONS.iter().position(|&byte| u16::from(byte) == 0x80 + number);
    let reason = match known {
        Some(index) => ZStr::at(REASONS, index + 1),
        None => decimal(number.into(), &mut digits),
    };
    line(who, what, COLON, reason);
}

/// As strerror(3) has it, for what the calls of this program can meet: 0x80 and the error number, the text, NUL.
const REASONS: &[u8] = b"\
    \x81Operation not permitted\0\
    \x82No such file or directory\0\
    \x85Input/output error\0\
    \x89Bad file descriptor\0\
    \x8cCannot allocate memory\0\
    \x8dPermission denied\0\
    \x90Device or resource busy\0\
    \x91File exists\0\
    \x94Not a directory\0\
    \x9cNo space left on device\0\
    \x9eRead-only file system\0\
    \xa4File name too long\0";

/// Bytes that [`decimal`] needs: for the largest number and a NUL.
pub const DIGITS: usize = 11;

/// `number` in decimal, at the end of `digits`.
pub fn decimal(mut number: u32, digits: &mut [u8; DIGITS]) -> ZStr<'_> {
    let [digits_only @ .., last] = digits;
    *last = 0;
    let mut first = digits_only.len();
    for digit in digits_only.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first -= 1;
        if number == 0 {
            break;
        }
    }
    ZStr::at(digits, first)
}
