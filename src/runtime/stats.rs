//! Per-site counts: what was asked, and what fired.

use crate::choice::Label;

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

#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sites: Vec<SiteStats>,
    pub(crate) picks: u64,
}

impl Counts {
    #[inline]
    pub(crate) fn count(&mut self, label: Label, fault: bool, fired: bool) {
        let index = match self.sites.iter().position(|site| site.hash == label.hash()) {
            Some(index) => index,
            None => self.open(label, fault),
        };
        let site = &mut self.sites[index];
        site.asked += 1;
        site.fired += u64::from(fired);
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
