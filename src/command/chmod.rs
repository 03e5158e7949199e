//! `chmod [-R] MODE PATH...`, where MODE is octal or `a=rX`

use super::{Args, Outcome};
use crate::report;
use crate::sys::{self, CWD, Errno, Follow, Names, ZStr};
use crate::text::eq;

/// Bytes kept for the path while a tree is walked: what the kernel takes, PATH_MAX, and the longest name.
const PATH: usize = 4096 + 256;

/// Sets permission bits; with `-R` of all below, where symbolic links stay as they are.
pub fn chmod(mut args: Args, free: &mut [u8], run: bool) -> Outcome {
    let recursive = args.options(b"R")? != 0;
    let word = args.required()?;
    let mut next = Some(args.required()?);
    let mode = match octal(word.bytes()) {
        Some(mode) => Some(mode),
        None if eq(word.bytes(), b"a=rX") => None,
        None => return Err(args.refuse(word)),
    };
    let mut change = Change { name: args.name, mode, recursive, status: 0 };
    while let Some(path) = next {
        if run {
            let (memory, free) = free.split_at_mut_checked(PATH).unwrap_or_default();
            match ZStr::join(memory, [path.bytes(), b"", b""]) {
                Some(_) => change.walk(memory, free, Follow::Yes),
                None => change.fail(path, Errno::ENAMETOOLONG),
            }
        }
        next = args.operand();
    }
    Ok(change.status)
}

fn octal(digits: &[u8]) -> Option<u16> {
    let mut mode = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 7 || mode > 0o777 {
            return None;
        }
        mode = mode << 3 | u16::from(digit);
    }
    if digits.is_empty() { None } else { Some(mode) }
}

struct Change<'a> {
    name: &'a [u8],
    /// None: readable for all, and executable for all what is a directory or executable for anyone.
    mode: Option<u16>,
    recursive: bool,
    status: u8,
}

impl Change<'_> {
    /// Changes the file whose path lies in `path`, which has room for those below it.
    fn walk(&mut self, path: &mut [u8], free: &mut [u8], follow: Follow) {
        let Some((this, _)) = ZStr::cut(path) else { return };
        let length = this.bytes().len();
        let names = match self.one(this, follow, free) {
            Ok(names) => names,
            Err(error) => return self.fail(this, error),
        };
        let (entries, free) = free.split_at_mut_checked(names).unwrap_or_default();
        for name in Names::new(entries) {
            if matches!(name.bytes(), b"." | b"..") {
                continue;
            }
            match ZStr::join(path.get_mut(length..).unwrap_or_default(), [b"/", name.bytes(), b""]) {
                Some(_) => self.walk(path, free, Follow::No),
                None => self.fail(name, Errno::ENAMETOOLONG),
            }
        }
        if let Some(end) = path.get_mut(length) {
            *end = 0;
        }
    }

    /// Changes one file. Returns how many bytes of entries it has read, if it is a directory to go into.
    fn one(&self, path: ZStr, follow: Follow, free: &mut [u8]) -> Result<usize, Errno> {
        let status = sys::status(CWD, path, follow)?;
        if status.is_symlink() {
            return Ok(0);
        }
        let anyone = if status.is_directory() || status.mode & 0o111 != 0 { 0o555 } else { 0o444 };
        sys::chmod(path, self.mode.unwrap_or(anyone))?;
        if !(self.recursive && status.is_directory()) {
            return Ok(0);
        }
        sys::open_directory(path)?.read_all(free)
    }

    fn fail(&mut self, path: ZStr, error: Errno) {
        self.status = report::failed(self.name, path.bytes(), error);
    }
}
