//! The page: what each engine found, how soon and at what cost; and the portfolio against each peer.

use crate::zoo::Tier;
use crate::zoo::protocol::Median;
use crate::{Cell, Engine, Options};
use fatum::strategy::StrategyKind;
use std::path::Path;

/// A peer's programs that it needs fewer runs for are no contest.
const HARD: u64 = 50;
const PORTFOLIO: Engine = Engine::Fatum(StrategyKind::Portfolio);

/// The versions of the peers.
const LOCK: &str = include_str!("../Cargo.lock");

fn version(package: &str) -> &'static str {
    let named = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = LOCK.split_once(&named).expect("the peers are in the lock file");
    rest.split('"').next().unwrap_or(rest)
}

/// In how many trials an engine found the bug, and the median of the runs to it.
pub(crate) fn text(cell: &Cell) -> String {
    let found = format!("{}/{}", cell.found(), cell.trials.len());
    match (cell.found(), Median::of(&cell.trials).at) {
        (0, _) => found,
        (_, Some(at)) => format!("{found} {at}"),
        (_, None) => format!("{found} >{}", longest(cell)),
    }
}

fn longest(cell: &Cell) -> u64 {
    cell.trials.iter().map(|trial| trial.runs).max().unwrap_or(0)
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    format!("| {} |\n", cells.join(" | "))
}

fn table(rows: &[Vec<Cell>], tier: Tier, text: impl Fn(&Cell) -> String) -> String {
    let of_tier: Vec<&Vec<Cell>> = rows.iter().filter(|cells| cells[0].program.tier == tier).collect();
    let Some(first) = of_tier.first() else { return String::new() };
    let names: Vec<String> = first.iter().map(|cell| cell.engine.name()).collect();
    let mut table = row([tier.name().to_owned()].into_iter().chain(names));
    table += &row(vec!["---".to_owned(); first.len() + 1]);
    for cells in of_tier {
        table += &row([cells[0].program.name.to_owned()].into_iter().chain(cells.iter().map(&text)));
    }
    table + "\n"
}

/// CPU seconds of all trials for each that found the bug: what a bug costs, as far as the trials tell. Where none did, all
/// that was spent.
fn seconds_a_bug(cell: &Cell) -> f64 {
    cell.spent as f64 / 1e9 / cell.found().max(1) as f64
}

/// The portfolio's runs and CPU seconds divided by the peer's, where one of the two has a median.
///
/// A peer without a median is taken at its budget, which is less than it needs; the portfolio without one is taken as
/// infinite. So a ratio is never better for fatum than what was measured.
fn ratio(portfolio: &Cell, peer: &Cell) -> Option<(f64, f64)> {
    let (ours, theirs) = (Median::of(&portfolio.trials).at, Median::of(&peer.trials).at);
    let seconds = seconds_a_bug(portfolio) / seconds_a_bug(peer);
    match (ours, theirs) {
        (None, None) => None,
        (None, Some(_)) => {
            Some((f64::INFINITY, if portfolio.found() == 0 { f64::INFINITY } else { seconds }))
        }
        (Some(ours), theirs) => {
            let theirs = theirs.unwrap_or_else(|| longest(peer));
            Some((ours as f64 / theirs as f64, seconds))
        }
    }
}

/// The middle one, or the upper of the two.
fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
}

/// The portfolio against one peer.
fn against(rows: &[Vec<Cell>], peer: Engine) -> Option<String> {
    let mut ratios: Vec<(f64, f64)> = Vec::new();
    let (mut hard, mut neither, mut fewer) = (0, 0, 0);
    for cells in rows {
        let of = |engine| cells.iter().find(|cell| cell.engine == engine);
        let (ours, theirs) = of(PORTFOLIO).zip(of(peer))?;
        if Median::of(&theirs.trials).at.is_some_and(|median| median < HARD) {
            continue;
        }
        hard += 1;
        match ratio(ours, theirs) {
            Some(ratio) => ratios.push(ratio),
            None => neither += 1,
        }
        fewer += usize::from(ratio(ours, theirs).is_some_and(|(runs, _)| runs < 1.0));
    }
    let runs = middle(ratios.iter().map(|ratio| ratio.0).collect());
    let seconds = middle(ratios.iter().map(|ratio| ratio.1).collect());
    let counts = [hard, ratios.len(), neither, fewer].map(|count| count.to_string());
    Some(row([peer.name()].into_iter().chain(counts).chain([number(runs), number(seconds)])))
}

