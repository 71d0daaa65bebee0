//! Points of a run, counted as they pass, of which a few are struck. It knows no strategy.

/// The points that are struck.
#[derive(Debug)]
pub(super) struct Points {
    /// The next one last.
    struck: Vec<u64>,
    passed: u64,
}

impl Points {
    /// These are struck, in any order, counted from 1.
    pub(super) fn new(mut struck: Vec<u64>) -> Points {
        struck.sort_unstable_by(|a, b| b.cmp(a));
        Points { struck, passed: 0 }
    }

    /// Counts a point; whether it is struck. Of two that are struck at once, the second is at the next.
    pub(super) fn strikes(&mut self) -> bool {
        self.passed += 1;
        let struck = self.struck.last().is_some_and(|point| *point <= self.passed);
        if struck {
            self.struck.pop();
        }
        struck
    }
}
