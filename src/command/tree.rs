//! Walking a tree of files, and copying what is in a file.
//!
//! Memory and stack do not grow with the number of files in a directory, and by some forty bytes and a name for each
//! level of depth. One directory is open at a time, or two: the way up is `..`, and that it is the directory which
//! was left is compared; whoever moves directories meanwhile can end the walk, not lead it elsewhere. A symbolic link is
//! never followed.

use super::cp::Copy;
use super::{Context, Done};
use crate::directory::{Entry, Names};
use crate::memory::Mark;
use crate::sys::{self, Errno, Fd, Follow, Open, Stat, flags};
use crate::text::ZStr;
use crate::z;

/// Before or after what is below.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The first time; the answer is whether to go down.
    Before,
    /// Of a directory, when all below it is done.
    After,
}

/// What is done to each file. An error, which it has reported, ends nothing but that it does not go down there.
pub(super) type Visit = for<'c, 'a> fn(&mut Walk<'c, 'a>, Step) -> Done<bool>;

/// A walk, and where it stands.
pub(super) struct Walk<'c, 'a> {
    pub context: &'c mut Context<'a>,
    /// How many directories lie between the operand and the file at hand.
    pub depth: usize,
    /// The type of the file at hand, as its directory tells.
    pub kind: u8,
    /// Something has been changed since this was last set to false.
    pub changed: bool,
    /// Nothing else is to be visited.
    pub over: bool,
    /// A walk that copies: where to.
    pub copy: Option<&'c mut Copy<'a>>,
    /// The directory in which the operand's name is looked up.
    root: Fd,
    /// The directory at hand, but at depth 0, and which it is.
    open: Option<Open>,
    identity: [u64; 2],
    /// The path of the file at hand, as the user would write it, and where in it the name begins.
    path: Mark,
    name: usize,
    names: Names,
    visit: Visit,
}

/// Walks `path`, which is looked up from `root`.
pub(super) fn walk<'c, 'a>(
    context: &'c mut Context<'a>,
    root: Fd,
    path: ZStr,
    copy: Option<&'c mut Copy<'a>>,
    visit: Visit,
) {
    let (before, numbers) = (context.memory.mark(), context.memory.numbers());
    let names = Names::new(&mut context.memory);
    let mark = context.memory.mark();
    context.memory.extend(path);
    context.memory.push('\0');
    let mut walk = Walk {
        context,
        depth: 0,
        kind: Entry::UNKNOWN,
        changed: false,
        over: false,
        copy,
        root,
        open: None,
        identity: [0; 2],
        path: mark,
        name: 0,
        names,
        visit,
    };
    walk.run();
    let Walk { context, .. } = walk;
    context.memory.release(before);
    context.memory.release_numbers(numbers);
}

impl<'a> Walk<'_, 'a> {
    /// The directory in which [`Walk::name`] is looked up.
    pub(super) fn directory(&self) -> Fd {
        self.open.as_ref().map_or(self.root, Open::fd)
    }

    /// The name of the file at hand; at depth 0 its path.
    pub(super) fn name(&self) -> ZStr<'a> {
        self.context.memory.at(self.path, self.name)
    }

    /// The path of the file at hand.
    pub(super) fn path(&self) -> ZStr<'a> {
        self.context.memory.at(self.path, 0)
    }

    fn run(&mut self) {
        let mut down = self.visit(Step::Before);
        loop {
            if down {
                let gone = self.down();
                if self.said(gone).is_none() && self.depth == 0 {
                    return;
                }
            } else if self.depth == 0 {
                return;
            }
            if self.over {
                return;
            }
            let next = self.names.next(&self.context.memory, self.directory());
            if let Some(Some(entry)) = self.said(next) {
                self.kind = entry.kind;
                self.context.memory.cut(self.path, self.name);
                self.context.memory.extend(entry.name);
                self.context.memory.push('\0');
                down = self.visit(Step::Before);
            } else {
                if self.over {
                    return;
                }
                let up = self.up();
                if self.said(up).is_none() {
                    return; // there is no way back to what is left
                }
                down = self.visit(Step::After);
            }
        }
    }

    fn visit(&mut self, step: Step) -> bool {
        (self.visit)(self, step).unwrap_or(false) && !self.over
    }

    /// Says what is wrong, if something is, about the file at hand. A copy ends there.
    fn said<T>(&mut self, result: Result<T, Errno>) -> Option<T> {
        let done = self.context.outcome(self.path(), result).ok();
        self.over |= done.is_none() && self.copy.is_some();
        done
    }

    /// Makes the directory at hand the one whose names are visited.
    fn down(&mut self) -> Result<(), Errno> {
        // The operand itself may be a link to one.
        let how = if self.depth == 0 { flags::DIRECTORY } else { flags::SUBDIRECTORY };
        let open = sys::open(self.directory(), self.name(), how, 0)?;
        let identity = identity(open.fd())?;
        let memory = &mut self.context.memory;
        let length = self.name + memory.at(self.path, self.name).len();
        for number in [self.identity[0], self.identity[1], self.names.place(), self.name as u64, length as u64] {
            memory.push_number(number);
        }
        memory.cut(self.path, length);
        if !memory.ends_with(self.path, '/') {
            memory.push('/');
        }
        self.name = memory.length(self.path);
        memory.push('\0');
        self.names.begin();
        self.open = Some(open);
        self.identity = identity;
        self.depth += 1;
        Ok(())
    }

    /// Makes the directory whose names were visited the file at hand.
    fn up(&mut self) -> Result<(), Errno> {
        let memory = &mut self.context.memory;
        let mut number = || memory.pop_number();
        let (length, name, place) = (number() as usize, number() as usize, number());
        let second = number();
        let above = [number(), second];
        memory.cut(self.path, length);
        memory.push('\0');
        self.name = name;
        self.depth -= 1;
        let left = self.open.take();
        if let (Some(left), 1..) = (left, self.depth) {
            let open = back(left.fd(), above)?;
            self.names.go_on(open.fd(), place)?;
            self.open = Some(open);
        }
        self.identity = above;
        Ok(())
    }
}

