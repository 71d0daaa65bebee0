//! What must hold across passes, executions and writes of one instance.

use std::sync::Arc;

use super::{InstanceSeen, Judged, PassSeen, broken, check};
use crate::systems::plan::definition::{CLEANUP, Plan};
use crate::systems::plan::record::StoredState;
use crate::systems::plan::status::{ExecutionStatus, PlanStatus};

use ExecutionStatus::{Complete, FatalError, Pending};

impl InstanceSeen {
    pub(super) fn pass_started(&mut self, spec: &Option<Arc<Plan>>, input: &Arc<PlanStatus>) -> Judged {
        self.pass = Some(PassSeen::new(spec, input));
        let Some(stored) = self.stored.clone() else { return Ok(()) };
        let plan = &input.name;
        let takes_over = *plan == CLEANUP && stored.deleting;
        let is_scheduled = stored.scheduled.is_empty() || stored.scheduled == *plan || takes_over;
        check("one-plan", is_scheduled, || {
            format!("a pass over {plan} begins while {} is scheduled", stored.scheduled)
        })?;
        let Some(known) = stored.plan(plan) else { return Ok(()) };
        if known.uid != input.uid {
            let restarts = *plan == CLEANUP && known.status == FatalError && stored.uid != input.uid;
            check("finalizer", !restarts, || {
                "the clean-up has failed for good and begins again, and nobody asked for that".to_owned()
            })?;
            return self.check_fresh(input);
        }
        let is_again = known.status.is_terminal() && !input.status.is_terminal();
        check("no-re-execution", !is_again, || {
            format!("execution {} of {plan} is stored as {} and begins again", input.uid, known.status)
        })?;
        let is_as_stored = || {
            let mut expected = known.clone();
            expected.normalise();
            let names = |plan: &PlanStatus| plan.steps().map(|step| step.name.clone()).collect::<Vec<_>>();
            expected == **input || names(&expected) != names(input)
        };
        check("rerun-safe", *known == **input || is_as_stored(), || {
            format!(
                "a pass over {plan} begins with {} and {} steps complete; the store holds {} and {}",
                input.status,
                input.steps_complete(),
                known.status,
                known.steps_complete()
            )
        })
    }

    fn check_fresh(&self, input: &PlanStatus) -> Judged {
        let phases = input.phases.iter().all(|phase| phase.status == Pending);
        let steps = input.steps().all(|step| step.status == Pending);
        check("fresh-start", input.status == Pending && phases && steps, || {
            let left = input.steps().find(|step| step.status != Pending);
            let left = left.map_or("a phase or the plan itself".to_owned(), |left| {
                format!("step {}, which is {}", left.name, left.status)
            });
            format!("a new execution of {} begins, and not with all of it pending: {left}", input.name)
        })
    }

    pub(super) fn task_started(&mut self, place: &Arc<[String; 3]>) -> Judged {
        let Some(pass) = &mut self.pass else { return Ok(()) };
        let (plan, uid) = (pass.input.name.clone(), pass.input.uid.clone());
        let name = place.join(".");
        let ended = self.ended.get(&(plan.clone(), uid.clone()));
        check("no-re-execution", ended.is_none(), || {
            format!(
                "{name} runs, and execution {uid} of {plan} was stored as {}",
                ended.copied().unwrap_or_default()
            )
        })?;
        let fatal = self.fatal.contains(&(plan, uid, place[0].clone(), place[1].clone()));
        check("fatal-never-again", !fatal, || {
            format!("{name} runs, and its step was stored as FATAL_ERROR")
        })?;
        pass.task_started(place)
    }

    pub(super) fn task_answered(&mut self, place: &[String; 3], answer: &'static str, cause: &str) -> Judged {
        match &mut self.pass {
            Some(pass) => pass.task_answered(place, answer, cause),
            None => Ok(()),
        }
    }

    pub(super) fn plan_finished(
        &mut self,
        plan: &str,
        uid: &str,
        status: ExecutionStatus,
        has_crashed: bool,
    ) -> Judged {
        check("plan-events", has_crashed || self.started.contains(uid), || {
            format!("the end of {plan} ({uid}) was told, and its start was not")
        })?;
        let twice = || format!("the end of {plan} ({uid}) was told twice");
        let known = self.stored.as_ref().map(|stored| stored.plan(plan).map(|known| known.status));
        match (self.ends.get_mut(&(plan.to_owned(), uid.to_owned(), status)), known) {
            (Some(0), _) => check("plan-events", has_crashed, twice),
            (Some(left), _) => {
                *left -= 1;
                Ok(())
            }
            // It went with its instance.
            (None, None) => check("plan-events", self.finished.insert(uid.to_owned()) || has_crashed, twice),
            (None, Some(known)) => broken(
                "plan-events",
                format!("the end of {plan} ({uid}, {status}) was told, and the store holds {known:?}"),
            ),
        }
    }

