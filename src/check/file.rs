//! Failure files: one TOML file per failure, with all that repeats it. Written beside and renamed.

use super::config::{Check, Reproduce};
use super::findings::keys;
use super::report::{Failure, FoundBy};
use super::shrink::Shrunk;
use crate::Error;
use crate::choice::hash_bytes;
use crate::choice::tape::Tape;
use crate::runtime::End;
use crate::strategy::{Calibration, StrategyKind};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The version of the format.
pub const VERSION: u32 = 1;
/// Bytes of a file that is read, at most.
pub const SIZE_MAX: u64 = 16 * 1024 * 1024;

const HEADER: &str = "# A failing run, found and shrunk by fatum. Replay it with the command below; commit it under\n\
                      # tests/regressions (`fatum promote`) to have it replayed first by every check.\n";

/// A seed in a file; one beyond what TOML can hold is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(#[serde(with = "crate::choice::tape::wide")] pub u64);

/// What finds failures without a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unseeded {
    /// The exhaustive search.
    Exhaustive,
    /// A fuzzer's bytes.
    Bytes,
    /// A guided search.
    Guided,
}

/// What a failure file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureFile {
    /// The version of the format.
    pub version: u32,
    /// The version of fatum that wrote it.
    pub fatum: String,
    /// The name of the check.
    pub name: String,
    /// The scenario's file, for a scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<PathBuf>,
    /// The command that repeats it, `FILE` standing for this file.
    pub replay: String,
    /// How the run ended.
    pub end: End,
    /// The seed that found it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
    /// What found it, if no seed did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_by: Option<Unseeded>,
    /// How that seed explored.
    pub strategy: StrategyKind,
    /// Deviations of the seed's own tape.
    pub deviations: u64,
    /// The choice digest of the shrunk run, in hexadecimal.
    pub choice_digest: String,
    /// The trace digest of the shrunk run, in hexadecimal.
    pub trace_digest: String,
    /// What the strategy estimated from.
    pub calibration: Calibration,
    /// The shrunk tape.
    #[serde(default)]
    pub tape: Tape,
}

impl FailureFile {
    /// The file of a failure.
    pub fn new(check: &Check, failure: &Failure) -> FailureFile {
        let (scenario, replay) = match &check.reproduce {
            // A path that is no text cannot stand in TOML; scenarios of such paths are refused when they are read.
            Reproduce::Scenario(path) => {
                (Some(PathBuf::from(path.display().to_string())), "fatum replay FILE".to_owned())
            }
            Reproduce::Test(test) => (None, format!("FATUM_REPLAY=FILE cargo test {test}")),
        };
        let (seed, found_by) = match failure.found_by {
            FoundBy::Seed(seed) => (Some(Seed(seed)), None),
            FoundBy::Exhaustive => (None, Some(Unseeded::Exhaustive)),
            FoundBy::Bytes => (None, Some(Unseeded::Bytes)),
            FoundBy::Guided => (None, Some(Unseeded::Guided)),
        };
        FailureFile {
            version: VERSION,
            fatum: env!("CARGO_PKG_VERSION").to_owned(),
            name: check.name.clone(),
            scenario,
            replay,
            end: failure.end.clone(),
            seed,
            found_by,
            strategy: failure.strategy,
            deviations: failure.deviations,
            choice_digest: hex(failure.run.digests.choice),
            trace_digest: hex(failure.run.digests.trace),
            calibration: failure.calibration.clone(),
            tape: failure.tape.clone(),
        }
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        let body = toml::to_string(self).expect("a failure file holds only what TOML can hold");
        format!("{HEADER}\n{body}")
    }

    /// Parses a file's text; `path` is for errors.
    ///
    /// # Errors
    /// Text that is no failure file, with line and column; a version that is not known; an impossible tape.
    pub fn parse(text: &str, path: &Path) -> Result<FailureFile, Error> {
        let file: FailureFile = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            Error::input(format!("this is no failure file: {}", error.message())).at(path, text, start)
        })?;
        if file.version != VERSION {
            let message = format!("{}: version {} of the format is not known", path.display(), file.version);
            return Err(Error::input(message).help(format!("this fatum reads version {VERSION}")));
        }
        let impossible = |problem| Error::input(format!("{}: impossible tape: {problem}", path.display()));
        file.tape.validate().map_err(impossible)?;
        Ok(file)
    }

    /// Whether a run has the digests of the file.
    pub fn has_digests_of(&self, run: &crate::sim::Run) -> bool {
        self.choice_digest == hex(run.digests.choice) && self.trace_digest == hex(run.digests.trace)
    }

    /// The file of the same failure with another tape.
    pub fn shrunk(&self, shrunk: &Shrunk) -> FailureFile {
        FailureFile {
            fatum: env!("CARGO_PKG_VERSION").to_owned(),
            end: shrunk.run.end.clone(),
            choice_digest: hex(shrunk.run.digests.choice),
            trace_digest: hex(shrunk.run.digests.trace),
            tape: shrunk.tape.clone(),
            ..self.clone()
        }
    }

    fn file_name(&self) -> String {
        let clean = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' }
        };
        let (kind, property) = self.end.signature();
        let property = property.map_or(String::new(), |property| format!("-{property}"));
        let cleaned: String =
            format!("{}-{kind}{property}", self.name).chars().map(clean).take(120).collect();
        let words: Vec<&str> = cleaned.split('-').filter(|word| !word.is_empty()).collect();
        let stem = words.join("-");
        let tape = toml::to_string(&keys(&self.tape)).expect("a tape holds only what TOML can hold");
        format!("{stem}-{:08x}.toml", hash_bytes(tape.as_bytes()) as u32)
    }
}

fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}

/// Writes a file into `dir`, which is made if needed; the path. The name follows from what failed and from
/// who deviates where in its tape.
///
/// # Errors
/// What the file system refuses.
pub fn write(dir: &Path, file: &FailureFile) -> Result<PathBuf, Error> {
    std::fs::create_dir_all(dir).map_err(|error| Error::io("make the directory", dir, error))?;
    let path = dir.join(file.file_name());
    write_whole(&path, file.to_toml().as_bytes())?;
    Ok(path)
}

/// Writes beside and renames, so that a reader never sees half a file.
///
/// # Errors
/// What the file system refuses.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension(format!("tmp{}", std::process::id()));
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| std::fs::rename(&beside, path));
    renamed.map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        Error::io("write", path, error)
    })
}

/// Reads a file.
///
/// # Errors
/// What the file system refuses; a file of more than 16 MiB or that is no text; and all of [`FailureFile::parse`].
pub fn read(path: &Path) -> Result<FailureFile, Error> {
    FailureFile::parse(&read_text(path, SIZE_MAX)?, path)
}

/// A text file of at most `size_max` bytes.
///
/// # Errors
/// What the file system refuses; a directory; a larger file; a file that is not UTF-8.
pub fn read_text(path: &Path, size_max: u64) -> Result<String, Error> {
    let refused = |error| Error::io("read", path, error);
    if std::fs::metadata(path).map_err(refused)?.is_dir() {
        return Err(Error::input(format!("{} is a directory and not a file", path.display())));
    }
    let mut bytes = Vec::new();
    // The length that a special file states says nothing.
    let file = std::fs::File::open(path).map_err(refused)?;
    file.take(size_max + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > size_max {
        let message = format!("{} is larger than the {size_max} bytes allowed", path.display());
        return Err(Error::input(message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let message = format!("{} is not UTF-8: byte {}", path.display(), error.utf8_error().valid_up_to());
        Error::input(message)
    })
}
