//! How far a sweep is: a bar on a terminal, a line per scenario elsewhere. On stderr, so that stdout is the result.
//!
//! It must not know how a scenario ended.

use super::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// The progress of one scenario.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    name: String,
}

impl Progress {
    /// Begins, on scenario `nth` of `of`; `runs` is how many there will be, if that is known.
    pub(super) fn begin(name: &str, (nth, of): (usize, usize), runs: Option<u64>) -> Progress {
        let name = format!("[{nth}/{of}] {name}");
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(runs, ProgressDrawTarget::stderr());
            bar.set_style(style(runs.is_some()));
            bar.set_message(name.clone());
            bar
        });
        Progress { bar, name }
    }

    /// So many runs are done.
    pub(super) fn done(&self, runs: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(runs);
        }
    }

    /// All are done; `how` says how it ended.
    pub(super) fn end(self, how: &str) {
        match self.bar {
            Some(bar) => bar.finish_and_clear(),
            None => output::note(&format!("{}: {how}", self.name)),
        }
    }
}

fn style(is_bounded: bool) -> ProgressStyle {
    let template = if is_bounded {
        "{msg} {bar:24} {pos}/{len} runs, {eta} left"
    } else {
        "{msg} {spinner} {pos} runs in {elapsed}"
    };
    ProgressStyle::with_template(template).expect("the template is a constant and well formed")
}
