//! `ln -s[f][n] TARGET [LINK]`
//!
//! A symbolic link at the link's path is always replaced and never followed: it is what an earlier start of a
//! ModelCar has left, and where it leads now is chance (the number it names may be another process's). Each
//! replacement is one rename, so there is no moment without a link.

use super::{Args, Outcome, State};
use crate::report;
use crate::sys::{self, CWD, Errno, Follow, Status, ZStr};

/// What a new link is called until it is renamed: the link's name and this. Always the same, so that what a
/// killed process has left is found by the next one.
pub const SUFFIX: &[u8] = b".link-model-and-wait";

/// Makes a symbolic link; with `-f` also in the place of a file; inside, if a directory is there.
pub fn ln(mut args: Args, free: &mut [u8], run: bool, state: &mut State) -> Outcome {
    let options = args.options(b"sfn")?;
    let target = args.required()?;
    // Without a second operand the link goes into the current directory.
    let path = args.operand().unwrap_or(ZStr::DOT);
    args.end()?;
    if options & 1 == 0 {
        return Err(report::refuse(args.name, b"hard link", report::NOT_SUPPORTED));
    }
    if !run {
        return Ok(0);
    }
    let status = link(args.name, target, path, options & 2 != 0, free);
    state.linked |= status == 0;
    Ok(status)
}

fn link(name: &[u8], target: ZStr, path: ZStr, force: bool, free: &mut [u8]) -> u8 {
    let failed = |path: ZStr, error| report::failed(name, path.bytes(), error);
    // On a fresh volume this is all.
    match sys::symlink(target, path) {
        Ok(()) => return done(target, path),
        Err(Errno::EEXIST) => {}
        Err(error) => return failed(path, error),
    }

    // Something is in the way. A directory takes the link inside, where again something may be in the way.
    let out_of_memory = || failed(path, Errno::ENOMEM);
    let (memory, more) = free.split_at_mut_checked(free.len() / 2).unwrap_or_default();
    let stem = trim(path.bytes());
    let Some(mut place) = ZStr::join(memory, [stem, b"", b""]) else { return out_of_memory() };
    let mut there = sys::status(CWD, place, Follow::No);
    if there.as_ref().is_ok_and(Status::is_directory) {
        let base = trim(target.bytes()).rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let Some(inside) = ZStr::join(memory, [stem, b"/", base]) else { return out_of_memory() };
        place = inside;
        match sys::symlink(target, place) {
            Ok(()) => return done(target, place),
            Err(Errno::EEXIST) => there = sys::status(CWD, place, Follow::No),
            Err(error) => return failed(place, error),
        }
    }
    match there {
        Ok(there) if there.is_symlink() || force && !there.is_directory() => {}
        Ok(_) => return failed(place, Errno::EEXIST),
        Err(error) => return failed(place, error),
    }

    // A new name, then one rename.
    let Some(new) = ZStr::join(more, [place.bytes(), SUFFIX, b""]) else { return out_of_memory() };
    let mut made = sys::symlink(target, new);
    if made == Err(Errno::EEXIST) && sys::status(CWD, new, Follow::No).is_ok_and(|there| there.is_symlink()) {
        // A start that was killed here has left it.
        made = sys::unlink(new).and_then(|()| sys::symlink(target, new));
    }
    if let Err(error) = made {
        return failed(new, error);
    }
    if let Err(error) = sys::rename(new, place) {
        let _ = sys::unlink(new); // the error to report is the rename's
        return failed(place, error);
    }
    done(target, place)
}

/// Says where the link is and where it leads.
fn done(target: ZStr, link: ZStr) -> u8 {
    report::line(report::PROGRAM, link.bytes(), b" -> ", target.bytes());
    0
}

/// `path` without slashes at its end, unless it is nothing else.
fn trim(mut path: &[u8]) -> &[u8] {
    while let [stem @ .., b'/'] = path
        && !stem.is_empty()
    {
        path = stem;
    }
    path
}
