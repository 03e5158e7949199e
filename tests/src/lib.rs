//! The harness of the tests: runs the shipped files as a container runtime would, and looks at what they do.
//!
//! - [`Arch`]: the architectures, the file that ships for each, the emulator for those that are foreign.
//! - [`Sandbox`]: a root directory on disk with the program in it, as the image has it.
//! - [`Command`] and [`Process`]: starts a program in a sandbox, as PID 1 or as one process of a [`Pod`], and
//!   watches it: what it prints, whether it waits, how it ends.
//! - [`compare`]: the same commands, here and with real tools.
//! - [`vectors`]: the commands that are known to be sent to a ModelCar, and what must come of each.
//!
//! Everything belongs to the thread that made it, and is gone when it is dropped, also when a test panics:
//! processes are killed, mounts lie in namespaces that end with them, directories are removed.
//! A test that takes too long fails with its name and what it waited for.
//! What is missing on the machine is a panic that says what to install, never a test left out.

mod arch;
pub mod compare;
pub mod errors;
mod limit;
mod process;
pub mod random;
pub mod raw;
mod sandbox;
mod spawn;
pub mod vectors;

pub use arch::Arch;
pub use limit::this_test;
pub use process::{End, Outcome, Process};
pub use sandbox::{Models, Pre, Program, Sandbox, Setup};
pub use spawn::{Command, Pod, Sink, Users};
