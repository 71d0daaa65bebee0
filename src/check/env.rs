//! The environment: the only place that reads it.
//!
//! | variable | value | meaning |
//! |---|---|---|
//! | `FATUM_SEED` | number | the first seed; alone it means one run |
//! | `FATUM_RUNS` | number | runs of a sweep |
//! | `FATUM_REPLAY` | path | replay this failure file in the test that it names, and nothing else |
//! | `FATUM_TRACE` | `text`, `jsonl` | print the trace of a replay |
//! | `FATUM_SHARD` | `i/n` | this machine's part of the seeds, counted from 0 |
//! | `FATUM_JOBS` | number | threads of a sweep; 0 is one per core |

use super::config::Check;
use crate::Error;
use std::path::PathBuf;
use std::str::FromStr;

/// How a trace is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceFormat {
    /// For people.
    Text,
    /// For machines.
    Jsonl,
}

impl FromStr for TraceFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<TraceFormat, Error> {
        match text {
            "text" => Ok(TraceFormat::Text),
            "jsonl" => Ok(TraceFormat::Jsonl),
            _ => Err(Error::one_of("trace format", text, &["text", "jsonl"])),
        }
    }
}

/// What the environment says.
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
        Environment::from_lookup(|name| {
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    /// Reads variables through `lookup`.
    ///
    /// # Errors
    /// A variable that cannot be read, by name.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Environment, Error> {
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        Ok(Environment {
            seed: parse("FATUM_SEED", set("FATUM_SEED"))?,
            runs: parse("FATUM_RUNS", set("FATUM_RUNS"))?,
            replay: set("FATUM_REPLAY").map(PathBuf::from),
            trace: set("FATUM_TRACE").map(|text| text.parse()).transpose()?,
            shard: set("FATUM_SHARD").map(|text| shard(&text)).transpose()?,
            jobs: parse("FATUM_JOBS", set("FATUM_JOBS"))?,
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

fn parse<T: FromStr>(name: &str, value: Option<String>) -> Result<Option<T>, Error> {
    let Some(value) = value else { return Ok(None) };
    let parsed = value.parse();
    parsed.map(Some).map_err(|_| Error::input(format!("{name}={value}: this is no whole number")))
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
        Environment::from_lookup(|asked| (asked == name).then(|| value.to_owned()))
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
            ("FATUM_SHARD", "4/4", "`4/4` is no shard"),
            ("FATUM_TRACE", "txt", "there is no trace format `txt`"),
        ] {
            let message = with(name, value).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn a_seed_alone_is_one_run() {
        let check = with("FATUM_SEED", "7").unwrap().apply(Check::new("x"));
        assert_eq!((check.seed_base, check.runs), (7, 1));
    }
}
