//! Per-site counts: what was asked, and what fired; and the declared states that a run reached.

use crate::choice::Label;
use std::collections::BTreeSet;

/// Declared states that one run counts, at most: those beyond are as not reached.
pub(crate) const STATES_MAX: usize = 65_536;

/// How often a site was asked, and how often it answered with something other than the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteStats {
    /// The site.
    pub site: &'static str,
    /// Stable hash of its label.
    pub(crate) hash: u64,
    /// Questions.
    pub asked: u64,
    /// Answers above 0.
    pub fired: u64,
    /// Whether it injects faults.
    pub fault: bool,
}

impl SiteStats {
    #[inline]
    fn count(&mut self, fired: bool) {
        self.asked += 1;
        self.fired += u64::from(fired);
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sites: Vec<SiteStats>,
    pub(crate) picks: u64,
    /// The site that was counted last: often the one that is next.
    last: usize,
}

impl Counts {
    #[inline]
    pub(crate) fn count(&mut self, label: Label, fault: bool, fired: bool) {
        let site = match self.sites.get_mut(self.last) {
            Some(site) if site.hash == label.hash() => site,
            _ => return self.count_elsewhere(label, fault, fired),
        };
        site.count(fired);
    }

    /// Counts at another site than the last.
    #[inline(never)]
    fn count_elsewhere(&mut self, label: Label, fault: bool, fired: bool) {
        let known = self.sites.iter().position(|site| site.hash == label.hash());
        self.last = known.unwrap_or_else(|| self.open(label, fault));
        self.sites[self.last].count(fired);
    }

    #[cold]
    fn open(&mut self, label: Label, fault: bool) -> usize {
        self.sites.push(SiteStats { site: label.name(), hash: label.hash(), asked: 0, fired: 0, fault });
        self.sites.len() - 1
    }

    /// How many faults fired.
    pub(crate) fn faults_fired(&self) -> u64 {
        self.sites.iter().filter(|site| site.fault).map(|site| site.fired).sum()
    }
}

/// The declared states that a run reached.
#[derive(Debug, Default)]
pub(crate) struct States {
    last: Option<u64>,
    /// Most programs declare none, and `None` is dropped for nothing.
    all: Option<BTreeSet<u64>>,
}

impl States {
    /// Notes a state; a loop that stays in one pays a comparison.
    #[inline]
    pub(crate) fn note(&mut self, state: u64) {
        if self.last != Some(state) {
            self.last = Some(state);
            let all = self.all.get_or_insert_default();
            if all.len() < STATES_MAX || all.contains(&state) {
                all.insert(state);
            }
        }
    }

    /// All of them, ascending.
    pub(crate) fn into_all(self) -> Vec<u64> {
        self.all.map_or_else(Vec::new, |all| all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_counted_once_each_and_not_beyond_the_limit() {
        let mut states = States::default();
        [7, 7, 3, 7, 3].into_iter().for_each(|state| states.note(state));
        assert_eq!(states.into_all(), [3, 7]);
        let mut states = States::default();
        (0..70_000).for_each(|state| states.note(state));
        assert_eq!(states.into_all().len(), 65_536);
    }
}
