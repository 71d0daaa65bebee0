//! One pass over a plan: which task is next, and what its answer makes of the statuses. Pure and total, so that it can be
//! tested as a table and run over simulated or real tasks alike; it must not know futures, stores or clocks.
//!
//! A pass is not concurrent: "parallel" is that the pass goes on after an unfinished sibling. Passes are repeated by the
//! caller until the plan is terminal, and a step that is not complete runs all of its tasks in each.

use std::collections::BTreeSet;

use super::definition::{ActivePlan, Metadata, Phase, Step, Strategy, Task};
use super::error::{Answer, EventName, ExecutionError, FatalPlan, FatalTask, PassError};
use super::status::{ExecutionStatus, PlanStatus, Timestamp};
use super::variant::Variant;

/// What is done about a phase or step that is neither running nor complete, inside a plan that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnready {
    /// The pass ends there, and the plan is `FATAL_ERROR`: what is fatal stays so until a new execution.
    #[default]
    Refuse,
    /// It is run, and its status is left as it is until something changes it (parity with v0.18 and later).
    Run,
}

/// The choices of a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What is done about children that are not ready.
    pub on_unready: OnUnready,
    /// A planted bug.
    #[doc(hidden)]
    pub variant: Variant,
}

/// What a pass came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The statuses after it.
    pub status: PlanStatus,
    /// Why the plan is `FATAL_ERROR`, if this pass made it so.
    pub error: Option<PassError>,
}

/// Which task is next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run<'p> {
    /// The plan's name.
    pub plan: &'p str,
    /// The phase.
    pub phase: &'p str,
    /// The step.
    pub step: &'p str,
    /// The task.
    pub task: &'p Task,
}

/// Where a pass stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Phase,
    Step,
    Task,
    Ended,
}

/// A pass under way.
#[derive(Clone, Debug)]
pub struct Pass<'p> {
    plan: &'p ActivePlan,
    phases: &'p [Phase],
    strategy: Strategy,
    metadata: &'p Metadata,
    options: Options,
    now: Timestamp,
    at: At,
    phase: usize,
    step: usize,
    task: usize,
    phases_left: BTreeSet<&'p str>,
    steps_left: BTreeSet<&'p str>,
    tasks_left: BTreeSet<&'p str>,
    /// What a planted bug counts: steps found complete, and tasks done.
    counted: usize,
    status: PlanStatus,
    /// A step of the phase failed in this pass.
    has_failed: bool,
    error: Option<PassError>,
}

