//! The kind of plan task that provisions: it plans what leads from the parts that there are to those that are wanted, and
//! runs that as an action graph. Done once a plan has nothing left to do but what it did.

use super::layout;
use super::platform::Platform;
use crate::sync::CancellationToken;
use crate::systems::graph::config::OnStop;
use crate::systems::graph::planner::{ActionShape, GraphBuilder, Resource, plan};
use crate::systems::graph::{ActionBase, Config, Context, Executor, FnAction, SharedAction};
use crate::systems::plan::error::Answer;
use crate::systems::plan::task::{BuildError, TaskContext, TaskRun};
use crate::systems::plan::{EventName, Task};
use crate::systems::plugin::BoxFuture;
use crate::time::Duration;
use serde_json::Value;
use std::sync::Arc;

/// The name of the kind.
pub(super) const KIND: &str = "Provision";
/// The setting that says what is wanted.
pub(super) const WANTS: &str = "wants";
/// The parameter that says which version.
pub(super) const VERSION: &str = "VERSION";
/// How long one pass works at it.
const PASS_MAX: Duration = Duration::from_secs(40);

/// What a task wants of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    /// Its data; what else there is stays.
    Data,
    /// All of its version, and nothing of another.
    Whole,
    /// Nothing.
    Nothing,
}

/// A task of this kind.
struct Provision {
    platform: Platform,
    wants: Wants,
}

/// Builds tasks of this kind, which act on a platform.
pub(super) fn builder(
    platform: Platform,
) -> impl Fn(&Task) -> Result<Box<dyn TaskRun>, BuildError> + Send + Sync + 'static {
    move |task| {
        let wants = match task.spec.get(WANTS).and_then(Value::as_str) {
            Some("data") => Wants::Data,
            Some("whole") => Wants::Whole,
            Some("nothing") => Wants::Nothing,
            other => {
                let found = other.unwrap_or("nothing said");
                return Err(BuildError(format!("`{WANTS}` is data, whole or nothing, and not {found}")));
            }
        };
        Ok(Box::new(Provision { platform: platform.clone(), wants }))
    }
}

impl TaskRun for Provision {
    fn run<'a>(&'a self, context: &'a TaskContext<'a>) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let version = context.params.get(VERSION).and_then(Value::as_str).map(str::parse::<u64>);
            let Some(Ok(version)) = version else {
                return Answer::fatal(EventName::InvalidParams, format!("{VERSION} is no number"));
            };
            match self.provision(&context.metadata.instance, version).await {
                Ok(()) => Answer::Done,
                Err(error) => Answer::transient(error),
            }
        })
    }
}

impl Provision {
    async fn provision(
        &self,
        site: &str,
        version: u64,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let wanted = match self.wants {
            Wants::Data => layout::data(site, version),
            Wants::Whole => layout::whole(site, version),
            Wants::Nothing => Vec::new(),
        };
        let mut resources: Vec<Resource> = wanted.iter().map(|id| layout::resource(id, true)).collect();
        if self.wants != Wants::Data {
            let there = self.platform.parts_of(site).await?;
            let unwanted = there.into_iter().filter(|id| !wanted.contains(id));
            resources.extend(unwanted.map(Resource::absent));
        }
        let platform = Arc::new(self.platform.clone());
        let plan = plan(&platform, resources.into_iter().collect::<GraphBuilder>().build()?).await?;
        let actions = plan.actions.into_iter().map(action).collect();
        let config = Config { timeout: Some(PASS_MAX), on_stop: OnStop::Abort, ..Config::parallel() };
        Executor::new(config, actions)?.run(platform, &CancellationToken::new()).await?;
        Ok(())
    }
}

/// The action of a shape, on the platform.
fn action(shape: ActionShape) -> SharedAction<Platform> {
    let base = ActionBase::new(shape.name.as_str()).kind(shape.kind).wants(shape.wants).emits(shape.emits);
    let operation = Arc::new(shape.operation);
    Arc::new(FnAction::emitting(base, move |context: Context<Platform>| {
        let operation = Arc::clone(&operation);
        async move { context.env().apply(&operation).await }
    }))
}
