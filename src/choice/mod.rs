//! Choices: every nondeterministic outcome of a run, and the sources that answer them.
//!
//! A *site* asks [`Source::choose`] for one of `arity` options; option 0 is always the baseline (oldest
//! ready task, least latency, no fault). Nothing else in the crate is random. Policy (probabilities,
//! windows, budgets, strategies) lives in the seed source only (`strategy::seed`): a tape, a fuzzer's bytes
//! and the enumerator answer the same questions without it.
//!
//! This module does not know the runtime: it sees ready tasks as numbers and, when names are kept, as paths.

mod covering;
mod label;
mod names;
mod ready;
pub mod asked;
pub mod bytes;
pub mod enumerate;
pub mod explore;
pub mod fault;
pub mod mutate;
pub mod tape;

pub(crate) use covering::Covering;
pub(crate) use label::hash_on;
pub use label::{Label, fold, hash_bytes};
pub use names::{Names, segment};
pub use ready::{Entry, Ready};

/// Options that a site with a large domain names for the enumerator and the shrinker, at most.
pub const LANDMARKS_MAX: usize = 8;

/// How likely each option of a site is, as the site suggests it; only a seed listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Each option is as likely as any other.
    Uniform,
    /// Option 0 in all but `one_in` of `of` cases; the others share these equally.
    Rare {
        /// Numerator of the share of the options above 0.
        one_in: u32,
        /// Denominator of that share.
        of: u32,
    },
    /// A fault: bit `k` of the mask tells whether option `k` exists here. The plan decides how likely.
    Fault(u8),
}

/// The weights of a scheduling point, whose option 1 is to yield: one time in four under a seed.
pub const YIELD: Weights = Weights::Rare { one_in: YIELD_SHARE.0, of: YIELD_SHARE.1 };
/// One in how many that is.
pub(crate) const YIELD_SHARE: (u32, u32) = (1, 4);

/// One question put to a source.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The site's label.
    pub label: Label,
    /// The object it is about, or the empty string: then the asking task is the owner.
    pub object: &'a str,
    /// Number of options; `u64::MAX` stands for the whole range of `u64`.
    pub arity: u64,
    /// How likely each option is.
    pub weights: Weights,
    /// The host that asks.
    pub host: &'a str,
    /// The path of the asking task; empty unless the run keeps names.
    pub task: &'a str,
    /// Which of the owner's questions at this site, from 1; 0 unless the run keeps names.
    pub occurrence: u32,
    /// Virtual time, in nanoseconds.
    pub now: u64,
}

impl Ask<'_> {
    /// Whether `option` can be answered here.
    pub fn exists(&self, option: u64) -> bool {
        let in_range = option < self.arity || self.arity == u64::MAX;
        match self.weights {
            Weights::Fault(mask) => in_range && option < 8 && (mask >> option) & 1 == 1,
            Weights::Uniform | Weights::Rare { .. } => in_range,
        }
    }

    /// Who owns the question, in a run that keeps names: the object at its host where the site names one, else the task.
    pub fn owner(&self) -> String {
        if self.object.is_empty() { self.task.to_owned() } else { format!("{}@{}", self.object, self.host) }
    }

    /// Whether `owner` is [`Ask::owner`]: every question is compared with what a tape says, and few are in it.
    pub fn is_owner(&self, owner: &str) -> bool {
        if self.object.is_empty() {
            return owner == self.task;
        }
        let host = owner.strip_prefix(self.object).and_then(|rest| rest.strip_prefix('@'));
        host == Some(self.host)
    }

    /// Whether this is a scheduling point: to go on, or to let others run.
    pub fn is_yield(&self) -> bool {
        self.weights == YIELD && self.arity == 2
    }

    /// The options that search may use: all of a small domain, at most [`LANDMARKS_MAX`] of a large one, ascending.
    pub fn landmarks(&self) -> Vec<u64> {
        landmarks(self.arity).into_iter().filter(|&option| self.exists(option)).collect()
    }
}

/// At most [`LANDMARKS_MAX`] options of a domain of `arity`, ascending, the baseline included.
pub fn landmarks(arity: u64) -> Vec<u64> {
    let max = arity.saturating_sub(1);
    if arity <= LANDMARKS_MAX as u64 {
        return (0..arity).collect();
    }
    let mut all = vec![0, 1, 2, 3, max / 4, max / 2, max - 1, max];
    all.sort_unstable();
    all.dedup();
    all
}

/// What a strategy hears of the run. Tasks are spawn serials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A task began.
    Spawned {
        /// The task.
        task: u32,
        /// The task that spawned it, if one did.
        parent: Option<u32>,
    },
    /// A task became ready.
    Ready {
        /// The task.
        task: u32,
    },
    /// A task is about to touch a shared object.
    Access {
        /// The task.
        task: u32,
        /// Stable hash of the object.
        object: u64,
        /// Whether it writes.
        access: Access,
    },
    /// A task takes its turn and nobody was asked, since no other is ready.
    Alone {
        /// The task.
        task: u32,
    },
    /// No task was ready, and time moved.
    Idle,
    /// The quiet phase began: the oldest task runs, and nobody is asked which.
    Quiet,
    /// A task ended.
    Done {
        /// The task.
        task: u32,
    },
}

/// How a declared access touches its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// It may write.
    Write,
}

/// Something of a program that a run got to, for a source that looks for runs that get further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// A state that [`crate::cover!`] declared: the fold of its label and values.
    State(u64),
    /// A `sometimes` or `reachable` was met.
    Property(&'static str),
}

/// How much of a tape a run met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// Deviations of the tape that were met.
    pub met: u64,
    /// Deviations of the tape that were not.
    pub unmatched: u64,
}

/// What answers choices.
pub trait Source {
    /// One of the options of a site. An answer that does not exist counts as 0.
    fn choose(&mut self, ask: &Ask<'_>) -> u64;

    /// The index into `ready` of the task to poll next; called with two tasks or more.
    fn pick(&mut self, ready: &Ready, names: Option<&Names>) -> usize;

    /// The answer to a scheduling point that a task reached: 1 is to let others, of which those in `ready` can run, go
    /// first. Asked only of a source that listens.
    fn yields(&mut self, ask: &Ask<'_>, _task: u32, _ready: &Ready) -> u64 {
        self.choose(ask)
    }

    /// As [`Source::yields`], at an operation that cannot wait: the yield is owed to the task's next scheduling point.
    fn owes(&mut self, ask: &Ask<'_>, task: u32, ready: &Ready) -> u64 {
        self.yields(ask, task, ready)
    }

    /// As [`Source::choose`] at a scheduling point, from a source that does not listen, in a run that keeps no names: whether
    /// to yield. It must answer, and draw, as [`Source::choose`] does with [`YIELD`]. `None` from a source to which the site
    /// is not enough; it is asked in full then.
    fn yields_at(&mut self, _site: &Label) -> Option<bool> {
        None
    }

    /// Whether the source wants [`Source::yields`] and [`Source::notice`] to be called.
    fn listens(&self) -> bool {
        false
    }

    /// Hears what happened to a task.
    fn notice(&mut self, _notice: Notice) {}

    /// Whether the source wants [`Source::reached`] to be called.
    fn follows_coverage(&self) -> bool {
        false
    }

    /// Hears what the run got to, again whenever it gets there again.
    fn reached(&mut self, _what: Reached) {}

    /// Whether the source can answer only when tasks have names.
    fn needs_names(&self) -> bool {
        false
    }

    /// How much of a tape was met so far.
    fn matched(&self) -> Matched {
        Matched::default()
    }

    /// The source itself, for the driver that made it and wants its notes back.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}
