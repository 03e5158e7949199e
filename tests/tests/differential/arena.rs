//! Three equal roots, one for each shell, and a process of a fixed number in them.
//!
//! The roots last as long as the arena; between two runs only `/mnt` and `/models` are made anew, and scripts see all
//! else read-only. Everything is mounted in a namespace of the thread, which ends with it. There all of the machine's
//! own files are read-only too: neither a script that goes astray nor a test that follows its links can change them.

use super::setup::{Setup, Step};
use conformance::raw::{block, clone3, exit, set_action, wait_for_ever};
use conformance::{Arch, system_call};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{mem, ptr, thread};

/// Where the roots are, in a file system of their own that hides what is there: a directory that every machine has,
/// and that no test looks at.
const PLACE: &str = "/sys";

/// The commands that the shells have as they are; `ln` and `ls` have the listed differences worked in.
const TOOLS: [&str; 12] =
    ["mkdir", "chmod", "sleep", "echo", "true", "false", "test", "[", "cat", "readlink", "rm", "touch"];

/// What the number of each process is, in all three roots: what `$$` gives.
pub const PID: i32 = 4242;

/// Longer than any script takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Who runs a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shell {
    /// The file that ships.
    Ours,
    /// dash, with the machine's coreutils.
    Dash,
    /// BusyBox, with its own tools.
    Busybox,
}

impl Shell {
    pub const ALL: [Shell; 3] = [Shell::Ours, Shell::Dash, Shell::Busybox];
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Code(i32),
    Signal(i32),
    /// It sleeps, and the script has a sleep that may last; it was killed.
    Waits,
    /// It goes on and on; it was killed.
    Hangs,
}

/// All that can be seen of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub end: End,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub tree: BTreeMap<PathBuf, String>,
}

pub struct Arena {
    roots: Vec<Root>,
    stdout: File,
    stderr: File,
    stdin: File,
    init: OwnedFd,
    /// How long a script may run.
    pub patience: Duration,
}

struct Root {
    shell: Shell,
    /// Where the test writes.
    base: PathBuf,
    /// What the process sees: the same, but read-only apart from `/mnt`.
    view: CString,
}

