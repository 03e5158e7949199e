//! Starting a program in a sandbox.
//!
//! The child is made by clone3(2) and does nothing but system calls, on memory that was prepared before: the test
//! program has threads (see [`raw`](crate::raw)). The child stops before execve(2) until told to go
//! on, so that links to its own PID can be made and a tracer can be attached.

use crate::process::{Child, End, Outcome, Process, Tracer, inner_pid};
use crate::raw::{block, clone3, errno, exit, set_action, wait_for_ever};
use crate::sandbox::{Program, Sandbox, Setup, cstring};
use crate::system_call;
use libc::{c_char, c_int, c_long, c_ulong};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::rc::Rc;
use std::{mem, ptr};

/// Where standard output or standard error goes.
#[derive(Clone, Copy, Debug, Default)]
pub enum Sink {
    /// Kept in memory, for [`Process::stdout`] and [`Process::stderr`].
    #[default]
    Captured,
    /// The descriptor is not open.
    Closed,
    /// `/dev/full`: each write is `ENOSPC`.
    Full,
    /// A pipe that nobody reads: each write is `SIGPIPE` or, where that is ignored, `EPIPE`.
    Broken,
}

impl Sink {
    /// The child's end, and where the test reads what was written.
    fn open(self) -> (Option<OwnedFd>, Option<File>) {
        match self {
            Sink::Captured => {
                // SAFETY: a NUL-terminated name; the descriptor is new and nobody else's.
                let file = unsafe {
                    let fd = libc::memfd_create(c"output".as_ptr(), libc::MFD_CLOEXEC);
                    assert!(fd >= 0, "memfd_create: {}", io::Error::last_os_error());
                    File::from_raw_fd(fd)
                };
                (Some(file.try_clone().expect("a descriptor").into()), Some(file))
            }
            Sink::Closed => (None, None),
            Sink::Full => (Some(File::options().write(true).open("/dev/full").expect("/dev/full").into()), None),
            Sink::Broken => (Some(io::pipe().expect("a pipe").1.into()), None),
        }
    }
}

/// A PID namespace as a pod with `shareProcessNamespace` has it: PID 1 is a process that only reaps.
///
/// It lives as long as the value and the processes in it.
#[derive(Clone)]
pub struct Pod(Rc<Pause>);

struct Pause {
    _pause: Option<Child>,
    namespace: File,
    users: Option<File>,
}

/// What user namespaces there are in and around a [`Pod`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Users {
    /// The machine's users.
    Machine,
    /// A user namespace around the pod, as with `hostUsers: false`.
    Own,
    /// The same, and `user.max_user_namespaces` is 0 in it.
    OwnAndNoMore,
}

impl Users {
    /// The pod's root in a user namespace of its own, as the machine numbers it.
    pub const FIRST: u32 = 1 << 16;
}

impl Pod {
    /// A new one; the first process in it has PID 2.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Pod {
        Pod::of_users(Users::Machine)
    }

    /// A new one with these users.
    pub fn of_users(users: Users) -> Pod {
        let (mut ready, ready_write) = io::pipe().expect("a pipe");
        let own = if users == Users::Machine { 0 } else { libc::CLONE_NEWUSER };
        let child = clone(libc::CLONE_NEWPID | own, None, || {
            // SAFETY: only system calls. It reaps, dies with the thread that made it, and holds no descriptor.
            unsafe {
                system_call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                if users == Users::OwnAndNoMore {
                    // Each user namespace has a value of its own, so the machine's stays.
                    let path = c"/proc/sys/user/max_user_namespaces".as_ptr();
                    let file = system_call!(SYS_openat, libc::AT_FDCWD, path, libc::O_WRONLY);
                    if system_call!(SYS_write, file, c"0".as_ptr(), 1) == 1 {
                        system_call!(SYS_write, ready_write.as_raw_fd(), c"0".as_ptr(), 1);
                    }
                }
                system_call!(SYS_close_range, 0, u32::MAX, 0);
                set_action(libc::SIGCHLD, libc::SIG_IGN);
                wait_for_ever()
            }
        });
        drop(ready_write);
        let mut said = Vec::new();
        ready.read_to_end(&mut said).expect("a pipe");
        assert_eq!(said.len(), usize::from(users == Users::OwnAndNoMore), "user.max_user_namespaces");
        let mut pause = Pause { namespace: namespace(child.pid, "pid"), users: None, _pause: None };
        if users != Users::Machine {
            for map in ["uid_map", "gid_map"] {
                fs::write(format!("/proc/{}/{map}", child.pid), format!("0 {} 65536\n", Users::FIRST)).expect(map);
            }
            pause.users = Some(namespace(child.pid, "user"));
        }
        pause._pause = Some(child);
        Pod(Rc::new(pause))
    }

    /// The PID namespace that a process is in, PID 1 of it perhaps. It ends with its PID 1.
    pub fn of(process: &Process) -> Pod {
        Pod(Rc::new(Pause { namespace: namespace(process.outer_pid(), "pid"), users: None, _pause: None }))
    }

    /// Runs `action` while this thread's next children land in the pod.
    fn inside<T>(&self, action: impl FnOnce() -> T) -> T {
        let own = File::open("/proc/thread-self/ns/pid").expect("a PID namespace");
        let enter = |namespace: &File| {
            // SAFETY: an open namespace and its kind.
            let result = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWPID) };
            assert_eq!(result, 0, "setns: {}", io::Error::last_os_error());
        };
        enter(&self.0.namespace);
        let result = action();
        enter(&own);
        result
    }

    /// The processes that are alive or not yet reaped, as the pod numbers them.
    pub fn pids(&self) -> Vec<i32> {
        let namespace = self.0.namespace.metadata().expect("the pod's PID namespace").ino();
        let all = fs::read_dir("/proc").expect("/proc").flatten();
        let all = all.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
        let same = |pid: &i32| fs::metadata(format!("/proc/{pid}/ns/pid")).is_ok_and(|meta| meta.ino() == namespace);
        all.filter(same).filter_map(inner_pid).collect()
    }
}

