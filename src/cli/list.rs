//! `fatum list`: what there is: systems, strategies, scenarios.

use super::table::{Align, Table};
use super::{OK, find, output};
use crate::Error;
use crate::scenario::{Registry, Scenario};
use crate::strategy::StrategyKind;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Arguments {
    /// Scenario files, or directories of them [default: scenarios]
    paths: Vec<PathBuf>,
    /// Prints an example file of this system, and nothing else
    #[arg(long, value_name = "SYSTEM", conflicts_with = "paths")]
    example: Option<String>,
}

impl Arguments {
    pub(super) fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        if let Some(name) = &self.example {
            output::say(registry.find(name)?.example());
            return Ok(OK);
        }
        output::say("systems:");
        for system in registry.systems() {
            output::say(&format!("  {}: {}", system.name(), system.about()));
        }
        output::say(&format!("strategies: {}", StrategyKind::ALL.map(StrategyKind::name).join(", ")));
        scenarios(self.paths, registry)
    }
}

fn scenarios(paths: Vec<PathBuf>, registry: &Registry) -> Result<u8, Error> {
    let default = PathBuf::from("scenarios");
    if paths.is_empty() && !default.exists() {
        return Ok(OK);
    }
    let paths = if paths.is_empty() { vec![default] } else { paths };
    let columns = ["scenario", "system", "variant", "expected", "about"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for path in find::scenarios(&paths)? {
        let scenario = Scenario::read(&path, registry)?;
        let expected = scenario.expect.to_string();
        let Scenario { name, system, variant, description, .. } = scenario;
        table.row(vec![name, system.to_owned(), variant.to_owned(), expected, description]);
    }
    output::say("");
    table.lines().iter().for_each(|line| output::say(line));
    Ok(OK)
}
