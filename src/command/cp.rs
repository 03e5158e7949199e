//! `cp [-rRapdPfTv] SOURCE... DESTINATION`
//!
//! A name is taken only by what is whole. A file is written under another name, `.modelcar-` and a number, and renamed;
//! so is a directory that is not there yet, with all that is in it. The number comes of the name, so that what a killed
//! process has left is found by the next one and removed; what one still writes is locked, and then the number is random. What goes wrong ends the copy of that operand, and what was
//! written of it under another name is removed.

use super::{Context, Done, Failed, option, readlink, tree};
use crate::directory::Names;
use crate::report::UNEXPECTED;
use crate::sys::{self, Errno, Fd, Follow, Open, Rename, Stat, flags};
use crate::text::ZStr;
use crate::z;
use tree::{Step, Walk};

const RECURSIVE: u32 = option("cp", 'r') | option("cp", 'R') | option("cp", 'a');
const PRESERVE: u32 = option("cp", 'p') | option("cp", 'a');
const LINKS: u32 = RECURSIVE | option("cp", 'd') | option("cp", 'P');
const NO_DIRECTORY: u32 = option("cp", 'T');
const VERBOSE: u32 = option("cp", 'v');

/// Copies files, and with `-r` directories; symbolic links in them stay links. `-p`: with times, and owners where it may.
pub(super) fn run(context: &mut Context) -> Done {
    let [sources @ .., last] = context.words else { return Ok(()) };
    let destination = last.get();
    if sources.len() > 1 && context.has(NO_DIRECTORY) && (context.run || !context.pattern) {
        return Err(context.refuse(destination, UNEXPECTED));
    }
    if !context.run {
        return Ok(());
    }
    let several = sources.len() > 1;
    let is_directory = match sys::mode(destination, Follow::Yes) {
        Ok(mode) => mode & sys::TYPE == sys::DIRECTORY,
        // What replaces it will tell; a link that leads nowhere may be replaced by one.
        Err(_) if !several => false,
        Err(error) => return Err(context.fail(destination, error)),
    };
    let inside = !context.has(NO_DIRECTORY) && is_directory;
    if several && !inside {
        return Err(context.fail(destination, Errno::ENOTDIR));
    }
    let slash = ends_with_slash(destination);
    for source in sources {
        let source = source.get();
        let mark = context.memory.mark();
        let base = source.base();
        let inner = if inside && !base.is_dots() { base } else { z!("") };
        let target = context.path(destination, inner);
        let options = context.options;
        let mut job = Copy::new(source, target, options, slash && !inside);
        // A link in the destination's place is followed only as the directory that is copied into.
        job.follow = is_directory && inner.is_empty() && (inside || slash);
        copy(context, &mut job);
        context.memory.release(mark);
    }
    Ok(())
}

/// Copies the tree `source` to `target` in one step, in the place of a link, an empty directory or an earlier copy.
/// Returns how many files and bytes that were.
pub(super) fn replace<'a>(context: &mut Context<'a>, source: ZStr<'a>, target: ZStr<'a>) -> Option<(u64, u64)> {
    let mut job = Copy::new(source, target, RECURSIVE | PRESERVE, false);
    job.replace = true;
    copy(context, &mut job);
    (!job.failed).then_some((job.files, job.bytes))
}

fn copy<'a>(context: &mut Context<'a>, job: &mut Copy<'a>) {
    loop {
        tree::walk(context, Fd::CWD, job.source, Some(job), visit);
        if !core::mem::take(&mut job.again) {
            break;
        }
        job.to = None;
    }
    if job.fresh {
        // What was written of the tree that has not got its name.
        job.failed = true;
        let name = temporary(context, if job.fresh_depth == 0 { job.target } else { z!("") }, job.number);
        tree::remove(context, job.above.as_ref().map_or(Fd::CWD, Open::fd), name);
    }
}

fn ends_with_slash(path: ZStr) -> bool {
    path.last() == Some('/')
}

