//! Every command that is known to be sent to a ModelCar does what it must.

use conformance::vectors::{self, Form, Place, Vector};
use conformance::{Program, on_every_architecture};

/// All differences at once, not the first alone.
fn no_differences(program: Program, form: Form, place: Place) {
    let mut vectors = vectors::all();
    if !matches!(program, Program::Shipped(_)) {
        vectors.retain(|vector| !vector.argv.is_empty()); // without a command it is the image that is asked
    }
    if place == Place::Pid1 {
        vectors.retain(|vector| vector.setup.live_other_link.is_none()); // the first process is alone
    }
    let difference = |vector: &Vector| match (vectors::check(vector, program, form, place), vector.not_true_of(program))
    {
        (Err(difference), None) => Some(difference),
        (Ok(()), Some(why)) => Some(format!("{} is true of {program:?}, but was not, because {why}", vector.id)),
        _ => None,
    };
    let differences: Vec<String> = vectors.iter().filter_map(difference).collect();
    assert!(differences.is_empty(), "{} differences:\n\n{}", differences.len(), differences.join("\n\n"));
}

on_every_architecture!(every_vector_holds_after_the_entrypoint_in_a_pod, |arch| {
    no_differences(Program::Shipped(arch), Form::Entrypoint, Place::InPod)
});

on_every_architecture!(every_vector_holds_as_a_command_in_a_pod, |arch| {
    no_differences(Program::Shipped(arch), Form::Direct, Place::InPod)
});

on_every_architecture!(every_vector_holds_after_the_entrypoint_as_pid_1, |arch| {
    no_differences(Program::Shipped(arch), Form::Entrypoint, Place::Pid1)
});

on_every_architecture!(every_vector_holds_as_a_command_as_pid_1, |arch| {
    no_differences(Program::Shipped(arch), Form::Direct, Place::Pid1)
});

/// Real shells agree with `expected`: the vectors are true.
fn the_vectors_are_true_of(program: Program) {
    no_differences(program, Form::Direct, Place::InPod);
}

#[test]
fn the_vectors_are_true_of_dash_with_coreutils() {
    the_vectors_are_true_of(Program::Dash);
}

#[test]
fn the_vectors_are_true_of_busybox() {
    the_vectors_are_true_of(Program::Busybox);
}

#[test]
fn the_strings_in_the_pod_become_argv() {
    for Vector { id, pod_spec_strings, argv, .. } in vectors::all() {
        let expanded: Vec<String> = pod_spec_strings.iter().map(|string| vectors::kubelet_expand(string)).collect();
        assert_eq!(expanded, argv, "{id}");
    }
}

#[test]
fn the_vectors_have_names_of_their_own() {
    let mut ids: Vec<String> = vectors::all().into_iter().map(|vector| vector.id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}
