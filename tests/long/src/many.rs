//! A directory of very many files, in as little memory as KServe lets a ModelCar have.

use conformance::{Arch, End, Process, Program, Sandbox};
use std::fs::{self, File};

/// KServe's `memoryModelcar`, in bytes.
const MEMORY: u64 = 15 << 20;

/// KServe's init container, after the kubelet has expanded it.
const CHECK: &str = "[ -d /mnt/models ] && [ \"$(ls -A /mnt/models)\" ] && echo OK || (echo NOK && exit 1)";

/// All commands that walk a directory do so whatever its size; a sorted list says that it needs more.
pub fn walks(files: usize) {
    let mut sandbox = Sandbox::new(Program::Shipped(Arch::native()));
    sandbox.tmpfs("/mnt", "size=4g,nr_inodes=0,mode=777");
    let models = sandbox.make_directory("/mnt/models");
    for file in 0..files {
        File::create(models.join(format!("model-{file:07}.safetensors"))).expect("a file");
    }
    let run = |argv: &[&str]| {
        let process = sandbox.command(argv).limit(libc::RLIMIT_AS, MEMORY).spawn();
        (process.wait_for(Process::PATIENCE * 10).unwrap_or_else(|| panic!("still running: {process:?}")), process)
    };
    let done = |argv: &[&str]| {
        let (end, process) = run(argv);
        assert_eq!((end, process.stderr()), (End::Code(0), String::new()), "{argv:?}");
        process.stdout()
    };
    let copied = sandbox.path("/mnt/copy");
    let names = || fs::read_dir(&copied).expect("the copy").count();

    assert_eq!(done(&["sh", "-c", CHECK]), "OK\n");
    done(&["cp", "-r", "/mnt/models", "/mnt/copy"]);
    assert_eq!(names(), files);
    done(&["chmod", "-R", "a=rX", "/mnt/copy"]);
    done(&["sh", "-c", "tar cf - -C /mnt copy > /mnt/archive"]);
    // A header for the directory and for each file, and two blocks at the end.
    assert_eq!(fs::metadata(sandbox.path("/mnt/archive")).expect("the archive").len(), 512 * (files as u64 + 3));
    done(&["rm", "-r", "/mnt/copy"]);
    assert!(!copied.exists());
    let (end, process) = run(&["ls", "/mnt/models"]);
    assert_eq!((end, process.stdout()), (End::Code(1), String::new()));
    assert_eq!(process.stderr(), "ls: /mnt/models: Cannot allocate memory\n");
}