/// A copy, and where it stands.
pub(super) struct Copy<'a> {
    source: ZStr<'a>,
    target: ZStr<'a>,
    options: u32,
    /// The target must be a directory.
    directory: bool,
    /// Whatever bears the target's name is replaced.
    replace: bool,
    /// The target may be a link to a directory.
    follow: bool,
    /// The directory that is copied to, but at depth 0, and which it is.
    to: Option<Open>,
    identity: [u64; 2],
    /// The directory that all goes into: not to be copied itself.
    into: [u64; 2],
    /// Nobody sees yet what is written: it is in a tree that has not got its name.
    fresh: bool,
    /// Where that tree begins: its depth, the directory above, the number in its name for the time being.
    fresh_depth: usize,
    above: Option<Open>,
    number: u64,
    /// That tree, locked: as long as this is open, others see that it is not left behind.
    held: Option<Open>,
    /// Another copy took the tree's name first: what is copied goes into that one.
    again: bool,
    failed: bool,
    files: u64,
    bytes: u64,
}

/// The identity of no file. Not zeros: of many of them in a row LLVM makes a memset(3), which is not there.
const NONE: [u64; 2] = [u64::MAX; 2];

impl<'a> Copy<'a> {
    fn new(source: ZStr<'a>, target: ZStr<'a>, options: u32, directory: bool) -> Self {
        Copy {
            source,
            target,
            options,
            directory,
            replace: false,
            follow: false,
            to: None,
            identity: NONE,
            into: NONE,
            fresh: false,
            fresh_depth: 0,
            above: None,
            number: 0,
            held: None,
            again: false,
            failed: false,
            files: 0,
            bytes: 0,
        }
    }

    fn has(&self, options: u32) -> bool {
        self.options & options != 0
    }

    fn directory(&self) -> Fd {
        self.to.as_ref().map_or(Fd::CWD, Open::fd)
    }
}

fn visit(walk: &mut Walk, step: Step) -> Done<bool> {
    let Some(copy) = walk.copy.take() else { return Err(Failed) };
    let mark = walk.context.memory.mark();
    let done = match step {
        Step::Before => before(walk, copy),
        Step::After => after(walk, copy).map(|()| false),
    };
    walk.context.memory.release(mark);
    copy.failed |= done.is_err();
    walk.over |= done.is_err();
    walk.copy = Some(copy);
    done
}

/// The name of the file at hand where it is copied to.
fn name<'a>(walk: &Walk<'_, 'a>, copy: &Copy<'a>) -> ZStr<'a> {
    if walk.depth == 0 { copy.target } else { walk.name() }
}

/// The path of the file at hand where it is copied to, for a message.
fn path<'a>(walk: &mut Walk<'_, 'a>, copy: &Copy<'a>) -> ZStr<'a> {
    let mut below = walk.path();
    let mut source = copy.source;
    while !source.is_empty() && source.first() == below.first() {
        source = source.rest();
        below = below.rest();
    }
    while below.first() == '/' {
        below = below.rest();
    }
    walk.context.path(copy.target, below)
}

/// If `result` is an error, it is about what the file at hand is copied to.
fn outcome<'a>(walk: &mut Walk<'_, 'a>, copy: &Copy<'a>, result: Result<(), Errno>) -> Done {
    let Err(error) = result else { return Ok(()) };
    let path = path(walk, copy);
    Err(walk.context.fail(path, error))
}

/// A name for the time being, beside `target`.
pub(super) fn temporary<'a>(context: &mut Context<'a>, target: ZStr, number: u64) -> ZStr<'a> {
    let mark = context.memory.mark();
    let base = target.base();
    let mut rest = target;
    while rest != base && !rest.is_empty() {
        context.memory.push(rest.first());
        rest = rest.rest();
    }
    context.memory.extend(z!(".modelcar-"));
    context.memory.push_digits(number, 10);
    context.memory.string(mark)
}

/// A number that the next process makes of the same name, too. FNV-1a.
fn number(name: ZStr) -> u64 {
    let mut hash = 0x811c_9dc5_u32;
    for byte in name {
        hash = (hash ^ byte as u32).wrapping_mul(0x0100_0193);
    }
    hash.into()
}

/// What a copy begins as.
#[derive(Clone, Copy)]
enum New<'a> {
    /// A directory of that mode.
    Directory(u32),
    /// An empty file of that mode.
    File(u32),
    /// A symbolic link that holds that.
    Link(ZStr<'a>),
}

