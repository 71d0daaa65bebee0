//! The judgement when a run returns: do its sets and its verdict agree with what happened? Separate because it reads
//! a whole history; it must not change it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::history::{Ended, History, Past};
use super::{Punctuality, Violation, broken};
use crate::systems::graph::outcome::OutcomeIndices;
use crate::trace::text::time;

/// Judges a run that returned.
pub(super) fn judge(
    run: &History,
    error: Option<&'static str>,
    sets: &OutcomeIndices,
    inputs_kept: bool,
) -> Result<(), Violation> {
    conservation(run, sets)?;
    completeness(run, sets)?;
    minimal_blockage(run, sets)?;
    honest_verdict(run, error, sets)?;
    trace(run)?;
    liveness(run)?;
    if !inputs_kept {
        return broken("inputs-untouched", "the action list or its wants changed during the run");
    }
    Ok(())
}

fn conservation(run: &History, sets: &OutcomeIndices) -> Result<(), Violation> {
    let named: [(&str, &[u32]); 5] = [
        ("completed", &sets.completed),
        ("failed", &sets.failed),
        ("blocked", &sets.blocked),
        ("not started", &sets.not_started),
        ("abandoned", &sets.abandoned),
    ];
    for (action, past) in &run.actions {
        let found: Vec<&str> = named
            .iter()
            .flat_map(|(name, set)| set.iter().filter(|member| *member == action).map(|_| *name))
            .collect();
        let belongs = belongs(past);
        if found != [belongs] && !(past.is_gated && found == ["not started"] && belongs == "blocked") {
            let found = if found.is_empty() { "no set".to_owned() } else { found.join(" and ") };
            return broken("conservation", format!("{} is in {found}, not in {belongs}", past.name));
        }
    }
    let members: usize = named.iter().map(|(_, set)| set.len()).sum();
    if members != run.actions.len() {
        return broken(
            "conservation",
            format!("{members} in the outcome, {} in the graph", run.actions.len()),
        );
    }
    Ok(())
}

/// The set that an action belongs to by its history.
fn belongs(past: &Past) -> &'static str {
    match (past.started_ns, past.ended) {
        (_, Some(Ended::Well)) => "completed",
        (_, Some(Ended::Badly)) => "failed",
        (_, Some(Ended::Dropped)) | (Some(_), None) => "abandoned",
        (None, None) if past.is_restored => "completed",
        (None, None) if past.is_gated || !past.missing.is_empty() => "blocked",
        (None, None) => "not started",
    }
}

fn minimal_blockage(run: &History, sets: &OutcomeIndices) -> Result<(), Violation> {
    let failure_stop = run.stop.filter(|(_, cause)| matches!(*cause, "stopped" | "panicked"));
    if let Some((at_ns, cause)) = failure_stop
        && !run.settings.stop_on_error
    {
        return broken("minimal-blockage", format!("the run should continue and {cause} at {}", time(at_ns)));
    }
    if run.stop.is_none() && !sets.not_started.is_empty() {
        let name = &run.actions[&sets.not_started[0]].name;
        return broken("minimal-blockage", format!("{name} was runnable, nothing stopped the run"));
    }
    Ok(())
}

fn completeness(run: &History, sets: &OutcomeIndices) -> Result<(), Violation> {
    if run.stop.is_some() || !sets.failed.is_empty() {
        return Ok(());
    }
    let completed: BTreeSet<u32> = sets.completed.iter().copied().collect();
    match reachable(run).into_iter().find(|action| !completed.contains(action)) {
        None => Ok(()),
        Some(action) => broken(
            "completeness",
            format!("{} could have run and did not complete", run.actions[&action].name),
        ),
    }
}

/// The actions that can run if every action that has not ended emits what it says.
fn reachable(run: &History) -> BTreeSet<u32> {
    let mut come: BTreeSet<Arc<str>> = run.emitted.clone();
    let mut reached = BTreeSet::new();
    loop {
        let before = reached.len();
        for (action, past) in &run.actions {
            if past.is_gated || reached.contains(action) || !past.wants.is_subset(&come) {
                continue;
            }
            reached.insert(*action);
            // What ended well has emitted what it did, whatever it said before.
            if past.ended != Some(Ended::Well) && !past.is_restored {
                come.extend(past.emits.iter().cloned());
            }
        }
        if reached.len() == before {
            return reached;
        }
    }
}

