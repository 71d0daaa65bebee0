//! Faults as data: which harm, where, when, how likely, how often.
//!
//! The plan says which options a fault site has; how likely each is concerns the seed source alone. This file
//! injects nothing.

use std::time::Duration;

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The operation returns an error.
    Error,
    /// The operation never completes.
    Hang,
    /// The future that awaits the operation is dropped, with all of its task: the task is aborted, and whoever joins it
    /// hears that it was cancelled. A main that is cancelled has not done its work, so the run ends as *failed*: put
    /// what may be cancelled into a task of its own.
    Cancel,
    /// The operation takes up to this much longer (a quarter, a half, three quarters or all of it).
    Slow(Duration),
    /// A ready task is held until just after the k-th next deadline, k from 1 to 4.
    Stall,
    /// A due timer is held until just after the k-th next deadline, k from 1 to 4.
    LateTimer,
    /// The host crashes: all that is not durable is lost. Its mains run again after a quarter, a half, three quarters or
    /// all of this.
    Crash(Duration),
    /// The host stands still for a quarter, a half, three quarters or all of this; its timers fire when it goes on.
    Pause(Duration),
    /// The wall clock of the host jumps by this: forward, or back.
    ClockJump(Duration),
    /// The clock of the host, and its timers with it, runs fast or slow by this many parts in a million, from then on.
    ClockDrift(u32),
    /// A write takes effect, and the answer to it is lost: the client hears an error.
    LostAnswer,
    /// A write is refused as if another had come first.
    Conflict,
    /// A view of the store is older than the store: by 1, 2 or 4 changes, or as old as it can be.
    Stale,
    /// A watch does not hear of intermediate events: coalesced with later ones, or lost with an error that asks for a
    /// new list.
    Missed,
}

impl FaultKind {
    /// The name used in plans, reports and tapes.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Error => "error",
            FaultKind::Hang => "hang",
            FaultKind::Cancel => "cancel",
            FaultKind::Slow(_) => "slow",
            FaultKind::Stall => "stall",
            FaultKind::LateTimer => "late-timer",
            FaultKind::Crash(_) => "crash",
            FaultKind::Pause(_) => "pause",
            FaultKind::ClockJump(_) => "clock-jump",
            FaultKind::ClockDrift(_) => "clock-drift",
            FaultKind::LostAnswer => "lost-answer",
            FaultKind::Conflict => "conflict",
            FaultKind::Stale => "stale",
            FaultKind::Missed => "missed",
        }
    }

    /// The site that this kind alone is at, if it has one; the others are at the site that their rule names.
    pub fn own_site(self) -> Option<&'static str> {
        Some(match self {
            FaultKind::Error | FaultKind::Hang | FaultKind::Cancel | FaultKind::Slow(_) => return None,
            FaultKind::Stall => SITE_STALL,
            FaultKind::LateTimer => SITE_LATE,
            FaultKind::Crash(_) => SITE_CRASH,
            FaultKind::Pause(_) => SITE_PAUSE,
            FaultKind::ClockJump(_) | FaultKind::ClockDrift(_) => SITE_CLOCK,
            FaultKind::LostAnswer => SITE_ANSWER,
            FaultKind::Conflict => SITE_CONFLICT,
            FaultKind::Stale => SITE_STALE,
            FaultKind::Missed => SITE_MISSED,
        })
    }

    /// How long the harm lasts at most, or how far it goes, for the kinds that say.
    fn extent(self) -> Option<Duration> {
        match self {
            FaultKind::Slow(by) | FaultKind::Crash(by) | FaultKind::Pause(by) | FaultKind::ClockJump(by) => {
                Some(by)
            }
            _ => None,
        }
    }

    /// The options of a fault site that stand for this kind, as a mask.
    pub fn options(self) -> u8 {
        match self {
            FaultKind::Error => 0b0000_0010,
            FaultKind::Hang => 0b0000_0100,
            FaultKind::Cancel => 0b0000_1000,
            FaultKind::Slow(_) => 0b1111_0000,
            FaultKind::Stall
            | FaultKind::LateTimer
            | FaultKind::Crash(_)
            | FaultKind::Pause(_)
            | FaultKind::Stale => 0b0001_1110,
            FaultKind::ClockJump(_) | FaultKind::Missed => 0b0000_0110,
            FaultKind::ClockDrift(_) => 0b0001_1000,
            FaultKind::LostAnswer | FaultKind::Conflict => 0b0000_0010,
        }
    }
}