impl Arena {
    pub fn new() -> Arena {
        // SAFETY: only this thread's view of mounts and its root and working directory become its own.
        check(unsafe { libc::unshare(libc::CLONE_FS | libc::CLONE_NEWNS) }).expect("a mount namespace: run as root");
        mount(None, Path::new("/"), libc::MS_REC | libc::MS_PRIVATE);
        all_read_only();
        let place = Path::new(PLACE);
        mount(Some(("tmpfs", "tmpfs")), place, 0);
        set_mode(place, 0o755);

        let mut roots = Vec::new();
        for shell in Shell::ALL {
            let base = place.join(format!("{shell:?}"));
            let view = place.join(format!("{shell:?}.view"));
            for path in [&base, &view, &base.join("proc"), &base.join("mnt"), &base.join("hits"), &base.join("bin")] {
                fs::create_dir(path).expect("a directory");
            }
            for difference in super::differences::all() {
                let hits = base.join("hits").join(difference.name);
                fs::write(&hits, "").expect("a file");
                set_mode(&hits, 0o666);
            }
            install(shell, &base);
            // `ls -la` shows the size of this directory, which is that of its names.
            for number in fs::read_dir(&base).expect("a directory").count()..12 {
                fs::write(base.join(number.to_string()), "").expect("a file");
            }
            bind(&base, &view);
            mount(None, &view, libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY);
            if shell == Shell::Dash {
                for name in ["lib", "lib64", "usr/lib", "real"] {
                    let from = Path::new("/").join(name.replace("real", "usr/bin"));
                    if base.join(name).is_dir() && !base.join(name).is_symlink() {
                        bind(&from, &view.join(name));
                        mount(None, &view.join(name), libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY);
                    }
                }
            }
            for name in ["mnt", "hits"] {
                bind(&base.join(name), &view.join(name));
            }
            roots.push(Root { shell, base, view: cstring(view.as_os_str().as_bytes()) });
        }

        // A namespace of process numbers, and a /proc that shows it, as a pod has it.
        let procs: Vec<CString> = roots.iter().map(|root| cstring([root.view.as_bytes(), b"/proc"].concat())).collect();
        let (pid, init) = clone3(libc::CLONE_NEWPID, None, || {
            // SAFETY: only system calls, on memory that was prepared before; it dies with this thread.
            unsafe {
                system_call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                for path in &procs {
                    let (kind, flags) = (c"proc".as_ptr(), libc::MS_RDONLY | libc::MS_NOSUID);
                    if system_call!(SYS_mount, kind, path.as_ptr(), kind, flags, 0) < 0 {
                        exit(1)
                    }
                }
                set_action(libc::SIGCHLD, libc::SIG_IGN);
                system_call!(SYS_close_range, 0, u32::MAX, 0);
                wait_for_ever()
            }
        })
        .expect("clone3");
        let deadline = Instant::now() + PATIENCE;
        while !procs.iter().all(|path| Path::new(OsStr::from_bytes(path.as_bytes())).join("1/stat").exists()) {
            assert!(Instant::now() < deadline, "/proc was not mounted");
            thread::sleep(Duration::from_millis(1));
        }
        let namespace = File::open(format!("/proc/{pid}/ns/pid")).expect("a PID namespace");
        // SAFETY: an open namespace and its kind; only this thread's next children are born in it.
        check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWPID) }).expect("setns");

        let (stdout, stderr) = (memory_file(), memory_file());
        let stdin = File::open("/dev/null").expect("/dev/null");
        Arena { roots, stdout, stderr, stdin, init, patience: PATIENCE }
    }

    /// Runs `script` in a root that was set up; `may_wait` says that it may sleep for ever.
    pub fn run(&mut self, shell: Shell, setup: &Setup, script: &[u8], may_wait: bool) -> Seen {
        let root = self.roots.iter().find(|root| root.shell == shell).expect("a root for each shell");
        root.prepare(setup);
        for file in [&mut self.stdout, &mut self.stderr] {
            file.set_len(0).expect("an empty file");
            file.seek(SeekFrom::Start(0)).expect("its start");
        }
        let end = self.execute(root, setup, script, may_wait);
        Seen { end, stdout: content(&self.stdout), stderr: content(&self.stderr), tree: root.tree() }
    }

    fn execute(&self, root: &Root, setup: &Setup, script: &[u8], may_wait: bool) -> End {
        let file = match root.shell {
            Shell::Ours => c"/bin/sh",
            Shell::Dash => c"/real/dash",
            Shell::Busybox => c"/bin/busybox",
        };
        let script = cstring(script);
        let argv = [c"sh".as_ptr(), c"-c".as_ptr(), script.as_ptr(), ptr::null()];
        let path = if setup.raw_tools { c"PATH=/real" } else { c"PATH=/bin" };
        let variables = [c"LC_ALL=C", c"V=value", c"N=d", c"EMPTY=", c"BLANK=two  words"];
        let env: Vec<_> = [path].into_iter().chain(variables).map(CStr::as_ptr).chain([ptr::null()]).collect();
        let (stdin, stdout, stderr) = (self.stdin.as_raw_fd(), self.stdout.as_raw_fd(), self.stderr.as_raw_fd());
        let uid = setup.uid;
        let child = || {
            // SAFETY: only system calls, on memory that was prepared before.
            unsafe {
                system_call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                system_call!(SYS_setpgid, 0, 0);
                for (fd, number) in [(stdin, 0), (stdout, 1), (stderr, 2)] {
                    system_call!(SYS_dup3, fd, number, 0);
                }
                system_call!(SYS_close_range, 3, u32::MAX, 0);
                system_call!(SYS_umask, 0o022);
                for signal in 1..=64 {
                    set_action(signal, libc::SIG_DFL); // fails for a few
                }
                block(&[]);
                if system_call!(SYS_chroot, root.view.as_ptr()) < 0 || system_call!(SYS_chdir, c"/mnt".as_ptr()) < 0 {
                    broken();
                }
                if uid != 0 {
                    system_call!(SYS_setgroups, 0, 0);
                    if system_call!(SYS_setresgid, uid, uid, uid) < 0 || system_call!(SYS_setresuid, uid, uid, uid) < 0
                    {
                        broken();
                    }
                    system_call!(SYS_prctl, libc::PR_SET_DUMPABLE, 1);
                }
                system_call!(SYS_execve, file.as_ptr(), argv.as_ptr(), env.as_ptr());
                broken();
            }
        };
        let deadline = Instant::now() + PATIENCE;
        let (pid, pidfd) = loop {
            match clone3(0, Some(PID), child) {
                Ok(child) => break child,
                // The one before has not been reaped in full yet.
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) && Instant::now() < deadline => {
                    thread::sleep(Duration::from_micros(100));
                }
                Err(error) => panic!("clone3: {error}"),
            }
        };

        let deadline = Instant::now() + self.patience;
        let mut asleep = 0;
        let verdict = loop {
            let step = if may_wait { Duration::from_millis(5) } else { self.patience };
            if ready(&pidfd, step) {
                break None;
            }
            asleep = if may_wait && sleeps(pid) { asleep + 1 } else { 0 };
            if asleep == 5 {
                break Some(End::Waits);
            }
            if Instant::now() >= deadline {
                break Some(End::Hangs);
            }
        };
        if verdict.is_some() {
            // SAFETY: the group that the child made: itself and what it has started.
            unsafe { libc::kill(-pid, libc::SIGKILL) };
        }
        let end = wait(&pidfd);
        verdict.unwrap_or(end)
    }

    /// The names of the differences that were met, and how often.
    pub fn hits(&self) -> BTreeMap<String, usize> {
        let mut hits = BTreeMap::new();
        for root in &self.roots {
            for entry in fs::read_dir(root.base.join("hits")).expect("hits").flatten() {
                let length = entry.metadata().map_or(0, |meta| meta.len());
                *hits.entry(entry.file_name().to_string_lossy().into_owned()).or_default() += length as usize;
            }
        }
        hits
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // With the first process of a namespace all others of it end.
        // SAFETY: an open pidfd, no siginfo.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.init.as_raw_fd(), libc::SIGKILL, 0, 0) };
        wait(&self.init);
    }
}

