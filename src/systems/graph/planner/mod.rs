//! The planner: from the resources that are wanted, and those that there are, to the actions that lead there.
//!
//! ```text
//! wanted graph ─ closure (fetch) ─▶ got graph ─ tombstones ─ local plan ─ recreates spread ─ checked ─▶ actions
//! ```
//!
//! A **resource** refers to others. What there is gets fetched from the wanted ones outward (**closure**); what there is
//! and nobody wants any more becomes a **tombstone** among the wanted. The **local plan** says for each resource by itself
//! what happens to it; a resource that is made again takes all that refer to it with it; each plan then has its actions,
//! which wait for each other by events.
//!
//! # Provenance
//! The behaviour is that of k8s-cloud-provider (`pkg/cloud/rgraph/algo`, `rnode`, `workflow/plan`). Right here where it
//! is known to be wrong there: a deleted resource that is still wanted by another is refused (there a resource was held
//! against itself), external resources that nobody wants stay as they are (there that is an error), and a dry delete
//! foretells the references that it drops.

mod resource;
mod graph;
mod traversal;
mod closure;
mod local;
mod actions;
mod plan;

pub use actions::{ActionShape, ActionsError, Operation, actions, update_emits, update_wants};
pub use closure::{BoxError, ClosureError, Fetch, closure};
pub use graph::{GraphBuilder, GraphError, ResourceGraph};
pub use local::{LocalPlanError, Op, Planned, Plans, local_plan};
pub use plan::{Plan, PlanError, plan};
pub use resource::{Changes, Difference, Ownership, Resource, State};
pub use traversal::{NotInGraph, connected_subgraph, transitive_in_refs};
