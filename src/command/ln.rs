//! `ln -s[f][n][T][v] TARGET... [LINK]`
//!
//! A symbolic link at the link's path is always replaced and never followed: it is what an earlier start of a
//! ModelCar has left, and where it leads now is chance (the number it names may be another process's). Each
//! replacement is one rename, so there is no moment without a link.
//!
//! In copy mode (`MODELCAR_MODE=copy`) a link into the process's own root becomes a copy of what it would show.

use super::{Context, Done, cp, option};
use crate::report::{self, MISSING};
use crate::sys::{self, Errno, Fd, Follow, Rename};
use crate::text::ZStr;
use crate::z;

const SYMBOLIC: u32 = option("ln", 's');
const FORCE: u32 = option("ln", 'f');
const NO_DIRECTORY: u32 = option("ln", 'T');
const VERBOSE: u32 = option("ln", 'v');

/// Makes symbolic links; with `-f` also in the place of a file; inside, if a directory is there.
pub(super) fn run(context: &mut Context) -> Done {
    if !context.has(SYMBOLIC) {
        return Err(context.refuse(z!("-s"), MISSING));
    }
    if !context.run {
        return Ok(());
    }
    let words = context.words;
    let (targets, path) = match words {
        // Without a second operand the link goes into the current directory.
        [_] => (words, z!(".")),
        [targets @ .., last] => (targets, last.get()),
        [] => return Ok(()),
    };
    // Several links have no room in the place of one.
    if targets.len() > 1 {
        let place = context.path(path, z!(""));
        if sys::mode(place, Follow::No).map(|mode| mode & sys::TYPE) != Ok(sys::DIRECTORY) {
            return Err(context.fail(path, Errno::ENOTDIR));
        }
    }
    for target in targets {
        let target = target.get();
        if context.copies()?
            && let Some(source) = own(context, target)
        {
            let _ = copy(context, source, path);
        } else {
            let _ = link(context, target, path);
        }
    }
    Ok(())
}

fn link(context: &mut Context, target: ZStr, path: ZStr) -> Done {
    // On a fresh volume this is all.
    let mut place = path;
    let mut made = sys::symlink(target, Fd::CWD, place);
    if made == Err(Errno::EEXIST) {
        place = context.path(path, z!(""));
        let kind = |place| sys::mode(place, Follow::No).map_or(0, |mode| mode & sys::TYPE);
        let mut there = kind(place);
        let mut force = context.has(FORCE);
        if there == sys::DIRECTORY && !context.has(NO_DIRECTORY) {
            // A directory takes the link inside, where again something may be in the way.
            let base = context.path(target.base(), z!(""));
            place = context.path(place, base);
            made = sys::symlink(target, Fd::CWD, place);
            there = kind(place);
        } else if !path.is(place) {
            force = false; // with a slash at its end a path is not a file's to replace
        }
        let replace = there == sys::SYMLINK || force && there != sys::DIRECTORY;
        if replace && made == Err(Errno::EEXIST) {
            // Nobody can foresee the name, and whatever has it stays.
            let new = cp::temporary(context, place, context.start.random & 0xffff_ffff);
            made = sys::symlink(target, Fd::CWD, new);
            if made.is_ok() {
                made = sys::rename(Fd::CWD, new, place, Rename::Replace);
                if made.is_err() {
                    let _ = sys::unlink(Fd::CWD, new, false); // the error to report is the rename's
                }
            }
        }
    }
    context.outcome(place, made)?;
    report::line(context.streams.error, report::PROGRAM, place, z!(" -> "), target, z!(""));
    context.linked = true;
    if context.has(VERBOSE) {
        context.say_link(place, target)?;
    }
    Ok(())
}

/// The path in the process's own root that `target` means, if it is `/proc/PID/root/...` of this process.
fn own<'a>(context: &mut Context<'a>, target: ZStr<'a>) -> Option<ZStr<'a>> {
    let mark = context.memory.mark();
    context.memory.extend(z!("/proc/"));
    context.memory.push_digits(sys::getpid().into(), 10);
    context.memory.extend(z!("/root"));
    let own = context.memory.string(mark);
    context.memory.release(mark);
    target.after(own).filter(|rest| rest.first() == '/')
}

/// Copies the tree in the place of the link to it.
#[cold]
#[inline(never)]
fn copy<'a>(context: &mut Context<'a>, source: ZStr<'a>, path: ZStr<'a>) -> Done {
    let mut target = context.path(path, z!(""));
    // Into a directory only where a link would go nowhere else; else what is there may be an earlier copy.
    if !path.is(target) || path.is_dots() {
        let base = context.path(source.base(), z!(""));
        target = context.path(path, base);
    }
    if let Some((files, bytes)) = sys::working(|| cp::replace(context, source, target)) {
        let mark = context.memory.mark();
        let memory = &mut context.memory;
        memory.push_digits(files, 10);
        memory.extend(z!(" files, "));
        memory.push_digits(bytes, 10);
        memory.extend(z!(" bytes: "));
        memory.extend(source);
        let what = memory.string(mark);
        report::copied(context.streams.error, what, target);
    }
    Ok(())
}
