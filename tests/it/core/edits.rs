//! A saved failure outlives edits of the program: it still fails, for the same reason, and all of its tape is met.

use fatum::check::{Check, file};
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::{Sim, event, task};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex as Plain;

/// What somebody did to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    None,
    /// A local got another name.
    Renamed,
    /// A line is logged, and a record emitted.
    Logs,
    /// Another task runs beside, spawned first.
    Unrelated,
    /// The workers write one thing more, before what they wrote all along.
    Writes,
    /// All of it.
    All,
}

impl Edit {
    const ALL: [Edit; 6] = [Edit::None, Edit::Renamed, Edit::Logs, Edit::Unrelated, Edit::Writes, Edit::All];

    fn has(self, other: Edit) -> bool {
        self == other || self == Edit::All
    }
}

/// Two workers add one each: an update is lost where they interleave, and given up where the save fails.
fn program(edit: Edit) -> impl Fn(&mut Sim) + Send + Sync {
    move |sim| {
        let balance = Arc::new(Plain::new(0));
        if edit.has(Edit::Unrelated) {
            sim.host("audit").run(|_| async {
                for _ in 0..3 {
                    task::spawn_named("look", task::yield_point("books"));
                    task::yield_now().await;
                }
            });
        }
        for name in ["a", "b"] {
            let balance = balance.clone();
            sim.host(name).run(move |_| worker(edit, balance));
        }
        sim.eventually("balance == 2", move || *balance.lock().unwrap() == 2);
    }
}

async fn worker(edit: Edit, balance: Arc<Plain<i32>>) {
    task::yield_read("balance").await;
    let seen = *balance.lock().unwrap();
    if edit.has(Edit::Writes) {
        let noted = Plain::new(0);
        task::yield_point("notes").await;
        *noted.lock().unwrap() = seen;
        _ = failpoint("notes.save").await;
    }
    if edit.has(Edit::Logs) {
        tracing::info!(seen, "about to add");
        event!("seen", balance = seen);
    }
    if failpoint("save").await.is_err() {
        return;
    }
    task::yield_point("balance").await;
    match edit.has(Edit::Renamed) {
        true => renamed(&balance, seen),
        false => {
            let next = seen + 1;
            *balance.lock().unwrap() = next;
        }
    }
}

/// The end of the worker with another name for its local.
fn renamed(balance: &Plain<i32>, seen: i32) {
    let increased = seen + 1;
    *balance.lock().unwrap() = increased;
}

/// The failure files of the program as it was.
fn saved(check: &Check) -> Vec<PathBuf> {
    let report = check.sweep(program(Edit::None), &|_| {}).unwrap();
    report.failures.iter().map(|failure| failure.file.clone().unwrap()).collect()
}

#[test]
fn a_saved_failure_outlives_edits_of_the_program() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("edits");
    let _ = std::fs::remove_dir_all(&dir);
    let plan = FaultPlan::none().with(FaultRule::new("save", FaultKind::Error, 0.2));
    let check = Check::new("edits").faults(plan).failures_dir(Some(dir));
    let files = saved(&check);
    assert!(files.len() >= 2, "a lost update and a save that was given up: {files:?}");
    for path in files {
        let file = file::read(&path).unwrap();
        for edit in Edit::ALL {
            let run = check.replay_file(&path, &file, program(edit));
            assert_eq!(run.end, file.end, "{edit:?}: {}", file.to_toml());
            assert_eq!(run.matched.unmatched, 0, "{edit:?}: {}", file.to_toml());
            assert_eq!(file.has_digests_of(&run), edit == Edit::None || edit == Edit::Renamed, "{edit:?}");
        }
    }
}

/// Kept under `tests/regressions`, it is replayed first by the check of the edited program, and fails it.
#[test]
fn a_regression_fails_the_check_of_the_edited_program() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("edits-kept");
    let _ = std::fs::remove_dir_all(&dir);
    let check = Check::new("edits-kept").failures_dir(Some(dir.clone()));
    assert!(!saved(&check).is_empty());
    let later = Check { regressions_dir: Some(dir), failures_dir: None, ..check.runs(1).exhaustive(0) };
    for edit in Edit::ALL {
        let failed = std::panic::catch_unwind(|| later.assert_passes(program(edit))).unwrap_err();
        let page = failed.downcast_ref::<String>().unwrap();
        assert!(page.contains("`balance == 2` was broken"), "{edit:?}: {page}");
    }
}
