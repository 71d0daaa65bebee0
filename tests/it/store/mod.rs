//! The store: its pure state against a model, and its clients and watches in simulations, fault by fault.

use fatum::Sim;
use fatum::choice::{Ask, Names, Ready, Source, Weights};
use fatum::fault::{FaultPlan, FaultRule};
use fatum::runtime::End;
use fatum::sim::Keep;
use fatum::store::{Client, Event, Payload, Store};
use fatum::time::Duration;
use std::any::Any;
use std::collections::BTreeMap;

mod calls;
mod crashes;
mod faults;
mod lost_update;
mod model;
mod state;
mod views;
mod watches;
#[cfg(feature = "tokio")]
mod on_tokio;

const MS: Duration = Duration::from_millis(1);

/// The baseline, but for what a test scripts: the answers of a site, in the order of its questions.
#[derive(Default)]
struct Script {
    answers: BTreeMap<&'static str, Vec<u64>>,
}

impl Script {
    fn at(mut self, site: &'static str, answers: &[u64]) -> Script {
        self.answers.insert(site, answers.iter().rev().copied().collect());
        self
    }
}

impl Source for Script {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        let is_yield = ask.arity == 2 && !matches!(ask.weights, Weights::Fault(_));
        let answer = self.answers.get_mut(ask.label.name()).filter(|_| !is_yield).and_then(Vec::pop);
        answer.filter(|answer| ask.exists(*answer)).unwrap_or(0)
    }

    fn pick(&mut self, ready: &Ready, _names: Option<&Names>) -> usize {
        ready.oldest()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A simulation in which these faults may happen and those of the script do.
fn scripted(rules: &[FaultRule], script: Script) -> Sim {
    planned(rules.iter().cloned().fold(FaultPlan::none(), FaultPlan::with), script)
}

fn planned(plan: FaultPlan, script: Script) -> Sim {
    Sim::builder().faults(plan).keep(Keep::Trace).source(Box::new(script)).build()
}

/// Runs `main` on the host `a`, and to the end; the store after that.
fn run<F>(mut sim: Sim, main: impl FnOnce(Client, Store) -> F + 'static) -> (Store, Duration)
where
    F: Future<Output = ()> + 'static,
{
    let store = sim.store();
    let server = store.clone();
    sim.host("a").run(|host| async move { main(host.store(), server).await });
    let run = sim.finish();
    assert_eq!(run.end, End::Passed, "{:?}", run.blocked);
    (store, run.time)
}

/// A simulation without faults, to its end.
fn plain<F>(main: impl FnOnce(Client, Store) -> F + 'static) -> Store
where
    F: Future<Output = ()> + 'static,
{
    run(scripted(&[], Script::default()), main).0
}

/// An event in short: `3: blue=1 red-` is a batch at index 3.
fn words(event: &Event) -> String {
    let words = match &event.payload {
        Payload::Batch(changes) => changes.iter().map(|change| match &change.value {
            Some(entry) => format!("{}={}", change.key.name, entry.value),
            None => format!("{}-", change.key.name),
        }),
        Payload::EndOfSnapshot => return format!("{}: end of snapshot", event.index),
        Payload::NewSnapshotToFollow => return format!("{}: new snapshot", event.index),
    };
    format!("{}: {}", event.index, words.collect::<Vec<_>>().join(" "))
}