/// The site at which a ready task may be held.
pub const SITE_STALL: &str = "task.stall";
/// The site at which a due timer may be held.
pub const SITE_LATE: &str = "timer.late";
/// The site at which a host may crash when one of its timers is due.
pub const SITE_CRASH: &str = "host.crash";
/// The site at which a host may crash between two of its effects on the world: right after the one that its object
/// names.
pub const SITE_CRASH_AFTER: &str = "host.crash-after";
/// The site at which a host may stand still: when one of its timers is due.
pub const SITE_PAUSE: &str = "host.pause";
/// The site at which a host's clock may go wrong: when one of its timers is due.
pub const SITE_CLOCK: &str = "host.clock";
/// The site at which the answer to a write may be lost.
pub const SITE_ANSWER: &str = "store.answer";
/// The site at which a write may be refused for a conflict that there was not.
pub const SITE_CONFLICT: &str = "store.conflict";
/// The site at which a view of the store may be old.
pub const SITE_STALE: &str = "store.stale";
/// The site at which a watch may miss events.
pub const SITE_MISSED: &str = "store.missed";
/// The site at which a task may be cancelled: after each of its turns that ends in an await. It is asked in sweeps over
/// cancellations only, and no plan speaks of it.
pub const SITE_CANCEL: &str = "task.cancel";
/// The sites that belong to one kind of harm, to two, or to none.
const OWN_SITES: [&str; 11] = [
    SITE_CANCEL,
    SITE_STALL,
    SITE_LATE,
    SITE_CRASH,
    SITE_CRASH_AFTER,
    SITE_PAUSE,
    SITE_CLOCK,
    SITE_ANSWER,
    SITE_CONFLICT,
    SITE_STALE,
    SITE_MISSED,
];

/// One line of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    /// The site's label; a trailing `*` matches any rest.
    pub site: String,
    /// The object, likewise; `None` is every object.
    pub object: Option<String>,
    /// The host, likewise; `None` is every host.
    pub host: Option<String>,
    /// What happens.
    pub kind: FaultKind,
    /// How likely, per question, from 0 to 1.
    pub probability: f64,
    /// Virtual time from which on it may happen.
    pub from: Duration,
    /// Virtual time from which on it may not; `None` is the end of the fault phase.
    pub until: Option<Duration>,
    /// How often it may happen in a run; `None` is without limit.
    pub budget: Option<u32>,
}

impl FaultRule {
    /// A rule for `site`: every object and host, at any time, without limit.
    pub fn new(site: impl Into<String>, kind: FaultKind, probability: f64) -> FaultRule {
        FaultRule {
            site: site.into(),
            object: None,
            host: None,
            kind,
            probability,
            from: Duration::ZERO,
            until: None,
            budget: None,
        }
    }

    /// Stalls of ready tasks.
    pub fn stall(probability: f64) -> FaultRule {
        FaultRule::own(FaultKind::Stall, probability)
    }

    /// Timers that fire late.
    pub fn late_timer(probability: f64) -> FaultRule {
        FaultRule::own(FaultKind::LateTimer, probability)
    }

    /// A rule for a kind that has a site of its own.
    ///
    /// # Panics
    /// When the kind has none: `Error`, `Hang`, `Cancel` and `Slow` are where a rule says.
    pub fn own(kind: FaultKind, probability: f64) -> FaultRule {
        let site =
            kind.own_site().expect("the kind is at a site that the rule has to name: use `FaultRule::new`");
        FaultRule::new(site, kind, probability)
    }

