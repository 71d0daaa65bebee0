//! What must hold within one pass: judged as it goes and at its end, from the plan, the statuses before and after, and the
//! answers. It must not know the model: it says again what the rules are.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Judged, PassSeen, TaskRan, broken, check};
use crate::choice::{fold, hash_bytes};
use crate::systems::plan::definition::{Phase, Plan, Step, Strategy};
use crate::systems::plan::status::{ExecutionStatus, PhaseStatus, PlanStatus, StepStatus};

use ExecutionStatus::{Complete, Error, FatalError, InProgress};

impl PassSeen {
    pub(super) fn new(spec: &Option<Arc<Plan>>, input: &Arc<PlanStatus>) -> PassSeen {
        PassSeen {
            spec: spec.clone(),
            input: input.clone(),
            runs: Vec::new(),
            reached: 0,
            failed_for_good: None,
        }
    }

    pub(super) fn task_started(&mut self, place: &Arc<[String; 3]>) -> Judged {
        let name = place.join(".");
        check("terminal-untouched", !self.input.status.is_terminal(), || {
            format!("{name} runs and the plan was {}", self.input.status)
        })?;
        if let Some(fatal) = self.runs.iter().find(|run| run.is_fatal()) {
            return broken("fatal-stops", format!("{name} runs after {} was fatal", fatal.place.join(".")));
        }
        let places = self.places();
        let found = places[self.reached.min(places.len())..].iter().position(|at| at[..] == place[..]);
        match found {
            Some(ahead) => self.reached += ahead + 1,
            None => return broken("spec-order", format!("{name} runs, and its turn is over or never comes")),
        }
        let step = self.input.step(&place[0], &place[1]);
        check("spec-order", step.is_none_or(|step| step.status != Complete), || {
            format!("{name} runs and its step was complete")
        })?;
        let is_fatal = step.is_some_and(|step| step.status == FatalError)
            || self.input.phase(&place[0]).is_some_and(|phase| phase.status == FatalError);
        check("fatal-never-again", !is_fatal, || format!("{name} runs and its step was FATAL_ERROR"))?;
        self.runs.push(TaskRan { place: place.clone(), answer: None });
        Ok(())
    }