fn namespace(pid: i32, kind: &str) -> File {
    File::open(format!("/proc/{pid}/ns/{kind}")).expect("a namespace")
}

/// A program about to be started.
pub struct Command<'a> {
    sandbox: &'a Sandbox,
    action: Action,
    env: Vec<CString>,
    place: Place,
    user: (u32, u32),
    capabilities: u64,
    keeps_capabilities: bool,
    file_user: Option<(u32, u32)>,
    filter: Vec<libc::sock_filter>,
    cwd: CString,
    stdout: Sink,
    stderr: Sink,
    umask: u32,
    blocked: Vec<c_int>,
    ignored: Vec<c_int>,
    limits: Vec<(u32, u64)>,
    strace: Option<Vec<String>>,
    pid: Option<i32>,
}

/// What a container runtime leaves to root if nothing is said: chown, dac_override, fowner, fsetid, kill, setgid,
/// setuid, setpcap, net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap. Not sys_ptrace.
const CONTAINER_CAPABILITIES: u64 = 1 << 0
    | 1 << 1
    | 1 << 3
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 7
    | 1 << 8
    | 1 << 10
    | 1 << 13
    | 1 << 18
    | 1 << 27
    | 1 << 29
    | 1 << 31;

enum Place {
    OwnPod,
    Pod(Pod),
    Init,
}

/// What the child does once it is in place.
pub(crate) enum Action {
    /// Runs the sandbox's program with these words.
    Exec(Vec<CString>),
    /// Copies a file to standard output; the exit code is the error number.
    Read(CString),
    /// Nothing, for ever.
    Wait,
    /// Ends, and leaves a child to PID 1, which then ends too.
    Orphan,
}