/// Makes something new and returns its name, and if it is a file, that: under the name itself if nobody sees it, else
/// under one for the time being. A link takes its own name if that is free.
fn make<'a>(walk: &mut Walk<'_, 'a>, copy: &mut Copy<'a>, new: New) -> Done<(ZStr<'a>, Option<Open>)> {
    let target = name(walk, copy);
    let mut place = target;
    // The name that the next copy finds, twice if what bore it could be removed, and then one that nobody foresees.
    let mut tries = if copy.fresh { 0 } else { 1 };
    if !copy.fresh && !matches!(new, New::Link(_)) {
        copy.number = number(target.base());
        place = temporary(walk.context, target, copy.number);
        tries = 2;
    }
    loop {
        let to = copy.directory();
        let mut held = true;
        let made = match new {
            New::Directory(mode) => sys::mkdir(to, place, mode).map(|()| {
                if !copy.fresh {
                    let open = sys::open(to, place, flags::SUBDIRECTORY, 0);
                    // It may be another's by now, who was killed.
                    let ours = |open: &Open| hold(open) && is_empty(walk.context, open.fd());
                    held = open.as_ref().map_or_else(|error| *error != Errno::ENOENT, ours);
                    copy.held = open.ok();
                }
                None
            }),
            New::File(mode) => sys::open(to, place, flags::NEW, mode).map(|file| {
                held = copy.fresh || hold(&file);
                Some(file)
            }),
            New::Link(text) => sys::symlink(text, to, place).map(|()| None),
        };
        let error = match made {
            Ok(file) if held => return Ok((place, file)),
            Ok(_) => Errno::EEXIST,
            Err(error) => error,
        };
        if error != Errno::EEXIST || tries == 0 {
            outcome(walk, copy, Err(error))?;
        }
        tries -= 1;
        copy.held = None;
        if tries == 0 || !is_left(walk.context, to, target, place) {
            tries = 0;
            copy.number = walk.context.start.random >> 32;
            place = temporary(walk.context, target, copy.number);
        }
    }
}

/// Locks what has just been made under a name that can be foreseen; false if somebody has taken it for left behind. Where
/// nothing can be locked nobody takes it.
fn hold(file: &Open) -> bool {
    let locked = sys::lock(file.fd());
    let links = sys::stat(file.fd(), z!(""), Follow::No, &mut Stat::buffer()).map(|stat| stat.links);
    locked != Err(Errno::EAGAIN) && links != Ok(0)
}

fn is_empty(context: &mut Context, directory: Fd) -> bool {
    let mark = context.memory.mark();
    let mut names = Names::new(&mut context.memory);
    let first = names.next(&context.memory, directory);
    context.memory.release(mark);
    !matches!(first, Ok(Some(_)))
}

/// Removes what a killed copy has left at `place`; false if somebody is writing it, or may be.
fn is_left(context: &mut Context, to: Fd, target: ZStr, place: ZStr) -> bool {
    let left = sys::open(to, place, flags::READ_FILE, 0);
    match &left {
        Ok(left) => {
            // Who wrote it may have renamed it by now. Where nothing can be locked it may be anybody's.
            let locked = sys::lock(left.fd());
            let there = sys::stat(to, place, Follow::No, &mut Stat::buffer()).map(Stat::identity);
            if locked.is_err() || there != tree::identity(left.fd()) {
                return false;
            }
        }
        Err(Errno::EACCES) => return false,
        Err(_) => {}
    }
    let (streams, status) = (context.streams, context.status);
    context.streams.error = Fd::CWD; // no file: what fails is not worth a line
    let removed = discard(context, to, target, place);
    (context.streams, context.status) = (streams, status);
    removed
}

fn before<'a>(walk: &mut Walk<'_, 'a>, copy: &mut Copy<'a>) -> Done<bool> {
    let mut buffer = Stat::buffer();
    let follow =
        if walk.depth == 0 && (!copy.has(LINKS) || ends_with_slash(copy.source)) { Follow::Yes } else { Follow::No };
    let stat = sys::stat(walk.directory(), walk.name(), follow, &mut buffer);
    let stat = walk.context.outcome(walk.path(), stat)?;
    if stat.identity() == copy.into {
        return Err(into_itself(walk, copy));
    }
    let result = match stat.mode() & sys::TYPE {
        sys::DIRECTORY => enter(walk, copy, stat),
        sys::REGULAR | sys::SYMLINK => leaf(walk, copy, stat, follow).map(|()| false),
        _ => Err(walk.context.fail(walk.path(), Errno::EOPNOTSUPP)),
    };
    // Not of a directory that was there already.
    if copy.has(VERBOSE) && result.as_ref().is_ok_and(|entered| !entered || copy.fresh) {
        let path = path(walk, copy);
        let from = walk.path();
        walk.context.say_link(from, path)?;
    }
    result
}

