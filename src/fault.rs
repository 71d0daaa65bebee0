//! Fault sites for user code: `failpoint`, and the synchronous `buggify!`. No-ops outside a simulation.
//!
//! The plan (re-exported here) says what may happen at a site; the source says whether it does.

pub use crate::choice::fault::{Clash, FaultKind, FaultPlan, FaultRule};

use crate::choice::{Label, Weights};
use crate::runtime::current;
use std::future::pending;

/// An error that the plan injected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("injected fault at {site}{}{object}", if object.is_empty() { "" } else { " on " })]
pub struct Injected {
    /// The site.
    pub site: &'static str,
    /// The object, or the empty string.
    pub object: String,
}

/// A place that faults may hit: it may return an error, take longer, hang, or have its task cancelled, as the plan says
/// ([`FaultKind`] tells what each does). Cancelled is the whole task that awaits it, at the end of its turn; a main that
/// is cancelled has not done its work, and the run ends as *failed*.
///
/// # Errors
/// [`Injected`], when the plan says so.
pub async fn failpoint(site: &'static str) -> Result<(), Injected> {
    failpoint_on(site, "").await
}

/// As [`failpoint`], for the object with this name.
///
/// # Errors
/// [`Injected`], when the plan says so.
pub async fn failpoint_on(site: &'static str, object: &str) -> Result<(), Injected> {
    match ask(site, object) {
        _ if current::is_cut() => pending().await,
        0 => Ok(()),
        1 => Err(Injected { site, object: object.to_owned() }),
        2 => pending().await,
        3 => {
            abort_running();
            pending().await
        }
        slow => {
            let delay = current::with(|world| world.plan.delay(site, object, world.host_name(), slow));
            crate::time::sleep(delay.unwrap_or_default()).await;
            Ok(())
        }
    }
}

/// A place between two effects of a host on the world outside it, such as two writes to a store: the host may crash
/// here, as the plan says, and then nothing of its tasks goes on. `effect` names the effect that just happened.
pub async fn crash_point(effect: &str) {
    if current::is_cut() || current::try_with(|world| world.crash_after(effect)) == Some(true) {
        pending().await
    }
}

/// Asks at a fault site, for the running task's host: 0 is no fault, also outside a simulation and in the quiet phase.
pub(crate) fn ask(site: &'static str, object: &str) -> u64 {
    let choice = current::try_with(|world| {
        let label = Label::new(site);
        let mask = world.fault_options(label, object);
        if mask == 1 {
            world.counts.count(label, true, false);
            return 0;
        }
        world.choose(label, object, 8, Weights::Fault(mask))
    });
    choice.unwrap_or(0)
}

fn abort_running() {
    current::with(|world| {
        let running = world.running.map(|slot| world.tasks.id(slot));
        if let Some(id) = running {
            world.abort(id);
        }
    });
}

/// The decision of `buggify!`: one time in sixteen under a seed, never in the baseline, the quiet phase or outside.
#[doc(hidden)]
pub fn buggify(site: &'static str) -> bool {
    let weights = Weights::Rare { one_in: 1, of: 16 };
    current::try_with(|world| !world.quiet && world.choose(Label::new(site), "", 2, weights) == 1)
        .unwrap_or(false)
}

/// A synchronous yes or no for rare paths: `if buggify!("small buffer") { … }`. Without a label the site is the module.
///
/// It is the program's own and no fault of the plan: a seed says yes one time in sixteen, with an empty plan too; it has
/// no rule, window or budget, and counts as no fault in reports. Never in the baseline, the quiet phase, or outside.
#[macro_export]
macro_rules! buggify {
    () => {
        $crate::fault::buggify(module_path!())
    };
    ($site:expr) => {
        $crate::fault::buggify($site)
    };
}