    /// Only objects that match.
    pub fn on(mut self, object: impl Into<String>) -> FaultRule {
        self.object = Some(object.into());
        self
    }

    /// Only hosts that match.
    pub fn at_host(mut self, host: impl Into<String>) -> FaultRule {
        self.host = Some(host.into());
        self
    }

    /// Only from `from` until before `until`.
    pub fn window(mut self, from: Duration, until: Duration) -> FaultRule {
        (self.from, self.until) = (from, Some(until));
        self
    }

    /// At most `times` in a run.
    pub fn budget(mut self, times: u32) -> FaultRule {
        self.budget = Some(times);
        self
    }

    /// Whether the rule speaks of this site. Tasks and timers can be held and nothing else, and nothing else held.
    pub fn covers(&self, site: &str, object: &str, host: &str) -> bool {
        self.fits(site) && self.covers_there(object, host)
    }

    /// Whether the rule speaks of this object and host, at whatever site.
    pub(super) fn covers_there(&self, object: &str, host: &str) -> bool {
        self.object.as_deref().is_none_or(|pattern| matches(pattern, object))
            && self.host.as_deref().is_none_or(|pattern| matches(pattern, host))
    }

    pub(super) fn fits(&self, site: &str) -> bool {
        match self.kind.own_site() {
            Some(SITE_CRASH) => is_same(site, SITE_CRASH) || is_same(site, SITE_CRASH_AFTER),
            Some(own) => is_same(site, own),
            None => matches(&self.site, site) && !OWN_SITES.contains(&site),
        }
    }

    /// Whether there can be a site, object and host of which both rules speak.
    fn meets(&self, other: &FaultRule) -> bool {
        let either = |mine: &Option<String>, others: &Option<String>| match (mine, others) {
            (Some(mine), Some(others)) => overlap(mine, others),
            _ => true,
        };
        overlap(&self.site, &other.site)
            && either(&self.object, &other.object)
            && either(&self.host, &other.host)
    }
}

/// Whether two patterns match one text.
fn overlap(first: &str, second: &str) -> bool {
    match (first.strip_suffix('*'), second.strip_suffix('*')) {
        (Some(first), Some(second)) => first.starts_with(second) || second.starts_with(first),
        _ => matches(first, second) || matches(second, first),
    }
}

/// Two rules of a plan that cannot stand together, by their places in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the fault rules {} and {} are both `{kind}` and can meet at one site: how far would the harm go? Tell them apart by \
     site, object or host",
    first + 1,
    second + 1
)]
pub struct Clash {
    /// The first.
    pub first: usize,
    /// The second.
    pub second: usize,
    /// What both do.
    pub kind: &'static str,
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.as_bytes().split_last() {
        Some((b'*', prefix)) => text.as_bytes().starts_with(prefix),
        _ => is_same(pattern, text),
    }
}

/// Every question asks this of every rule, and most differ in length or in the last letter.
#[inline]
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.as_bytes().last() == other.as_bytes().last() && one == other
}

/// All the harm that a program may meet.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// The rules. Several may speak of one site; of the slow ones only one, see [`FaultPlan::validate`].
    pub rules: Vec<FaultRule>,
    /// Virtual time at which the fault phase ends at the latest.
    pub until: Option<Duration>,
    /// Whether each seed switches a random half of the rules on, with a random strength, so that some runs meet one kind
    /// of harm alone, some many, and some none.
    pub swarm: bool,
}

impl Default for FaultPlan {
    fn default() -> FaultPlan {
        FaultPlan { rules: Vec::new(), until: None, swarm: true }
    }
}

impl FaultPlan {
    /// A plan without faults.
    pub fn none() -> FaultPlan {
        FaultPlan::default()
    }

    /// Every seed meets every rule, as likely as it says.
    pub fn without_swarm(mut self) -> FaultPlan {
        self.swarm = false;
        self
    }

