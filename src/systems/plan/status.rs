//! How far a plan has come: a tree of statuses, with the rules of setting them. Plain data that is stored; it must not
//! know the plan itself, nor who writes it down.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::{Duration, SystemTime};

/// Nanoseconds since 1970, on the wall clock of whoever wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The present.
    pub fn now() -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The time since another; none if that is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Where a plan, a phase or a step stands.
///
/// | status | terminal | finished | running | set by a pass on |
/// |---|---|---|---|---|
/// | `NEVER_RUN` | | | | nothing |
/// | `PENDING` | | | x | nothing |
/// | `IN_PROGRESS` | | | x | plan, phase, step |
/// | `ERROR` | | | x | step |
/// | `COMPLETE` | x | x | | plan, phase, step |
/// | `FATAL_ERROR` | x | | | plan, phase, step |
/// | the empty text | | | | nothing; it is taken for `NEVER_RUN` |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutionStatus {
    /// Nothing was written yet.
    #[default]
    #[serde(rename = "")]
    Unset,
    /// It was never asked for.
    NeverRun,
    /// It was asked for and has not begun.
    Pending,
    /// It has begun.
    InProgress,
    /// It failed, and is tried again.
    Error,
    /// It is done.
    Complete,
    /// It failed, and is not tried again.
    FatalError,
}

impl ExecutionStatus {
    /// All of them.
    pub const ALL: [ExecutionStatus; 7] = [
        ExecutionStatus::Unset,
        ExecutionStatus::NeverRun,
        ExecutionStatus::Pending,
        ExecutionStatus::InProgress,
        ExecutionStatus::Error,
        ExecutionStatus::Complete,
        ExecutionStatus::FatalError,
    ];

    /// Nothing comes after it, but a new execution.
    pub fn is_terminal(self) -> bool {
        matches!(self, ExecutionStatus::Complete | ExecutionStatus::FatalError)
    }

    /// All is done.
    pub fn is_finished(self) -> bool {
        self == ExecutionStatus::Complete
    }

    /// It is to be carried on.
    pub fn is_running(self) -> bool {
        matches!(self, ExecutionStatus::Pending | ExecutionStatus::InProgress | ExecutionStatus::Error)
    }

    /// Nobody has asked for it yet.
    pub fn is_never_run(self) -> bool {
        matches!(self, ExecutionStatus::Unset | ExecutionStatus::NeverRun)
    }

    /// The text that is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            ExecutionStatus::Unset => "",
            ExecutionStatus::NeverRun => "NEVER_RUN",
            ExecutionStatus::Pending => "PENDING",
            ExecutionStatus::InProgress => "IN_PROGRESS",
            ExecutionStatus::Error => "ERROR",
            ExecutionStatus::Complete => "COMPLETE",
            ExecutionStatus::FatalError => "FATAL_ERROR",
        }
    }
}

/// A text that is no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no status `{0}`")]
pub struct UnknownStatus(pub String);

impl FromStr for ExecutionStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<ExecutionStatus, UnknownStatus> {
        let found = ExecutionStatus::ALL.into_iter().find(|status| status.name() == text);
        found.ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a plan has come. What it does not say is not stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStatus {
    /// The plan's name.
    pub name: String,
    /// Which execution: a new one has a new uid.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Why, where that needs words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When status or message changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<Timestamp>,
    /// Its phases. They are stored as one text of rows: an instance has many, and each change writes them all.
    #[serde(default, with = "rows", skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseStatus>,
}

/// How far a phase has come. It is stored as a row: name, status, message, steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhaseStatus {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Why, where that needs words.
    pub message: String,
    /// Its steps.
    pub steps: Vec<StepStatus>,
}

/// How far a step has come. It is stored as a row: name, status, message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepStatus {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Why, where that needs words.
    pub message: String,
}

impl PlanStatus {
    /// Sets the status, if it is another: that clears the message and is noted with its time, which never goes back.
    pub fn set(&mut self, status: ExecutionStatus, now: Timestamp) {
        if self.status != status {
            self.write(status, String::new(), now);
        }
    }

    /// Sets status and message, if one is another.
    pub fn set_with_message(&mut self, status: ExecutionStatus, message: impl Into<String>, now: Timestamp) {
        let message = message.into();
        if self.status != status || self.message != message {
            self.write(status, message, now);
        }
    }

    fn write(&mut self, status: ExecutionStatus, message: String, now: Timestamp) {
        (self.status, self.message) = (status, message);
        self.last_updated = self.last_updated.max(Some(now));
    }

    /// The status of a phase: the first of that name.
    pub fn phase(&self, name: &str) -> Option<&PhaseStatus> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// As [`PlanStatus::phase`], to be changed.
    pub fn phase_mut(&mut self, name: &str) -> Option<&mut PhaseStatus> {
        self.phases.iter_mut().find(|phase| phase.name == name)
    }

    /// The status of a step of a phase: the first of that name.
    pub fn step(&self, phase: &str, step: &str) -> Option<&StepStatus> {
        self.phase(phase)?.step(step)
    }

    /// The steps of all phases.
    pub fn steps(&self) -> impl Iterator<Item = &StepStatus> {
        self.phases.iter().flat_map(|phase| &phase.steps)
    }

    /// How many steps are done: the measure of progress.
    pub fn steps_complete(&self) -> u64 {
        self.steps().filter(|step| step.status.is_finished()).count() as u64
    }
}

impl PhaseStatus {
    /// Sets the status, and clears the message.
    pub fn set(&mut self, status: ExecutionStatus) {
        self.set_with_message(status, "");
    }

    /// Sets status and message.
    pub fn set_with_message(&mut self, status: ExecutionStatus, message: impl Into<String>) {
        (self.status, self.message) = (status, message.into());
    }

    /// The status of a step: the first of that name.
    pub fn step(&self, name: &str) -> Option<&StepStatus> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// As [`PhaseStatus::step`], to be changed.
    pub fn step_mut(&mut self, name: &str) -> Option<&mut StepStatus> {
        self.steps.iter_mut().find(|step| step.name == name)
    }
}

impl StepStatus {
    /// Sets the status, and clears the message.
    pub fn set(&mut self, status: ExecutionStatus) {
        self.set_with_message(status, "");
    }

    /// Sets status and message.
    pub fn set_with_message(&mut self, status: ExecutionStatus, message: impl Into<String>) {
        (self.status, self.message) = (status, message.into());
    }
}

// As they are stored.

mod rows {
    use super::{Deserialize, Deserializer, PhaseStatus, Serializer};
    use std::borrow::Cow;

    pub(super) fn serialize<S: Serializer>(phases: &[PhaseStatus], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&serde_json::to_string(phases).map_err(serde::ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PhaseStatus>, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        serde_json::from_str(&text).map_err(serde::de::Error::custom)
    }
}

impl Serialize for PhaseStatus {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (&self.name, self.status, &self.message, &self.steps).serialize(to)
    }
}

impl<'de> Deserialize<'de> for PhaseStatus {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<PhaseStatus, D::Error> {
        let (name, status, message, steps) = Deserialize::deserialize(from)?;
        Ok(PhaseStatus { name, status, message, steps })
    }
}

impl Serialize for StepStatus {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (&self.name, self.status, &self.message).serialize(to)
    }
}

impl<'de> Deserialize<'de> for StepStatus {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<StepStatus, D::Error> {
        let (name, status, message) = Deserialize::deserialize(from)?;
        Ok(StepStatus { name, status, message })
    }
}
