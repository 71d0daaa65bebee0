//! Failure files: one TOML file per failure, with all that repeats it. Written beside and renamed.

use super::config::{Check, Reproduce};
use super::report::Failure;
use crate::Error;
use crate::choice::hash_bytes;
use crate::choice::tape::Tape;
use crate::runtime::End;
use crate::strategy::{Calibration, StrategyKind};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The version of the format.
pub const VERSION: u32 = 1;
/// Bytes of a file that is read, at most.
pub const SIZE_MAX: u64 = 16 * 1024 * 1024;

const HEADER: &str = "# A failing run, found and shrunk by fatum. Replay it with the command below; commit it under\n\
                      # tests/regressions (`fatum promote`) to have it replayed first by every check.\n";

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
    /// The seed that found it.
    #[serde(with = "crate::choice::tape::wide")]
    pub seed: u64,
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
            Reproduce::Scenario(path) => (Some(path.clone()), "fatum replay FILE".to_owned()),
            Reproduce::Test(test) => (None, format!("FATUM_REPLAY=FILE cargo test {test}")),
        };
        FailureFile {
            version: VERSION,
            fatum: env!("CARGO_PKG_VERSION").to_owned(),
            name: check.name.clone(),
            scenario,
            replay,
            end: failure.end.clone(),
            seed: failure.seed,
            strategy: failure.strategy,
            deviations: failure.deviations,
            choice_digest: hex(failure.run.digests.choice),
            trace_digest: hex(failure.run.digests.trace),
            calibration: failure.calibration,
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
        let tape = toml::to_string(&self.tape).expect("a tape holds only what TOML can hold");
        format!("{stem}-{:08x}.toml", hash_bytes(tape.as_bytes()) as u32)
    }
}

fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}

/// Writes a file into `dir`, which is made if needed; the path. The name follows from what failed and its tape.
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
    let metadata = std::fs::metadata(path).map_err(|error| Error::io("read", path, error))?;
    if metadata.is_dir() {
        return Err(Error::input(format!("{} is a directory and not a file", path.display())));
    }
    if metadata.len() > size_max {
        let message =
            format!("{} has {} bytes: more than the {size_max} allowed", path.display(), metadata.len());
        return Err(Error::input(message));
    }
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    String::from_utf8(bytes).map_err(|error| {
        let message = format!("{} is not UTF-8: byte {}", path.display(), error.utf8_error().valid_up_to());
        Error::input(message)
    })
}
