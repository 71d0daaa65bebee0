//! The environment: the only place that reads it. What is read stands in one table, at [`Environment`].

use super::config::Check;
use crate::Error;
use crate::trace::{Trace, jsonl, perfetto, text};
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

/// How a trace is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceFormat {
    /// For people.
    Text,
    /// For machines.
    Jsonl,
    /// For ui.perfetto.dev and chrome://tracing.
    Perfetto,
}

impl TraceFormat {
    /// The whole trace in this format.
    pub fn render(self, trace: &Trace) -> String {
        match self {
            TraceFormat::Text => text::render(trace),
            TraceFormat::Jsonl => jsonl::render(trace),
            TraceFormat::Perfetto => perfetto::render(trace),
        }
    }
}

impl FromStr for TraceFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<TraceFormat, Error> {
        match text {
            "text" => Ok(TraceFormat::Text),
            "jsonl" => Ok(TraceFormat::Jsonl),
            "perfetto" => Ok(TraceFormat::Perfetto),
            _ => Err(Error::one_of("trace format", text, &["text", "jsonl", "perfetto"])),
        }
    }
}

/// What the environment says. A variable that is empty is as one that is not set; a flag of the command line goes
/// before the variable.
///
/// | variable | value | meaning |
/// |---|---|---|
/// | `FATUM_SEED` | number | the first seed; alone it means one run |
/// | `FATUM_RUNS` | number from 1 | runs of a sweep |
/// | `FATUM_REPLAY` | path | replay this failure file in the test that it names, and nothing else |
/// | `FATUM_TRACE` | `text`, `jsonl`, `perfetto` | print the whole trace of a replay: of `FATUM_REPLAY`, of a regression that fails, of `fatum replay` |
/// | `FATUM_SHARD` | `i/n` | this machine's part of the seeds, counted from 0 |
/// | `FATUM_JOBS` | number | threads of a sweep; 0 is one per core |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `FATUM_SEED`.
    pub seed: Option<u64>,
    /// `FATUM_RUNS`.
    pub runs: Option<u64>,
    /// `FATUM_REPLAY`.
    pub replay: Option<PathBuf>,
    /// `FATUM_TRACE`.
    pub trace: Option<TraceFormat>,
    /// `FATUM_SHARD`.
    pub shard: Option<(u64, u64)>,
    /// `FATUM_JOBS`.
    pub jobs: Option<usize>,
}

impl Environment {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// A variable that cannot be read, by name.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn read() -> Result<Environment, Error> {
        Environment::from_lookup(|name| std::env::var_os(name))
    }

    /// Reads variables through `lookup`.
    ///
    /// # Errors
    /// A variable that cannot be read, by name.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Environment, Error> {
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &'static str| {
            let value = set(name).map(|value| value.to_string_lossy().into_owned());
            (name, value)
        };
        Ok(Environment {
            seed: parse(text("FATUM_SEED"), |text| number(text, 0))?,
            runs: parse(text("FATUM_RUNS"), |text| number(text, 1))?,
            replay: set("FATUM_REPLAY").map(PathBuf::from),
            trace: parse(text("FATUM_TRACE"), str::parse)?,
            shard: parse(text("FATUM_SHARD"), shard)?,
            jobs: parse(text("FATUM_JOBS"), |text| number(text, 0))?.map(|jobs| jobs as usize),
        })
    }

    /// The check with what the environment overrides.
    pub fn apply(&self, mut check: Check) -> Check {
        if let Some(seed) = self.seed {
            (check.seed_base, check.runs) = (seed, 1);
        }
        check.runs = self.runs.unwrap_or(check.runs);
        check.shard = self.shard.unwrap_or(check.shard);
        check.jobs = self.jobs.unwrap_or(check.jobs);
        check
    }
}

/// A variable's value, or what is wrong with it, by name.
fn parse<T>(
    (name, value): (&str, Option<String>),
    read: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let read = |value: String| read(&value).map_err(|error| error.within(&format!("{name}={value}")));
    value.map(read).transpose()
}

/// A number that is `least` or more.
fn number(text: &str, least: u64) -> Result<u64, Error> {
    let parsed = text.parse().ok().filter(|number| *number >= least);
    parsed.ok_or_else(|| Error::input(format!("this is no whole number from {least} to {}", u64::MAX)))
}

/// Parses `i/n`, counted from 0.
///
/// # Errors
/// Anything else, and an `i` that is not below `n`.
pub fn shard(text: &str) -> Result<(u64, u64), Error> {
    let halves = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match halves {
        Some((i, n)) if i < n => Ok((i, n)),
        Some(_) | None => Err(Error::input(format!("`{text}` is no shard"))
            .help("write i/n, counted from 0: the first of four machines is 0/4, the last 3/4")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> Result<Environment, Error> {
        Environment::from_lookup(|asked| (asked == name).then(|| value.into()))
    }

    #[test]
    fn every_variable_is_read() {
        assert_eq!(with("FATUM_SEED", "7").unwrap().seed, Some(7));
        assert_eq!(with("FATUM_SHARD", "1/4").unwrap().shard, Some((1, 4)));
        assert_eq!(with("FATUM_TRACE", "jsonl").unwrap().trace, Some(TraceFormat::Jsonl));
        assert_eq!(with("FATUM_RUNS", "").unwrap().runs, None);
    }

    #[test]
    fn bad_values_are_errors_by_name() {
        for (name, value, expected) in [
            ("FATUM_SEED", "x", "FATUM_SEED=x: this is no whole number"),
            ("FATUM_SEED", "18446744073709551616", "whole number from 0 to 18446744073709551615"),
            ("FATUM_RUNS", "0", "FATUM_RUNS=0: this is no whole number from 1"),
            ("FATUM_SHARD", "4/4", "FATUM_SHARD=4/4: `4/4` is no shard"),
            ("FATUM_TRACE", "txt", "FATUM_TRACE=txt: there is no trace format `txt`"),
        ] {
            let message = with(name, value).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_seed_alone_is_one_run() {
        let check = with("FATUM_SEED", "7").unwrap().apply(Check::new("x"));
        assert_eq!((check.seed_base, check.runs), (7, 1));
    }
}
