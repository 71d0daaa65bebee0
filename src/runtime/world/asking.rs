//! Asking the source: choices, fault options and declared accesses.

use super::World;
use crate::choice::fault::option_name;
use crate::choice::tape::Deviation;
use crate::choice::{Access, Ask, Label, Notice, Weights, YIELD};
use crate::trace::Kind;

impl World {
    /// Asks whether the running task lets others run first.
    #[inline(always)]
    pub(crate) fn chooses_to_yield(&mut self, running: u32, label: &Label) -> bool {
        let answer = if self.plain { self.source.yields_at(label) } else { None };
        let Some(yields) = answer else { return self.asks_to_yield(running, label) };
        self.digests.choice(label.hash(), 2, u64::from(yields));
        self.counts.count(*label, false, yields);
        yields
    }

    #[inline(never)]
    fn asks_to_yield(&mut self, running: u32, label: &Label) -> bool {
        self.choose_for(Some(running), *label, "", 2, YIELD) == 1
    }

    /// Asks the source at a site, on behalf of the running task.
    #[inline(never)]
    pub(crate) fn choose(&mut self, label: Label, object: &str, arity: u64, weights: Weights) -> u64 {
        self.choose_for(self.running, label, object, arity, weights)
    }

    #[inline(always)]
    pub(super) fn choose_for(
        &mut self,
        who: Option<u32>,
        label: Label,
        object: &str,
        arity: u64,
        weights: Weights,
    ) -> u64 {
        let host = who.map_or(0, |slot| self.tasks.peek(slot).host);
        self.choose_on(host, who, label, object, arity, weights)
    }

    /// Asks on behalf of a host, and of one of its tasks if it is one that asks.
    #[inline(always)]
    pub(super) fn choose_on(
        &mut self,
        host: u16,
        who: Option<u32>,
        label: Label,
        object: &str,
        arity: u64,
        weights: Weights,
    ) -> u64 {
        let fault = matches!(weights, Weights::Fault(_));
        if self.is_deaf() || (fault && self.quiet) {
            return 0;
        }
        let host = self.hosts.get(usize::from(host)).map_or("", |host| &*host.name);
        let (task, occurrence) = match &mut self.names {
            None => ("", 0),
            Some(names) => {
                let occurrence = names.occurrence(label.hash(), object, host, who);
                (who.map_or(host, |slot| names.path(slot)), occurrence)
            }
        };
        let ask = Ask { label, object, arity, weights, host, task, occurrence, now: self.now };
        let answer =
            match who.filter(|_| self.listens && ask.is_yield()).map(|slot| self.tasks.peek(slot).serial) {
                // A scheduling point says where it stands; an operation that cannot wait does not.
                Some(task) if self.asking_at.is_some() => self.source.yields(&ask, task, &self.ready),
                Some(task) => self.source.owes(&ask, task, &self.ready),
                None => self.source.choose(&ask),
            };
        let value = if ask.exists(answer) { answer } else { 0 };
        self.digests.choice(label.hash(), arity, value);
        self.counts.count(label, fault, value != 0);
        if value != 0 && occurrence != 0 {
            let (site, yields) = (label.name(), ask.is_yield());
            let deviation =
                Deviation { site: site.to_owned(), owner: ask.owner(), occurrence, option: value };
            let meaning = fault.then(|| option_name(site, value));
            self.note_deviation(who, site, deviation, yields, meaning);
        }
        value
    }

    /// Notes an answer that was not the baseline's, in a run that keeps names.
    #[cold]
    fn note_deviation(
        &mut self,
        who: Option<u32>,
        site: &'static str,
        deviation: Deviation,
        yields: bool,
        meaning: Option<&'static str>,
    ) {
        self.tape.choice.push(deviation.clone());
        let Deviation { owner, occurrence, option, .. } = deviation;
        let place = self.asking_at.map(|place| format!("{}:{}", place.file(), place.line()));
        self.record_by(who, Kind::Choice { site, owner, occurrence, option, yields, meaning, place });
    }

    /// The options of a fault site for the running task, as a mask.
    pub(crate) fn fault_options(&mut self, label: Label, object: &str) -> u8 {
        if self.quiet || self.is_deaf() {
            return 1;
        }
        let host = self.running_host();
        self.options_on(host, label, object)
    }

    /// The options of a fault site on a host, as a mask.
    pub(super) fn options_on(&mut self, host: u16, label: Label, object: &str) -> u8 {
        let host = self.hosts.get(usize::from(host)).map_or("", |host| &*host.name);
        self.covering.options(&self.plan, label, object, host)
    }

    /// The host of the running task.
    pub(crate) fn host_name(&self) -> &str {
        self.hosts.get(usize::from(self.running_host())).map_or("", |host| &*host.name)
    }

    /// Hears that the running task is about to touch a shared object.
    #[inline]
    pub(crate) fn access(&mut self, object: u64, access: Access) {
        if self.watches || self.listens {
            self.note_access(object, access);
        }
    }

    #[cold]
    fn note_access(&mut self, object: u64, access: Access) {
        if self.watches && access == Access::Write && !self.touched.contains(&object) {
            self.touched.push(object);
        }
        if self.listens
            && let Some(slot) = self.running
        {
            let task = self.tasks.at(slot).serial;
            self.notice(Notice::Access { task, object, access });
        }
    }
}
