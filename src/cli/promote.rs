//! `fatum promote`: from a failure file that git ignores to a regression that every check replays first.

use super::{OK, output};
use crate::Error;
use crate::check::{Check, file};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Arguments {
    /// The failure file
    file: PathBuf,
    /// Where regressions lie [default: tests/regressions]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn carry_out(self) -> Result<u8, Error> {
        let failure = file::read(&self.file)?;
        let default =
            Check::new("").regressions_dir.expect("a check has a directory of regressions by default");
        let dir = self.to.unwrap_or(default);
        std::fs::create_dir_all(&dir).map_err(|error| Error::io("make the directory", &dir, error))?;
        let name = self.file.file_name().expect("a path that was read as a file has a file name");
        // Checks read what ends so, and nothing else.
        let target = dir.join(name).with_extension("toml");
        if target.exists() && file::read(&target)? != failure {
            let message = format!("{} is there already and says something else", target.display());
            return Err(Error::input(message).help("move one of the two out of the way"));
        }
        file::write_whole(&target, failure.to_toml().as_bytes())?;
        output::say(&format!("kept as {}; commit it", target.display()));
        Ok(OK)
    }
}
