//! Takes the program's modules as they are, but for the machine: that is `src/kernel.rs`.

use std::path::Path;
use std::{env, fs};

fn main() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src").canonicalize().expect("the program's source");
    println!("cargo::rerun-if-changed={}", source.display());
    let lib = fs::read_to_string(source.join("lib.rs")).expect("lib.rs");
    let mut out = String::new();
    for line in lib.lines() {
        match line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            Some("arch") => out.push_str("pub use crate::kernel as arch;\n"),
            Some(name) => {
                let file = source.join(format!("{name}.rs"));
                let file = if file.is_file() { file } else { source.join(name).join("mod.rs") };
                out.push_str(&format!("#[path = {:?}]\npub mod {name};\n", file.display().to_string()));
            }
            // What is said of the crate as a whole is not for this one.
            None if line.starts_with("#!") || line.starts_with("//!") || line.starts_with("#[allow") => {}
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    let to = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("program.rs");
    fs::write(to, out).expect("program.rs");
}
