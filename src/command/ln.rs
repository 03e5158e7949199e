//! `ln -s[f][n] TARGET [LINK]`
//!
//! A symbolic link at the link's path is always replaced and never followed: it is what an earlier start of a
//! ModelCar has left, and where it leads now is chance (the number it names may be another process's). Each
//! replacement is one rename, so there is no moment without a link.

use super::{MISSING, bit};
use crate::memory::ZStr;
use crate::report;
use crate::shell::Shell;
use crate::sys::{self, Errno, Follow};

impl<'a> Shell<'a> {
    /// Makes a symbolic link; with `-f` also in the place of a file; inside, if a directory is there.
    pub(super) fn ln(&mut self) {
        let target = self.operand();
        // Without a second operand the link goes into the current directory.
        let path = if self.words.is_empty() { const { ZStr::new(c".") } } else { self.operand() };
        if self.options & bit(b's') == 0 {
            self.refuse(const { ZStr::new(c"-s") }, MISSING);
        }
        if !self.run {
            return;
        }
        // On a fresh volume this is all.
        let mut place = path;
        let mut made = sys::symlink(target, place);
        if made == Err(Errno::EEXIST) {
            place = self.path(path, ZStr::EMPTY, ZStr::EMPTY);
            let mut there = sys::mode(place, Follow::No);
            if sys::is(there, sys::DIRECTORY) {
                // A directory takes the link inside, where again something may be in the way.
                place = self.path(place, const { ZStr::new(c"/") }, base(target));
                made = sys::symlink(target, place);
                there = sys::mode(place, Follow::No);
            } else if !path.is(place) {
                self.options = 0; // with a slash at its end a path is not a file's to replace
            }
            let replace =
                sys::is(there, sys::SYMLINK) || self.options & bit(b'f') != 0 && !sys::is(there, sys::DIRECTORY);
            if replace && made == Err(Errno::EEXIST) {
                let link = place;
                // Always the same name, so that what a killed process has left is found by the next one.
                place = self.path(link, const { ZStr::new(c".") }, report::PROGRAM);
                discard(place);
                made = sys::symlink(target, place);
                if made.is_ok() {
                    made = sys::rename(place, link);
                    if made.is_err() {
                        discard(place); // the error to report is the rename's
                    }
                    place = link;
                }
            }
        }
        if made.is_ok() {
            report::line(report::PROGRAM, place, const { ZStr::new(c" -> ") }, target);
            self.linked = true;
        }
        self.outcome(place, made)
    }
}

/// Removes what a killed process has left, or this one. If it can't be, the next step says so.
fn discard(place: ZStr) {
    if sys::is(sys::mode(place, Follow::No), sys::SYMLINK) {
        let _ = sys::unlink(place);
    }
}

/// The last name in `path`, with the slashes that may be behind it.
fn base(mut path: ZStr) -> ZStr {
    let mut base = path;
    while !path.is_empty() {
        let next = path.rest();
        if path.first() == b'/' && !matches!(next.first(), 0 | b'/') {
            base = next;
        }
        path = next;
    }
    base
}