impl<'p> Pass<'p> {
    /// Begins a pass. The plan is borrowed and stays as it is.
    pub fn new(plan: &'p ActivePlan, metadata: &'p Metadata, options: Options, now: Timestamp) -> Pass<'p> {
        let (phases, strategy) = plan
            .spec
            .as_deref()
            .map_or((&[][..], Strategy::Serial), |spec| (&spec.phases[..], spec.strategy));
        let mut status = plan.status.clone();
        let is_over = status.status.is_terminal();
        if !is_over {
            status.set(ExecutionStatus::InProgress, now);
        }
        let mut pass = Pass {
            plan,
            phases,
            strategy,
            metadata,
            options,
            now,
            at: if is_over { At::Ended } else { At::Phase },
            phase: 0,
            step: 0,
            task: 0,
            phases_left: phases.iter().map(|phase| phase.name.as_str()).collect(),
            steps_left: BTreeSet::new(),
            tasks_left: BTreeSet::new(),
            counted: 0,
            status,
            has_failed: false,
            error: None,
        };
        if !is_over && plan.spec.is_none() {
            pass.refuse_plan(
                EventName::InvalidPlan,
                format!("could not find required plan: '{}'", plan.name),
            );
        }
        pass
    }

    /// The next task to run; none when the pass is over. Asked again only after [`Pass::answer`].
    pub fn next_task(&mut self) -> Option<Run<'p>> {
        loop {
            match self.at {
                At::Phase => self.enter_phase(),
                At::Step => self.enter_step(),
                At::Task => {
                    if let Some(run) = self.enter_task() {
                        return Some(run);
                    }
                }
                At::Ended => return None,
            }
        }
    }

    /// Takes the answer of the task that [`Pass::next_task`] named.
    pub fn answer(&mut self, answer: Answer) {
        if self.at != At::Task {
            return;
        }
        let name = self.step_spec().tasks[self.task].as_str();
        match answer {
            Answer::Done => {
                self.tasks_left.remove(name);
                self.counted += 1;
            }
            Answer::Pending => {}
            Answer::Transient(cause) => {
                let place = self.place(name);
                let message = format!("A transient error when executing task {place}. Will retry. {cause}");
                self.set_step(ExecutionStatus::Error, message);
                self.has_failed = true;
                if self.options.variant == Variant::ErrorCountsAsDone {
                    self.tasks_left.remove(name);
                }
            }
            Answer::Fatal { event, cause } => {
                let fatal = FatalTask { instance: self.instance(), place: self.place(name), cause };
                let error = ExecutionError::new(event, fatal);
                let message = error.to_string();
                return self.fail_step(error.into(), message);
            }
            Answer::Failed(error) => {
                let message = error.to_string();
                return self.fail_step(error, message);
            }
            Answer::Unbuilt(cause) => {
                let cause = format!("failed to build task {}: {cause}", self.place(name));
                return self.refuse_step(EventName::TaskBuildError, cause);
            }
        }
        self.task += 1;
    }

    /// What the pass came to.
    pub fn finish(self) -> Outcome {
        Outcome { status: self.status, error: self.error }
    }

    // Phases.

    fn enter_phase(&mut self) {
        let Some(phase) = self.phases.get(self.phase) else { return self.end_of_phases() };
        let runs_unready = self.runs_unready();
        let Some(status) = self.status.phase_mut(&phase.name) else {
            let cause = format!("missing phase status: {}.{}", self.plan.name, phase.name);
            return self.refuse_plan(EventName::MissingPhaseStatus, cause);
        };
        match status.status {
            ExecutionStatus::Complete => {
                self.phases_left.remove(phase.name.as_str());
                self.phase += 1;
                return;
            }
            ExecutionStatus::Pending | ExecutionStatus::InProgress | ExecutionStatus::Error => {
                status.set(ExecutionStatus::InProgress);
            }
            ExecutionStatus::Unset | ExecutionStatus::NeverRun | ExecutionStatus::FatalError => {
                if !runs_unready {
                    let unready = format!("phase {}.{} is {}", self.plan.name, phase.name, status.status);
                    return self.refuse_child(unready);
                }
            }
        }
        self.steps_left = phase.steps.iter().map(|step| step.name.as_str()).collect();
        (self.step, self.counted, self.at, self.has_failed) = (0, 0, At::Step, false);
    }

    fn end_of_phases(&mut self) {
        if self.phases_left.is_empty() {
            self.status.set(ExecutionStatus::Complete, self.now);
        }
        self.at = At::Ended;
    }

    fn leave_phase(&mut self) {
        let phase = &self.phases[self.phase];
        let is_complete = match self.options.variant {
            Variant::CounterOfDone => self.counted >= phase.steps.len(),
            _ => self.steps_left.is_empty(),
        };
        if is_complete {
            if let Some(status) = self.status.phase_mut(&phase.name) {
                status.set(ExecutionStatus::Complete);
            }
            self.phases_left.remove(phase.name.as_str());
        }
        self.phase += 1;
        let holds_back = self.strategy == Strategy::Serial
            || self.options.variant == Variant::BreaksOutOfPhases && self.has_failed;
        let is_stopped = !is_complete && holds_back;
        self.at = if is_stopped { At::Ended } else { At::Phase };
    }

    // Steps.

    fn enter_step(&mut self) {
        let phase = &self.phases[self.phase];
        let Some(step) = phase.steps.get(self.step) else { return self.leave_phase() };
        let (keeps_message, runs_unready) =
            (self.options.variant == Variant::MessageKept, self.runs_unready());
        let found = self.status.phase_mut(&phase.name).and_then(|status| status.step_mut(&step.name));
        let Some(status) = found else {
            let cause = format!("missing step status: {}.{}.{}", self.plan.name, phase.name, step.name);
            return self.refuse_phase(EventName::MissingStepStatus, cause);
        };
        match status.status {
            ExecutionStatus::Complete => {
                self.steps_left.remove(step.name.as_str());
                self.counted += 1;
                self.step += 1;
                return;
            }
            ExecutionStatus::Pending | ExecutionStatus::InProgress | ExecutionStatus::Error => {
                let message = if keeps_message { std::mem::take(&mut status.message) } else { String::new() };
                status.set_with_message(ExecutionStatus::InProgress, message);
            }
            ExecutionStatus::Unset | ExecutionStatus::NeverRun | ExecutionStatus::FatalError => {
                if !runs_unready {
                    let place = format!("{}.{}.{}", self.plan.name, phase.name, step.name);
                    let unready = format!("step {place} is {}", status.status);
                    if let Some(phase) = self.status.phase_mut(&phase.name) {
                        phase.set(ExecutionStatus::FatalError);
                    }
                    return self.refuse_child(unready);
                }
            }
        }
        self.tasks_left = step.tasks.iter().map(String::as_str).collect();
        (self.task, self.at) = (0, At::Task);
    }

    fn leave_step(&mut self) {
        let phase = &self.phases[self.phase];
        let step = &phase.steps[self.step];
        self.step += 1;
        self.at = At::Step;
        if self.tasks_left.is_empty() {
            let kept =
                if self.options.variant == Variant::MessageKept { self.message() } else { String::new() };
            self.step -= 1;
            self.set_step(ExecutionStatus::Complete, kept);
            self.step += 1;
            self.steps_left.remove(step.name.as_str());
        } else if phase.strategy == Strategy::Serial
            || self.options.variant == Variant::ErrorHoldsBack && self.has_failed
        {
            self.leave_phase();
        }
    }

    // Tasks.

    fn enter_task(&mut self) -> Option<Run<'p>> {
        let phase = &self.phases[self.phase];
        let step = &phase.steps[self.step];
        let Some(name) = step.tasks.get(self.task) else {
            self.leave_step();
            return None;
        };
        match self.plan.task(name) {
            Some(task) => Some(Run { plan: &self.plan.name, phase: &phase.name, step: &step.name, task }),
            None => {
                let cause = format!("missing task {}", self.place(name));
                self.refuse_step(EventName::UnknownTaskName, cause);
                None
            }
        }
    }

    // Ends for good.

    /// What does not fit ends the step, its phase and the plan; the message is the step's.
    fn refuse_step(&mut self, event: EventName, cause: String) {
        let fatal = FatalPlan { instance: self.instance(), cause };
        let message = fatal.to_string();
        self.fail_step(ExecutionError::new(event, fatal).into(), message);
    }

    fn fail_step(&mut self, error: PassError, message: String) {
        let upwards = match self.options.variant {
            Variant::FatalMessageUpwards => message.clone(),
            _ => String::new(),
        };
        self.set_step(ExecutionStatus::FatalError, message);
        let (name, now) = (&self.phases[self.phase].name, self.now);
        if let Some(phase) = self.status.phase_mut(name) {
            phase.set_with_message(ExecutionStatus::FatalError, upwards.clone());
        }
        self.status.set_with_message(ExecutionStatus::FatalError, upwards, now);
        self.error.get_or_insert(error);
        if self.options.variant == Variant::ContinueAfterFatal {
            (self.step, self.at) = (self.step + 1, At::Step);
            return;
        }
        self.at = At::Ended;
    }

    fn refuse_phase(&mut self, event: EventName, cause: String) {
        let fatal = FatalPlan { instance: self.instance(), cause };
        if let Some(phase) = self.status.phase_mut(&self.phases[self.phase].name) {
            phase.set_with_message(ExecutionStatus::FatalError, fatal.to_string());
        }
        self.status.set(ExecutionStatus::FatalError, self.now);
        self.end_with(ExecutionError::new(event, fatal));
    }

    fn refuse_plan(&mut self, event: EventName, cause: String) {
        let fatal = FatalPlan { instance: self.instance(), cause };
        self.status.set_with_message(ExecutionStatus::FatalError, fatal.to_string(), self.now);
        self.end_with(ExecutionError::new(event, fatal));
    }

    /// A child that is not to be run: its own message says why.
    fn refuse_child(&mut self, unready: String) {
        let cause = format!("{unready} in a plan that runs; only a new execution runs it");
        let fatal = FatalPlan { instance: self.instance(), cause };
        self.status.set(ExecutionStatus::FatalError, self.now);
        self.end_with(ExecutionError::new(EventName::UnreadyChild, fatal));
    }

    fn end_with(&mut self, error: ExecutionError) {
        self.error.get_or_insert(error.into());
        self.at = At::Ended;
    }

    // Names.

    fn runs_unready(&self) -> bool {
        let is_parity = self.options.on_unready == OnUnready::Run;
        // What this pass itself made fatal is not what it found.
        is_parity || self.options.variant == Variant::FatalResurrected || self.error.is_some()
    }

    fn step_spec(&self) -> &'p Step {
        &self.phases[self.phase].steps[self.step]
    }

    fn message(&self) -> String {
        let (phase, step) = (&self.phases[self.phase], self.step - 1);
        let found = self.status.step(&phase.name, &phase.steps[step].name);
        found.map(|step| step.message.clone()).unwrap_or_default()
    }

    fn set_step(&mut self, status: ExecutionStatus, message: String) {
        let (phase, step) = (&self.phases[self.phase].name, &self.step_spec().name);
        if let Some(found) = self.status.phase_mut(phase).and_then(|phase| phase.step_mut(step)) {
            found.set_with_message(status, message);
        }
    }

    fn instance(&self) -> String {
        format!("{}/{}", self.metadata.namespace, self.metadata.instance)
    }

    fn place(&self, task: &str) -> String {
        let phase = &self.phases[self.phase];
        format!("{}.{}.{}.{task}", self.plan.name, phase.name, self.step_spec().name)
    }
}
