//! The seed source: the one place where policy lives. It answers from random streams, one per site label.

use super::{Bias, Calibration, Chosen, Hazard, RandomWalk, Strategy, StrategyKind, Stream};
use crate::choice::fault::{FaultPlan, FaultRule};
use crate::choice::{Ask, Covering, Label, Names, Notice, Ready, Source, Weights, YIELD_SHARE};

/// How much likelier a rule is than it says where a swarm has it on: these many quarters, each as often.
const STRENGTHS: [u8; 4] = [1, 2, 4, 8];

/// How strong each rule of a plan is under a seed, in quarters; 0 is off.
///
/// Each rule of a swarm is on in half of the seeds.
pub fn swarm(seed: u64, plan: &FaultPlan) -> Vec<u8> {
    if plan.rules.is_empty() {
        // Many a run has none; to fill a vector of length 0 costs as much as to seed a stream (glibc's `memset`).
        return Vec::new();
    }
    if !plan.swarm {
        return vec![4; plan.rules.len()];
    }
    let mut stream = Stream::new(seed, "swarm");
    let strength = |word: u64| if word >> 63 == 0 { 0 } else { STRENGTHS[(word & 3) as usize] };
    plan.rules.iter().map(|_| strength(stream.word())).collect()
}

/// What a swarm left of a plan under a seed, for people: the rules that are on; `None` where every rule is as it says.
pub fn describe_swarm(seed: u64, plan: &FaultPlan) -> Option<String> {
    if !plan.swarm || plan.rules.is_empty() {
        return None;
    }
    let on = plan.rules.iter().zip(swarm(seed, plan)).filter(|&(_, strength)| strength > 0);
    let told: Vec<String> = on
        .map(|(rule, strength)| {
            let times = match strength {
                1 => "at a quarter",
                2 => "at half",
                4 => "as planned",
                _ => "twice as likely",
            };
            format!("{} at {} ({times})", rule.kind.name(), rule.site)
        })
        .collect();
    let count = plan.rules.len();
    Some(match told.as_slice() {
        [] => format!("none of the {count} fault rules was on"),
        told => format!("{} of {count} fault rules on: {}", told.len(), told.join(", ")),
    })
}

/// Answers a run's choices from a seed, a strategy and a fault plan.
pub struct SeedSource {
    seed: u64,
    schedule: Schedule,
    plan: FaultPlan,
    covering: Covering,
    fired: Vec<u32>,
    /// How strong each rule is, in quarters.
    strengths: Vec<u8>,
    /// Whether sites yield as often as they suggest.
    yields: bool,
    streams: Vec<(u64, Stream)>,
    /// The stream that was drawn from last: often the one that is next.
    last: usize,
}

/// Who picks among ready tasks. Most runs walk, and seeding a stream costs: the walk begins at its first pick.
enum Schedule {
    NotYetWalking,
    Walking(Box<RandomWalk>),
    Other(Box<dyn Strategy>),
}

impl Schedule {
    /// The strategy; of a walk, which hears nothing, there is none to tell.
    fn other(&mut self) -> Option<&mut dyn Strategy> {
        match self {
            Schedule::Other(strategy) => Some(&mut **strategy),
            Schedule::NotYetWalking | Schedule::Walking(_) => None,
        }
    }
}

impl SeedSource {
    /// The source of `seed`.
    pub fn new(seed: u64, strategy: StrategyKind, calibration: &Calibration, plan: FaultPlan) -> SeedSource {
        let schedule = match Chosen::of(strategy, seed) {
            Chosen::RandomWalk => Schedule::NotYetWalking,
            chosen => Schedule::Other(chosen.build(seed, calibration)),
        };
        SeedSource::with_schedule(seed, schedule, plan)
    }

    /// The source of `seed` under a strategy of the caller's.
    pub fn with_strategy(seed: u64, strategy: Box<dyn Strategy>, plan: FaultPlan) -> SeedSource {
        SeedSource::with_schedule(seed, Schedule::Other(strategy), plan)
    }

    fn with_schedule(seed: u64, mut schedule: Schedule, plan: FaultPlan) -> SeedSource {
        let strengths = swarm(seed, &plan);
        // Not `vec![0; …]`: see `swarm`.
        let fired = strengths.iter().map(|_| 0).collect();
        let yields = schedule.other().is_none_or(|strategy| strategy.lets_sites_yield());
        SeedSource {
            seed,
            schedule,
            plan,
            covering: Covering::default(),
            fired,
            strengths,
            yields,
            streams: Vec::new(),
            last: 0,
        }
    }

