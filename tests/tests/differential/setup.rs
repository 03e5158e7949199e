//! What is there before a script runs.

use conformance::random::Random;

/// Something that is made below `/mnt`, or `/models`.
#[derive(Clone, Debug)]
pub enum Step {
    Directory { path: String, owned: bool },
    File { path: String, size: usize, owned: bool },
    Link { path: String, target: String, owned: bool },
}

impl Step {
    /// Where it is.
    pub fn path(&self) -> &str {
        let (Step::Directory { path, .. } | Step::File { path, .. } | Step::Link { path, .. }) = self;
        path
    }
}

/// How a script is started.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub by: By,
    /// This program stands before it, as the entrypoint.
    pub entrypoint: bool,
    /// The shell's own, before `-c` or the file.
    pub options: &'static [&'static str],
    /// Words behind the script.
    pub behind: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// `sh -c SCRIPT`
    #[default]
    Script,
    /// `sh FILE`
    File,
    /// It is one command, called by its name with this before it.
    Name(&'static str),
}

/// The files, and who runs the script.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub steps: Vec<Step>,
    /// Permission bits, set when all is there.
    pub modes: Vec<(String, u32)>,
    pub uid: u32,
    pub gid: u32,
    /// 022 if it is not said.
    pub umask: Option<u32>,
    pub call: Call,
    /// The shells' own tools, without the listed differences worked in.
    pub raw_tools: bool,
    /// `/mnt` belongs to who runs the script; else to root, but all may write.
    pub all_owned: bool,
}

impl Setup {
    pub fn directory(mut self, path: &str) -> Setup {
        self.steps.push(Step::Directory { path: path.into(), owned: true });
        self
    }

    pub fn file(mut self, path: &str) -> Setup {
        self.steps.push(Step::File { path: path.into(), size: 3, owned: true });
        self
    }

    pub fn others_file(mut self, path: &str) -> Setup {
        self.steps.push(Step::File { path: path.into(), size: 3, owned: false });
        self
    }

    pub fn link(mut self, path: &str, target: &str) -> Setup {
        self.steps.push(Step::Link { path: path.into(), target: target.into(), owned: true });
        self
    }

    pub fn mode(mut self, path: &str, mode: u32) -> Setup {
        self.modes.push((path.into(), mode));
        self
    }

    /// As a ModelCar meets it, and worse; with `special`, also bits that BusyBox treats in another way.
    pub fn random(random: &mut Random, uid: u32, names: &[String], all_owned: bool, special: bool) -> Setup {
        let mut setup = Setup { uid, gid: uid, all_owned, ..Setup::default() };
        match random.below(8) {
            0 => {}
            1 => setup = setup.directory("/models"),
            2 => setup = setup.file("/models"),
            3 => setup = setup.directory("/models").file("/models/.hidden"),
            4 => setup = setup.directory("/models").directory("/models/1"),
            5 => setup = setup.directory("/models").file("/models/!"),
            6 => setup = setup.link("/models", "/mnt/d"),
            _ => setup = setup.directory("/models").file("/models/model.bin").file("/models/config.json"),
        }
        match random.below(5) {
            0 => setup = setup.link("/mnt/models", "/proc/99999/root/models"),
            1 => setup = setup.link("/mnt/models", "/proc/4242/root/models"),
            2 => setup = setup.directory("/mnt/models"),
            3 => setup = setup.file("/mnt/models"),
            _ => {}
        }
        for _ in 0..random.below(9) {
            let mut path = String::from("/mnt/");
            if random.chance(25) {
                path.push_str(random.pick::<&str>(&["d/", "e/", "a/"]));
            }
            path.push_str(random.pick(names).as_str());
            let owned = random.chance(85) || all_owned;
            setup.steps.push(match random.below(3) {
                0 => Step::Directory { path: path.clone(), owned },
                1 => Step::File { path: path.clone(), size: random.below(2000), owned },
                _ => {
                    let target = match random.below(6) {
                        0 => "/mnt".to_string(),
                        1 => "/mnt/d".to_string(),
                        2 => "nowhere".to_string(),
                        3 => "/models".to_string(),
                        _ => random.pick(names).clone(),
                    };
                    Step::Link { path: path.clone(), target, owned }
                }
            });
            if random.chance(12) {
                let mode =
                    *random.pick(&[0o000, 0o200, 0o400, 0o444, 0o500, 0o555, 0o700, 0o711, 0o755, 0o777, 0o1777]);
                let bits = *random.pick(&[0o640, 0o664, 0o2755, 0o4755, 0o6711, 0o2750, 0o4644]);
                setup.modes.push((path, if special && random.chance(40) { bits } else { mode }));
            }
        }
        if random.chance(4) {
            setup.modes.push(("/mnt".into(), 0o555));
        }
        setup
    }
}
