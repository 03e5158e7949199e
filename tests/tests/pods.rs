//! Whole pods: several modelcars and a server that share volumes, restarts, reboots.

use conformance::{Arch, Command, End, Outcome, Pod, Process, Program, Sandbox, Setup, on_every_architecture};
use libc::{SIGKILL, SIGTERM};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A modelcar whose model says `name`, with its own volume at `/mnt/NAME`.
fn modelcar(arch: Arch, name: &str, uid: u32) -> Sandbox {
    let sandbox =
        Sandbox::with(Program::Shipped(arch), &Setup { volume: Some(format!("/mnt/{name}")), uid, ..Setup::default() });
    fs::write(sandbox.path("/models/model.bin"), name).expect("a model");
    sandbox
}

/// Starts one as KServe does.
fn start(modelcar: &Sandbox, name: &str, pod: &Pod) -> Process {
    waiting(command(modelcar, name).in_pod(pod))
}

fn command<'a>(modelcar: &'a Sandbox, name: &str) -> Command<'a> {
    let script = format!("mkdir -p /mnt/{name} && ln -sf /proc/$$/root/models /mnt/{name}/model && sleep infinity");
    modelcar.command(&["/bin/link-model-and-wait", "sh", "-c", &script])
}

fn waiting(command: Command) -> Process {
    let (process, outcome) = command.settle();
    assert_eq!(outcome, Outcome::Waits, "{process:?}");
    process
}

/// A server that has the volumes of these modelcars.
fn server(arch: Arch, modelcars: &[(&str, &Sandbox)], uid: u32) -> Sandbox {
    let mut server = Sandbox::with(Program::Shipped(arch), &Setup { uid, ..Setup::default() });
    for (name, modelcar) in modelcars {
        let volume = format!("/mnt/{name}");
        server.bind(&modelcar.path(&volume), &volume, true);
    }
    server
}

/// What the server reads through a link.
fn served(server: &Sandbox, name: &str, pod: &Pod) -> String {
    let (reader, end) = server.reader(&format!("/mnt/{name}/model/model.bin")).in_pod(pod).run();
    assert_eq!(end, End::Code(0), "{name}: {reader:?}");
    reader.stdout()
}

on_every_architecture!(after_a_reboot_with_the_pids_exchanged_each_link_serves_its_own_model, |arch| {
    for uid in [0, 1010] {
        let (base, lora) = (modelcar(arch, "base", uid), modelcar(arch, "lora", uid));
        let server = server(arch, &[("base", &base), ("lora", &lora)], uid);
        let both = |pod: &Pod| [served(&server, "base", pod), served(&server, "lora", pod)];

        let pod = Pod::new();
        let first = [start(&base, "base", &pod), start(&lora, "lora", &pod)];
        assert_eq!(both(&pod), ["base", "lora"]);
        let pids = first.each_ref().map(|process| process.pid);
        for process in &first {
            process.stop(SIGKILL);
        }

        // The volumes outlive the reboot. The old link of the one now leads to the other, which is alive.
        let pod = Pod::new();
        let exchanged = [(&lora, "lora", pids[0]), (&base, "base", pids[1])]
            .map(|(modelcar, name, pid)| waiting(command(modelcar, name).in_pod(&pod).pid(pid)));
        assert_eq!(exchanged.each_ref().map(|process| process.pid), pids);
        assert_eq!(both(&pod), ["base", "lora"], "uid {uid}");
        assert_eq!(base.tree().keys().filter(|path| path.starts_with("/models")).count(), 2, "{:?}", base.tree());
        assert_eq!(lora.tree().keys().filter(|path| path.starts_with("/models")).count(), 2, "{:?}", lora.tree());
    }
});

on_every_architecture!(ten_modelcars_in_one_pod_serve_ten_models, |arch| {
    let names = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"];
    let modelcars = names.map(|name| modelcar(arch, name, 1010));
    let pod = Pod::new();
    let processes: Vec<Process> =
        names.iter().zip(&modelcars).map(|(name, modelcar)| start(modelcar, name, &pod)).collect();
    let volumes: Vec<_> = names.iter().copied().zip(&modelcars).collect();
    let server = server(arch, &volumes, 1010);
    for name in names {
        assert_eq!(served(&server, name, &pod), name);
    }
    for process in &processes {
        assert_eq!(process.stop(SIGTERM).0, End::Code(0), "{process:?}");
    }
});

on_every_architecture!(a_modelcar_that_is_restarted_alone_serves_again, |arch| {
    let base = modelcar(arch, "base", 1010);
    let server = server(arch, &[("base", &base)], 1010);
    let pod = Pod::new();
    for signal in [SIGTERM, SIGKILL, SIGTERM] {
        let process = start(&base, "base", &pod);
        assert_eq!(served(&server, "base", &pod), "base");
        process.stop(signal);
        assert_eq!(fs::read_dir(base.path("/mnt/base")).expect("the volume").count(), 1, "the link and nothing else");
    }
});

/// A server may look at any moment: while the link is replaced again and again there is always one.
#[test]
fn there_is_no_moment_without_a_link_while_it_is_replaced() {
    let setup = Setup { volume: Some("/mnt".into()), ..Setup::default() };
    let sandbox = Sandbox::with(Program::Shipped(Arch::native()), &setup);
    let replace = |number: u32| {
        let (process, end) = sandbox.command(&["sh", "-c", &format!("ln -s /target/{number} /mnt/models")]).run();
        assert_eq!(end, End::Code(0), "{process:?}");
    };
    replace(0);
    /// Says so, also when the other thread panics: this one would look for ever.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (link, done) = (sandbox.path("/mnt/models"), AtomicBool::new(false));
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut looks = 0_u32;
            while !done.load(Ordering::Relaxed) {
                let target = fs::read_link(&link).expect("there is always a link");
                assert!(target.starts_with("/target"), "{target:?}");
                looks += 1;
            }
            looks
        });
        let end = Done(&done);
        (1..=300).for_each(replace);
        drop(end);
        assert!(watcher.join().expect("always a link") > 300);
    });
    assert_eq!(fs::read_dir(sandbox.path("/mnt")).expect("the volume").count(), 1);
}