    /// The first pick of a walk.
    #[cold]
    fn begin_walk(&mut self, ready: &Ready) -> usize {
        let mut walk = RandomWalk::of(self.seed);
        let picked = walk.pick(ready);
        self.schedule = Schedule::Walking(Box::new(walk));
        picked
    }

    /// Whether a rule of the plan lets the site answer with this fault now, which then counts as one of the rule's; for
    /// answers that others make in place of this source. How likely the rule is, and its swarm, play no part.
    pub fn claim(&mut self, ask: &Ask<'_>, option: u64) -> bool {
        let mut rules = self.covering.rules(&self.plan, ask.label, ask.object, ask.host);
        let found = rules.find(|&(index, rule)| {
            option < 8
                && (rule.kind.options() >> option) & 1 == 1
                && is_open(rule, ask.now, self.fired[index])
        });
        found.map(|(index, _)| self.fired[index] += 1).is_some()
    }

    #[inline]
    fn stream(&mut self, label_hash: u64) -> &mut Stream {
        if self.streams.get(self.last).is_some_and(|(hash, _)| *hash == label_hash) {
            return &mut self.streams[self.last].1;
        }
        self.seek(label_hash)
    }

    #[inline(never)]
    fn seek(&mut self, label_hash: u64) -> &mut Stream {
        let known = self.streams.iter().position(|(hash, _)| *hash == label_hash);
        self.last = known.unwrap_or_else(|| self.open(label_hash));
        &mut self.streams[self.last].1
    }

    #[cold]
    fn open(&mut self, label_hash: u64) -> usize {
        self.streams.push((label_hash, Stream::with_hash(self.seed, label_hash)));
        self.streams.len() - 1
    }

    /// The strategy, if it wants to hear more than whom to pick among.
    fn listener(&mut self) -> Option<&mut dyn Strategy> {
        self.schedule.other().filter(|strategy| strategy.listens())
    }

    /// What the strategy says to a latency or a fault.
    fn bias(&mut self, ask: &Ask<'_>) -> Bias {
        let bias = Hazard::of(ask).and_then(|hazard| Some(self.listener()?.hazard(hazard)));
        bias.unwrap_or(Bias::AsDrawn)
    }

    /// One word decides whether and which: the others than the baseline share what is left of it.
    fn rare(&mut self, ask: &Ask<'_>, one_in: u32, of: u32) -> u64 {
        let draw = self.stream(ask.label.hash()).word();
        let drawn = is_rare(draw, one_in, of);
        let bias = self.bias(ask);
        let rare = match bias {
            Bias::AsDrawn => drawn,
            Bias::Baseline => false,
            Bias::Harm => true,
        };
        if rare { 1 + (((draw & 0xffff_ffff) * (ask.arity - 1)) >> 32) } else { 0 }
    }

    /// One word decides whether and which: rules share the unit interval in their order.
    fn fault(&mut self, ask: &Ask<'_>, mask: u8) -> u64 {
        let draw = self.stream(ask.label.hash()).word();
        let (ticket, detail) = ((draw >> 32) as u32, draw as u32);
        if let Some(answer) = self.biased(ask, mask, ticket, detail) {
            return answer;
        }
        let mut floor = 0u64;
        for (index, rule) in self.covering.rules(&self.plan, ask.label, ask.object, ask.host) {
            let ceiling = floor + share(rule.probability * f64::from(self.strengths[index]) / 4.0);
            let hit = (floor..ceiling).contains(&u64::from(ticket));
            floor = ceiling;
            if hit && is_open(rule, ask.now, self.fired[index]) {
                self.fired[index] += 1;
                return nth_option(rule.kind.options() & mask, detail);
            }
        }
        0
    }

    /// The strategy's answer, where any rule may fire at all and the strategy has one.
    fn biased(&mut self, ask: &Ask<'_>, mask: u8, ticket: u32, detail: u32) -> Option<u64> {
        self.listener()?;
        let count = self.able(ask).count() as u64;
        if count == 0 {
            return None;
        }
        match self.bias(ask) {
            Bias::AsDrawn => None,
            Bias::Baseline => Some(0),
            Bias::Harm => {
                let index = self.able(ask).nth(((u64::from(ticket) * count) >> 32) as usize)?;
                self.fired[index] += 1;
                Some(nth_option(self.plan.rules[index].kind.options() & mask, detail))
            }
        }
    }