    pub(super) fn task_answered(&mut self, place: &[String; 3], answer: &'static str, cause: &str) -> Judged {
        if let Some(run) = self.runs.last_mut().filter(|run| *run.place == *place) {
            run.answer = Some((answer, cause.to_owned()));
        }
        match self.failed_for_good.take() {
            Some(object) if answer != "fatal error" => {
                let name = place.join(".");
                broken(
                    "permanent-is-fatal",
                    format!("{object} has failed for good, and {name} said: {answer}"),
                )
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn finished(&self, output: &PlanStatus, error: Option<&str>) -> Judged {
        if self.input.status.is_terminal() {
            return check("terminal-untouched", *output == *self.input && error.is_none(), || {
                format!("plan {} was {} and is changed", output.name, self.input.status)
            });
        }
        check("outcome", matches!(output.status, InProgress | Complete | FatalError), || {
            format!("plan {} is {} after a pass", output.name, output.status)
        })?;
        check("error-iff-fatal", error.is_some() == (output.status == FatalError), || {
            format!("plan {} is {} and the error is {error:?}", output.name, output.status)
        })?;
        self.check_times(output)?;
        self.check_fatal(output)?;
        let spec = self.spec.clone().unwrap_or_default();
        for phase in &spec.phases {
            self.check_phase(phase, output)?;
        }
        self.check_serial(&spec, output)?;
        if self.spec.is_some() {
            self.check_complete(&spec, output)?;
        }
        self.check_kept(output)?;
        self.check_phases_tried(&spec, output)?;
        let all_done = !self.runs.is_empty() && self.runs.iter().all(|run| run.is("done"));
        let is_on = output.status.is_terminal() || output.steps_complete() > self.input.steps_complete();
        check("bounded-passes", !all_done || is_on, || {
            format!("all tasks of a pass over {} were done, and no step is complete by it", output.name)
        })
    }

    fn check_times(&self, output: &PlanStatus) -> Judged {
        let (before, after) = (self.input.last_updated, output.last_updated);
        check("timestamps", before <= after, || format!("plan {} was updated before it was", output.name))?;
        let is_same = self.input.status == output.status && self.input.message == output.message;
        let holds = if is_same { before == after } else { after.is_some() };
        check("timestamps", holds, || {
            format!(
                "plan {} went from {} to {} and its time from {before:?} to {after:?}",
                output.name, self.input.status, output.status
            )
        })
    }

    fn check_fatal(&self, output: &PlanStatus) -> Judged {
        let Some(fatal) = self.runs.iter().find(|run| run.is_fatal()) else { return Ok(()) };
        let [phase, step, _] = &*fatal.place;
        let at = format!("after the fatal error of {}", fatal.place.join("."));
        let shape = (output.status, output.phase(phase).map(|phase| phase.status));
        let told = output.step(phase, step).filter(|step| step.status == FatalError);
        check("fatal-shape", shape == (FatalError, Some(FatalError)) && told.is_some(), || {
            format!("{at} plan and phase are {shape:?}, the step {:?}", output.step(phase, step))
        })?;
        let messages = (output.message.as_str(), output.phase(phase).map_or("", |phase| &phase.message));
        check(
            "fatal-shape",
            messages == ("", "") && told.is_some_and(|step| !step.message.is_empty()),
            || format!("{at} plan and phase say {messages:?}; the message is the step's alone"),
        )?;
        for (phase, before) in self.input.phases.iter().flat_map(steps_of) {
            let ran = self.runs.iter().any(|run| run.is_of(phase, &before.name));
            let after = output.step(phase, &before.name);
            check("fatal-shape", ran || after == Some(before), || {
                format!("{at} step {phase}.{} is {after:?} and did not run", before.name)
            })?;
        }
        Ok(())
    }

    fn check_phase(&self, phase: &Phase, output: &PlanStatus) -> Judged {
        let Some(status) = output.phase(&phase.name) else { return Ok(()) };
        check("messages", status.status != Error && output.status != Error, || {
            format!("phase {} or its plan is ERROR, which steps alone are", phase.name)
        })?;
        for step in &phase.steps {
            if let Some(after) = status.step(&step.name) {
                self.check_step(phase, step, after)?;
            }
        }
        let is_reached = self.runs.iter().any(|run| run.place[0] == phase.name);
        let is_cut = self.runs.iter().any(TaskRan::is_fatal) || output.status == FatalError;
        if !is_reached || is_cut || phase.strategy == Strategy::Serial {
            return Ok(());
        }
        let is_open = |step: &&Step| {
            self.input.step(&phase.name, &step.name).is_some_and(|before| before.status != Complete)
        };
        let untried = phase
            .steps
            .iter()
            .filter(is_open)
            .find(|step| !step.tasks.iter().all(|task| self.answers(phase, step, task).next().is_some()));
        check("parallel", untried.is_none(), || {
            let name = untried.map(|step| step.name.as_str()).unwrap_or_default();
            format!("step {}.{name} is open and was not tried in this pass", phase.name)
        })
    }

    /// Every open phase of a parallel plan is tried, and of a serial one the first.
    fn check_phases_tried(&self, spec: &Plan, output: &PlanStatus) -> Judged {
        if output.status == FatalError {
            return Ok(());
        }
        let is_open = |phase: &&Phase| {
            let before = self.input.phase(&phase.name);
            before.is_some_and(|before| before.status != Complete)
                && phase.steps.iter().any(|step| {
                    let before = self.input.step(&phase.name, &step.name);
                    !step.tasks.is_empty() && before.is_some_and(|before| before.status != Complete)
                })
        };
        let open = spec.phases.iter().filter(is_open);
        let reached = if spec.strategy == Strategy::Serial { 1 } else { usize::MAX };
        let untried =
            open.take(reached).find(|phase| !self.runs.iter().any(|run| run.place[0] == phase.name));
        check("parallel", untried.is_none(), || {
            let name = untried.map(|phase| phase.name.as_str()).unwrap_or_default();
            format!("phase {name} is open and was not tried in this pass")
        })
    }

    fn check_step(&self, phase: &Phase, step: &Step, after: &StepStatus) -> Judged {
        let name = format!("{}.{}", phase.name, step.name);
        let before = self.input.step(&phase.name, &step.name).map(|before| before.status);
        let ran = self.runs.iter().any(|run| run.is_of(&phase.name, &step.name));
        if matches!(after.status, InProgress | Complete) && (ran || after.status == InProgress) {
            check("messages", after.message.is_empty(), || {
                format!("step {name} is {} and says {:?}", after.status, after.message)
            })?;
        }
        if after.status == Error {
            let failed =
                self.runs.iter().rfind(|run| run.is_of(&phase.name, &step.name) && run.is("transient error"));
            let plan = &self.input.name;
            let names = |run: &TaskRan| after.message.contains(&format!("{plan}.{}.", run.place.join(".")));
            let is_told = !after.message.is_empty() && failed.is_none_or(names);
            check("messages", is_told, || {
                format!("step {name} is ERROR and does not name the task: {:?}", after.message)
            })?;
        }
        let all_done =
            step.tasks.iter().all(|task| self.answers(phase, step, task).any(|run| run.is("done")));
        let is_new = after.status == Complete && before != Some(Complete);
        check("honest-steps", !is_new || all_done, || {
            format!("step {name} is complete, and not all of its tasks were done in this pass")
        })?;
        let is_denied = ran && all_done && after.status != Complete;
        check("honest-steps", !is_denied, || {
            format!("all tasks of step {name} were done in this pass, and it is {}", after.status)
        })
    }

    fn answers<'a>(
        &'a self,
        phase: &'a Phase,
        step: &'a Step,
        task: &'a str,
    ) -> impl Iterator<Item = &'a TaskRan> {
        self.runs.iter().filter(move |run| run.is_of(&phase.name, &step.name) && run.place[2] == *task)
    }

    fn check_serial(&self, spec: &Plan, output: &PlanStatus) -> Judged {
        let ran = |phase: &str| self.runs.iter().any(|run| run.place[0] == *phase);
        let is_complete =
            |phase: &Phase| output.phase(&phase.name).is_some_and(|phase| phase.status == Complete);
        if spec.strategy == Strategy::Serial {
            let open = spec.phases.iter().position(|phase| !is_complete(phase)).unwrap_or(spec.phases.len());
            let early = spec.phases.iter().skip(open + 1).find(|phase| ran(&phase.name));
            check("serial", early.is_none(), || {
                let early = early.map(|phase| phase.name.as_str()).unwrap_or_default();
                format!("phase {early} ran and {} is not complete", spec.phases[open].name)
            })?;
        }
        for phase in spec.phases.iter().filter(|phase| phase.strategy == Strategy::Serial) {
            let is_complete = |step: &Step| {
                output.step(&phase.name, &step.name).is_some_and(|step| step.status == Complete)
            };
            let open = phase.steps.iter().position(|step| !is_complete(step)).unwrap_or(phase.steps.len());
            let ran = |step: &&Step| self.runs.iter().any(|run| run.is_of(&phase.name, &step.name));
            let early = phase.steps.iter().skip(open + 1).find(ran);
            check("serial", early.is_none(), || {
                let early = early.map(|step| step.name.as_str()).unwrap_or_default();
                format!("step {}.{early} ran and {} is not complete", phase.name, phase.steps[open].name)
            })?;
        }
        Ok(())
    }

    fn check_complete(&self, spec: &Plan, output: &PlanStatus) -> Judged {
        let steps_complete = |phase: &Phase| {
            let step = |step: &Step| output.step(&phase.name, &step.name).map(|step| step.status);
            phase.steps.iter().all(|name| step(name) == Some(Complete))
        };
        for phase in &spec.phases {
            let Some(status) = output.phase(&phase.name).map(|phase| phase.status) else { continue };
            let all = steps_complete(phase);
            let ran = self.runs.iter().any(|run| run.place[0] == phase.name);
            let holds = if status == Complete { all } else { !all || !ran || output.status == FatalError };
            check("complete-iff-children", holds, || {
                let are = if all { "all are" } else { "not all are" };
                format!("phase {} is {status}, and of its steps {are} complete", phase.name)
            })?;
        }
        let complete =
            |phase: &Phase| output.phase(&phase.name).is_some_and(|phase| phase.status == Complete);
        let all = spec.phases.iter().all(complete);
        check("complete-iff-children", (output.status == Complete) == all, || {
            let are = if all { "all are" } else { "not all are" };
            format!("plan {} is {}, and of its phases {are} complete", output.name, output.status)
        })
    }

    /// What was complete is so after the pass.
    fn check_kept(&self, output: &PlanStatus) -> Judged {
        let lost = self.input.phases.iter().flat_map(steps_of).find(|(phase, before)| {
            let after = output.step(phase, &before.name).map(|after| after.status);
            before.status == Complete && after != Some(Complete)
        });
        check("no-regress", lost.is_none(), || {
            let name = lost.map(|(phase, step)| format!("{phase}.{}", step.name)).unwrap_or_default();
            format!("step {name} was complete and is not any more")
        })
    }

    /// What it began with and heard, and what it came to.
    pub(super) fn digest(&self, instance: &str, output: &PlanStatus) -> (u64, u64) {
        let (mut heard, mut ran) = (Digest::default(), Digest::default());
        heard.text(instance);
        heard.statuses(&self.input);
        if let Some(spec) = &self.spec {
            heard.text(spec.strategy.name());
            for phase in &spec.phases {
                heard.text(&phase.name);
                heard.text(phase.strategy.name());
                for step in &phase.steps {
                    heard.text(&step.name);
                    step.tasks.iter().for_each(|task| heard.text(task));
                }
            }
        }
        for run in &self.runs {
            run.place.iter().for_each(|part| ran.text(part));
            if let Some((answer, cause)) = &run.answer {
                heard.text(answer);
                heard.text(cause);
            }
        }
        ran.statuses(output);
        (heard.0, ran.0)
    }

    /// The tasks of the plan, in its order.
    fn places(&self) -> Vec<[&str; 3]> {
        let steps = self.spec.iter().flat_map(|spec| spec.steps());
        let places = steps.flat_map(|(phase, step)| {
            step.tasks.iter().map(|task| [phase.name.as_str(), step.name.as_str(), task.as_str()])
        });
        places.collect()
    }
}

fn steps_of(phase: &PhaseStatus) -> impl Iterator<Item = (&str, &StepStatus)> {
    // The first of a name counts.
    let mut known = BTreeSet::new();
    let steps = phase.steps.iter().filter(move |step| known.insert(step.name.as_str()));
    steps.map(|step| (phase.name.as_str(), step))
}

/// Texts, one after the other.
#[derive(Default)]
struct Digest(u64);

impl Digest {
    fn text(&mut self, text: &str) {
        self.0 = fold(self.0, hash_bytes(text.as_bytes()));
    }

    /// All of it but the time.
    fn statuses(&mut self, plan: &PlanStatus) {
        self.standing(&plan.name, plan.status, &plan.message);
        for phase in &plan.phases {
            self.standing(&phase.name, phase.status, &phase.message);
            phase.steps.iter().for_each(|step| self.standing(&step.name, step.status, &step.message));
        }
    }

    fn standing(&mut self, name: &str, status: ExecutionStatus, message: &str) {
        self.text(name);
        self.0 = fold(self.0, status as u64);
        self.text(message);
    }
}
