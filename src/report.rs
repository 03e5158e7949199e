//! What the user reads: one line, one write, on standard error. KServe shows the last of them as the pod's message.

use crate::sys::{self, Errno, Fd};
use crate::text::ZStr;
use crate::z;

/// The program's name, before a line that is not about one command.
pub const PROGRAM: ZStr = z!("link-model-and-wait");

/// The language does not have it.
pub const NOT_SUPPORTED: ZStr = z!("not supported");
/// It does not belong where it stands.
pub const UNEXPECTED: ZStr = z!("unexpected");
/// A quotation or expression has no end.
pub const NOT_CLOSED: ZStr = z!("not closed");
/// It has to be there.
pub const MISSING: ZStr = z!("missing");

/// Between the parts of a line.
pub const COLON: ZStr = z!(": ");

/// `WHO: WHAT<separator>WHY<more>`
pub fn line(to: Fd, who: ZStr, what: ZStr, separator: ZStr, why: ZStr, more: ZStr) {
    sys::message(to, &[who, COLON, what, separator, why, more, z!(""), z!("")]);
}

/// `PROGRAM: copied WHAT -> TARGET`
#[cold]
#[inline(never)]
pub fn copied(to: Fd, what: ZStr, target: ZStr) {
    sys::message(to, &[PROGRAM, z!(": copied "), what, z!(" -> "), target, z!(""), z!(""), z!("")]);
}

/// `WHO: WHAT: ` and the text for `error`, or `error` and its number if there is none here.
#[cold]
#[inline(never)]
pub fn failure(to: Fd, who: ZStr, what: ZStr, error: Errno) {
    let number = error.number();
    let mut pieces =
        [who, COLON, what, COLON, REASONS.find(char::from(0x80 | number as u8)).rest(), z!(""), z!(""), z!("")];
    if let [.., text, hundreds, tens, ones] = &mut pieces
        && text.is_empty()
    {
        *text = z!("error ");
        if number > 99 {
            *hundreds = digit(number / 100);
        }
        if number > 9 {
            *tens = digit(number / 10 % 10);
        }
        *ones = digit(number % 10);
    }
    sys::message(to, &pieces);
}

/// A digit; what follows it is another line.
fn digit(number: u32) -> ZStr<'static> {
    let mut digits = z!("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    for _ in 0..2 * number {
        digits = digits.rest();
    }
    digits
}

/// As strerror(3) has it, for what the calls of this program can meet: 0x80 and the error number, the text, newline.
const REASONS: ZStr = ZStr::new(
    c"\
    \x81Operation not permitted\n\
    \x82No such file or directory\n\
    \x85Input/output error\n\
    \x86No such device or address\n\
    \x89Bad file descriptor\n\
    \x8bResource temporarily unavailable\n\
    \x8cCannot allocate memory\n\
    \x8dPermission denied\n\
    \x90Device or resource busy\n\
    \x91File exists\n\
    \x92Invalid cross-device link\n\
    \x93No such device\n\
    \x94Not a directory\n\
    \x95Is a directory\n\
    \x96Invalid argument\n\
    \x97Too many open files in system\n\
    \x98Too many open files\n\
    \x9aText file busy\n\
    \x9bFile too large\n\
    \x9cNo space left on device\n\
    \x9dIllegal seek\n\
    \x9eRead-only file system\n\
    \x9fToo many links\n\
    \xa0Broken pipe\n\
    \xa4File name too long\n\
    \xa6Function not implemented\n\
    \xa7Directory not empty\n\
    \xa8Too many levels of symbolic links\n\
    \xa9statx refused (needs Linux 4.11, and a seccomp filter that knows it)\n\
    \xc7Value too large for defined data type\n\
    \xdfOperation not supported\n\
    \xf4Stale file handle\n\
    \xfaDisk quota exceeded\n",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_lines() {
        assert!(digit(0).find('\n').len() == 19 && digit(7).first() == '7' && digit(9).line_len() == 1);
    }
}