    /// The rules that may fire here and now, however seldom.
    fn able<'a>(&'a mut self, ask: &'a Ask<'a>) -> impl Iterator<Item = usize> {
        let rules = self.covering.rules(&self.plan, ask.label, ask.object, ask.host);
        let able = rules.filter(|&(index, rule)| {
            rule.probability > 0.0 && self.strengths[index] > 0 && is_open(rule, ask.now, self.fired[index])
        });
        able.map(|(index, _)| index)
    }
}

/// Whether the upper half of a word says that the rare case is met.
#[inline]
fn is_rare(draw: u64, one_in: u32, of: u32) -> bool {
    (((draw >> 32) * u64::from(of)) >> 32) < u64::from(one_in)
}

/// A probability as a share of 2^32.
fn share(probability: f64) -> u64 {
    (probability.clamp(0.0, 1.0) * 4_294_967_296.0) as u64
}

fn is_open(rule: &FaultRule, now: u64, fired: u32) -> bool {
    let after = u128::from(now) >= rule.from.as_nanos();
    let before = rule.until.is_none_or(|until| u128::from(now) < until.as_nanos());
    after && before && rule.budget.is_none_or(|budget| fired < budget)
}

/// One of the options of a mask, drawn by `detail`.
fn nth_option(mask: u8, detail: u32) -> u64 {
    let rank = (u64::from(detail) * u64::from(mask.count_ones())) >> 32;
    (0..8).filter(|option| (mask >> option) & 1 == 1).nth(rank as usize).unwrap_or(0)
}

impl Source for SeedSource {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        match ask.weights {
            Weights::Uniform if ask.arity == u64::MAX => self.stream(ask.label.hash()).word(),
            Weights::Uniform => self.stream(ask.label.hash()).below(ask.arity),
            Weights::Rare { .. } if !self.yields && ask.is_yield() => 0,
            Weights::Rare { one_in, of } => self.rare(ask, one_in, of),
            Weights::Fault(mask) => self.fault(ask, mask),
        }
    }

    #[inline]
    fn pick(&mut self, ready: &Ready, _names: Option<&Names>) -> usize {
        match &mut self.schedule {
            Schedule::Walking(walk) => walk.pick(ready),
            Schedule::NotYetWalking => self.begin_walk(ready),
            Schedule::Other(strategy) => strategy.pick(ready),
        }
    }

    fn yields_at(&mut self, site: &Label) -> Option<bool> {
        let (one_in, of) = YIELD_SHARE;
        Some(self.yields && is_rare(self.stream(site.hash()).word(), one_in, of))
    }

    fn yields(&mut self, ask: &Ask<'_>, task: u32, ready: &Ready) -> u64 {
        match self.schedule.other().and_then(|strategy| strategy.yields(task, ready)) {
            Some(yields) => u64::from(yields),
            None => self.choose(ask),
        }
    }

    fn listens(&self) -> bool {
        match &self.schedule {
            Schedule::Other(strategy) => strategy.listens(),
            Schedule::NotYetWalking | Schedule::Walking(_) => false,
        }
    }

    fn notice(&mut self, notice: Notice) {
        let Some(strategy) = self.schedule.other() else { return };
        match notice {
            Notice::Spawned { task, parent } => strategy.spawned(task, parent),
            Notice::Ready { task } => strategy.ready(task),
            Notice::Access { task, object, access } => strategy.access(task, object, access),
            Notice::Alone { task } => strategy.alone(task),
            Notice::Idle | Notice::Quiet => strategy.idle(),
            Notice::Done { task } => strategy.done(task),
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::YIELD;

    fn asked(label: Label) -> Ask<'static> {
        Ask { label, object: "", arity: 2, weights: YIELD, host: "", task: "", occurrence: 0, now: 0 }
    }

    /// A sweep asks by the site alone, and the run that repeats a seed with names asks in full.
    #[test]
    fn a_site_alone_is_answered_as_the_whole_question_is() {
        let labels = [Label::new("one"), Label::new("other")];
        let mut counted = [0, 0];
        for kind in [StrategyKind::RandomWalk, StrategyKind::OldestFirst] {
            for seed in 0..50 {
                let source = || SeedSource::new(seed, kind, &Calibration::default(), FaultPlan::none());
                let (mut short, mut full) = (source(), source());
                for nth in 0..100 {
                    let label = labels[usize::from(nth % 3 == 0)];
                    let answer = full.choose(&asked(label));
                    assert_eq!(short.yields_at(&label).map(u64::from), Some(answer), "{kind:?}, seed {seed}");
                    counted[answer as usize] += 1;
                }
            }
        }
        assert!(counted.iter().all(|&count| count > 1_000), "{counted:?}");
    }
}
