//! The same commands on the same files, here and with real tools: what they print, how they end, what is there then.

use crate::{End, Program, Sandbox, Setup};
use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::fs::{self, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

/// Who runs a command, and how.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user, and the group of the same number.
    pub uid: u32,
    /// The bits kept from what is made.
    pub umask: u32,
    /// The most bytes of memory that it may map.
    pub memory: Option<u64>,
}

impl Default for Caller {
    fn default() -> Caller {
        Caller { uid: 0, umask: 0o022, memory: None }
    }
}

/// All that can be seen of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How it ended.
    pub end: End,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// Each file below the volume: kind, permission bits, owner, content or its hash, and the time if it is an old one.
    pub tree: BTreeMap<OsString, String>,
    /// What it complained of.
    pub stderr: String,
}

impl Seen {
    /// Whether it succeeded.
    pub fn good(&self) -> bool {
        self.end == End::Code(0)
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A sandbox with a volume at `/mnt`, which each run finds as `prepare` makes it.
pub struct Place {
    sandbox: Sandbox,
}

impl Place {
    /// With this program in it. The volume is a file system in memory, of some hundred megabytes.
    pub fn new(program: Program) -> Place {
        let mut sandbox = Sandbox::new(program);
        sandbox.tmpfs("/mnt", "size=400m,mode=777");
        Place { sandbox }
    }

    /// The same with the volume on disk.
    pub fn on_disk(program: Program) -> Place {
        Place { sandbox: Sandbox::with(program, &Setup { volume: Some("/mnt".into()), ..Setup::default() }) }
    }

    /// The volume.
    pub fn volume(&self) -> PathBuf {
        self.sandbox.path("/mnt")
    }

    /// The whole of it.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Runs `argv` in the volume, made anew.
    pub fn run(&self, prepare: impl FnOnce(&Files), argv: &[&str], caller: &Caller) -> Seen {
        self.prepare(prepare);
        self.again(argv, caller)
    }

    /// Makes the volume anew.
    pub fn prepare(&self, prepare: impl FnOnce(&Files)) {
        Files::at(&self.volume(), prepare);
    }

    /// Runs `argv` in the volume as it is.
    pub fn again(&self, argv: &[&str], caller: &Caller) -> Seen {
        let (end, stdout, stderr) = self.output(argv, caller);
        Seen { end, stdout, tree: tree(&self.volume()), stderr }
    }

    /// Runs `argv` in the volume as it is; what came of it but for the files.
    pub fn output(&self, argv: &[&str], caller: &Caller) -> (End, Vec<u8>, String) {
        let mut command = self.sandbox.command(argv).cwd("/mnt").user(caller.uid, caller.uid).umask(caller.umask);
        command = command.env("LC_ALL=C").env("TZ=UTC");
        if let Some(bytes) = caller.memory {
            command = command.limit(libc::RLIMIT_AS, bytes);
        }
        let (process, end) = command.run();
        (end, process.stdout_bytes(), process.stderr())
    }
}

/// Where a run's files are made. All are of a certain past day, and whoever may not write them can still read them.
pub struct Files(PathBuf);

impl Files {
    /// 2001-09-09 01:46:40, when the others were made.
    pub const TIME: i64 = 1_000_000_000;

    /// Removes all that is in a directory, and makes it anew.
    pub fn at(volume: &Path, prepare: impl FnOnce(&Files)) {
        for entry in fs::read_dir(volume).expect("the volume") {
            remove(&entry.expect("a name").path());
        }
        fs::set_permissions(volume, Permissions::from_mode(0o777)).expect("the volume");
        lchown(volume, Some(0), Some(0)).expect("the volume");
        prepare(&Files(volume.into()));
        set_time(volume, Files::TIME);
    }

    /// Where it is on the machine.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A directory, and those above it.
    pub fn directory(&self, name: &str, mode: u32) -> &Files {
        let path = self.path(name);
        fs::create_dir_all(&path).expect(name);
        self.finish(name, Some(mode))
    }

    /// A file.
    pub fn file(&self, name: &str, mode: u32, content: impl AsRef<[u8]>) -> &Files {
        fs::write(self.path(name), content).expect(name);
        self.finish(name, Some(mode))
    }

    /// A symbolic link.
    pub fn link(&self, name: &str, target: &str) -> &Files {
        symlink(target, self.path(name)).expect(name);
        self.finish(name, None)
    }

    /// A pipe.
    pub fn fifo(&self, name: &str) -> &Files {
        let path = CString::new(self.path(name).as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: a NUL-terminated string.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o644) }, 0, "{name}");
        self.finish(name, Some(0o644))
    }

