//! The README's first screen, as tests: the program stands there word for word, and so does what it prints.

use std::fs;
use std::path::Path;

// README begin
use fatum::sync::Mutex;
use std::sync::Arc;

fn no_increment_is_lost() {
    fatum::check("no_increment_is_lost", |sim| {
        let counter = Arc::new(Mutex::new(0));
        for name in ["a", "b"] {
            let counter = counter.clone();
            sim.host(name).run(|_| async move {
                let n = *counter.lock().await;
                *counter.lock().await = n + 1; // fine at baseline, lost under one deviation
            });
        }
        sim.eventually("counter == 2", move || counter.try_lock().is_ok_and(|n| *n == 2));
    });
}
// README end

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The fenced blocks of the README, by their info string.
fn blocks(info: &str) -> Vec<String> {
    let readme = read("README.md");
    let fence = format!("```{info}\n");
    readme.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_first_program_is_the_tested_one() {
    let own = read("tests/it/readme.rs");
    let tested = own.split("// README begin\n").nth(1).unwrap().split("// README end").next().unwrap();
    let shown = blocks("rust")[0].replace("#[test]\n", "");
    assert_eq!(shown.trim(), tested.trim());
}

#[test]
fn the_first_output_is_the_real_one() {
    let panic = std::panic::catch_unwind(no_increment_is_lost).unwrap_err();
    let page = panic.downcast_ref::<String>().unwrap();
    assert_eq!(blocks("text")[0].trim(), page.trim(), "the output of the README's first program is\n{page}");
}

#[test]
fn the_two_commands_are_the_ones_that_ci_runs() {
    let ci = read(".ci/run");
    for command in ["cargo run --release -- check scenarios", "cargo test"] {
        assert!(blocks("sh").concat().contains(command), "the README shows `{command}`");
        assert!(ci.lines().any(|line| line == command), ".ci/run runs `{command}`");
    }
}