fn honest_verdict(
    run: &History,
    error: Option<&'static str>,
    sets: &OutcomeIndices,
) -> Result<(), Violation> {
    let undone = sets.failed.len() + sets.blocked.len() + sets.not_started.len() + sets.abandoned.len();
    let only_blocked = undone == sets.blocked.len() && run.stop.is_none();
    match error {
        None if undone > 0 && !(only_blocked && run.settings.allow_blocked) => {
            return broken("honest-verdict", format!("no error although {undone} actions did not complete"));
        }
        Some(kind) if undone == 0 => {
            return broken("honest-verdict", format!("{kind} although every action completed"));
        }
        Some(kind) => cause_is_true(run, kind, !sets.abandoned.is_empty())?,
        None => {}
    }
    let waited_ns = run.stop.map_or(0, |(stopped_ns, _)| run.now_ns - stopped_ns);
    match (run.given_up_cancelled, run.settings.orphan_limit_ns) {
        (Some(false), limit) if limit.is_none_or(|limit_ns| waited_ns < limit_ns) => {
            broken("honest-verdict", format!("gave up on orphans after {}, too early", time(waited_ns)))
        }
        (Some(_) | None, _) => Ok(()),
    }
}

fn cause_is_true(run: &History, kind: &'static str, has_abandoned: bool) -> Result<(), Violation> {
    let is_true = match run.stop {
        None => kind == "incomplete",
        Some(_) if run.given_up_cancelled.is_some() && has_abandoned => kind == "orphans-timed-out",
        Some((_, cause)) => kind == cause,
    };
    if !is_true {
        return broken("honest-verdict", format!("the error is {kind}, the stop was {:?}", run.stop));
    }
    match run.stop {
        Some((at_ns, "timed-out")) if at_ns < run.deadline_ns() => {
            broken("honest-verdict", format!("timed out at {}, before the deadline", time(at_ns)))
        }
        Some((_, cause @ ("stopped" | "panicked"))) if run.failed_ns.is_none() => {
            broken("honest-verdict", format!("the stop was {cause}, and nothing had failed"))
        }
        Some(_) | None => Ok(()),
    }
}

fn trace(run: &History) -> Result<(), Violation> {
    let unrecorded = run.actions.values().find(|past| {
        matches!(past.ended, Some(Ended::Well | Ended::Badly)) && !past.is_recorded && !past.is_restored
    });
    if let Some(past) = unrecorded {
        return broken("trace", format!("{} ended and was not recorded", past.name));
    }
    match run.ends_traced {
        1 => Ok(()),
        times => broken("trace", format!("the end was traced {times} times")),
    }
}

fn liveness(run: &History) -> Result<(), Violation> {
    if run.punctuality == Punctuality::Late {
        return Ok(());
    }
    // Nothing was in flight after the last end; the wait for what did not end has a limit.
    let stopped_ns = run.stop.map_or(run.start_ns, |(stopped_ns, _)| stopped_ns);
    let idle_ns = match run.given_up_cancelled {
        None => run.last_end_ns.max(stopped_ns),
        Some(_) => u64::MAX,
    };
    let orphans_ns = if run.settings.abort_on_stop { Some(0) } else { run.settings.orphan_limit_ns };
    let limit_ns = match (run.stop, orphans_ns) {
        (Some(_), Some(orphans_ns)) => stopped_ns.min(run.deadline_ns()).saturating_add(orphans_ns),
        (Some(_), None) | (None, _) => u64::MAX,
    };
    let bound_ns = idle_ns.min(limit_ns);
    if run.now_ns > bound_ns {
        return broken(
            "liveness",
            format!("the run returned at {}, due by {}", time(run.now_ns), time(bound_ns)),
        );
    }
    Ok(())
}
