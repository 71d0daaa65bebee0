//! Convergence of a store: the actual state reaches what an oracle computes from the desired state and stays there, and
//! it is what it would have been without faults. It knows no controller.

use super::Sim;
use crate::choice::tape::Tape;
use crate::property::{Predicate, When};
use crate::runtime::End;
use crate::store::{Key, Ledger, Store};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The records of a store whose entries are not as before.
const WRITES: [&str; 4] = ["store.created", "store.updated", "store.deleted", "store.restored"];
/// Differences that one report names.
const NAMED_MAX: usize = 4;

/// What a store held at the end of a run without faults, and what was created and deleted on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    kinds: Vec<&'static str>,
    entries: BTreeMap<Key, Value>,
    ledger: Ledger,
    end: End,
}

/// What of a fault-free run a run with faults must repeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Differential {
    /// The state at the end, and how often each entry was created and deleted.
    #[default]
    StateAndEffects,
    /// The state at the end.
    State,
    /// Nothing.
    Nothing,
}

impl Reference {
    /// Runs `program` once without faults, as the baseline and under the rules of `like`, and notes what becomes of the
    /// entries of these kinds. What the program draws itself is drawn as in the baseline: runs can be compared with it
    /// only if they write the same whatever they draw.
    pub fn of(like: &Sim, kinds: &[&'static str], program: impl FnOnce(&mut Sim)) -> Reference {
        let world = like.world_ref();
        let mut sim = Sim::builder()
            .tape(&Tape::default())
            .budget(world.budget)
            .panics(world.panics)
            .leaks(world.leaks)
            .build();
        program(&mut sim);
        let store = sim.store();
        let end = sim.finish().end;
        let entries = store.entries().into_iter().filter(|entry| kinds.contains(&&*entry.key.kind));
        let entries = entries.map(|entry| (entry.key, (*entry.value).clone())).collect();
        Reference { kinds: kinds.to_vec(), entries, ledger: of_kinds(&store.ledger(), kinds), end }
    }

    /// What differs from it, in words.
    fn differences(&self, store: &Store, differential: Differential) -> Result<(), String> {
        if !self.end.is_passed() {
            return Err(format!(
                "there is nothing to compare with, the fault-free run failed: {}",
                self.end.sentence()
            ));
        }
        let state = store.differences(&self.entries, &self.kinds);
        let mut all: Vec<String> = state.iter().map(ToString::to_string).collect();
        if differential == Differential::StateAndEffects {
            all.extend(self.ledger.differences(&of_kinds(&store.ledger(), &self.kinds)));
        }
        told(&all)
    }
}

fn of_kinds(ledger: &Ledger, kinds: &[&str]) -> Ledger {
    let only = |counts: &BTreeMap<Key, u64>| {
        let of_kinds = counts.iter().filter(|(key, _)| kinds.contains(&&*key.kind));
        of_kinds.map(|(key, count)| (key.clone(), *count)).collect()
    };
    Ledger { creates: only(&ledger.creates), deletes: only(&ledger.deletes) }
}

impl Sim {
    /// The entries of these kinds in the simulation's store come to be what `desired` computes from the store, once the
    /// faults are over, and stay so while everything goes on to run. Where they do not, the run ends as *not converged*
    /// and names the entries that differ, their last writer and the time.
    pub fn converges_to(
        &mut self,
        property: &'static str,
        kinds: &'static [&'static str],
        desired: impl Fn(&Store) -> BTreeMap<Key, Value> + 'static,
    ) {
        let store = self.store();
        self.converges_reading(property, &WRITES, move || {
            let differences = store.differences(&desired(&store), kinds);
            told(&differences.iter().map(ToString::to_string).collect::<Vec<_>>())
        });
    }

    /// The run ends as the one without faults did: in its state and, if asked for, its creations and deletions.
    pub fn converges_as(&mut self, property: &'static str, reference: Reference, differential: Differential) {
        if differential == Differential::Nothing {
            return;
        }
        let store = self.store();
        self.converges_reading(property, &WRITES, move || reference.differences(&store, differential));
    }

    /// As [`Sim::converges`], evaluated only after steps that emit one of the records, or write one of the objects, in
    /// `reads`.
    pub fn converges_reading<A: crate::property::Answer>(
        &mut self,
        property: &'static str,
        reads: &[&str],
        holds: impl FnMut() -> A + 'static,
    ) {
        self.world().watches |= !reads.is_empty();
        self.predicates.push(Predicate::new(property, When::Converges, reads, holds));
    }
}

fn told(differences: &[impl fmt::Display]) -> Result<(), String> {
    if differences.is_empty() {
        return Ok(());
    }
    let mut said: Vec<String> = differences.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    if differences.len() > NAMED_MAX {
        said.push(format!("and {} more", differences.len() - NAMED_MAX));
    }
    Err(said.join("; "))
}