    /// Adds a rule.
    pub fn with(mut self, rule: FaultRule) -> FaultPlan {
        self.rules.push(rule);
        self
    }

    /// How long `option` of a fault site makes an operation wait, if it is a slow one.
    pub fn delay(&self, site: &str, object: &str, host: &str, option: u64) -> Option<Duration> {
        let quarters = u32::try_from(option).ok().filter(|option| (4..8).contains(option))? - 3;
        let rule = self.covering(site, object, host).find(|rule| matches!(rule.kind, FaultKind::Slow(_)))?;
        rule.kind.extent().map(|by| by.checked_mul(quarters).map_or(by, |by| by / 4))
    }

    /// How long `option` keeps a host down or still: quarters of what the rule says.
    pub fn outage(&self, site: &str, object: &str, host: &str, option: u64) -> Duration {
        let by = self.covering(site, object, host).find_map(|rule| rule.kind.extent());
        by.unwrap_or_default() / 4 * u32::try_from(option.min(4)).unwrap_or(4)
    }

    /// How far the clock of a host jumps, and how many parts in a million it drifts.
    pub fn clock(&self, host: &str) -> (Duration, u32) {
        let (mut by, mut ppm) = (Duration::ZERO, 0);
        for rule in self.covering(SITE_CLOCK, "", host) {
            match rule.kind {
                FaultKind::ClockJump(jump) => by = jump,
                FaultKind::ClockDrift(drift) => ppm = drift,
                _ => {}
            }
        }
        (by, ppm)
    }

    /// The rules that speak of this site.
    pub fn covering(&self, site: &str, object: &str, host: &str) -> impl Iterator<Item = &FaultRule> {
        self.rules.iter().filter(move |rule| rule.covers(site, object, host))
    }

    /// Whether any rule speaks of `site`.
    pub fn speaks_of(&self, site: &str) -> bool {
        self.rules.iter().any(|rule| rule.fits(site))
    }

    /// Checks what the shape alone cannot say. An answer at a slow site is a part of *the* delay there, so that a tape
    /// means the same in every run: windows and budgets, which only a seed knows, must not decide which. The same goes
    /// for how long a host is down or still, and how far its clock goes wrong.
    ///
    /// # Errors
    /// Two rules of such a kind that can meet.
    pub fn validate(&self) -> Result<(), Clash> {
        let goes_far =
            |rule: &FaultRule| rule.kind.extent().is_some() || matches!(rule.kind, FaultKind::ClockDrift(_));
        for (second, rule) in self.rules.iter().enumerate().filter(|(_, rule)| goes_far(rule)) {
            let same = |other: &FaultRule| other.kind.name() == rule.kind.name() && other.meets(rule);
            if let Some(first) = self.rules[..second].iter().position(same) {
                return Err(Clash { first, second, kind: rule.kind.name() });
            }
        }
        Ok(())
    }
}

