//! Which rules of a plan speak of a site: found once per site of a run, as every question at it needs them.

use super::Label;
use super::fault::{FaultPlan, FaultRule};

/// The rules of one plan by site, as far as they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Covering {
    sites: Vec<(Label, Vec<usize>)>,
}

impl Covering {
    /// The rules that speak of this site, object and host, with their places in the plan.
    pub(crate) fn rules<'a>(
        &'a mut self,
        plan: &'a FaultPlan,
        label: Label,
        object: &'a str,
        host: &'a str,
    ) -> impl Iterator<Item = (usize, &'a FaultRule)> + use<'a> {
        let found = self.sites.iter().position(|(site, _)| *site == label);
        let at = found.unwrap_or_else(|| self.open(plan, label));
        let rules = self.sites[at].1.iter().map(|&index| (index, &plan.rules[index]));
        rules.filter(move |(_, rule)| rule.covers_there(object, host))
    }

    #[cold]
    fn open(&mut self, plan: &FaultPlan, label: Label) -> usize {
        let rules = plan.rules.iter().enumerate().filter(|(_, rule)| rule.fits(label.name()));
        self.sites.push((label, rules.map(|(index, _)| index).collect()));
        self.sites.len() - 1
    }

    /// The options that exist at a site, as a mask; bit 0, no fault, is always set.
    pub(crate) fn options(&mut self, plan: &FaultPlan, label: Label, object: &str, host: &str) -> u8 {
        if plan.rules.is_empty() {
            return 1;
        }
        self.rules(plan, label, object, host).fold(1, |mask, (_, rule)| mask | rule.kind.options())
    }
}
