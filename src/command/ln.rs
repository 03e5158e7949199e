//! `ln -s[f][n] TARGET [LINK]`
//!
//! A symbolic link at the link's path is always replaced and never followed: it is what an earlier start of a
//! ModelCar has left, and where it leads now is chance (the number it names may be another process's). Each
//! replacement is one rename, so there is no moment without a link.

use crate::memory::ZStr;
use crate::report::{self, MISSING};
use crate::shell::Shell;
use crate::sys::{self, Errno, Follow};

impl<'a> Shell<'a> {
    /// Makes a symbolic link; with `-f` also in the place of a file; inside, if a directory is there.
    pub(super) fn ln(&mut self) -> u8 {
        let mut options = self.options(const { ZStr::new(c"sfn") });
        let target = self.operand();
        // Without a second operand the link goes into the current directory.
        let path = self.words.next().unwrap_or(ZStr::DOT);
        self.end();
        if options & 1 == 0 {
            self.refuse(const { ZStr::new(c"-s") }, MISSING);
        }
        if !self.run {
            return 0;
        }
        // On a fresh volume this is all.
        let mut place = path;
        let mut made = sys::symlink(target, place);
        if made == Err(Errno::EEXIST) {
            place = self.path(path, 0, ZStr::EMPTY);
            let mut there = sys::mode(place, Follow::No);
            if sys::is(there, sys::DIRECTORY) {
                // A directory takes the link inside, where again something may be in the way.
                place = self.path(place, b'/', base(target));
                made = sys::symlink(target, place);
                there = sys::mode(place, Follow::No);
            } else if place.len() != path.len() {
                options = 0; // with a slash at its end a path is not a file's to replace
            }
            let force = options & 2 != 0;
            let replace = sys::is(there, sys::SYMLINK) || force && !sys::is(there, sys::DIRECTORY);
            if replace && made == Err(Errno::EEXIST) {
                let link = place;
                // Always the same name, so that what a killed process has left is found by the next one.
                place = self.path(link, b'.', report::PROGRAM);
                if sys::is(sys::mode(place, Follow::No), sys::SYMLINK) {
                    // If it can't be removed, the next step says so.
                    let _ = sys::unlink(place);
                }
                made = sys::symlink(target, place);
                if made.is_ok() {
                    made = sys::rename(place, link);
                    if made.is_err() {
                        let _ = sys::unlink(place); // the error to report is the rename's
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
