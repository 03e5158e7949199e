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

/// Why: the text for `error`, or nothing if there is none here.
pub fn reason(error: Errno) -> ZStr<'static> {
    REASONS.find(0x80 + error.number()).rest()
}

/// As strerror(3) has it, for what the calls of this program can meet: 0x80 and the error number, the text, newline.
const REASONS: ZStr = ZStr::new(
    c"\
    \x81Operation not permitted\n\
    \x82No such file or directory\n\
    \x85Input/output error\n\
    \x89Bad file descriptor\n\
    \x8cCannot allocate memory\n\
    \x8dPermission denied\n\
    \x90Device or resource busy\n\
    \x91File exists\n\
    \x94Not a directory\n\
    \x9cNo space left on device\n\
    \x9eRead-only file system\n\
    \xa4File name too long",
);
