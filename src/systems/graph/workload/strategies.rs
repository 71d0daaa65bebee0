//! Graphs for proptest (cargo feature `proptest`). Separate because only tests draw them; it must not know schedules,
//! which a test draws beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{ActionSpec, ActionType, Behaviour, ExecutorOptions, GraphSource, Span, Workload};
use crate::systems::graph::config::ErrorStrategy;
use crate::systems::graph::variant::Variant;

/// Graphs without cycles of one to `actions_max` actions named `a0`, `a1`, …, each of which waits for any three of
/// those before it and takes up to 400 ms, run by one to four workers. Shrinks towards fewer actions, fewer waits, no
/// durations and one worker.
///
/// # Panics
/// When `actions_max` is 0.
pub fn workloads(actions_max: usize, variant: Variant) -> impl Strategy<Value = Workload> {
    let action = (proptest::collection::vec(any::<Index>(), 0..=3), 0u64..=4);
    let actions = proptest::collection::vec(action, 1..=actions_max);
    (actions, 1usize..=4, any::<bool>()).prop_map(move |(actions, workers, stops)| {
        let listed = actions.iter().enumerate();
        let listed = listed.map(|(index, (wants, tenths))| action_spec(index, wants, *tenths));
        Workload {
            executor: ExecutorOptions {
                workers: workers.try_into().ok(),
                error_strategy: stops.then_some(ErrorStrategy::StopOnError),
                variant,
                ..ExecutorOptions::default()
            },
            graph: GraphSource::Actions(listed.collect()),
            behaviour: Behaviour::default(),
            overrides: BTreeMap::new(),
            cancel_after: None,
            linger: None,
            overdue_after: None,
        }
    })
}

fn action_spec(index: usize, wants: &[Index], tenths: u64) -> ActionSpec {
    let before = if index == 0 { &[] } else { wants };
    let mut wants: Vec<String> = before.iter().map(|want| format!("a{}", want.index(index))).collect();
    wants.sort();
    wants.dedup();
    let behaviour = Behaviour { duration: Span(Duration::from_millis(100 * tenths)), ..Behaviour::default() };
    ActionSpec {
        name: format!("a{index}"),
        kind: ActionType::Custom,
        wants,
        signals: None,
        priority: 0,
        behaviour: Some(behaviour),
    }
}