/// Which directory it is: device and inode.
pub(super) fn identity(directory: Fd) -> Result<[u64; 2], Errno> {
    sys::stat(directory, z!(""), Follow::Yes, &mut Stat::buffer()).map(Stat::identity)
}

/// The directory above `directory`, if it is still `above`.
pub(super) fn back(directory: Fd, above: [u64; 2]) -> Result<Open, Errno> {
    let open = sys::open(directory, z!(".."), flags::SUBDIRECTORY, 0)?;
    if identity(open.fd())? == above { Ok(open) } else { Err(Errno::ESTALE) }
}

/// Removes the tree `path`; that it is not there is no error. Returns whether nothing is left of it.
pub(super) fn remove(context: &mut Context, root: Fd, path: ZStr) -> bool {
    let status = context.status;
    context.status = 0;
    walk(context, root, path, None, visit_remove);
    let removed = context.status == 0;
    context.status |= status;
    removed
}

fn visit_remove(walk: &mut Walk, step: Step) -> Done<bool> {
    let (directory, name, path) = (walk.directory(), walk.name(), walk.path());
    let after = step == Step::After;
    let mut is_directory = after || walk.kind == Entry::DIRECTORY;
    if !after && walk.kind == Entry::UNKNOWN {
        match sys::stat(directory, name, Follow::No, &mut Stat::buffer()) {
            Err(Errno::ENOENT) => return Ok(false),
            stat => is_directory = walk.context.outcome(path, stat)?.is(sys::DIRECTORY),
        }
    }
    if is_directory && !after {
        // An empty one goes at once, though it may not be read.
        let removed = sys::unlink(directory, name, true);
        walk.changed |= removed.is_ok();
        // A link with a slash behind it: what it leads to stays.
        if removed == Err(Errno::ENOTDIR) {
            return Err(walk.context.fail(path, Errno::ENOTDIR));
        }
        return Ok(removed.is_err());
    }
    match sys::unlink(directory, name, is_directory) {
        Ok(()) => walk.changed = true,
        // Some file systems count names from the beginning, and so pass over some while others are removed.
        Err(Errno::ENOTEMPTY) if walk.changed && walk.context.status == 0 => {
            walk.changed = false;
            return Ok(true);
        }
        // What is left in it has been said.
        Err(Errno::ENOTEMPTY) if walk.context.status != 0 => {}
        Err(Errno::ENOENT) => {}
        Err(error) => return Err(walk.context.fail(path, error)),
    }
    Ok(false)
}

/// How many bytes a system call is to copy at once: the largest number that all of them take.
const MOST: usize = 1 << 30;

/// Copies what `from`, which is `path`, holds from where it stands, to `to`. copy_file_range(2), sendfile(2), read(2) and
/// write(2), the first that the files allow. What fails in reading has been said; what fails in writing is returned.
pub(super) fn copy_content(context: &mut Context, from: Fd, path: ZStr, to: Fd) -> Done<Result<(), Errno>> {
    for shared in [true, false] {
        let mut copied = 0;
        // Whatever an error is: reading and writing meet it, too, and tell of which file it is.
        while let Ok(more) = sys::transfer(from, to, MOST, shared) {
            if more == 0 {
                // Files of /proc have no size: only reading tells.
                if copied == 0 {
                    break;
                }
                return Ok(Ok(()));
            }
            copied = more;
        }
    }
    const BUFFER: usize = 64 << 10;
    let mark = context.memory.reserve(BUFFER);
    let buffer = context.memory.cells(mark);
    context.memory.release(mark);
    loop {
        let read = sys::read(from, buffer);
        let read = context.outcome(path, read)?;
        let written = sys::write_all(to, buffer.get(..read).unwrap_or_default());
        if read == 0 || written.is_err() {
            return Ok(written);
        }
    }
}
