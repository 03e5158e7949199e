//! Emits the linker flags for a libc-free, position-independent, static ELF file.

use std::env;

/// A row of `arches.txt`.
struct Machine {
    e_machine: &'static str,
    e_flags: &'static str,
    order: &'static str,
    page: &'static str,
    features: &'static str,
}

/// The row of the target with this `target_arch` and `target_endian`.
fn machine(arch: &str, endian: &str) -> Option<Machine> {
    include_str!("arches.txt").lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let [_, _, _, target, e_machine, e_flags, order, page, _, features, _] =
            line.split_whitespace().collect::<Vec<_>>().try_into().expect("11 columns in each row of arches.txt");
        (target.starts_with(arch) && order == endian).then_some(Machine { e_machine, e_flags, order, page, features })
    })
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=arches.txt");
    println!("cargo::rerun-if-changed=src/link.ld");

    let var = |name: &str| env::var(name).unwrap_or_default();
    let (arch, endian) = (var("CARGO_CFG_TARGET_ARCH"), var("CARGO_CFG_TARGET_ENDIAN"));
    // Any other machine is refused by src/arch/mod.rs, with a message a person can act on.
    let Some(machine) = machine(&arch, &endian) else { return };
    let (source, out) = (var("CARGO_MANIFEST_DIR"), var("OUT_DIR"));

    // Set in .cargo/config.toml, as only Cargo itself can hand them to the compiler.
    let enabled = var("CARGO_CFG_TARGET_FEATURE");
    for feature in machine.features.split(',').filter(|&feature| feature != "-") {
        let (on, name) = (feature.starts_with('+'), &feature[1..]);
        if enabled.split(',').any(|enabled| enabled == name) != on {
            println!(
                "cargo::error=arches.txt wants {feature} for {arch}: -Ctarget-feature={feature} in .cargo/config.toml"
            );
        }
    }

    for flag in [
        // No shared library is looked for, and none is recorded.
        "-static".into(),
        // Position-independent, so that address-space randomisation covers the program too.
        "-pie".into(),
        // Nobody relocates the program, so it must not need it: no PT_INTERP, no dynamic section.
        "--no-dynamic-linker".into(),
        // The file, byte for byte: headers, one segment, and the checks that nothing else is in it.
        format!("-T{source}/src/link.ld"),
        // The linker writes the output section only, so the file ends where the program ends.
        "--oformat=binary".into(),
        // The headers are part of that section; these are the fields that differ by machine.
        format!("--defsym=E_MACHINE={}", machine.e_machine),
        format!("--defsym=E_FLAGS={}", machine.e_flags),
        format!("--defsym=E_DATA={}", if machine.order == "big" { 2 } else { 1 }),
        format!("--defsym=PAGE={}", machine.page),
        // No hash of the inputs: the digest of the image says more.
        "--build-id=none".into(),
        // No table for an unwinder.
        "--no-eh-frame-hdr".into(),
        // What is the same is there once, also a string that another ends with.
        "--icf=all".into(),
        "-O2".into(),
        // Bytes per function, for the size report.
        format!("-Map={out}/link.map"),
    ] {
        println!("cargo::rustc-link-arg-bins={flag}");
    }
}
