//! How a series of runs under another engine ended, and what its panics mean.

use rustix::stdio::{dup2_stderr, stderr};
use std::fs::OpenOptions;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};

/// A series of runs up to the first that failed.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How many, with the failed one.
    pub(crate) runs: u64,
    /// What failed.
    pub(crate) end: Option<Failure>,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// As the zoo's programs name it: `panicked`, `deadlock`; or `strange`, which is neither the program's doing.
    pub(crate) kind: &'static str,
    /// What the panic said.
    pub(crate) text: String,
}

/// Where the first panic since the last look began, and what it said.
static FIRST: Mutex<Option<(String, String)>> = Mutex::new(None);

/// From here on panics are kept and not printed.
pub(crate) fn keep_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |place| place.file().to_owned());
        let text = info.payload_as_str().unwrap_or("a panic without a message").to_owned();
        first().get_or_insert((place, text));
    }));
}

fn first() -> std::sync::MutexGuard<'static, Option<(String, String)>> {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs it; the failure that its panic is.
///
/// Both engines panic where nothing can go on any more. A failed check panics at its caller, in a program.
pub(crate) fn caught<R>(run: impl FnOnce() -> R) -> Option<Failure> {
    let error = panic::catch_unwind(AssertUnwindSafe(run)).err()?;
    drop(error);
    let (place, text) = first().take().unwrap_or_default();
    let is_deadlock = text.starts_with("deadlock!") || text.ends_with("all tasks will block forever");
    let kind = match is_deadlock {
        true => "deadlock",
        false if place.contains("tests/zoo/") => "panicked",
        false => "strange",
    };
    Some(Failure { kind, text })
}

/// While it lives, nothing is written to the standard error, where the engines tell of each failure.
pub(crate) struct Silence {
    kept: OwnedFd,
}

impl Silence {
    /// From here on.
    pub(crate) fn new() -> Silence {
        let kept = stderr().try_clone_to_owned().expect("the standard error can be kept");
        let nowhere = OpenOptions::new().write(true).open("/dev/null").expect("there is a null device");
        dup2_stderr(nowhere.as_fd()).expect("the standard error can be closed");
        Silence { kept }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        dup2_stderr(&self.kept).expect("the standard error can be opened again");
    }
}