    pub(super) fn stored(&mut self, state: &Option<Arc<StoredState>>) -> Judged {
        let before = self.stored.clone();
        self.stored.clone_from(state);
        let lost_finalizer = before.as_ref().is_some_and(|before| before.has_finalizer)
            && state.as_ref().is_none_or(|state| !state.has_finalizer);
        if lost_finalizer && before.as_ref().is_some_and(|before| before.has_cleanup) {
            check("finalizer", self.cleanup == Some(Complete), || {
                format!("the finalizer is gone, and the clean-up came to {:?}", self.cleanup)
            })?;
        }
        let Some(after) = state else { return Ok(()) };
        for plan in &after.plans {
            self.remember(plan);
            if !after.by_controller && !plan.status.is_terminal() {
                // A person took its end back.
                self.ended.remove(&(plan.name.clone(), plan.uid.clone()));
            }
        }
        match before {
            Some(before) if after.by_controller => changed(&before, after),
            Some(_) | None => Ok(()),
        }
    }

    fn remember(&mut self, plan: &PlanStatus) {
        if plan.status.is_never_run() {
            return;
        }
        let key = (plan.name.clone(), plan.uid.clone());
        if plan.status.is_terminal() {
            let is_new = self.ended.insert(key.clone(), plan.status).is_none();
            let end = (plan.name.clone(), plan.uid.clone(), plan.status);
            *self.ends.entry(end).or_insert(0) += u64::from(is_new);
        }
        for phase in plan.phases.iter().filter(|phase| phase.status == FatalError) {
            for step in phase.steps.iter().filter(|step| step.status == FatalError) {
                let (plan, uid) = key.clone();
                self.fatal.insert((plan, uid, phase.name.clone(), step.name.clone()));
            }
        }
    }
}

/// What one write of the controller may change.
fn changed(before: &StoredState, after: &StoredState) -> Judged {
    let mut touched = Vec::new();
    for plan in &after.plans {
        let Some(old) = before.plan(&plan.name).filter(|old| *old != &**plan) else { continue };
        check_times(old, plan)?;
        if !stands_as(old, plan) {
            touched.push(plan.name.as_str());
        }
        if old.uid != plan.uid || old.status.is_never_run() {
            continue;
        }
        let (steps_before, steps) = (complete_in_both(old, plan), complete_in_both(plan, old));
        check("progress", steps >= steps_before, || {
            format!("of {} {steps_before} steps were complete and {steps} are stored", plan.name)
        })?;
        let is_kept = |status: ExecutionStatus, now: Option<ExecutionStatus>| {
            !matches!(status, Complete) || now.is_none_or(|now| now == Complete)
        };
        let steps = old.phases.iter().flat_map(|phase| phase.steps.iter().map(move |step| (phase, step)));
        for (phase, step) in steps {
            let now = plan.step(&phase.name, &step.name).map(|step| step.status);
            check("no-regress", is_kept(step.status, now), || {
                format!("step {}.{} was complete and is stored as {now:?}", phase.name, step.name)
            })?;
        }
        let is_lasting = !old.status.is_terminal() || plan.status == old.status;
        check("no-regress", is_lasting, || {
            format!(
                "execution {} of {} was {} and is stored as {}",
                plan.uid, plan.name, old.status, plan.status
            )
        })?;
    }
    if touched.len() > 1 {
        return broken("fresh-start", format!("one write changed the statuses of {}", touched.join(" and ")));
    }
    Ok(())
}

/// The time of a status goes forward, and goes on if the status does.
fn check_times(old: &PlanStatus, new: &PlanStatus) -> Judged {
    let (before, after) = (old.last_updated, new.last_updated);
    check("timestamps", before <= after, || {
        format!("{} was updated at {before:?} and is stored as updated at {after:?}", new.name)
    })?;
    let is_same = (old.status, &old.message) == (new.status, &new.message);
    let holds = if is_same { before == after || old.uid != new.uid } else { after.is_some() };
    check("timestamps", holds, || {
        format!(
            "{} went from {} to {}, and its time from {before:?} to {after:?}",
            new.name, old.status, new.status
        )
    })
}

/// How many of the steps that both know are complete.
fn complete_in_both(plan: &PlanStatus, other: &PlanStatus) -> usize {
    let steps = plan.phases.iter().flat_map(|phase| phase.steps.iter().map(move |step| (phase, step)));
    let known = steps.filter(|(phase, step)| other.step(&phase.name, &step.name).is_some());
    known.filter(|(_, step)| step.status == Complete).count()
}

/// Whether a plan, its phases and its steps stand where they stood; phases and steps may have come and gone.
fn stands_as(old: &PlanStatus, new: &PlanStatus) -> bool {
    let phases = new.phases.iter().all(|phase| {
        let known = old.phase(&phase.name);
        known.is_none_or(|known| {
            let steps =
                phase.steps.iter().all(|step| known.step(&step.name).is_none_or(|known| known == step));
            (known.status, &known.message) == (phase.status, &phase.message) && steps
        })
    });
    (old.status, &old.uid, &old.message) == (new.status, &new.uid, &new.message) && phases
}

impl StoredState {
    fn plan(&self, name: &str) -> Option<&PlanStatus> {
        self.plans.iter().map(|plan| &**plan).find(|plan| plan.name == name)
    }
}
