//! What people read of five of the bugs: the story of the shrunk failure.

use super::named;
use super::programs::Twin;
use super::programs::protocol::Subject;
use fatum::check::{Canonical, shrink, story};
use fatum::strategy::StrategyKind;

/// The end of the first failure, shrunk, and its story.
fn told(name: &str) -> String {
    let subject = Subject::new(named(name), Twin::Buggy, StrategyKind::Portfolio);
    let seed = subject.trial(0, 5_000).found.expect("the portfolio finds it soon");
    let failing = subject.check.run_seed(seed, subject.set_up());
    let shrunk = shrink(&subject.check, &subject.set_up(), &failing, &mut Canonical::default());
    format!("{}\n\n{}\n", shrunk.run.end.sentence(), story(&shrunk.run).join("\n"))
}

#[test]
fn stories_of_bugs_are_short_and_say_who_came_between() {
    for name in ["reorder_3", "din_phil_3", "WSQ", "CVE-2016-1972", "cargill_1"] {
        insta::assert_snapshot!(name, told(name));
    }
}