impl Root {
    fn prepare(&self, setup: &Setup) {
        let mnt = self.base.join("mnt");
        for entry in fs::read_dir(&mnt).expect("/mnt").flatten() {
            remove(&entry.path());
        }
        set_mode(&mnt, 0o777);
        let owner = if setup.all_owned { setup.uid } else { 0 };
        lchown(&mnt, Some(owner), Some(owner)).expect("/mnt");
        remove(&self.base.join("models"));
        for step in &setup.steps {
            // A step that cannot be made here cannot be made in the other roots either.
            let _ = self.step(step, setup.uid);
        }
        for (path, mode) in setup.modes.iter().rev() {
            let path = self.path(path);
            if is_itself(&path) {
                set_mode(&path, *mode);
            }
        }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.base.join(inside.trim_matches('/')) // with a slash at its end it would be what a link leads to
    }

    fn step(&self, step: &Step, uid: u32) -> io::Result<()> {
        let (path, owned) = match step {
            Step::Directory { path, owned } => (path, owned),
            Step::File { path, owned, .. } => (path, owned),
            Step::Link { path, owned, .. } => (path, owned),
        };
        let path = self.path(path);
        if !path.parent().is_some_and(is_itself) {
            return Ok(());
        }
        match step {
            Step::Directory { .. } => fs::create_dir(&path)?,
            // New, so that no link is followed.
            Step::File { size, .. } => File::create_new(&path)?.write_all(&vec![b'x'; *size])?,
            Step::Link { target, .. } => symlink(target, &path)?,
        }
        let owner = if *owned { uid } else { 0 };
        lchown(&path, Some(owner), Some(owner))
    }