/// The programs that a peer found at least once, and the portfolio never.
fn missed(rows: &[Vec<Cell>]) -> Vec<String> {
    let mut missed = Vec::new();
    for cells in rows {
        let found = |cell: &&Cell| cell.found() > 0;
        let ours = cells.iter().find(|cell| cell.engine == PORTFOLIO);
        let peers = cells.iter().filter(|cell| cell.engine.is_peer()).filter(found);
        let names: Vec<String> = peers.map(|cell| cell.engine.name()).collect();
        if ours.is_some_and(|cell| cell.found() == 0) && !names.is_empty() {
            missed.push(format!("{} ({})", cells[0].program.name, names.join(", ")));
        }
    }
    missed
}

fn head(options: &Options) -> String {
    let Options { trials, budget, silent, .. } = options;
    let madsim = match cfg!(madsim) {
        true => format!("madsim {}", version("madsim")),
        false => "no madsim (it needs `--cfg madsim`)".to_owned(),
    };
    format!(
        "# The zoo under other tools\n\n\
         Written by `cargo run --release` in `benches/peers`: the classic and the ownership programs, from the same \
         source, under fatum, shuttle {} and {madsim}, interleaved in one process of one thread. {trials} trials of up \
         to {budget} runs each; the protocol's own are 20 of 50000. Each access, each lock and each step of a spawn is \
         a scheduling point under all of them: under shuttle a read of an atomic of the object, under madsim one yield. \
         shuttle starts a trial with a new scheduler, and its first run counts; fatum calibrates with a run that counts \
         in the CPU seconds only; madsim's runs are each of a seed. The mended twins ran {silent} times under each \
         peer.\n\n",
        version("shuttle")
    )
}

/// All of it.
pub(crate) fn page(rows: &[Vec<Cell>], options: &Options) -> String {
    let mut page = head(options);
    page += "## Runs to the bug\n\nFound in so many trials; the median of the runs to the bug (Kaplan-Meier).\n\n";
    for tier in [Tier::Classic, Tier::Ownership] {
        page += &table(rows, tier, text);
    }
    page += "## CPU seconds\n\nOf all trials of the program: each up to the bug, or the budget.\n\n";
    for tier in [Tier::Classic, Tier::Ownership] {
        page += &table(rows, tier, |cell| format!("{:.3}", cell.spent as f64 / 1e9));
    }
    let strange = rows.iter().flatten().filter(|cell| !cell.strange.is_empty());
    for cell in strange {
        let text = &cell.strange[0];
        page += &format!("Not the bug: {}, {}: {text}\n\n", cell.program.name, cell.engine.name());
    }
    page += &format!(
        "## fatum's portfolio against each peer\n\nOver the programs for which the peer's median is {HARD} runs or more, \
         or beyond its trials. A ratio is the portfolio's median of runs, or its CPU seconds for each trial that found \
         the bug (all of them, where none did), divided by the peer's; less than one is fewer. Of two ratios in the \
         middle the upper is given. A peer without a median counts with its budget, the portfolio without one as \
         infinite; where neither has one there is no ratio.\n\n"
    );
    let columns =
        ["peer", "programs", "compared", "neither", "fewer runs", "median ratio of runs", "of CPU seconds"];
    page += &row(columns.map(str::to_owned));
    page += &row(columns.map(|_| "---".to_owned()));
    for peer in Engine::all().filter(|engine| engine.is_peer()) {
        page += &against(rows, peer).unwrap_or_default();
    }
    let missed = missed(rows);
    let missed = if missed.is_empty() { "none".to_owned() } else { missed.join("; ") };
    page + &format!("\nFound by a peer, and never by the portfolio: {missed}.\n")
}

/// Beside, then renamed: nobody sees half a page.
pub(crate) fn write(path: &Path, page: &str) {
    let beside = path.with_extension("md.new");
    std::fs::write(&beside, page).expect("the page can be written");
    std::fs::rename(&beside, path).expect("the page can be renamed");
}
