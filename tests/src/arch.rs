//! The architectures and where their files are.

use std::env;
use std::path::{Path, PathBuf};

/// Makes of the rows of `arches.txt` all that has a name for each of them, so that none can be forgotten. `$d` is a `$`.
macro_rules! arches {
    ($d:tt $($variant:ident $test:ident $row:literal)*) => {
        /// An architecture that a file ships for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Arch {
            $($variant),*
        }

        impl Arch {
            /// All of them.
            pub const ALL: [Arch; [$($row),*].len()] = [$(Arch::$variant),*];

            fn row(self) -> &'static str {
                match self {
                    $(Arch::$variant => $row),*
                }
            }
        }

        /// One test for each architecture: `on_every_architecture!(the_link_is_made, |arch| { ... });`
        /// defines `the_link_is_made::on_x86_64` and so on.
        #[macro_export]
        macro_rules! on_every_architecture {
            ($d(#[$d meta:meta])* $d name:ident, |$d arch:ident| $d body:expr) => {
                $d(#[$d meta])*
                mod $d name {
                    #[allow(unused_imports)]
                    use super::*;

                    fn check($d arch: $crate::Arch) {
                        $d body
                    }

                    $(
                        #[test]
                        fn $test() {
                            check($crate::Arch::$variant);
                        }
                    )*
                }
            };
        }
    };
}

// build.rs writes it: the rows, and what each is called here.
include!(concat!(env!("OUT_DIR"), "/arches.rs"));

impl Arch {
    /// What the row has in the column of that name.
    pub fn column(self, name: &str) -> &'static str {
        let mut list = include_str!("../../arches.txt").lines().filter(|line| !line.starts_with('#'));
        let mut names = list.next().expect("the names of the columns").split_whitespace();
        let index = names.position(|column| column == name).unwrap_or_else(|| panic!("no column {name} in arches.txt"));
        self.row().split_whitespace().nth(index).unwrap_or_else(|| panic!("{self:?} has no {name} in arches.txt"))
    }

    /// The number that the row has in the column of that name.
    pub fn number(self, name: &str) -> u64 {
        let text = self.column(name);
        text.parse().unwrap_or_else(|error| panic!("{name} of {self:?} in arches.txt: {text}: {error}"))
    }

    /// As the kernel and the emulator call it.
    pub fn name(self) -> &'static str {
        self.column("kernel")
    }

    /// As an image's `architecture` field has it.
    pub fn platform(self) -> &'static str {
        self.column("image")
    }

    /// The machine that the tests run on.
    pub fn native() -> Arch {
        let order = if cfg!(target_endian = "big") { "big" } else { "little" };
        let is_this =
            |arch: &Arch| arch.column("target").starts_with(env::consts::ARCH) && arch.column("order") == order;
        let arch = Arch::ALL.into_iter().find(is_this);
        arch.unwrap_or_else(|| panic!("no file ships for this machine, {}", env::consts::ARCH))
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
