//! Resuming from an outcome: what is not run again, and what still counts as come.

use std::sync::Arc;

use fatum::sync::CancellationToken;
use fatum::systems::graph::action::SharedAction;
use fatum::systems::graph::{Config, Executor, GraphEvent, judge_sweep};

use super::{Observed, actions, nodes, outcome, run, sets, simulate};

/// Runs the first list until its failure, then the second from there; what came of the second, and who started in it.
fn resumed(
    first: &'static str,
    second: impl Fn() -> Vec<SharedAction<()>> + 'static,
) -> (Observed<String>, Vec<String>) {
    let seen = simulate(move || async move {
        let first = run(Config::serial(), actions(first)).await;
        let executor = Executor::new(Config::serial(), second()).expect("not strict");
        sets(&executor.resume(outcome(&first), Arc::new(()), &CancellationToken::new()).await)
    });
    let is_begin = |(_, event): &(u64, GraphEvent)| matches!(event, GraphEvent::RunStarted(_));
    let second = seen.events.iter().rposition(is_begin).expect("it was resumed");
    let (mut names, mut started) = (Vec::new(), Vec::new());
    for (_, event) in &seen.events[second..] {
        match event {
            GraphEvent::Declared { name, .. } => names.push(name.to_string()),
            GraphEvent::Started { action } => started.push(names[*action as usize].clone()),
            _ => {}
        }
    }
    (seen, started)
}

#[test]
fn what_completed_is_not_run_again_wherever_it_stands_in_the_list() {
    let (seen, started) = resumed("A -> !B -> C; A -> D", || actions("Z; D; C; B -> C; A -> B; A -> D"));
    assert_eq!(seen.value, "completed A B C D Z | failed | blocked | not started | abandoned");
    assert!(!started.contains(&"A".to_owned()), "{started:?}");
    seen.properties();
}

#[test]
fn of_actions_of_one_name_the_one_at_its_place_is_meant() {
    let twice = |graph: &str| {
        let mut all = nodes(graph);
        all.iter_mut().filter(|node| node.name.starts_with('A')).for_each(|node| node.name = "A".into());
        all.iter().map(super::action).collect::<Vec<_>>()
    };
    let seen = simulate(move || async move {
        let first = run(Config::serial(), twice("A1; !B; A2")).await;
        let executor = Executor::new(Config::serial(), twice("A1; B; A2")).expect("not strict");
        let second = executor.resume(outcome(&first), Arc::new(()), &CancellationToken::new()).await;
        (sets(&first), sets(&second))
    });
    let (first, second) = &seen.value;
    assert_eq!(first, "completed A | failed B | blocked | not started A | abandoned");
    assert_eq!(second, "completed A A B | failed | blocked | not started | abandoned");
    let starts = |action| {
        let start = GraphEvent::Started { action };
        seen.events.iter().filter(|(_, event)| *event == start).count()
    };
    assert_eq!((starts(0), starts(1), starts(2)), (1, 2, 1));
    seen.properties();
}

#[test]
fn the_events_of_what_is_no_longer_in_the_list_still_count() {
    let only_b = || actions("A -> B").into_iter().skip(1).collect::<Vec<_>>();
    let (seen, started) = resumed("A; !F", only_b);
    assert_eq!(seen.value, "completed B | failed | blocked | not started | abandoned");
    assert_eq!(started, ["B"]);
    let mut facts = seen.properties().facts()[1..].to_vec();
    // The same list from nothing leaves B waiting, and that is no contradiction.
    let fresh = simulate(move || run(Config::serial(), only_b()));
    facts.extend_from_slice(fresh.properties().facts());
    assert_eq!((facts.len(), judge_sweep(&facts)), (2, Ok(())));
}
