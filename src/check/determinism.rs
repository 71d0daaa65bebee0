//! The determinism check: a share of the seeds is run a second time, later, on another thread, after other seeds.
//!
//! A difference means that something outside the simulation got in: a static, the host's clock, hash order, a
//! `tokio::select!` that was called directly.

use super::config::Check;
use super::program::Program;
use super::report::Failure;
use super::story::story;
use crate::choice::hash_bytes;
use crate::runtime::End;
use crate::sim::Keep;
use crate::trace::Digests;
use std::sync::Mutex;

/// A seed that is to be run again.
#[derive(Clone, Debug)]
pub(super) struct Recheck {
    pub(super) job: usize,
    pub(super) seed: u64,
    pub(super) digests: Digests,
}

/// Whether a seed belongs to the share.
pub(super) fn is_due(seed: u64, one_in: u64) -> bool {
    one_in > 0 && hash_bytes(&seed.to_le_bytes()).is_multiple_of(one_in)
}

/// Runs the share again; the first seed that differed, as a failure.
pub(super) fn recheck(check: &Check, rechecks: Vec<Recheck>, program: &dyn Program) -> Vec<Failure> {
    let differing = Mutex::new(Vec::new());
    let jobs = check.threads_max();
    #[expect(clippy::disallowed_methods, reason = "another thread is the point; a run never sees it")]
    std::thread::scope(|scope| {
        for job in 0..jobs {
            let (rechecks, differing) = (&rechecks, &differing);
            scope.spawn(move || {
                // Last seeds first, and those of the next thread: another order, another thread.
                let mine = rechecks.iter().rev().filter(|recheck| (recheck.job + 1) % jobs == job);
                for recheck in mine {
                    let again = check.sweep_seed(recheck.seed, true, program);
                    if let Some(agreed) = recheck.digests.first_difference(&again.digests) {
                        let mut differing =
                            differing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        differing.push((recheck.seed, agreed));
                    }
                }
            });
        }
    });
    let mut differing = differing.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    differing.sort_unstable();
    let count = differing.len() as u64;
    differing
        .first()
        .map(|&(seed, agreed)| diverged(check, seed, agreed, count, program))
        .into_iter()
        .collect()
}

fn diverged(check: &Check, seed: u64, agreed: u64, count: u64, program: &dyn Program) -> Failure {
    let mut run = check.record_seed(seed, Keep::Trace, program);
    run.end = End::Diverged {
        detail: format!(
            "seed {seed} was run twice and differed after event {agreed}; something outside the simulation gets in: \
             a static, the host's clock, a HashMap's order, or tokio::select! called directly (use fatum::select!)"
        ),
    };
    Failure {
        end: run.end.clone(),
        seed,
        strategy: check.strategy,
        calibration: check.calibration,
        found_at: seed.wrapping_sub(check.seed_base) + 1,
        runs: count,
        deviations: run.tape.deviations(),
        tape: run.tape.clone(),
        story: story(&run),
        run,
        shrink_runs: 0,
        file: None,
        command: format!("FATUM_SEED={seed}"),
    }
}
