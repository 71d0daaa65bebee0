//! The planted bugs of this workload, as data. Separate so that the list is read in one place; each is one branch in the
//! reconciler at the place where it was, or could have been, made.

use crate::systems::controller::Variant as Engine;

/// The controller as it should be, or with one bug planted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Variant {
    #[default]
    Correct,
    /// The trigger of a route is registered when the first of its chains was read.
    TriggerAfterFirstChain,
    /// The reconcile of a route prefers another route at a listener than the reconcile of the gateway.
    AskewConflicts,
    /// Certificates are reconciled and not subscribed to.
    CertificateUnheard,
    /// The engine ends, and tells nobody, when a subscription fails.
    SubscriptionEndsRun,
    /// The trigger of a route that is gone is removed only by the reconcile that unbinds it.
    TriggerOutlivesRoute,
    /// The clean-up after a gateway takes for granted that something is bound to it.
    BoundExpected,
    /// What is bound to a gateway is deleted when the cache does not have the gateway yet.
    CacheUnprimed,
    /// Statuses are written over whatever the user wrote meanwhile.
    StatusOverwrites,
}

impl Variant {
    /// All of them, the correct one first.
    pub(super) const ALL: [Variant; 9] = [
        Variant::Correct,
        Variant::TriggerAfterFirstChain,
        Variant::AskewConflicts,
        Variant::CertificateUnheard,
        Variant::SubscriptionEndsRun,
        Variant::TriggerOutlivesRoute,
        Variant::BoundExpected,
        Variant::CacheUnprimed,
        Variant::StatusOverwrites,
    ];

    /// The names in scenario files.
    pub(super) const NAMES: [&'static str; 9] = {
        let mut names = [""; 9];
        let mut at = 0;
        while at < names.len() {
            names[at] = Variant::ALL[at].name();
            at += 1;
        }
        names
    };

    const fn name(self) -> &'static str {
        match self {
            Variant::Correct => "correct",
            Variant::TriggerAfterFirstChain => "trigger-after-first-chain",
            Variant::AskewConflicts => "askew-conflicts",
            Variant::CertificateUnheard => "certificate-unheard",
            Variant::SubscriptionEndsRun => "subscription-ends-run",
            Variant::TriggerOutlivesRoute => "trigger-outlives-route",
            Variant::BoundExpected => "bound-expected",
            Variant::CacheUnprimed => "cache-unprimed",
            Variant::StatusOverwrites => "status-overwrites",
        }
    }

    /// The variant of that name.
    ///
    /// # Panics
    /// There is none: the names are checked where files are read.
    pub(super) fn of(name: &str) -> Variant {
        let found = Variant::ALL.into_iter().find(|variant| variant.name() == name);
        found.unwrap_or_else(|| panic!("no variant is called {name}"))
    }

    /// What of it is planted in the engine.
    pub(super) fn engine(self) -> Engine {
        match self {
            Variant::SubscriptionEndsRun => Engine::SubscriptionErrorEndsRun,
            Variant::Correct
            | Variant::TriggerAfterFirstChain
            | Variant::AskewConflicts
            | Variant::CertificateUnheard
            | Variant::TriggerOutlivesRoute
            | Variant::BoundExpected
            | Variant::CacheUnprimed
            | Variant::StatusOverwrites => Engine::Correct,
        }
    }
}
