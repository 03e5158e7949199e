//! The four architectures and where their files are.

use std::env;
use std::path::{Path, PathBuf};

/// An architecture that a file ships for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Arch {
    X86_64,
    Aarch64,
    Ppc64le,
    S390x,
}

impl Arch {
    /// All of them.
    pub const ALL: [Arch; 4] = [Arch::X86_64, Arch::Aarch64, Arch::Ppc64le, Arch::S390x];

    /// As the kernel and the emulator call it.
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
            Arch::Ppc64le => "ppc64le",
            Arch::S390x => "s390x",
        }
    }

    /// As an image's `architecture` field has it.
    pub fn platform(self) -> &'static str {
        match self {
            Arch::X86_64 => "amd64",
            Arch::Aarch64 => "arm64",
            Arch::Ppc64le => "ppc64le",
            Arch::S390x => "s390x",
        }
    }

    /// The machine that the tests run on.
    pub fn native() -> Arch {
        let name = if cfg!(target_arch = "powerpc64") { "ppc64le" } else { env::consts::ARCH };
        let arch = Arch::ALL.into_iter().find(|arch| arch.name() == name);
        arch.unwrap_or_else(|| panic!("no file ships for this machine, {name}"))
    }

    /// The file that ships, `dist/linux/PLATFORM/link-model-and-wait`.
    ///
    /// `MODELCAR_DIST` names another directory than `dist`.
    pub fn shipped_file(self) -> PathBuf {
        let dist = match env::var_os("MODELCAR_DIST") {
            Some(path) => PathBuf::from(path),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("dist"),
        };
        let file = dist.join("linux").join(self.platform()).join("link-model-and-wait");
        assert!(file.is_file(), "{} is missing: run `make binaries`", file.display());
        file
    }

    /// The emulator, where the machine itself cannot run the file.
    pub fn emulator(self) -> Option<PathBuf> {
        (self != Arch::native()).then(|| {
            let name = format!("qemu-{}", self.name());
            find_program(&format!("{name}-static"))
                .or_else(|| find_program(&name).filter(|file| is_static(file)))
                .unwrap_or_else(|| panic!("{name}-static is missing: install qemu-user-static"))
        })
    }
}

/// A program in one of the directories of `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// A program that does not need its own libraries in the sandbox: it names no dynamic loader.
fn is_static(file: &Path) -> bool {
    std::fs::read(file).is_ok_and(|bytes| !bytes.windows(8).take(4096).any(|window| window == b"/ld-linu"))
}
