//! `mkdir [-p] DIRECTORY...`

use super::{Args, Outcome};
use crate::report;
use crate::sys::{self, CWD, Errno, Follow, ZStr};

/// Makes directories; with `-p` also those above them, and one that is there is no error.
pub fn mkdir(mut args: Args, free: &mut [u8], run: bool) -> Outcome {
    let parents = args.options(b"p")? != 0;
    let mut next = Some(args.required()?);
    let mut status = 0;
    while let Some(path) = next {
        if run {
            status |= make(args.name, path, parents, free);
        }
        next = args.operand();
    }
    Ok(status)
}

fn make(name: &[u8], path: ZStr, parents: bool, free: &mut [u8]) -> u8 {
    for (index, &byte) in path.bytes_with_nul().iter().enumerate() {
        if byte == 0 || parents && byte == b'/' && index > 0 {
            let prefix = path.bytes().get(..index).unwrap_or_default();
            let Some(prefix) = ZStr::join(free, [prefix, b"", b""]) else {
                return report::failed(name, prefix, Errno::ENOMEM);
            };
            if let Err(error) = sys::mkdir(prefix) {
                let there = sys::status(CWD, prefix, Follow::Yes).is_ok_and(|status| status.is_directory());
                if !(parents && there) {
                    return report::failed(name, prefix.bytes(), error);
                }
            }
        }
    }
    0
}
