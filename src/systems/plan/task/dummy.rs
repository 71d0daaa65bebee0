//! Dummy: does nothing, and answers as its settings say.

use super::{BuildError, Settings, TaskContext, TaskRun};
use crate::systems::plan::definition::Task;
use crate::systems::plan::engine::BoxFuture;
use crate::systems::plan::error::{Answer, EventName};

struct Dummy(Settings);

/// Builds it.
pub(super) fn dummy(task: &Task) -> Result<Box<dyn TaskRun>, BuildError> {
    Ok(Box::new(Dummy(Settings::of(task)?)))
}

impl TaskRun for Dummy {
    fn run<'a>(&'a self, _context: &'a TaskContext<'a>) -> BoxFuture<'a, Answer> {
        let Settings { want_err, fatal, done, .. } = self.0;
        let answer = match (want_err, fatal) {
            (true, true) => Answer::fatal(EventName::DummyTaskError, "dummy error"),
            (true, false) => Answer::transient("dummy error"),
            (false, _) if done => Answer::Done,
            (false, _) => Answer::Pending,
        };
        Box::pin(std::future::ready(answer))
    }
}
