//! Turns the rows of `arches.txt` into a call of the macro `arches!` in `src/arch.rs`.

use std::{env, fs, path::Path};

fn main() {
    let list = "../arches.txt";
    println!("cargo::rerun-if-changed={list}");
    let list = fs::read_to_string(list).expect("arches.txt");
    let mut rows = String::new();
    for row in list.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let kernel = row.split_whitespace().nth(1).expect("the column `kernel`");
        let (first, rest) = kernel.split_at(1);
        rows += &format!("{}{rest} on_{kernel} {row:?}\n", first.to_uppercase());
    }
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("arches.rs"), format!("arches! {{ $\n{rows}}}\n")).expect("arches.rs");
}