impl<'a> Command<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox, action: Action) -> Command<'a> {
        let Setup { uid, gid, cwd, env, .. } = &sandbox.setup;
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        Command {
            sandbox,
            action,
            env: [path].into_iter().chain(env.iter().map(String::as_str)).map(cstring).collect(),
            place: Place::OwnPod,
            user: (*uid, *gid),
            capabilities: CONTAINER_CAPABILITIES,
            keeps_capabilities: false,
            file_user: None,
            filter: Vec::new(),
            cwd: cstring(cwd.as_deref().unwrap_or("/")),
            stdout: Sink::default(),
            stderr: Sink::default(),
            umask: 0o022,
            blocked: Vec::new(),
            ignored: Vec::new(),
            limits: Vec::new(),
            strace: None,
            pid: None,
        }
    }

    /// In this pod; in a pod of its own if not said.
    pub fn in_pod(mut self, pod: &Pod) -> Self {
        self.place = Place::Pod(pod.clone());
        self
    }

    /// As PID 1 of a PID namespace of its own.
    pub fn as_init(mut self) -> Self {
        self.place = Place::Init;
        self
    }

    /// With this PID in its pod: what a reboot does by chance.
    pub fn pid(mut self, pid: i32) -> Self {
        self.pid = Some(pid);
        self
    }

    /// Run by this user and group, without others.
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        self.user = (uid, gid);
        self
    }

    /// With no capability and no way to get one, as with `drop: [ALL]`.
    pub fn without_capabilities(mut self) -> Self {
        self.capabilities = 0;
        self
    }

    /// With these capabilities, whoever the user is. A user's program that is not the test's own loses them at its start.
    pub fn capabilities(mut self, capabilities: u64) -> Self {
        self.capabilities = capabilities;
        self.keeps_capabilities = true;
        self
    }

    /// Files are opened in the name of this user and group: setfsuid(2).
    pub fn file_user(mut self, uid: u32, gid: u32) -> Self {
        self.file_user = Some((uid, gid));
        self
    }

    /// With a seccomp filter that answers this system call of the machine with `action`, and with no_new_privs.
    pub fn filter(mut self, call: c_long, action: u32) -> Self {
        let statement = |code, jump_over, k| libc::sock_filter { code: code as u16, jt: 0, jf: jump_over, k };
        self.filter = vec![
            statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0), // the call's number
            statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, call as u32),
            statement(libc::BPF_RET | libc::BPF_K, 0, action),
            statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
        ];
        self
    }

    /// In this directory of the sandbox.
    pub fn cwd(mut self, inside: &str) -> Self {
        self.cwd = cstring(inside);
        self
    }

    /// With this in the environment, `NAME=value`.
    pub fn env(mut self, definition: &str) -> Self {
        self.env.push(cstring(definition));
        self
    }

    /// Standard output.
    pub fn stdout(mut self, sink: Sink) -> Self {
        self.stdout = sink;
        self
    }

    /// Standard error.
    pub fn stderr(mut self, sink: Sink) -> Self {
        self.stderr = sink;
        self
    }

    /// With these bits kept from all files that are made; 022 if not said.
    pub fn umask(mut self, umask: u32) -> Self {
        self.umask = umask;
        self
    }

    /// Started with this signal blocked.
    pub fn blocking(mut self, signal: c_int) -> Self {
        self.blocked.push(signal);
        self
    }

    /// Started with this signal ignored.
    pub fn ignoring(mut self, signal: c_int) -> Self {
        self.ignored.push(signal);
        self
    }

    /// Started with this resource limit, `libc::RLIMIT_NOFILE` for example.
    pub fn limit(mut self, resource: u32, value: u64) -> Self {
        self.limits.push((resource, value));
        self
    }

    /// Traced by strace(1) from execve(2) on, with these options; see [`Process::strace_log`].
    pub fn strace(mut self, options: &[&str]) -> Self {
        self.strace = Some(options.iter().map(|&option| option.into()).collect());
        self
    }

    /// Starts it and waits until it ends.
    pub fn run(self) -> (Process, End) {
        let process = self.spawn();
        let end = process.wait();
        (process, end)
    }

    /// Starts it and waits until it ends or waits.
    pub fn settle(self) -> (Process, Outcome) {
        let process = self.spawn();
        let outcome = process.settle();
        (process, outcome)
    }

    /// Starts it; returns once execve(2) has succeeded.
    pub fn spawn(mut self) -> Process {
        let pod = match mem::replace(&mut self.place, Place::OwnPod) {
            Place::OwnPod => Some(Pod::new()),
            Place::Pod(pod) => Some(pod),
            Place::Init => None,
        };
        let setup = &self.sandbox.setup;
        let other = setup.live_other_link.as_ref().map(|link| {
            let pod = pod.as_ref().expect("PID 1 is the first process: there is no other one yet");
            let sandbox = Sandbox::new(self.sandbox.program());
            let process = sandbox.bystander().in_pod(pod).user(self.user.0, self.user.1).spawn();
            replace_with_link(&process, self.sandbox, link);
            Box::new((process, sandbox))
        });

        let (out, stdout) = self.stdout.open();
        let (err, stderr) = self.stderr.open();
        let (go_read, mut go) = io::pipe().expect("a pipe");
        let (failure, failure_write) = io::pipe().expect("a pipe");
        let mut prepared = self.prepare([&out, &err].map(|fd| fd.as_ref().map_or(-1, AsRawFd::as_raw_fd)));
        prepared.users = pod.as_ref().and_then(|pod| pod.0.users.as_ref()).map_or(-1, AsRawFd::as_raw_fd);
        let enter = || prepared.enter(go_read.as_raw_fd(), failure_write.as_raw_fd());
        let child = match &pod {
            Some(pod) => pod.inside(|| clone(libc::CLONE_NEWNS, self.pid, enter)),
            None => clone(libc::CLONE_NEWNS | libc::CLONE_NEWPID, self.pid, enter),
        };
        drop((go_read, failure_write, out, err));

        let mut process = Process::new(child, prepared.what(), stdout, stderr, pod, other);
        if let Some(link) = &setup.live_self_link {
            replace_with_link(&process, self.sandbox, link);
        }
        if let Some(options) = &self.strace {
            process.tracer = Some(Tracer::attach(&process, options));
        }
        process.waiting_for_start(|| {
            go.write_all(b"g").expect("the child waits for this");
            prepared.check(failure);
        });
        process
    }

    fn prepare(&self, [stdout, stderr]: [RawFd; 2]) -> Prepared {
        let path = |path: &Path| cstring(path.as_os_str().as_bytes());
        let root = path(self.sandbox.root());
        let mut mounts = vec![
            Mount::flags(c"/".into(), libc::MS_REC | libc::MS_PRIVATE),
            Mount::bind(root.clone(), root.clone(), libc::MS_REC),
        ];
        for bind in &self.sandbox.binds {
            let (from, to) = (path(&bind.from), path(&bind.to));
            mounts.push(Mount::bind(from, to.clone(), libc::MS_REC));
            if bind.read_only {
                mounts.push(Mount::flags(to, libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY));
            }
        }
        mounts.push(Mount {
            source: Some(c"proc".into()),
            target: path(&self.sandbox.path("/proc")),
            kind: Some(c"proc".into()),
            flags: 0,
        });
        if self.sandbox.read_only {
            mounts.push(Mount::flags(root.clone(), libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY));
        }

        let (mut file, mut emulator, mut argv, mut read) = (CString::default(), None, Vec::new(), None);
        match &self.action {
            Action::Exec(words) => {
                let argv0 = words.first().cloned().unwrap_or_default();
                file = path(&self.sandbox.executable(argv0.as_bytes()));
                argv = words.clone();
                if let Program::Shipped(arch) = self.sandbox.program()
                    && let Some(program) = arch.emulator()
                {
                    // Run from outside by its descriptor, so that the root holds what the image holds.
                    emulator = Some(File::open(&program).expect("the emulator"));
                    let words = words.iter().skip(1).cloned();
                    argv = [path(&program), c"-0".into(), argv0, file.clone()].into_iter().chain(words).collect();
                }
            }
            Action::Read(path) => read = Some(path.clone()),
            Action::Wait | Action::Orphan => {}
        }
        Prepared {
            mounts,
            root,
            cwd: self.cwd.clone(),
            stdin: File::open("/dev/null").expect("/dev/null"),
            stdout,
            stderr,
            user: self.user,
            users: -1,
            capabilities: self.capabilities,
            keeps_capabilities: self.keeps_capabilities,
            file_user: self.file_user,
            filter: self.filter.clone(),
            umask: self.umask,
            blocked: self.blocked.clone(),
            ignored: self.ignored.clone(),
            limits: self.limits.clone(),
            emulator,
            file,
            argv: Strings::new(argv),
            env: Strings::new(self.env.clone()),
            exec: matches!(self.action, Action::Exec(_)),
            read,
            orphan: matches!(self.action, Action::Orphan),
        }
    }
}

