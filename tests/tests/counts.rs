//! What it costs while it does its work and while it waits. Of the machine's own file: an emulator has costs of its
//! own.

use conformance::{Arch, End, Outcome, Process, Program, Sandbox, Setup};
use std::thread;
use std::time::Duration;

const KSERVE_DEFAULT: [&str; 4] =
    ["/bin/link-model-and-wait", "sh", "-c", "ln -sf /proc/$$/root/models /mnt/models && sleep infinity"];

fn sandbox() -> Sandbox {
    let setup = Setup { volume: Some("/mnt".into()), ..Setup::default() };
    Sandbox::with(Program::Shipped(Arch::native()), &setup)
}

fn waiting(sandbox: &Sandbox) -> Process {
    let (process, outcome) = sandbox.command(&KSERVE_DEFAULT).settle();
    assert_eq!(outcome, Outcome::Waits, "{process:?}");
    process
}

/// The names of the system calls after execve(2), the one that it waits in included.
fn system_calls(argv: &[&str]) -> Vec<String> {
    let sandbox = sandbox();
    let (mut process, outcome) = sandbox.command(argv).strace(&["-f", "-e", "signal=none"]).settle();
    assert_eq!(outcome, Outcome::Waits, "{process:?}");
    let (end, _) = process.stop(libc::SIGTERM);
    assert_eq!(end, End::Code(0));
    let log = process.strace_log();
    let calls = log.lines().filter_map(|line| line.split_once('(').map(|(name, _)| name));
    let calls =
        calls.map(|name| name.trim_start_matches(|c: char| c.is_ascii_digit() || c.is_whitespace()).to_string());
    let calls: Vec<String> = calls.skip_while(|name| !name.starts_with("execve")).skip(1).collect();
    assert_eq!(calls.last().map(String::as_str), Some("exit_group"), "{log}"); // in the signal handler
    calls[..calls.len() - 1].to_vec()
}

#[test]
fn kserves_default_on_a_fresh_volume_takes_six_system_calls_to_the_link_and_four_until_it_waits() {
    let calls = system_calls(&KSERVE_DEFAULT);
    let link = calls.iter().position(|name| name == "symlinkat").expect("a link");
    assert!(link < 6 && calls.len() <= 10, "{} calls: {calls:?}", calls.len());
}

#[test]
fn no_arguments_take_three_system_calls_more_to_look_where_they_are() {
    let calls = system_calls(&KSERVE_DEFAULT[..1]);
    assert!(calls.len() <= 13, "{} calls: {calls:?}", calls.len());
}

/// Kilobytes of a field of `/proc/PID/smaps_rollup`.
fn kilobytes(process: &Process, field: &str) -> u32 {
    let rollup = process.proc("smaps_rollup");
    let line = rollup.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let value = line.unwrap_or_else(|| panic!("no {field} in {rollup}"));
    value.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// What is mapped, and how much of it is resident.
fn mappings(process: &Process) -> String {
    let all = process.proc("smaps");
    all.lines().filter(|line| line.contains('-') || line.starts_with("Rss:")).collect::<Vec<_>>().join("\n")
}

/// Waits for `script` many times, as where the stack begins is random, and looks at what it takes: kilobytes resident,
/// and of its own.
fn memory_of(script: &str, most: [u32; 2]) {
    let sandbox = sandbox();
    for _ in 0..101 {
        let (process, outcome) = sandbox.command(&["/bin/link-model-and-wait", "sh", "-c", script]).settle();
        assert_eq!(outcome, Outcome::Waits, "{process:?}");
        let [resident, own, swap] = ["Rss", "Anonymous", "Swap"].map(|field| kilobytes(&process, field));
        assert!(resident + swap <= most[0] && own <= most[1], "{resident} kB, {own} its own: {}", mappings(&process));
    }
}

#[test]
fn kserves_strings_wait_in_five_pages_of_which_one_is_their_own() {
    for script in [
        "ln -s /proc/$$/root/models /mnt/models && sleep infinity",
        "ln -sf /proc/$$/root/models /mnt/models && sleep infinity",
        "mkdir -p '/mnt/a' && ln -sf /proc/$$/root/models '/mnt/a/models' && sleep infinity",
    ] {
        memory_of(script, [20, 4]);
    }
}

#[test]
fn what_else_links_and_waits_has_the_whole_file_at_most() {
    memory_of("cd /mnt && ln -s /proc/$$/root/models models && sleep infinity", [56, 4]);
}

#[test]
fn nothing_wakes_it_while_it_waits() {
    let sandbox = sandbox();
    let process = waiting(&sandbox);
    let seen = || {
        let times = process.proc("stat");
        let times: Vec<&str> = times.rsplit(')').next().expect("fields").split_whitespace().skip(11).take(2).collect();
        format!(
            "{} {} {times:?}",
            process.status("voluntary_ctxt_switches"),
            process.status("nonvoluntary_ctxt_switches")
        )
    };
    let before = seen();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(seen(), before, "switches, then user and system time");
}

#[test]
fn it_waits_in_a_call_that_has_no_end() {
    let sandbox = sandbox();
    let process = waiting(&sandbox);
    let (number, arguments) = process.blocked_in().expect("it sleeps");
    // No descriptors and no time limit.
    assert_eq!((number, &arguments[..3]), (libc::SYS_ppoll, &[0, 0, 0][..]), "{process:?}");
}

#[test]
fn nothing_is_mapped_but_the_file_and_what_the_kernel_adds() {
    let sandbox = sandbox();
    let process = waiting(&sandbox);
    for line in process.proc("maps").lines() {
        let name = line.split_whitespace().nth(5).unwrap_or("anonymous memory");
        let known = name.ends_with("/bin/link-model-and-wait") || name.starts_with("[stack") || name.starts_with("[v");
        assert!(known, "{name}: {line}");
    }
}
