//! What `fatum check` says at the end: a line per scenario, the choice points of each on demand, and the sum.

use crate::check::report::DISTINCT_ESTIMATED;
use crate::cli::output::{Colour, paint, wants_colour};
use crate::cli::table::{Align, Table, duration, number};
use crate::scenario::{Judgement, Registry, Scenario};
use std::collections::BTreeSet;

type Sweep = (Scenario, Judgement);

/// The table of all sweeps, and a last line.
pub(super) fn lines(sweeps: &[Sweep]) -> Vec<String> {
    let mut table = Table::new(&[
        ("scenario", Align::Left),
        ("runs", Align::Right),
        ("steps", Align::Right),
        ("virtual time", Align::Right),
        ("traces", Align::Right),
        ("faults", Align::Right),
        ("sometimes", Align::Right),
        ("verdict", Align::Left),
        ("as expected", Align::Left),
    ]);
    sweeps.iter().for_each(|sweep| table.row(row(sweep)));
    let coloured = wants_colour(&std::io::stdout());
    let mut lines = table.lines();
    for (line, (_, judgement)) in lines.iter_mut().skip(1).zip(sweeps) {
        if !judgement.is_as_expected() {
            *line = paint(Colour::Red, line, coloured);
        }
    }
    lines.push(String::new());
    lines.push(last(sweeps, coloured));
    lines
}

fn row((scenario, judgement): &Sweep) -> Vec<String> {
    let report = &judgement.report;
    let reached = report.coverage.values().filter(|&&hits| hits > 0).count();
    let sometimes = match report.coverage.len() {
        0 => "-".to_owned(),
        all => format!("{reached}/{all}"),
    };
    let as_expected =
        if judgement.is_as_expected() { "yes".to_owned() } else { format!("NO: {}", judgement.expect) };
    vec![
        scenario.name.clone(),
        number(report.runs),
        number(report.steps),
        duration(report.time),
        traces(report.distinct_traces),
        number(report.faults_fired),
        sometimes,
        judgement.verdict(),
        as_expected,
    ]
}

/// A number of distinct traces: `~` before one that is an estimate.
fn traces(distinct: u64) -> String {
    let about = if distinct >= DISTINCT_ESTIMATED { "~" } else { "" };
    format!("{about}{}", number(distinct))
}

fn last(sweeps: &[Sweep], coloured: bool) -> String {
    let runs: u64 = sweeps.iter().map(|(_, judgement)| judgement.report.runs).sum();
    let unexpected = sweeps.iter().filter(|(_, judgement)| !judgement.is_as_expected()).count();
    let runs = number(runs);
    let scenarios =
        if sweeps.len() == 1 { "1 scenario".to_owned() } else { format!("{} scenarios", sweeps.len()) };
    match unexpected {
        0 => paint(Colour::Green, &format!("{scenarios}, {runs} runs: all as expected"), coloured),
        _ => paint(Colour::Red, &format!("{scenarios}, {runs} runs: {unexpected} NOT as expected"), coloured),
    }
}

/// What was asked, what fired, and what was never asked, per site.
pub(super) fn choice_points((scenario, judgement): &Sweep, registry: &Registry) -> Vec<String> {
    let report = &judgement.report;
    let columns = [("site", Align::Left), ("asked", Align::Right), ("fired", Align::Right)];
    let mut table = Table::new(&columns);
    table.row(vec!["schedule".to_owned(), number(report.picks), "-".to_owned()]);
    for site in &report.sites {
        table.row(vec![site.site.to_owned(), number(site.asked), number(site.fired)]);
    }
    for never in never_asked(scenario, judgement, registry) {
        table.row(vec![never, "never".to_owned(), "-".to_owned()]);
    }
    let mut lines = vec![format!("{}: choice points", scenario.name)];
    lines.extend(table.lines().into_iter().map(|line| format!("  {line}")));
    let plan = &scenario.check.faults;
    if plan.swarm && !plan.rules.is_empty() {
        let count = plan.rules.len();
        lines.push(format!(
            "  swarm: each seed has a random half of the {count} fault rules on, at a strength of its own"
        ));
    }
    if report.exhausted.is_none() && report.points.is_none() {
        lines.push(format!("  failing runs: {}", report.rate()));
    }
    lines.push(String::new());
    lines
}

/// Sites that the system has or the fault plan names, and that nobody asked.
fn never_asked(scenario: &Scenario, judgement: &Judgement, registry: &Registry) -> BTreeSet<String> {
    let known = registry.find(scenario.system).map(|system| system.sites()).unwrap_or_default();
    let known = known.iter().map(|site| (*site).to_owned());
    let planned = scenario.check.faults.rules.iter().map(|rule| rule.site.clone());
    let is_silent = |site: &String| {
        let covers =
            |asked: &str| asked == site || site.strip_suffix('*').is_some_and(|stem| asked.starts_with(stem));
        !judgement.report.sites.iter().any(|stats| covers(stats.site))
    };
    known.chain(planned).filter(is_silent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_marked() {
        for (distinct, expected) in [(0, "0"), (32_767, "32,767"), (32_768, "~32,768"), (100_000, "~100,000")]
        {
            assert_eq!(traces(distinct), expected);
        }
    }
}
