//! What `fatum check` says of one scenario: a line, the short page of a failure that was expected, and the whole page
//! of what was not.

use crate::check::replay_page;
use crate::check::report::{render_failure, render_inconclusive};
use crate::check::{Failure, FoundBy};
use crate::scenario::{Expect, Judgement, Scenario};
use std::collections::BTreeSet;

/// How a sweep ended, for the line of progress.
pub(super) fn outcome(judgement: &Judgement) -> String {
    let verdict = judgement.verdict();
    let runs = judgement.report.runs;
    if judgement.is_as_expected() {
        format!("{runs} runs, {verdict}, as expected")
    } else {
        format!("{runs} runs, {verdict}, NOT as expected ({})", judgement.expect)
    }
}

/// The short page of an expected failure, right after its sweep.
pub(super) fn expected(scenario: &Scenario, judgement: &Judgement, verbose: bool) -> Vec<String> {
    if !judgement.is_as_expected() {
        return Vec::new();
    }
    let head = format!("{}: {}, as expected", scenario.name, judgement.expect);
    let Some(failure) = judgement.failure() else {
        let inconclusive = judgement.report.inconclusive.as_ref().filter(|_| verbose);
        return inconclusive.map_or(Vec::new(), |first| vec![head, render_inconclusive(first)]);
    };
    if verbose {
        return vec![head, render_failure(failure)];
    }
    short(scenario, judgement, failure)
}

fn short(scenario: &Scenario, judgement: &Judgement, failure: &Failure) -> Vec<String> {
    let report = &judgement.report;
    let mut lines = vec![format!(
        "{}: {}, as expected, in {} of {} runs",
        scenario.name, judgement.expect, report.failing_runs, report.runs
    )];
    let end = failure.end.sentence();
    lines.push(format!("  {end}"));
    let (before, after) = (failure.deviations, failure.tape.deviations());
    let found = match failure.found_by {
        FoundBy::Guided => format!("guided search (run {})", failure.found_at),
        FoundBy::Seed(_) | FoundBy::Exhaustive | FoundBy::Bytes => format!("run {}", failure.found_at),
    };
    lines.push(format!("  found by {found}, shrunk from {before} deviations to {after}:"));
    // The last line of a story is its end, which stands above.
    let told = failure.story.split_last().map_or(&[][..], |(_, told)| told);
    lines.extend(told.iter().map(|line| format!("    {line}")));
    if let Some(file) = &failure.file {
        lines.push(format!("  saved to {}", file.display()));
    }
    lines.push(format!("  repeat it: {}", failure.command));
    lines.push(String::new());
    lines
}

/// The pages of what a file does not expect, after all sweeps.
pub(super) fn unexpected(scenario: &Scenario, judgement: &Judgement) -> Vec<String> {
    if judgement.is_as_expected() {
        return Vec::new();
    }
    let mut lines = vec![
        format!("{}: {}, expected {}", scenario.name, judgement.verdict(), judgement.expect),
        String::new(),
    ];
    for regression in &judgement.regressions {
        if !judgement.expects(&regression.run.end) {
            lines.push(replay_page(&regression.path, &regression.file, &regression.run, None));
        }
    }
    lines.extend(pages(judgement.unexpected()));
    lines.extend(judgement.report.inconclusive.as_ref().map(render_inconclusive));
    if let Some(broken) = &judgement.broken {
        lines.push(format!("all runs together broke `{}`: {}", broken.property, broken.detail));
    }
    if judgement.report.failures.is_empty() && judgement.expect != Expect::Passed {
        lines.push(format!("no run of {} failed; more runs may: --runs N", judgement.report.runs));
    }
    lines.extend(judgement.report.warnings().into_iter().map(|warning| format!("warning: {warning}")));
    lines.push(String::new());
    lines
}

/// What one should know even of a scenario that ended as expected.
pub(super) fn warning(scenario: &Scenario, judgement: &Judgement) -> Option<String> {
    let warning = judgement.report.no_choices().filter(|_| judgement.is_as_expected())?;
    Some(format!("warning: {}: {warning}", scenario.name))
}

/// A page per kind and property, and the command of each further tape.
fn pages<'a>(failures: impl Iterator<Item = &'a Failure>) -> Vec<String> {
    let (mut seen, mut pages) = (BTreeSet::new(), Vec::new());
    for failure in failures {
        if seen.insert(failure.end.signature()) {
            pages.push(render_failure(failure));
        } else {
            let (kind, after) = (failure.end.kind(), failure.tape.deviations());
            pages.push(format!("{kind} so too, after {after} deviations: {}", failure.command));
        }
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Document, Registry, Section, Subject, System};
    use crate::{Error, Sim};

    /// A system that draws a number, or nothing.
    struct Draws;

    struct Drawing(bool);

    impl System for Draws {
        fn name(&self) -> &'static str {
            "draws"
        }

        fn about(&self) -> &'static str {
            "a number, or nothing"
        }

        fn variants(&self) -> &'static [&'static str] {
            &["number", "nothing"]
        }

        fn properties(&self) -> &'static [&'static str] {
            &[]
        }

        fn example(&self) -> &'static str {
            ""
        }

        fn load(&self, section: &Section<'_>) -> Result<Box<dyn Subject>, Error> {
            Ok(Box::new(Drawing(section.variant() == "number")))
        }
    }

    impl Subject for Drawing {
        fn set_up(&self, sim: &mut Sim) {
            let draws = self.0;
            sim.run(async move {
                if draws {
                    crate::rand::rng().below(2);
                }
            });
        }
    }

    #[test]
    fn a_scenario_that_passes_without_choice_points_is_warned_of() {
        let none = "warning: s.toml: no choice points were seen: every run was the same run";
        for (variant, expected) in [("number", None), ("nothing", Some(none))] {
            let text = format!(
                "system = 'draws'\ndescription = ''\nvariant = '{variant}'\nexpect = 'passed'\n[workload]"
            );
            let document = Document::new("s.toml", text);
            let scenario = Scenario::parse(&document, &Registry::new().with(Draws)).unwrap();
            let judgement = scenario.sweep(&|_| {}).unwrap();
            assert!(judgement.is_as_expected());
            assert_eq!(warning(&scenario, &judgement).as_deref(), expected);
        }
    }
}