    /// Every name in `/mnt` with what it is.
    fn tree(&self) -> BTreeMap<PathBuf, String> {
        let mut tree = BTreeMap::new();
        let mut rest = vec![PathBuf::from("mnt")];
        while let Some(inside) = rest.pop() {
            let path = self.base.join(&inside);
            let meta = fs::symlink_metadata(&path).expect("a file");
            let mode = meta.mode() & 0o7777;
            let what = match meta.file_type() {
                kind if kind.is_symlink() => format!("-> {:?}", fs::read_link(&path).expect("a link")),
                kind if kind.is_dir() => format!("directory {mode:04o}"),
                kind if kind.is_file() => format!("file {mode:04o} {}", meta.len()),
                _ => format!("other {mode:04o}"),
            };
            if meta.is_dir() {
                rest.extend(fs::read_dir(&path).expect("a directory").flatten().map(|e| inside.join(e.file_name())));
            }
            let owner = meta.uid();
            tree.insert(inside, format!("{what} of {owner}"));
        }
        tree
    }
}

/// Puts the shell and its tools into a root. `/bin` has the tools with the listed differences of `differences.rs`
/// worked in, `/real` has them as they are.
fn install(shell: Shell, base: &Path) {
    let bin = base.join("bin");
    let wrapper = |name: &str, text: &str| {
        fs::write(bin.join(name), text).expect(name);
        set_mode(&bin.join(name), 0o755);
    };
    match shell {
        Shell::Ours => {
            fs::copy(Arch::native().shipped_file(), bin.join("link-model-and-wait")).expect("the shipped file");
            for name in ["sh", "sleep"] {
                fs::hard_link(bin.join("link-model-and-wait"), bin.join(name)).expect(name);
            }
        }
        Shell::Dash => {
            fs::create_dir_all(base.join("usr/lib")).expect("/usr/lib");
            fs::create_dir(base.join("real")).expect("/real");
            for name in ["lib", "lib64"] {
                match fs::read_link(Path::new("/").join(name)) {
                    Ok(target) => symlink(target, base.join(name)).expect(name),
                    Err(_) => fs::create_dir(base.join(name)).expect(name),
                }
            }
            // `/lib64 -> usr/lib64` on a machine whose /usr is merged.
            if Path::new("/usr/lib64").is_dir() {
                fs::create_dir(base.join("usr/lib64")).expect("/usr/lib64");
                for entry in fs::read_dir("/usr/lib64").expect("/usr/lib64").flatten() {
                    let target = fs::canonicalize(entry.path()).expect("a loader");
                    fs::copy(target, base.join("usr/lib64").join(entry.file_name())).expect("a copy of the loader");
                }
            }
            for name in TOOLS {
                symlink(Path::new("/real").join(name), bin.join(name)).expect(name);
            }
            wrapper("ln", &super::differences::ln("/real/dash", "/real/ln -sfT"));
            wrapper("ls", &super::differences::ls("/real/dash", "/real/ls"));
        }
        Shell::Busybox => {
            let busybox = Path::new("/bin/busybox");
            assert!(busybox.is_file(), "busybox is missing: install busybox-static");
            fs::copy(busybox, bin.join("busybox")).expect("a copy of busybox");
            fs::create_dir_all(base.join("real")).expect("/real");
            for name in TOOLS {
                symlink("busybox", bin.join(name)).expect(name);
            }
            let sh = "/bin/busybox sh";
            wrapper("ln", &super::differences::ln(sh, "/bin/busybox ln -sfn"));
            wrapper("ls", &super::differences::ls(sh, "/bin/busybox ls"));
        }
    }
}

/// Whether something is there, and no link on the way: those of a root would lead to the machine's own files here.
fn is_itself(path: &Path) -> bool {
    fs::canonicalize(path).is_ok_and(|real| real == path)
}

fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Err(_) => {}
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).expect("a directory to remove"),
        Ok(_) => fs::remove_file(path).expect("a file to remove"),
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("permission bits");
}

fn cstring(bytes: impl Into<Vec<u8>>) -> CString {
    CString::new(bytes).expect("no NUL inside")
}

fn bind(from: &Path, to: &Path) {
    let (from_, to_) = (cstring(from.as_os_str().as_bytes()), cstring(to.as_os_str().as_bytes()));
    // SAFETY: NUL-terminated strings; the rest is null.
    let result =
        unsafe { libc::mount(from_.as_ptr(), to_.as_ptr(), ptr::null(), libc::MS_BIND | libc::MS_REC, ptr::null()) };
    check(result).unwrap_or_else(|error| panic!("{} at {}: {error}", from.display(), to.display()));
}

fn mount(what: Option<(&str, &str)>, target: &Path, flags: libc::c_ulong) {
    let what = what.map(|(source, kind)| (cstring(source), cstring(kind)));
    let (source, kind) = what.as_ref().map_or((ptr::null(), ptr::null()), |(a, b)| (a.as_ptr(), b.as_ptr()));
    let path = cstring(target.as_os_str().as_bytes());
    // SAFETY: NUL-terminated strings or null.
    check(unsafe { libc::mount(source, path.as_ptr(), kind, flags, ptr::null()) })
        .unwrap_or_else(|error| panic!("{}: {error}", target.display()));
}

/// All that this thread sees mounted becomes read-only to it.
fn all_read_only() {
    let attributes = libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: a NUL-terminated string; the attributes outlive the call, and their size is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    check(result as libc::c_int).expect("mount_setattr: Linux 5.12 or later, and a root that is a mount point");
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn memory_file() -> File {
    // SAFETY: a NUL-terminated name; the descriptor is new and nobody else's.
    unsafe {
        let fd = libc::memfd_create(c"output".as_ptr(), libc::MFD_CLOEXEC);
        check(fd).expect("memfd_create");
        File::from_raw_fd(fd)
    }
}

fn content(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().expect("a memory file").len() as usize];
    file.read_exact_at(&mut bytes, 0).expect("a memory file");
    bytes
}

/// Ends a child that could not be made as it should be, in a way that no script ends.
fn broken() -> ! {
    // SAFETY: only system calls.
    unsafe { system_call!(SYS_kill, system_call!(SYS_getpid), libc::SIGUSR1) };
    exit(127)
}

/// Whether the process ends within this time.
fn ready(pidfd: &OwnedFd, patience: Duration) -> bool {
    let mut poll = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd.
    unsafe { libc::poll(&mut poll, 1, patience.as_millis() as i32) == 1 }
}

fn wait(pidfd: &OwnedFd) -> End {
    // SAFETY: all zero is a value of siginfo_t; the descriptor is open; the fields are those of a child's end.
    unsafe {
        let mut info: libc::siginfo_t = mem::zeroed();
        loop {
            let fd = pidfd.as_raw_fd() as libc::id_t;
            if libc::waitid(libc::P_PIDFD, fd, &mut info, libc::WEXITED) == 0 {
                break;
            }
            assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EINTR), "waitid");
        }
        match info.si_code {
            libc::CLD_EXITED => End::Code(info.si_status()),
            _ => End::Signal(info.si_status()),
        }
    }
}

/// Whether the process, or one that it waits for, is in a call that waits for time to pass or for a signal.
fn sleeps(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let asleep = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'));
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let number = call.split(' ').next().and_then(|word| word.parse::<libc::c_long>().ok());
    #[cfg(target_arch = "x86_64")]
    let pause = Some(libc::SYS_pause);
    #[cfg(not(target_arch = "x86_64"))]
    let pause = None;
    let calls = [libc::SYS_ppoll, libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_rt_sigsuspend];
    if asleep && number.is_some_and(|number| calls.contains(&number) || pause == Some(number)) {
        return true;
    }
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).any(sleeps)
}
