//! `fatum run`: one run of a scenario, its trace, its end; or the plans of an operator.

use super::invoked::invoked_as;
use super::{check, operator, output};
use crate::Error;
use crate::check::report::render_blocked;
use crate::check::{TraceFormat, story};
use crate::scenario::{Registry, Scenario};
use crate::strategy::StrategyKind;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Arguments {
    /// The scenario file
    #[arg(required_unless_present = "operator")]
    scenario: Option<PathBuf>,
    /// The package of an operator (operator.yaml, params.yaml), whose plans are run instead of a scenario
    #[arg(long, value_name = "DIR", conflicts_with_all = ["scenario", "strategy", "format"])]
    operator: Option<PathBuf>,
    /// The one plan of the operator that is run, after its deployment [default: all, each by itself]
    #[arg(long, value_name = "NAME", requires = "operator")]
    plan: Option<String>,
    /// What goes wrong while the operator's plans are run
    #[arg(long, value_enum, default_value_t, requires = "operator")]
    faults: operator::Faults,
    /// The seed that answers all choices
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// How the seed explores schedules [default: as the scenario says]
    #[arg(long, value_name = "STRATEGY", value_parser = check::strategy)]
    strategy: Option<StrategyKind>,
    /// How the trace is printed: text, jsonl or perfetto
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = super::trace::format)]
    format: TraceFormat,
}

impl Arguments {
    pub(super) fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        if let Some(dir) = &self.operator {
            return operator::carry_out(dir, self.plan.as_deref(), self.seed, self.faults);
        }
        let path = self.scenario.ok_or_else(|| Error::input("no scenario is named"))?;
        let mut scenario = Scenario::read(&path, registry)?;
        scenario.check.invoked_as = invoked_as();
        scenario.check.strategy = self.strategy.unwrap_or(scenario.check.strategy);
        let run = crate::log::captured(|| scenario.run_seed(self.seed));
        match self.format {
            TraceFormat::Jsonl | TraceFormat::Perfetto => output::say(&self.format.render(run.trace())),
            TraceFormat::Text => {
                output::say(&self.format.render(run.trace()));
                output::say("");
                if run.end.is_failure() {
                    story(&run).iter().for_each(|line| output::say(&format!("  {line}")));
                    output::say("");
                }
                render_blocked(&run).iter().for_each(|line| output::say(line));
                output::say(&format!("seed {}: {}", self.seed, run.end.sentence()));
                let (steps, time) = (run.steps, run.time);
                let (faults, digest) = (run.faults_fired, run.digests.trace);
                output::say(&format!(
                    "{steps} steps, {time:?} of virtual time, {faults} faults, trace {digest:016x}"
                ));
            }
        }
        Ok(run.end.exit_code())
    }
}
