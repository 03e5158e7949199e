//! Takes the program's modules as they are, but for the machine: that is `src/kernel.rs`.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src").canonicalize().expect("the program's source");
    println!("cargo::rerun-if-changed={}", source.display());
    let read = |name: &str| fs::read_to_string(source.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut out = String::new();
    for line in read("lib.rs").lines() {
        match line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            Some("arch") => out.push_str("pub use crate::kernel as arch;\n"),
            Some(name) => {
                let file = source.join(format!("{name}.rs"));
                let file = if file.is_file() { unwinding(&file) } else { source.join(name).join("mod.rs") };
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
    // Where the program begins: the one line of its main.rs that says so.
    let main = read("main.rs");
    let start = main.lines().find(|line| line.starts_with("link_model_and_wait::start!("));
    out.push_str(&start.expect("start! in main.rs").replace("link_model_and_wait::", "crate::"));
    fs::write(out_directory().join("program.rs"), out).expect("program.rs");
}

/// The file, or where it has functions of the C ABI, a copy of it in which they may unwind: here that is how a process
/// ends.
fn unwinding(file: &Path) -> PathBuf {
    let text = fs::read_to_string(file).expect("a source file");
    if !text.contains("extern \"C\"") {
        return file.into();
    }
    let copy = out_directory().join(file.file_name().expect("its name"));
    fs::write(&copy, text.replace("extern \"C\"", "extern \"C-unwind\"")).expect("a copy");
    copy
}

fn out_directory() -> PathBuf {
    env::var_os("OUT_DIR").expect("cargo sets it").into()
}