/// Makes `link` point at the models of `process`, as the PID namespace numbers it.
fn replace_with_link(process: &Process, sandbox: &Sandbox, link: &str) {
    let path = sandbox.path(link);
    let _ = fs::remove_file(&path);
    symlink(format!("/proc/{}/root/models", process.pid), path).expect(link);
}

struct Mount {
    source: Option<CString>,
    target: CString,
    kind: Option<CString>,
    flags: c_ulong,
}

impl Mount {
    fn bind(source: CString, target: CString, flags: c_ulong) -> Mount {
        Mount { source: Some(source), target, kind: None, flags: flags | libc::MS_BIND }
    }

    fn flags(target: CString, flags: c_ulong) -> Mount {
        Mount { source: None, target, kind: None, flags }
    }
}

/// Strings and the null-terminated array of their addresses.
struct Strings {
    pointers: Vec<*const c_char>,
    strings: Vec<CString>,
}

impl Strings {
    fn new(strings: Vec<CString>) -> Strings {
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
        Strings { pointers, strings }
    }
}

/// All that the child needs, allocated before it exists.
struct Prepared {
    mounts: Vec<Mount>,
    root: CString,
    cwd: CString,
    stdin: File,
    stdout: RawFd,
    stderr: RawFd,
    user: (u32, u32),
    users: RawFd,
    capabilities: u64,
    keeps_capabilities: bool,
    file_user: Option<(u32, u32)>,
    filter: Vec<libc::sock_filter>,
    umask: u32,
    blocked: Vec<c_int>,
    ignored: Vec<c_int>,
    limits: Vec<(u32, u64)>,
    emulator: Option<File>,
    file: CString,
    argv: Strings,
    env: Strings,
    exec: bool,
    read: Option<CString>,
    orphan: bool,
}

