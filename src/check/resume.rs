//! The file of a search that was stopped: where it stands and what it came to, so that it goes on there.
//!
//! JSON, written beside and renamed. It holds the digests of the baseline run: a search does not go on in a program
//! that has changed.

use super::config::Check;
use super::exhaustive::{Bound, Search};
use super::file::{read_text, write_whole};
use super::tally::{Distinct, Failing, FailingRuns, Origin, Tally};
use crate::Error;
use crate::choice::enumerate::Step;
use crate::choice::hash_bytes;
use crate::runtime::{End, SiteStats};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// The version of the format.
const VERSION: u32 = 1;
/// The largest file that is read.
const SIZE_MAX: u64 = 1 << 30;

/// What a search wrote.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u32,
    check: String,
    bound: Bound,
    assumes_declared_accesses: bool,
    /// The digests of the baseline run.
    baseline: (u64, u64),
    is_done: bool,
    repeated: u64,
    search: Value,
    tally: Sums,
}

/// The tally of the runs so far.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sums {
    runs: u64,
    steps: u64,
    time_ns: u64,
    picks: u64,
    faults_fired: u64,
    inconclusive: u64,
    inconclusive_first: Option<First>,
    traces: Vec<u64>,
    states: Vec<u64>,
    coverage: Vec<(String, u64)>,
    /// Site, questions, answers above 0, and whether it injects faults.
    sites: Vec<(String, u64, u64, bool)>,
    failing: Vec<Group>,
}

/// The runs that failed in one way.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    kind: String,
    property: Option<String>,
    count: u64,
    first: Vec<First>,
}

/// A run that did not pass.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    index: u64,
    steps: Vec<Step>,
    digests: (u64, u64),
}

/// Where a search stands.
pub(super) struct Standing {
    pub(super) search: Search,
    pub(super) tally: Tally,
    pub(super) repeated: u64,
    pub(super) is_done: bool,
}

/// Writes where a search of `check` stands.
pub(super) fn write(
    path: &Path,
    check: &Check,
    bound: Bound,
    baseline: (u64, u64),
    standing: &Standing,
) -> Result<(), Error> {
    let unwritable = |error| Error::input(format!("cannot write {}: {error}", path.display()));
    let saved = Saved {
        version: VERSION,
        check: check.name.clone(),
        bound,
        assumes_declared_accesses: check.assumes_declared_accesses,
        baseline,
        is_done: standing.is_done,
        repeated: standing.repeated,
        search: serde_json::to_value(&standing.search).map_err(unwritable)?,
        tally: Sums::of(&standing.tally),
    };
    write_whole(path, &serde_json::to_vec(&saved).map_err(unwritable)?)
}

/// Where the search of `check` stood; `None` if there is no file yet.
pub(super) fn read(
    path: &Path,
    check: &Check,
    bound: Bound,
    baseline: (u64, u64),
) -> Result<Option<Standing>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let refused = |why: String| {
        Error::input(format!("cannot resume {}: {why}", path.display()))
            .help("name another file, or remove this one to begin again")
    };
    let text = read_text(path, SIZE_MAX)?;
    let saved: Saved = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    let declared = |yes| if yes { ", all accesses declared" } else { "" };
    let of = |check: &str, bound: Bound, yes| format!("{check}, exhaustive {bound}{}", declared(yes));
    let (found, wanted) = (
        of(&saved.check, saved.bound, saved.assumes_declared_accesses),
        of(&check.name, bound, check.assumes_declared_accesses),
    );
    if saved.version != VERSION {
        return Err(refused(format!("it is of format {}, and this is {VERSION}", saved.version)));
    }
    if found != wanted {
        return Err(refused(format!("it is the search of {found}, and this is {wanted}")));
    }
    if saved.baseline != baseline {
        return Err(refused("the program has changed since: its baseline run is another".to_owned()));
    }
    let search = serde_json::from_value(saved.search).map_err(|error| refused(error.to_string()))?;
    let tally = saved.tally.into_tally().map_err(refused)?;
    Ok(Some(Standing { search, tally, repeated: saved.repeated, is_done: saved.is_done }))
}

impl Sums {
    fn of(tally: &Tally) -> Sums {
        let group = |((kind, property), runs): (&(&'static str, Option<String>), &FailingRuns)| Group {
            kind: (*kind).to_owned(),
            property: property.clone(),
            count: runs.count,
            first: runs.first.iter().filter_map(First::of).collect(),
        };
        Sums {
            runs: tally.runs,
            steps: tally.steps,
            time_ns: u64::try_from(tally.time.as_nanos()).unwrap_or(u64::MAX),
            picks: tally.picks,
            faults_fired: tally.faults_fired,
            inconclusive: tally.inconclusive,
            inconclusive_first: tally.inconclusive_first.as_ref().and_then(First::of),
            traces: tally.traces.hashes(),
            states: tally.states.hashes(),
            coverage: tally.coverage.iter().map(|(name, hits)| ((*name).to_owned(), *hits)).collect(),
            sites: tally
                .sites
                .values()
                .map(|site| (site.site.to_owned(), site.asked, site.fired, site.fault))
                .collect(),
            failing: tally.failing.iter().map(group).collect(),
        }
    }

    fn into_tally(self) -> Result<Tally, String> {
        let mut tally = Tally {
            runs: self.runs,
            steps: self.steps,
            time: Duration::from_nanos(self.time_ns),
            picks: self.picks,
            faults_fired: self.faults_fired,
            inconclusive: self.inconclusive,
            inconclusive_first: self.inconclusive_first.map(First::into_failing),
            traces: Distinct::of_hashes(self.traces),
            states: Distinct::of_hashes(self.states),
            ..Tally::default()
        };
        tally.coverage = self.coverage.into_iter().map(|(name, hits)| (kept(&name), hits)).collect();
        for (name, asked, fired, fault) in self.sites {
            let (site, hash) = (kept(&name), hash_bytes(name.as_bytes()));
            tally.sites.insert(site, SiteStats { site, hash, asked, fired, fault });
        }
        for group in self.failing {
            let known = End::KINDS.into_iter().find(|kind| *kind == group.kind);
            let kind = known.ok_or_else(|| format!("no run ends as `{}`", group.kind))?;
            let first = group.first.into_iter().map(First::into_failing).collect();
            tally.failing.insert((kind, group.property), FailingRuns { count: group.count, first });
        }
        Ok(tally)
    }
}

impl First {
    fn of(failing: &Failing) -> Option<First> {
        let Origin::Steps(steps) = &failing.origin else { return None };
        Some(First { index: failing.index, steps: steps.clone(), digests: failing.digests })
    }

    fn into_failing(self) -> Failing {
        Failing { index: self.index, origin: Origin::Steps(self.steps), digests: self.digests }
    }
}

/// A name from a file, kept for the rest of the process as the names in programs are. There are as many as a program has.
fn kept(name: &str) -> &'static str {
    Box::leak(name.to_owned().into_boxed_str())
}
