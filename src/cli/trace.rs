//! `fatum trace`: the whole trace of the run of a failure file.

use super::saved::Saved;
use super::{OK, output};
use crate::Error;
use crate::check::TraceFormat;
use crate::scenario::Registry;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Arguments {
    /// The failure file
    file: PathBuf,
    /// text, jsonl or perfetto
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = format)]
    format: TraceFormat,
}

/// A format by name.
pub(super) fn format(name: &str) -> Result<TraceFormat, Error> {
    name.parse()
}

impl Arguments {
    pub(super) fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        let saved = Saved::open(&self.file, registry)?;
        let run = saved.replay();
        saved.note_differences(&run);
        output::say(&self.format.render(run.trace()));
        Ok(OK)
    }
}