fn into_itself(walk: &mut Walk, copy: &Copy) -> Failed {
    walk.context.refuse(copy.target, z!("cannot copy a directory into itself"))
}

/// Whether `directory` is the one that `identity` tells, or below it.
#[cold]
#[inline(never)]
fn is_within(context: &mut Context, directory: Fd, identity: [u64; 2]) -> bool {
    let mark = context.memory.mark();
    let mut below = [0; 2];
    loop {
        let path = context.memory.string(mark);
        match sys::stat(directory, path, Follow::Yes, &mut Stat::buffer()).map(Stat::identity) {
            Ok(this) if this == identity => return true,
            // Above the root is the root.
            Ok(this) if this != below => below = this,
            _ => return false,
        }
        context.memory.strip(mark, '\0');
        context.memory.extend(z!("../"));
    }
}

/// Goes into a directory, which is made if it is not there.
fn enter<'a>(walk: &mut Walk<'_, 'a>, copy: &mut Copy<'a>, stat: &Stat) -> Done<bool> {
    if !copy.has(RECURSIVE) {
        return Err(walk.context.fail(walk.path(), Errno::EISDIR));
    }
    let mut place = name(walk, copy);
    let mut how = flags::SUBDIRECTORY;
    let (mut begins, mut made) = (false, true);
    if !copy.fresh {
        let follow = if walk.depth == 0 && copy.follow { Follow::Yes } else { Follow::No };
        match sys::stat(copy.directory(), place, follow, &mut Stat::buffer()).map(Stat::mode) {
            Ok(mode) if !copy.replace => {
                if mode & sys::TYPE != sys::DIRECTORY {
                    outcome(walk, copy, Err(Errno::ENOTDIR))?;
                }
                if follow == Follow::Yes {
                    how = flags::DIRECTORY;
                }
                made = false;
            }
            _ => begins = true,
        }
    }
    if made {
        (place, _) = make(walk, copy, New::Directory(stat.mode() & 0o1777 | 0o700))?;
    }
    if begins {
        (copy.fresh, copy.fresh_depth) = (true, walk.depth);
    }
    let opened = sys::open(copy.directory(), place, how, 0).and_then(|open| Ok((tree::identity(open.fd())?, open)));
    let (identity, open) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            if begins {
                copy.above = copy.to.take();
            }
            return outcome(walk, copy, Err(error)).map(|()| false);
        }
    };
    if walk.depth == 0 && is_within(walk.context, open.fd(), stat.identity()) {
        return Err(into_itself(walk, copy));
    }
    let memory = &mut walk.context.memory;
    memory.push_number(copy.identity[0]);
    memory.push_number(copy.identity[1]);
    memory.push_number(u64::from(begins) | u64::from(made) << 1);
    let before = copy.to.replace(open);
    if begins {
        copy.above = before;
    }
    copy.identity = identity;
    if walk.depth == 0 {
        copy.into = identity;
    }
    Ok(true)
}

