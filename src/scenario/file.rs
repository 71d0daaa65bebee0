//! Scenario files: their shape, and from a file to a sweep.
//!
//! Separate because the shape is for people and the sweep is for machines; what a workload means is its system's.

use super::expect::{self, Expect, Written};
use super::{Registry, Section, Subject, System};
use crate::Error;
use crate::check::{Check, Reproduce};
use crate::choice::fault::{FaultKind, FaultPlan, FaultRule};
use crate::runtime::Budget;
use crate::scenario::Document;
use crate::sim::Sim;
use crate::span::Span;
use crate::strategy::StrategyKind;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fmt;
use std::path::Path;
use toml::Spanned;

/// A scenario file that was read and found right.
pub struct Scenario {
    /// The path as it was given.
    pub name: String,
    /// The name of its system.
    pub system: &'static str,
    /// What it is about.
    pub description: String,
    /// The variant of the system.
    pub variant: &'static str,
    /// How the sweep must end.
    pub expect: Expect,
    /// The sweep.
    pub check: Check,
    subject: Box<dyn Subject>,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    system: Spanned<String>,
    description: String,
    variant: Option<Spanned<String>>,
    expect: Spanned<Written>,
    runs: Option<Spanned<u64>>,
    strategy: Option<Spanned<String>>,
    #[expect(dead_code, reason = "its system reads it")]
    workload: IgnoredAny,
    #[serde(default)]
    faults: FaultsTable,
    #[serde(default)]
    budget: BudgetTable,
    #[serde(default)]
    properties: PropertiesTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FaultsTable {
    until: Option<Span>,
    swarm: Option<bool>,
    #[serde(default)]
    rule: Vec<Spanned<RuleTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RuleTable {
    kind: KindName,
    site: Option<Spanned<String>>,
    object: Option<String>,
    host: Option<String>,
    by: Option<Spanned<Span>>,
    ppm: Option<Spanned<u32>>,
    probability: Spanned<f64>,
    #[serde(default)]
    from: Span,
    until: Option<Spanned<Span>>,
    budget: Option<u32>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum KindName {
    Error,
    Hang,
    Cancel,
    Slow,
    Stall,
    LateTimer,
    Crash,
    Pause,
    ClockJump,
    ClockDrift,
    LostAnswer,
    Conflict,
    Stale,
    Missed,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct BudgetTable {
    steps: Option<Spanned<u64>>,
    time: Option<Span>,
    zero_time_steps: Option<Spanned<u64>>,
    stuck_after: Option<Span>,
    quiet: Option<Span>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PropertiesTable {
    #[serde(default)]
    sometimes: Vec<Spanned<String>>,
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong: then where, what is allowed, and the nearest word.
    pub fn read(path: &Path, registry: &Registry) -> Result<Scenario, Error> {
        Scenario::parse(&Document::open(path, "scenario")?, registry)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// As [`Scenario::read`].
    pub fn parse(document: &Document, registry: &Registry) -> Result<Scenario, Error> {
        if document.path().to_str().is_none() {
            let message = format!("the path {} is not UTF-8", document.path().display());
            return Err(Error::input(message).help("rename it: failure files and reports name the scenario"));
        }
        let file: File = document.parse()?;
        let system =
            registry.find(file.system.get_ref()).map_err(|error| document.at(file.system.span(), error))?;
        let variant = variant(file.variant.as_ref(), system, document)?;
        let places = places(&file.properties, system, document)?;
        let check = Check {
            runs: positive(file.runs.as_ref(), document)?.unwrap_or(crate::check::RUNS_DEFAULT),
            strategy: strategy(file.strategy.as_ref(), document)?,
            faults: file.faults.plan(system, document)?,
            budget: file.budget.budget(document)?,
            reproduce: Reproduce::Scenario(document.path().to_owned()),
            ..Check::new(document.path().display().to_string())
        };
        Ok(Scenario {
            name: check.name.clone(),
            system: system.name(),
            description: file.description,
            variant,
            expect: expect::resolve(file.expect, system, document)?,
            check,
            subject: system.load(&Section { document, variant, places: &places })?,
        })
    }

    /// Puts the scenario into a world.
    pub fn set_up(&self, sim: &mut Sim) {
        self.subject.set_up(sim);
    }

    /// The scenario as a program.
    pub fn program(&self) -> impl Fn(&mut Sim) + Send + Sync + '_ {
        |sim| self.subject.set_up(sim)
    }

    pub(super) fn subject(&self) -> &dyn Subject {
        &*self.subject
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.name)
            .field("system", &self.system)
            .field("variant", &self.variant)
            .field("expect", &self.expect)
            .field("check", &self.check)
            .finish_non_exhaustive()
    }
}

fn variant(
    given: Option<&Spanned<String>>,
    system: &dyn System,
    document: &Document,
) -> Result<&'static str, Error> {
    let all = system.variants();
    let Some(given) = given else {
        return Ok(all.first().copied().unwrap_or("correct"));
    };
    let found = all.iter().copied().find(|name| name == given.get_ref());
    found.ok_or_else(|| document.at(given.span(), Error::one_of("variant", given.get_ref(), all)))
}

fn strategy(given: Option<&Spanned<String>>, document: &Document) -> Result<StrategyKind, Error> {
    let Some(given) = given else {
        return Ok(StrategyKind::default());
    };
    given.get_ref().parse().map_err(|error| document.at(given.span(), error))
}

fn places(
    table: &PropertiesTable,
    system: &dyn System,
    document: &Document,
) -> Result<Vec<&'static str>, Error> {
    let place = |given: &Spanned<String>| {
        let found = system.places().iter().copied().find(|name| name == given.get_ref());
        let error = || Error::one_of("place to reach", given.get_ref(), system.places());
        found.ok_or_else(|| document.at(given.span(), error()))
    };
    table.sometimes.iter().map(place).collect()
}

fn positive(given: Option<&Spanned<u64>>, document: &Document) -> Result<Option<u64>, Error> {
    match given {
        Some(zero) if *zero.get_ref() == 0 => {
            Err(document.at(zero.span(), Error::input("0 is too few here").help("at least 1")))
        }
        Some(number) => Ok(Some(*number.get_ref())),
        None => Ok(None),
    }
}

impl FaultsTable {
    fn plan(self, system: &dyn System, document: &Document) -> Result<FaultPlan, Error> {
        let spans: Vec<_> = self.rule.iter().map(Spanned::span).collect();
        let rules = self.rule.into_iter().map(|rule| rule_of(rule, system, document));
        let plan = FaultPlan {
            rules: rules.collect::<Result<_, _>>()?,
            until: self.until.map(|span| span.0),
            swarm: self.swarm.unwrap_or(true),
        };
        match plan.validate() {
            Ok(()) => Ok(plan),
            Err(clash) => Err(document.at(spans[clash.second].clone(), Error::input(clash.to_string()))),
        }
    }
}

fn rule_of(
    spanned: Spanned<RuleTable>,
    system: &dyn System,
    document: &Document,
) -> Result<FaultRule, Error> {
    let whole = spanned.span();
    let rule = spanned.into_inner();
    let at = |span, error: Error| Err(document.at(span, error));
    let probability = *rule.probability.get_ref();
    if !(0.0..=1.0).contains(&probability) {
        let error = Error::input(format!("{probability} is no probability")).help("a number from 0 to 1");
        return at(rule.probability.span(), error);
    }
    if let Some(until) = rule.until.as_ref().filter(|until| *until.get_ref() <= rule.from) {
        let message =
            format!("the window is empty: it begins at {} and ends at {}", rule.from, until.get_ref());
        return at(until.span(), Error::input(message));
    }
    let kind = kind_of(&rule).map_err(|(span, error)| document.at(span.unwrap_or(whole.clone()), error))?;
    Ok(FaultRule {
        site: site(kind, rule.site, system)
            .map_err(|(span, error)| document.at(span.unwrap_or(whole), error))?,
        object: rule.object,
        host: rule.host,
        kind,
        probability,
        from: rule.from.0,
        until: rule.until.map(|until| until.into_inner().0),
        budget: rule.budget,
    })
}

/// What the rule does; how far it goes stands in `by`, and in `ppm` for a drift.
fn kind_of(rule: &RuleTable) -> Result<FaultKind, Misplaced> {
    let by = || match &rule.by {
        Some(by) => Ok(by.get_ref().0),
        None => {
            let error = Error::input(
                "a fault of this kind needs `by`: how long it lasts, or how far it goes, at most",
            );
            Err((None, error.help("as in by = \"2s\"")))
        }
    };
    let kind = match rule.kind {
        KindName::Slow => FaultKind::Slow(by()?),
        KindName::Crash => FaultKind::Crash(by()?),
        KindName::Pause => FaultKind::Pause(by()?),
        KindName::ClockJump => FaultKind::ClockJump(by()?),
        KindName::ClockDrift => {
            let error = || {
                Error::input("a `clock-drift` fault needs `ppm`: parts in a million").help("as in ppm = 200")
            };
            FaultKind::ClockDrift(*rule.ppm.as_ref().ok_or_else(|| (None, error()))?.get_ref())
        }
        KindName::Error => FaultKind::Error,
        KindName::Hang => FaultKind::Hang,
        KindName::Cancel => FaultKind::Cancel,
        KindName::Stall => FaultKind::Stall,
        KindName::LateTimer => FaultKind::LateTimer,
        KindName::LostAnswer => FaultKind::LostAnswer,
        KindName::Conflict => FaultKind::Conflict,
        KindName::Stale => FaultKind::Stale,
        KindName::Missed => FaultKind::Missed,
    };
    let lasts = matches!(
        kind,
        FaultKind::Slow(_) | FaultKind::Crash(_) | FaultKind::Pause(_) | FaultKind::ClockJump(_)
    );
    let drifts = matches!(kind, FaultKind::ClockDrift(_));
    let (by, ppm) = (rule.by.as_ref().map(Spanned::span), rule.ppm.as_ref().map(Spanned::span));
    match (by.filter(|_| !lasts), ppm.filter(|_| !drifts)) {
        (Some(by), _) => {
            Err((Some(by), Error::input("only slow, crash, pause and clock-jump faults have `by`")))
        }
        (_, Some(ppm)) => Err((Some(ppm), Error::input("only a `clock-drift` fault has `ppm`"))),
        (None, None) => Ok(kind),
    }
}

type Misplaced = (Option<std::ops::Range<usize>>, Error);

/// The site of a rule: that of its kind, or one of the system's.
fn site(kind: FaultKind, given: Option<Spanned<String>>, system: &dyn System) -> Result<String, Misplaced> {
    let own = kind.own_site();
    match (own, given) {
        (Some(own), None) => Ok(own.to_owned()),
        (Some(own), Some(given)) if given.get_ref() == own => Ok(own.to_owned()),
        (Some(own), Some(given)) => {
            let error = Error::input(format!("a `{}` fault is always at `{own}`", kind.name()));
            Err((Some(given.span()), error.help("leave `site` out")))
        }
        (None, None) => {
            let error = Error::input(format!("a `{}` fault needs a `site`", kind.name()));
            Err((None, error.help(format!("allowed: {}", system.sites().join(", ")))))
        }
        (None, Some(given)) => {
            let rule = FaultRule::new(given.get_ref().clone(), kind, 0.0);
            if system.sites().iter().any(|site| rule.covers(site, "", "")) {
                return Ok(given.into_inner());
            }
            let error = Error::one_of("fault site", given.get_ref(), system.sites());
            Err((Some(given.span()), error))
        }
    }
}

impl BudgetTable {
    fn budget(self, document: &Document) -> Result<Budget, Error> {
        let default = Budget::default();
        let time = |given: Option<Span>, default| given.map_or(default, |span| span.0);
        Ok(Budget {
            steps_max: positive(self.steps.as_ref(), document)?.unwrap_or(default.steps_max),
            time_max: time(self.time, default.time_max),
            zero_time_steps_max: positive(self.zero_time_steps.as_ref(), document)?
                .unwrap_or(default.zero_time_steps_max),
            stuck_after: time(self.stuck_after, default.stuck_after),
            quiet_max: time(self.quiet, default.quiet_max),
        })
    }
}