    /// Gives it to this user and group.
    pub fn owner(&self, name: &str, id: u32) -> &Files {
        let mode = fs::symlink_metadata(self.path(name)).expect(name).permissions();
        lchown(self.path(name), Some(id), Some(id)).expect(name);
        if !self.path(name).is_symlink() {
            fs::set_permissions(self.path(name), mode).expect(name); // lchown clears set-user-id
        }
        self
    }

    /// Gives it this time of the last change.
    pub fn time(&self, name: &str, seconds: i64) -> &Files {
        set_time(&self.path(name), seconds);
        self
    }

    /// Gives all below it, and it, the old time: what is made in a directory changes that.
    pub fn old(&self) -> &Files {
        fn all(path: &Path) {
            if path.is_dir() && !path.is_symlink() {
                for entry in fs::read_dir(path).expect("a directory") {
                    all(&entry.expect("a name").path());
                }
            }
            set_time(path, Files::TIME);
        }
        for entry in fs::read_dir(&self.0).expect("the volume") {
            all(&entry.expect("a name").path());
        }
        self
    }

    fn finish(&self, name: &str, mode: Option<u32>) -> &Files {
        if let Some(mode) = mode {
            fs::set_permissions(self.path(name), Permissions::from_mode(mode)).expect(name);
        }
        set_time(&self.path(name), Files::TIME);
        self
    }
}

fn set_time(path: &Path, seconds: i64) {
    let name = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
    let time = libc::timespec { tv_sec: seconds, tv_nsec: 0 };
    // SAFETY: a NUL-terminated string and two times.
    let result =
        unsafe { libc::utimensat(libc::AT_FDCWD, name.as_ptr(), [time, time].as_ptr(), libc::AT_SYMLINK_NOFOLLOW) };
    assert_eq!(result, 0, "{}", path.display());
}

/// Removes whatever it is.
pub fn remove(path: &Path) {
    let meta = fs::symlink_metadata(path).expect("a file");
    let removed = if meta.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Times behind this one are those of the run.
pub const NOW: i64 = 1_500_000_000;

/// What is below a directory, as [`Seen::tree`] has it.
pub fn tree(root: &Path) -> BTreeMap<OsString, String> {
    let mut tree = BTreeMap::new();
    let mut rest = vec![PathBuf::new()];
    while let Some(inside) = rest.pop() {
        let path = root.join(&inside);
        let meta = fs::symlink_metadata(&path).expect("a file");
        let kind = meta.file_type();
        let mode = meta.mode() & 0o7777;
        let mut what = match kind {
            _ if kind.is_symlink() => format!("-> {:?}", fs::read_link(&path).expect("a link")),
            _ if kind.is_dir() => format!("directory {mode:04o}"),
            _ if kind.is_fifo() => format!("fifo {mode:04o}"),
            _ if kind.is_file() => {
                let content = fs::read(&path).expect("a file");
                let mut hash = DefaultHasher::new();
                content.hash(&mut hash);
                let short = String::from_utf8_lossy(content.get(..20).unwrap_or(&content)).into_owned();
                format!("file {mode:04o} {short:?} {} {:x}", content.len(), hash.finish())
            }
            _ => format!("other {mode:04o}"),
        };
        what += &format!(" of {}:{}", meta.uid(), meta.gid());
        if meta.mtime() < NOW {
            what += &format!(" at {}", meta.mtime());
        }
        if meta.is_dir() {
            rest.extend(
                fs::read_dir(&path).expect("a directory").map(|entry| inside.join(entry.expect("").file_name())),
            );
        }
        if !inside.as_os_str().is_empty() {
            tree.insert(inside.into_os_string(), what);
        }
    }
    tree
}

/// What is in the one and not the same in the other, for a message.
pub fn difference(ours: &Seen, theirs: &Seen) -> String {
    let mut text = String::new();
    let mut line = |what: String| text += &(what + "\n");
    line(format!("here:  {:?} {:?}", ours.end, ours.stderr));
    line(format!("there: {:?} {:?}", theirs.end, theirs.stderr));
    if ours.stdout != theirs.stdout {
        line(format!("here prints\n{}there\n{}", ours.text(), theirs.text()));
    }
    for (path, what) in &ours.tree {
        if theirs.tree.get(path) != Some(what) {
            line(format!("  here:  {path:?} {what}"));
        }
    }
    for (path, what) in &theirs.tree {
        if ours.tree.get(path) != Some(what) {
            line(format!("  there: {path:?} {what}"));
        }
    }
    text
}