/// Leaves a directory: what was made gets its attributes, and its name.
fn after<'a>(walk: &mut Walk<'_, 'a>, copy: &mut Copy<'a>) -> Done {
    let memory = &mut walk.context.memory;
    let how = memory.pop_number();
    let second = memory.pop_number();
    let above = [memory.pop_number(), second];
    let (begins, made) = (how & 1 != 0, how & 2 != 0);
    let target = name(walk, copy);
    let Some(left) = copy.to.take() else { return Err(Failed) };
    let mut place = target;
    if begins {
        // Still to be removed if something goes wrong, until it has its name.
        copy.to = copy.above.take();
        place = temporary(walk.context, target, copy.number);
    } else if walk.depth > 0 {
        match tree::back(left.fd(), above) {
            Ok(open) => copy.to = Some(open),
            Err(error) => return outcome(walk, copy, Err(error)),
        }
    }
    copy.identity = above;
    let mut buffer = Stat::buffer();
    let stat = sys::stat(walk.directory(), walk.name(), Follow::Yes, &mut buffer);
    let result = match walk.context.outcome(walk.path(), stat) {
        Ok(stat) => {
            let left = left.fd();
            attributes(copy, left, z!(""), stat);
            let mut done = Ok(());
            if made && !copy.has(PRESERVE) && stat.mode() & 0o700 != 0o700 {
                // It was made so that it could be written to; the umask is in what it got.
                let got = sys::stat(left, z!(""), Follow::No, &mut Stat::buffer()).map(Stat::mode);
                done = got.and_then(|got| sys::chmod(left, z!(""), got & 0o7777 & !(0o700 & !stat.mode())));
            }
            if begins && done.is_ok() {
                done = settle(walk.context, copy, place, target);
                copy.again = !copy.replace && matches!(done, Err(Errno::ENOTEMPTY | Errno::EEXIST));
            }
            if copy.again { Err(Failed) } else { outcome(walk, copy, done) }
        }
        Err(failed) => Err(failed),
    };
    if begins {
        copy.fresh = false;
        if result.is_err() {
            discard(walk.context, copy.directory(), target, place);
        }
        copy.held = None;
    }
    result
}

/// Gives a tree its name.
#[cold]
#[inline(never)]
fn settle(context: &mut Context, copy: &Copy, place: ZStr, target: ZStr) -> Result<(), Errno> {
    let to = copy.directory();
    if !copy.replace {
        return sys::rename(to, place, target, Rename::Replace);
    }
    let there = |name| sys::stat(to, name, Follow::No, &mut Stat::buffer()).map(|stat| (which(stat), stat.mode()));
    let record = record(context, target, there(place)?.0);
    if let Err(error) = sys::open(to, record, flags::NEW, 0o644)
        && error != Errno::EEXIST
    {
        return Err(error);
    }
    // In the place of nothing, and of an empty directory.
    if sys::rename(to, place, target, Rename::Replace).is_ok() {
        return Ok(());
    }
    let (which, mode) = there(target)?;
    if mode & sys::TYPE == sys::DIRECTORY {
        let record = self::record(context, target, which);
        if there(record).is_err() {
            return Err(Errno::EEXIST);
        }
    }
    // The old one will have the new one's name, and must not be taken for left behind.
    let old = sys::open(to, target, flags::SUBDIRECTORY, 0);
    let _ = old.as_ref().map(|old| sys::lock(old.fd()));
    if sys::rename(to, place, target, Rename::Exchange).is_ok() {
        // That the old one cannot be removed is said, but the new one is there.
        let status = context.status;
        discard(context, to, target, place);
        context.status = status;
        return Ok(());
    }
    // Some file systems cannot exchange.
    discard(context, to, target, target);
    sys::rename(to, place, target, Rename::Replace)
}

/// Which file of a directory's it is and was: the inode, which may become another file's, and when this one came to be.
fn which(stat: &Stat) -> [u64; 2] {
    [stat.inode, (stat.created.seconds as u64) << 32 | u64::from(stat.created.nanoseconds)]
}

/// What tells the next start that a directory is a copy, and not somebody's own: an empty file beside it, with what
/// [`which`] says of the directory in its name. It is there before the directory gets its name, so that there is no moment
/// without.
fn record<'a>(context: &mut Context<'a>, target: ZStr, which: [u64; 2]) -> ZStr<'a> {
    let mark = context.memory.mark();
    temporary(context, target, number(target.base()));
    context.memory.strip(mark, '\0');
    for number in which {
        context.memory.push('-');
        context.memory.push_digits(number, 10);
    }
    context.memory.string(mark)
}

/// Removes what is at `place`; before that what tells that it is a copy. Returns whether nothing is left of it.
#[cold]
#[inline(never)]
fn discard(context: &mut Context, to: Fd, target: ZStr, place: ZStr) -> bool {
    if let Ok(stat) = sys::stat(to, place, Follow::No, &mut Stat::buffer()) {
        let record = record(context, target, which(stat));
        let _ = sys::unlink(to, record, false);
    }
    tree::remove(context, to, place)
}

