//! Emits the linker flags for a libc-free, position-independent, static ELF file.

use std::env;

/// `e_machine`, `e_flags` and the largest page size that Linux uses on the machine.
fn machine(arch: &str, endian: &str) -> Option<(u16, u32, u32)> {
    Some(match (arch, endian) {
        ("x86_64", "little") => (62, 0, 4 << 10),
        ("aarch64", "little") => (183, 0, 64 << 10),
        ("powerpc64", "little") => (21, 2, 64 << 10), // e_flags 2: the ELFv2 ABI
        ("s390x", "big") => (22, 0, 4 << 10),
        ("riscv64", "little") => (243, 5, 4 << 10), // e_flags 5: compressed instructions, double-float ABI
        _ => return None,
    })
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/link.ld");

    let var = |name: &str| env::var(name).unwrap_or_default();
    let (arch, endian) = (var("CARGO_CFG_TARGET_ARCH"), var("CARGO_CFG_TARGET_ENDIAN"));
    // Any other machine is refused by src/arch/mod.rs, with a message a person can act on.
    let Some((e_machine, e_flags, page)) = machine(&arch, &endian) else { return };
    let (source, out) = (var("CARGO_MANIFEST_DIR"), var("OUT_DIR"));

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
        format!("--defsym=E_MACHINE={e_machine}"),
        format!("--defsym=E_FLAGS={e_flags}"),
        format!("--defsym=PAGE={page}"),
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