/// The steps before execve(2), for the message when one fails.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Step {
    Mount,
    Root,
    Directory,
    Output,
    User,
    Capabilities,
    Limit,
    Filter,
    Exec,
}

impl Prepared {
    /// The words that are run.
    fn what(&self) -> String {
        let words = self.argv.strings.iter().map(|word| word.to_string_lossy());
        words.map(|word| if word.len() > 300 { "...".into() } else { word.into_owned() }).collect::<Vec<_>>().join(" ")
    }

    /// Panics if the child said that a step failed; it says nothing when execve(2) succeeds.
    fn check(&self, mut failure: PipeReader) {
        let mut said = [0; 5];
        if failure.read_exact(&mut said).is_ok() {
            let [step, errno @ ..] = said;
            let steps = [
                "mount",
                "pivot_root",
                "working directory",
                "standard output",
                "user",
                "capabilities",
                "limit",
                "filter",
                "execve",
            ];
            let error = io::Error::from_raw_os_error(i32::from_ne_bytes(errno));
            panic!("{}: could not be started, {}: {error}", self.what(), steps[usize::from(step)]);
        }
    }

    /// The child. Only system calls from here on, and no function of the C library.
    fn enter(&self, go: RawFd, failure: RawFd) -> ! {
        let fail = |step: Step| -> ! {
            // SAFETY: the array is on the stack.
            unsafe {
                let [a, b, c, d] = errno().to_ne_bytes();
                let said = [step as u8, a, b, c, d];
                system_call!(SYS_write, failure, said.as_ptr(), said.len());
                exit(127)
            }
        };
        let check = |result: c_long, step: Step| {
            if result < 0 {
                fail(step);
            }
        };
        let string = |string: &Option<CString>| string.as_ref().map_or(ptr::null(), |string| string.as_ptr());
        // SAFETY: system calls on strings, arrays and descriptors that `self` and the caller hold.
        unsafe {
            system_call!(SYS_setsid);
            system_call!(SYS_umask, self.umask);
            for mount in &self.mounts {
                let (source, kind) = (string(&mount.source), string(&mount.kind));
                let result = system_call!(SYS_mount, source, mount.target.as_ptr(), kind, mount.flags, 0);
                check(result, Step::Mount);
            }
            // As a container runtime does. After a mere chroot(2) no user namespace could be made.
            check(system_call!(SYS_chdir, self.root.as_ptr()), Step::Root);
            check(system_call!(SYS_pivot_root, c".".as_ptr(), c".".as_ptr()), Step::Root);
            check(system_call!(SYS_umount2, c".".as_ptr(), libc::MNT_DETACH), Step::Root);
            check(system_call!(SYS_chdir, self.cwd.as_ptr()), Step::Directory);
            for (fd, number) in [(self.stdin.as_raw_fd(), 0), (self.stdout, 1), (self.stderr, 2)] {
                if fd < 0 {
                    system_call!(SYS_close, number);
                } else {
                    check(system_call!(SYS_dup3, fd, number, 0), Step::Output);
                }
            }
            for &(resource, value) in &self.limits {
                let limit = [value, value]; // now, and at most
                check(system_call!(SYS_prlimit64, 0, resource, limit.as_ptr(), 0), Step::Limit);
            }
            if self.users >= 0 {
                check(system_call!(SYS_setns, self.users, libc::CLONE_NEWUSER), Step::User);
            }
            for capability in (0..64).filter(|bit| self.capabilities & 1 << bit == 0) {
                system_call!(SYS_prctl, libc::PR_CAPBSET_DROP, capability, 0, 0, 0); // fails for those that do not exist
            }
            let (uid, gid) = self.user;
            if self.keeps_capabilities {
                system_call!(SYS_prctl, libc::PR_SET_KEEPCAPS, 1, 0, 0, 0);
            }
            check(system_call!(SYS_setgroups, 0, 0), Step::User);
            check(system_call!(SYS_setresgid, gid, gid, gid), Step::User);
            check(system_call!(SYS_setresuid, uid, uid, uid), Step::User);
            if let Some((uid, gid)) = self.file_user {
                system_call!(SYS_setfsgid, gid);
                system_call!(SYS_setfsuid, uid);
            }
            let capabilities = if uid == 0 || self.keeps_capabilities { self.capabilities } else { 0 };
            let (low, high) = (capabilities as u32, (capabilities >> 32) as u32);
            let header = [0x2008_0522_u32, 0]; // version 3, this process
            let data = [low, low, 0, high, high, 0]; // effective, permitted, inheritable
            check(system_call!(SYS_capset, header.as_ptr(), data.as_ptr()), Step::Capabilities);
            // Changing the user resets both.
            system_call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            system_call!(SYS_prctl, libc::PR_SET_DUMPABLE, 1);

            for signal in 1..=64 {
                set_action(signal, libc::SIG_DFL); // fails for a few
            }
            for &signal in &self.ignored {
                set_action(signal, libc::SIG_IGN);
            }
            block(&self.blocked);

            // Nothing of the test program stays open here, least of all a file that another thread is writing.
            let mut keep = [go, failure, self.emulator.as_ref().map_or(go, AsRawFd::as_raw_fd)];
            keep.sort_unstable();
            let mut from = 3;
            for fd in keep {
                if from < fd {
                    system_call!(SYS_close_range, from, fd - 1, 0);
                }
                from = fd + 1;
            }
            system_call!(SYS_close_range, from, u32::MAX, 0);

            let mut byte = 0_u8;
            while system_call!(SYS_read, go, &raw mut byte, 1) < 0 && errno() == libc::EINTR {}
            if byte == 0 {
                exit(0) // the test gave up
            }
            if !self.filter.is_empty() {
                let program =
                    libc::sock_fprog { len: self.filter.len() as u16, filter: self.filter.as_ptr().cast_mut() };
                system_call!(SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                let result = system_call!(SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program);
                check(result, Step::Filter);
            }
            if self.exec {
                system_call!(SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
                let (argv, env) = (self.argv.pointers.as_ptr(), self.env.pointers.as_ptr());
                let (fd, file, flags) = match &self.emulator {
                    Some(emulator) => (emulator.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH),
                    None => (libc::AT_FDCWD, self.file.as_ptr(), 0),
                };
                // Another child, between its clone3 and its close_range, may still hold the file open for writing:
                // for long, on a busy machine.
                let millisecond = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
                for _ in 0..10_000 {
                    system_call!(SYS_execveat, fd, file, argv, env, flags);
                    if errno() != libc::ETXTBSY {
                        break;
                    }
                    system_call!(SYS_nanosleep, &raw const millisecond, 0);
                }
                fail(Step::Exec)
            }
            system_call!(SYS_close_range, 3, u32::MAX, 0);
            if let Some(path) = &self.read {
                let file = system_call!(SYS_openat, libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY);
                let mut buffer = [0_u8; 4096];
                loop {
                    if file < 0 {
                        exit(errno())
                    }
                    match system_call!(SYS_read, file, buffer.as_mut_ptr(), buffer.len()) {
                        ..0 => exit(errno()),
                        0 => exit(0),
                        count => system_call!(SYS_write, 1, buffer.as_ptr(), count),
                    };
                }
            }
            if self.orphan {
                let parent = system_call!(SYS_getpid);
                let fork = system_call!(SYS_clone3, &raw const PLAIN_FORK, size_of_val(&PLAIN_FORK));
                while fork == 0 && system_call!(SYS_getppid) == parent {
                    system_call!(SYS_sched_yield);
                }
                exit(i32::from(fork < 0))
            }
            wait_for_ever()
        }
    }
}

/// clone3(2) as fork(2): the first of its arguments that is not zero is the signal at the end.
static PLAIN_FORK: [u64; 8] = [0, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];

/// A child of this process that runs `child`, which does not return, in new namespaces if `flags` say so.
fn clone<Never>(flags: c_int, pid: Option<i32>, child: impl FnOnce() -> Never) -> Child {
    let (pid, pidfd) = clone3(flags, pid, child).unwrap_or_else(|error| panic!("clone3: {error}"));
    Child::new(pid, pidfd)
}
