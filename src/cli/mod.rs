//! The command line, as a library: `fatum::cli::main(registry)`, so that a crate with systems of its own has the
//! same commands over them.
//!
//! One file per subcommand; each says what it does and prints it. Nothing below this module prints.

mod check;
mod diff;
mod find;
mod invoked;
mod json;
mod list;
mod merge;
mod operator;
mod output;
mod progress;
mod promote;
mod replay;
mod run;
mod saved;
mod shrink;
mod story;
mod table;
mod trace;

use crate::Error;
use crate::runtime::End;
use crate::scenario::Registry;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// All was as it should be.
const OK: u8 = 0;
/// Some scenario did not end as its file expects.
const UNEXPECTED: u8 = 1;
/// The command line, or a file that it names, is wrong.
const USAGE: u8 = 2;

#[derive(Parser)]
#[command(
    name = "fatum",
    version,
    about = "Deterministic simulation testing: sweeps scenarios, replays failures"
)]
#[command(max_term_width = 100, after_help = exit_codes(), arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sweeps scenarios, and compares how they end with what their files expect
    Check(check::Arguments),
    /// Makes one run of a scenario, and prints its trace and its end; or runs the plans of an operator
    Run(run::Arguments),
    /// Repeats the run of a failure file
    Replay(replay::Arguments),
    /// Shrinks a failure file further, or anew after the program was edited
    Shrink(shrink::Arguments),
    /// Tells what happened in the run of a failure file
    Story(story::Arguments),
    /// Prints the trace of the run of a failure file
    Trace(trace::Arguments),
    /// Shows where two runs first differ
    Diff(diff::Arguments),
    /// Keeps a failure file as a regression, which every check replays first
    Promote(promote::Arguments),
    /// Lists systems, strategies and scenarios
    List(list::Arguments),
    /// Joins the reports of the shards of a sweep
    Merge(merge::Arguments),
}

/// Does what the command line says, with these systems; the exit code.
pub fn main(registry: Registry) -> ExitCode {
    ExitCode::from(main_with(&registry, std::env::args_os()))
}

fn main_with(registry: &Registry, arguments: impl Iterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Help and version go to stdout and are no error; a closed pipe is nobody's mistake.
            let _ = answer.print();
            return if answer.use_stderr() { USAGE } else { OK };
        }
    };
    arguments.command.carry_out(registry).unwrap_or_else(|error| {
        output::complain(&error);
        USAGE
    })
}

impl Command {
    fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        match self {
            Command::Check(arguments) => arguments.carry_out(registry),
            Command::Run(arguments) => arguments.carry_out(registry),
            Command::Replay(arguments) => arguments.carry_out(registry),
            Command::Shrink(arguments) => arguments.carry_out(registry),
            Command::Story(arguments) => arguments.carry_out(registry),
            Command::Trace(arguments) => arguments.carry_out(registry),
            Command::Diff(arguments) => arguments.carry_out(registry),
            Command::Promote(arguments) => arguments.carry_out(),
            Command::List(arguments) => arguments.carry_out(registry),
            Command::Merge(arguments) => arguments.carry_out(),
        }
    }
}

/// The table of exit codes, for the help.
fn exit_codes() -> String {
    let kinds = End::KINDS.iter().zip(9u8..).skip(1).map(|(kind, code)| format!("  {code}  {kind}"));
    let hang = crate::check::EXIT_HANG;
    format!(
        "Exit codes:\n  \
         0   check: all as expected; run, replay: the run passed; others: done\n  \
         1   check: some scenario did not end as expected\n  \
         2   the command line, or a file that it names, is wrong\n  \
         {hang}  a poll did not return\n  \
         {skip} replay: the run could not be made, as the file or its scenario is missing or of another format\n\
         of run and replay, how the run ended (replay: {diverged} also when it fails in another way):\n{kinds}",
        skip = replay::SKIP,
        diverged = diverged_code(),
        kinds = kinds.collect::<Vec<_>>().join("\n"),
    )
}

/// The code of a replay that fails, but in another way than its file says.
fn diverged_code() -> u8 {
    End::Diverged { detail: String::new() }.exit_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_the_codes_that_ends_have() {
        let help = exit_codes();
        for end in [
            End::Violated { property: String::new(), detail: String::new() },
            End::Diverged { detail: String::new() },
            End::OutOfBudget { detail: String::new() },
        ] {
            let line = format!("  {}  {}", end.exit_code(), end.kind());
            assert!(help.lines().any(|known| known == line), "{line} in\n{help}");
        }
    }

    #[test]
    fn the_arguments_are_well_formed() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
