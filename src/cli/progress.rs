//! How far a sweep is: a bar on a terminal, a line per scenario elsewhere. On stderr, so that stdout is the result.
//!
//! It must not know how a scenario ended.

use super::output;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// The progress of all scenarios of a command.
pub(super) struct Board {
    bars: Option<MultiProgress>,
    of: usize,
}

impl Board {
    /// For so many scenarios.
    pub(super) fn new(of: usize) -> Board {
        Board { bars: std::io::stderr().is_terminal().then(MultiProgress::new), of }
    }

    /// Begins on a scenario; `runs` is how many there will be, if that is known.
    pub(super) fn begin(&self, name: &str, nth: usize, runs: Option<u64>) -> Progress {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(runs.map_or_else(ProgressBar::no_length, ProgressBar::new));
            bar.set_style(style(runs.is_some()));
            bar.set_message(self.title(name, nth));
            bar
        });
        Progress { bar }
    }

    /// Says how a scenario ended, where there is no bar to say that it has.
    pub(super) fn ended(&self, name: &str, nth: usize, how: &str) {
        if self.bars.is_none() {
            output::note(&format!("{}: {how}", self.title(name, nth)));
        }
    }

    /// Says lines between the bars.
    pub(super) fn say(&self, lines: &[String]) {
        let say = || lines.iter().for_each(|line| output::say(line));
        match &self.bars {
            Some(bars) => bars.suspend(say),
            None => say(),
        }
    }

    fn title(&self, name: &str, nth: usize) -> String {
        format!("[{}/{}] {name}", nth + 1, self.of)
    }
}

/// The progress of one scenario.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// So many runs are done.
    pub(super) fn done(&self, runs: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(runs);
        }
    }

    /// All are done.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
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