/// Copies a file, or a symbolic link.
fn leaf<'a>(walk: &mut Walk<'_, 'a>, copy: &mut Copy<'a>, stat: &Stat, follow: Follow) -> Done {
    let target = name(walk, copy);
    let (directory, from) = (walk.directory(), walk.name());
    let is_link = stat.is(sys::SYMLINK);
    if copy.directory && walk.depth == 0 {
        outcome(walk, copy, Err(Errno::ENOTDIR))?;
    }
    // What is there is replaced, if it is a file; it keeps its permissions, but no set-user-id: that was for what it held.
    let mut kept = None;
    if !copy.fresh {
        let mut buffer = Stat::buffer();
        let follow = if is_link { Follow::No } else { Follow::Yes };
        let there = sys::stat(copy.directory(), target, follow, &mut buffer);
        if !matches!(there, Err(Errno::ENOENT)) {
            let there = match there {
                Ok(there) => there,
                Err(error) => return outcome(walk, copy, Err(error)),
            };
            // Nor does a link take the place of what it leads to.
            let led = sys::stat(directory, from, Follow::Yes, &mut Stat::buffer()).map(Stat::identity);
            if there.identity() == stat.identity() || led == Ok(there.identity()) {
                let path = path(walk, copy);
                return Err(walk.context.refuse(path, z!("is the same file")));
            }
            outcome(
                walk,
                copy,
                match there.mode() & sys::TYPE {
                    sys::REGULAR => {
                        kept = Some(there.mode());
                        Ok(())
                    }
                    sys::SYMLINK => Ok(()),
                    sys::DIRECTORY => Err(Errno::EISDIR),
                    _ => Err(Errno::EOPNOTSUPP),
                },
            )?;
        }
    }
    let place;
    let file; // stays open, and so locked, until it has its name
    let mut done = Ok(());
    let mut said = false;
    if is_link {
        let mark = walk.context.memory.mark();
        let read = readlink::read(walk.context, directory, from);
        walk.context.outcome(walk.path(), read)?;
        let held = walk.context.memory.string(mark);
        (place, _) = make(walk, copy, New::Link(held))?;
        attributes(copy, copy.directory(), place, stat);
    } else {
        let how = if follow == Follow::Yes { flags::READ } else { flags::READ_FILE };
        let source = sys::open(directory, from, how, 0);
        let source = walk.context.outcome(walk.path(), source)?;
        (place, file) = make(walk, copy, New::File(stat.mode() & 0o777))?;
        if let Some(file) = &file {
            let file = file.fd();
            let copied = tree::copy_content(walk.context, source.fd(), walk.path(), file);
            said = copied.is_err();
            done = copied.unwrap_or(Err(Errno::EIO));
            if let (Ok(()), Some(mode), false) = (done, kept, copy.has(PRESERVE)) {
                done = sys::chmod(file, z!(""), mode & 0o777);
            }
            attributes(copy, file, z!(""), stat);
        }
    }
    if done.is_ok() && place != target {
        done = sys::rename(copy.directory(), place, target, Rename::Replace);
    }
    if done.is_err() {
        let _ = sys::unlink(copy.directory(), place, false);
    }
    if said {
        return Err(Failed);
    }
    copy.files += 1;
    copy.bytes += stat.size;
    outcome(walk, copy, done)
}

/// Gives the open `file`, or the link `path` in that directory, what `-p` wants, as far as it may: not everybody may give
/// files away, or set the times of others'. Never what has come by a file's name meanwhile.
fn attributes(copy: &Copy, file: Fd, path: ZStr, stat: &Stat) {
    if !copy.has(PRESERVE) {
        return;
    }
    let owned = sys::chown(file, path, stat).is_ok();
    let link = (!path.is_empty()).then_some(path);
    if link.is_none() {
        // Whose rights it would run with is another user's then.
        let mut mode = stat.mode() & if owned { 0o7777 } else { 0o1777 };
        if copy.replace && stat.is(sys::DIRECTORY) {
            mode |= 0o700; // the next start must be able to remove it
        }
        let _ = sys::chmod(file, path, mode);
    }
    let _ = sys::set_times(file, link, Some(stat), if link.is_some() { Follow::No } else { Follow::Yes });
}