/// What option `option` of a fault site does, in words.
pub fn option_name(site: &str, option: u64) -> &'static str {
    let named: &[&str] = match site {
        SITE_STALL | SITE_LATE => {
            &["on time", "1 deadline late", "2 deadlines late", "3 deadlines late", "4 deadlines late"]
        }
        SITE_CRASH | SITE_CRASH_AFTER => &["up", "crash (1/4)", "crash (1/2)", "crash (3/4)", "crash"],
        SITE_PAUSE => &["running", "pause (1/4)", "pause (1/2)", "pause (3/4)", "pause"],
        SITE_CLOCK => &["right", "jumps forward", "jumps back", "runs fast", "runs slow"],
        SITE_CANCEL => &["goes on", "cancelled"],
        SITE_ANSWER => &["answered", "answer lost"],
        SITE_CONFLICT => &["no conflict", "conflict"],
        SITE_STALE => &["fresh", "1 change old", "2 changes old", "4 changes old", "as old as can be"],
        SITE_MISSED => &["delivered", "coalesced", "lost"],
        _ => &[],
    };
    if !named.is_empty() {
        return named.get(option as usize).copied().unwrap_or("unknown fault");
    }
    const NAMES: [&str; 8] =
        ["no fault", "error", "hang", "cancel", "slow (1/4)", "slow (1/2)", "slow (3/4)", "slow"];
    NAMES.get(option as usize).copied().unwrap_or("unknown fault")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::{Covering, Label};

    /// The options at a site, asked twice: once before the rules are known that speak of it, and once after.
    fn options(plan: &FaultPlan, site: &'static str, object: &str, host: &str) -> u8 {
        let mut covering = Covering::default();
        let first = covering.options(plan, Label::new(site), object, host);
        assert_eq!(covering.options(plan, Label::new(site), object, host), first);
        first
    }

    #[test]
    fn patterns_match_whole_names_or_prefixes() {
        for (pattern, text, expected) in
            [("a", "a", true), ("a", "ab", false), ("a*", "ab", true), ("*", "", true), ("a*", "b", false)]
        {
            assert_eq!(matches(pattern, text), expected, "{pattern} against {text}");
        }
    }

    #[test]
    fn slow_rules_that_can_meet_are_rejected() {
        let slow = |site: &str| FaultRule::new(site, FaultKind::Slow(Duration::from_secs(1)), 0.1);
        let window = |rule: FaultRule| rule.window(Duration::ZERO, Duration::from_secs(1));
        for (first, second, clashes) in [
            (slow("a"), slow("a"), true),
            (window(slow("a")), slow("a"), true),
            (slow("a"), slow("b"), false),
            (slow("a*"), slow("ab"), true),
            (slow("ab"), slow("a*"), true),
            (slow("a.b*"), slow("a.c*"), false),
            (slow("a*"), slow("ab*"), true),
            (slow("a").on("x"), slow("a").on("y"), false),
            (slow("a").on("x"), slow("a"), true),
            (slow("a").at_host("x"), slow("a").at_host("y"), false),
            (slow("a").at_host("x").on("o*"), slow("a").on("op"), true),
            (slow("a"), FaultRule::new("a", FaultKind::Error, 0.1), false),
        ] {
            let plan = FaultPlan::none().with(FaultRule::stall(0.1)).with(first).with(second);
            let expected = if clashes { Err(Clash { first: 1, second: 2, kind: "slow" }) } else { Ok(()) };
            assert_eq!(plan.validate(), expected, "{plan:?}");
        }
    }

    #[test]
    fn tasks_and_timers_can_be_held_and_nothing_else() {
        let everywhere = FaultPlan::none().with(FaultRule::new("*", FaultKind::Error, 0.1));
        assert!(!everywhere.speaks_of(SITE_STALL) && !everywhere.speaks_of(SITE_LATE));
        assert_eq!((options(&everywhere, SITE_LATE, "", "a"), options(&everywhere, "disk", "", "a")), (1, 3));
        let held = FaultPlan::none().with(FaultRule::new("*", FaultKind::Stall, 0.1).at_host("a"));
        assert_eq!((options(&held, SITE_STALL, "", "a"), options(&held, SITE_STALL, "", "b")), (0b1_1111, 1));
        assert_eq!(options(&held, "disk", "", "a"), 1);
    }

    #[test]
    fn options_are_those_of_the_covering_rules() {
        let plan = FaultPlan::none()
            .with(FaultRule::new("action.run", FaultKind::Error, 0.1).on("fr"))
            .with(FaultRule::new("action.*", FaultKind::Slow(Duration::from_secs(4)), 0.1));
        assert_eq!(options(&plan, "action.run", "fr", "main"), 0b1111_0011);
        assert_eq!(options(&plan, "action.run", "hc", "main"), 0b1111_0001);
        assert_eq!(options(&plan, "other", "hc", "main"), 1);
        assert_eq!(plan.delay("action.run", "hc", "main", 5), Some(Duration::from_secs(2)));
        assert_eq!(plan.delay("action.run", "hc", "main", 1), None);
    }
}
