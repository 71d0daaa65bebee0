//! What a site is made of, by version: pure, and the same for whoever asks. It must not know how any of it comes about.

use crate::span::Span;
use crate::systems::agent::TaskSpec;
use crate::systems::graph::Id;
use crate::systems::graph::planner::Resource;
use crate::systems::plugin::workflow::{NodeSpec, TaskTemplate, Work, WorkflowSpec};
use crate::time::Duration;
use std::collections::BTreeSet;

/// The nodes that tasks run on.
pub(super) const NODES: [&str; 2] = ["node-1", "node-2"];
/// The image that all tasks run.
pub(super) const IMAGE: &str = "server";
/// The field of a part that says that it does what it is for.
pub(super) const READY: &str = "ready";

/// What a part of a site is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A task on a node.
    Task {
        /// Which node.
        node: &'static str,
    },
    /// A workflow that has to succeed.
    Workflow,
}

/// The part of an id, as all that is known of a part is in its id: `site/kind` or `site/kind-version`.
pub(super) fn part(id: &str) -> Part {
    match kind(id) {
        "db" | "web-a" => Part::Task { node: NODES[0] },
        "web-b" => Part::Task { node: NODES[1] },
        _ => Part::Workflow,
    }
}

fn kind(id: &str) -> &str {
    let local = id.split_once('.').map_or(id, |(_, local)| local);
    local.rsplit_once("-v").map_or(local, |(kind, _)| kind)
}

/// The site that a part belongs to.
pub(super) fn site(id: &str) -> &str {
    id.split_once('.').map_or("", |(site, _)| site)
}

/// What a part refers to.
fn refs(id: &str) -> Vec<Id> {
    let site = site(id);
    let version = id.rsplit_once("-v").map_or("", |(_, version)| version);
    let of = |kind: &str| Id::from(format!("{site}.{kind}-v{version}"));
    match kind(id) {
        "db" => vec![Id::from(format!("{site}.volume"))],
        "migrate" => vec![of("db")],
        "web-a" | "web-b" => vec![of("migrate")],
        _ => Vec::new(),
    }
}

/// A part that does what it is for.
pub(super) fn resource(id: &str, is_ready: bool) -> Resource {
    let ready = if is_ready { "yes" } else { "no" };
    Resource::new(id).refers_to(refs(id)).field(READY, ready)
}

/// The data of a site: what its servers need.
pub(super) fn data(site: &str, version: u64) -> Vec<String> {
    vec![format!("{site}.volume"), format!("{site}.db-v{version}")]
}

/// All of a site.
pub(super) fn whole(site: &str, version: u64) -> Vec<String> {
    let servers = ["migrate", "web-a", "web-b"].map(|kind| format!("{site}.{kind}-v{version}"));
    data(site, version).into_iter().chain(servers).collect()
}

/// The definition of a task.
pub(super) fn task() -> TaskSpec {
    let (labels, secrets, configs) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    TaskSpec { image: IMAGE.to_owned(), labels, secrets, configs }
}

/// A workflow of two jobs, the second after the first.
pub(super) fn workflow(id: &str) -> WorkflowSpec {
    let job = TaskTemplate {
        name: "job".to_owned(),
        task_type: "container".to_owned(),
        outputs: Vec::new(),
        discoverable: false,
        cache_serializable: false,
        work: Work { takes: Span(Duration::from_secs(1)), ..Work::default() },
    };
    let node = |name: &str, upstream: &[&str]| NodeSpec {
        name: name.to_owned(),
        task: Some("job".to_owned()),
        upstream: upstream.iter().map(|&name| name.to_owned()).collect(),
        min_attempts: Some(3),
        ..NodeSpec::default()
    };
    WorkflowSpec {
        name: id.to_owned(),
        namespace: site(id).to_owned(),
        tasks: vec![job],
        nodes: vec![node("first", &[]), node("second", &["first"])],
        ..WorkflowSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_refer_to_what_they_need_of_their_own_version() {
        let refs = |id: &str| resource(id, true).refs.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(refs("shop.volume"), Vec::<String>::new());
        assert_eq!(refs("shop.db-v2"), ["shop.volume"]);
        assert_eq!(refs("shop.migrate-v2"), ["shop.db-v2"]);
        assert_eq!(refs("shop.web-a-v2"), ["shop.migrate-v2"]);
        assert_eq!(part("shop.web-b-v1"), Part::Task { node: "node-2" });
        assert_eq!(part("shop.migrate-v1"), Part::Workflow);
        assert_eq!(whole("shop", 1).len(), 5);
    }
}
