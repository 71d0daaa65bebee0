//! Who waits on what, as tests compare it: by task, with the places as lines of the test's own file.

use fatum::Run;
use fatum::runtime::Blocked;
use std::time::Duration;

/// The blocked tasks of a run.
pub(super) struct Waits(Vec<Blocked>);

/// A line of `ends.rs`, as reports write it.
pub(super) fn here(line: u32) -> String {
    format!("tests/it/core/ends.rs:{line}")
}

pub(super) fn waits(run: &Run) -> Waits {
    Waits(run.blocked.clone())
}

impl Waits {
    fn task(&self, path: &str) -> &Blocked {
        let found = self.0.iter().find(|blocked| blocked.task == path);
        found.unwrap_or_else(|| panic!("{path} is not blocked: {:#?}", self.0))
    }

    /// Operation and place of each wait of a task.
    pub(super) fn of(&self, path: &str) -> Vec<(&str, String)> {
        let waits = self.task(path).waits.iter();
        waits.map(|wait| (&*wait.operation, wait.place.clone().unwrap_or_default())).collect()
    }

    pub(super) fn since(&self, path: &str) -> Duration {
        Duration::from_nanos(self.task(path).since)
    }

    pub(super) fn resource(&self, path: &str) -> &str {
        &self.task(path).waits[0].resource
    }
}
