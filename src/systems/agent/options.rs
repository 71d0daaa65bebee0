//! How an agent may be told to differ from the right one: the reference's known mistakes, each by its name. Separate
//! because every part of an agent takes these; it must not hold behaviour.

use super::variant::Variant;

/// Known mistakes of the reference, to be had on purpose: by those who measure what they find, or who replace a
/// reference whose users count on them. All are off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parity {
    /// The end of a back-off is taken for the end of whatever operation is in flight, so that two operations of one
    /// controller overlap.
    pub bare_retry_timer: bool,
    /// A controller removes while its manager is still being closed.
    pub remove_beside_close: bool,
    /// The record of a task goes before what the task used is freed: a crash in between leaves that for ever.
    pub record_deleted_first: bool,
    /// A definition counts as delivered when its delivery begins.
    pub update_lost: bool,
    /// A full assignment forgets the tasks whose controller was not found, and leaves their records.
    pub unresolved_forgotten: bool,
}

impl Parity {
    /// None of them: what is right.
    pub const NONE: Parity = Parity {
        bare_retry_timer: false,
        remove_beside_close: false,
        record_deleted_first: false,
        update_lost: false,
        unresolved_forgotten: false,
    };
    /// All of them: what the reference does.
    pub const REFERENCE: Parity = Parity {
        bare_retry_timer: true,
        remove_beside_close: true,
        record_deleted_first: true,
        update_lost: true,
        unresolved_forgotten: true,
    };

    fn has(self, mistake: Variant) -> bool {
        match mistake {
            Variant::BareRetryTimer => self.bare_retry_timer,
            Variant::RemoveBesideClose => self.remove_beside_close,
            Variant::RecordDeletedFirst => self.record_deleted_first,
            Variant::UpdateLost => self.update_lost,
            Variant::UnresolvedForgotten => self.unresolved_forgotten,
            _ => false,
        }
    }
}

/// What an agent does otherwise than by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentOptions {
    /// Which of the reference's mistakes it makes.
    pub parity: Parity,
    variant: Variant,
}

impl AgentOptions {
    /// An agent that makes these mistakes of the reference.
    pub fn with_parity(parity: Parity) -> AgentOptions {
        AgentOptions { parity, ..AgentOptions::default() }
    }

    /// An agent with a bug.
    #[doc(hidden)]
    pub fn planted(variant: Variant) -> AgentOptions {
        AgentOptions { variant, ..AgentOptions::default() }
    }

    /// Whether it makes this mistake.
    pub(super) fn has(self, mistake: Variant) -> bool {
        self.variant == mistake || self.parity.has(mistake)
    }
}
