//! Table 2.12, the parts of the planner: walks, the closure, local plans, and the actions of each. Expected values are
//! the table's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use fatum::systems::graph::action::BoxFuture;
use fatum::systems::graph::planner::{
    BoxError, Fetch, GraphBuilder, GraphError, LocalPlanError, Op, Ownership, Plans, Resource, ResourceGraph,
    State, actions, closure, connected_subgraph, local_plan, transitive_in_refs, update_emits, update_wants,
};
use fatum::systems::graph::{Event, Id};

use super::simulate_seeded;

/// The resources of a text like `a -> b -> c; d`.
pub(super) fn resources(text: &str) -> Vec<Resource> {
    let mut found: BTreeMap<String, Resource> = BTreeMap::new();
    for path in text.split(';').map(str::trim).filter(|path| !path.is_empty()) {
        let names: Vec<&str> = path.split("->").map(str::trim).collect();
        for name in &names {
            found.entry((*name).to_owned()).or_insert_with(|| Resource::new(*name));
        }
        for pair in names.windows(2) {
            found.get_mut(pair[0]).expect("it was just added").refs.insert(Id::from(pair[1]));
        }
    }
    found.into_values().collect()
}

pub(super) fn graph(resources: Vec<Resource>) -> ResourceGraph {
    resources.into_iter().collect::<GraphBuilder>().build().expect("it is whole")
}

fn names<'a>(ids: impl IntoIterator<Item = &'a Id>) -> String {
    ids.into_iter().map(Id::as_str).collect::<Vec<_>>().join(",")
}

#[test]
fn what_hangs_together_is_found_in_both_directions() {
    let rows = [
        ("a", "a", "a"),
        ("a; b->c; c->d", "a", "a"),
        ("a->b; c", "a", "a,b"),
        ("a->b->c; d", "a", "a,b,c"),
        ("a->b->c->d->e", "a", "a,b,c,d,e"),
        ("a->b;c->b", "a", "a,b,c"),
        ("a->b;c->b", "b", "a,b,c"),
        ("a->b", "b", "a,b"),
        ("a->b->c", "c", "a,b,c"),
        ("a->b->c->d->e", "e", "a,b,c,d,e"),
        ("a->b; a->c", "a", "a,b,c"),
        ("a->b; a->c", "b", "a,b,c"),
        ("a->b; a->c->d; c->e", "a", "a,b,c,d,e"),
        ("a->b; a->c->d; c->e", "c", "a,b,c,d,e"),
        ("a->b; a->c->d; c->e", "e", "a,b,c,d,e"),
        ("a->a", "a", "a"),
        ("a->b;b->a", "a", "a,b"),
        ("a->b;b->c;c->d;d->a", "a", "a,b,c,d"),
        ("a->b->c; b->c; c->a; c->d->e", "a", "a,b,c,d,e"),
    ];
    for (text, start, expected) in rows {
        let found = connected_subgraph(&graph(resources(text)), &Id::from(start)).expect(text);
        assert_eq!(names(&found), expected, "{text} from {start}");
    }
}

#[test]
fn who_refers_to_it_is_found_through_others() {
    let rows = [
        ("a", "a", "a"),
        ("a->b", "a", "a"),
        ("a->b", "b", "a,b"),
        ("a->b->c", "c", "a,b,c"),
        ("a->b->c", "b", "a,b"),
        ("a->c; b->c", "c", "a,b,c"),
        ("a->b; c->d", "d", "c,d"),
        ("a->a", "a", "a"),
        ("a->b; b->a", "a", "a,b"),
        ("a->b->c->d; e->c; f->a", "c", "a,b,c,e,f"),
    ];
    for (text, start, expected) in rows {
        let found = transitive_in_refs(&graph(resources(text)), &Id::from(start)).expect(text);
        assert_eq!(names(&found), expected, "{text} from {start}");
    }
}

#[test]
fn a_walk_from_outside_the_graph_is_an_error() {
    for text in ["", "a"] {
        let graph = graph(resources(text));
        let expected = "starting node x not in graph";
        assert_eq!(connected_subgraph(&graph, &Id::from("x")).unwrap_err().to_string(), expected);
        assert_eq!(transitive_in_refs(&graph, &Id::from("x")).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_graph_is_whole() {
    let build = |resources: Vec<Resource>| resources.into_iter().collect::<GraphBuilder>().build();
    let dangling = build(vec![Resource::new("a").refers_to(["b"])]);
    assert_eq!(
        dangling.unwrap_err().to_string(),
        "Builder: missing outRef: a points to b which isn't in the graph"
    );
    // Where somebody else's resource leads is no business of ours.
    assert!(build(vec![Resource::new("a").refers_to(["b"]).external()]).is_ok());
    let nobodys = Resource { state: State::Exists, ..Resource::unknown("a") };
    assert_eq!(build(vec![nobodys]).unwrap_err().to_string(), "Builder: node a has ownership Unknown");
    assert_eq!(build(vec![Resource::new("a"), Resource::new("a")]), Err(GraphError::Twice(Id::from("a"))));
    let mut graph = graph(resources("a"));
    assert!(graph.add_tombstone(Resource::new("b")).is_err());
    assert!(graph.add_tombstone(Resource::absent("b")).is_ok());
}

/// A cloud that counts what is fetched, and fails where it is told to.
#[derive(Default)]
struct Counting {
    there: BTreeMap<Id, Resource>,
    fails_at: Option<&'static str>,
    looked_at: Mutex<Vec<Id>>,
    under_way: Mutex<(usize, usize)>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(&'static str);

impl Counting {
    fn new(resources: Vec<Resource>) -> Counting {
        let there = resources.into_iter().map(|resource| (resource.id.clone(), resource)).collect();
        Counting { there, ..Counting::default() }
    }

    fn fails(&self, what: &'static str) -> Result<(), BoxError> {
        if self.fails_at == Some(what) { Err(Box::new(Told(what))) } else { Ok(()) }
    }
}

impl Fetch for Counting {
    fn fetch<'a>(&'a self, id: &'a Id) -> BoxFuture<'a, Result<Option<Resource>, BoxError>> {
        Box::pin(async move {
            self.looked_at.lock().unwrap().push(id.clone());
            {
                let mut under_way = self.under_way.lock().unwrap();
                under_way.0 += 1;
                under_way.1 = under_way.1.max(under_way.0);
            }
            fatum::time::sleep(super::ms(10)).await;
            self.under_way.lock().unwrap().0 -= 1;
            self.fails(if id.as_str() == "a" { "root" } else { "child" })?;
            Ok(self.there.get(id).cloned())
        })
    }

    fn on_get(&self, resource: &mut Resource) -> Result<(), BoxError> {
        if resource.ownership == Ownership::Unknown {
            resource.ownership = Ownership::Managed;
        }
        self.fails("on-get")
    }

    fn out_refs(&self, resource: &Resource) -> Result<BTreeSet<Id>, BoxError> {
        self.fails("out-refs")?;
        Ok(resource.refs.clone())
    }
}

/// What is fetched from the roots: the ids, in order, or the error; each once, two at a time, and all waited for.
fn fetched(seed: u64, cloud: Counting, roots: &[&str]) -> Result<String, String> {
    let roots: Vec<Id> = roots.iter().copied().map(Id::from).collect();
    let seen = simulate_seeded(seed, move || async move {
        let cloud = Arc::new(cloud);
        let closed = closure(&cloud, roots, &BTreeSet::new()).await;
        let mut looked_at = cloud.looked_at.lock().unwrap().clone();
        looked_at.sort();
        let (left, most) = *cloud.under_way.lock().unwrap();
        assert_eq!(left, 0, "nothing is left under way");
        assert!(most <= 2, "{most} at a time");
        let all = looked_at.len();
        looked_at.dedup();
        assert_eq!(looked_at.len(), all, "each once");
        closed.map(|resources| (names(resources.iter().map(|resource| &resource.id)), names(&looked_at)))
    });
    seen.value
        .map(|(found, looked_at)| {
            assert_eq!(found, looked_at);
            found
        })
        .map_err(|error| error.to_string())
}

#[test]
fn the_closure_of_roots_is_all_that_they_lead_to() {
    let rows: [(&str, &[&str], &str); 11] = [
        ("", &[], ""),
        ("a", &["a"], "a"),
        ("a; b", &["a", "b"], "a,b"),
        ("a->a", &["a"], "a"),
        ("a->b", &["a"], "a,b"),
        ("a->b; a->c", &["a"], "a,b,c"),
        ("a->b->c", &["a"], "a,b,c"),
        ("a->b; a->c->d", &["a"], "a,b,c,d"),
        ("a->b->d; a->c->d", &["a"], "a,b,c,d"),
        ("a->b->c; b->d; c->a; c->d", &["a"], "a,b,c,d"),
        // A root that is not there is fetched, and leads nowhere.
        ("b", &["a"], "a"),
    ];
    for (text, roots, expected) in rows {
        for seed in 0..20 {
            let found = fetched(seed, Counting::new(resources(text)), roots);
            assert_eq!(found.as_deref(), Ok(expected), "{text}, seed {seed}");
        }
    }
}

#[test]
fn what_is_somebody_elses_leads_nowhere() {
    let rows = [
        ("a->b", "a,b"),
        ("a->b->e; a->c->d", "a,b,c,d"),
        ("a->b->c; a->c->f", "a,b,c,f"),
        ("a->b->c; a->c", "a,b,c"),
    ];
    for (text, expected) in rows {
        let resources = resources(text).into_iter();
        let external = resources.map(|node| if node.id.as_str() == "b" { node.external() } else { node });
        assert_eq!(fetched(0, Counting::new(external.collect()), &["a"]).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn an_error_ends_the_closure_after_what_is_under_way() {
    for (fails_at, expected) in [
        ("root", "TransitiveClosure: a: root"),
        ("child", "TransitiveClosure: b: child"),
        ("on-get", "TransitiveClosure: a: on-get"),
        ("out-refs", "TransitiveClosure: a: out-refs"),
    ] {
        for seed in 0..20 {
            let cloud = Counting { fails_at: Some(fails_at), ..Counting::new(resources("a->b")) };
            assert_eq!(fetched(seed, cloud, &["a"]), Err(expected.to_owned()), "seed {seed}");
        }
    }
}

fn ops(plans: &Plans) -> Vec<(&str, Op)> {
    plans.iter().map(|(id, planned)| (id.as_str(), planned.op)).collect()
}

/// What there is, what is wanted, and what happens to each.
type Local = (Vec<Resource>, Vec<Resource>, &'static [(&'static str, Op)]);

#[test]
fn each_resource_is_planned_by_itself() {
    let (exists, absent) = (|id: &str| Resource::new(id), |id: &str| Resource::absent(id));
    let changed = |id: &str| Resource::new(id).field("value", "2");
    let rows: [Local; 8] = [
        (vec![], vec![], &[]),
        (vec![exists("a")], vec![exists("a")], &[("a", Op::Nothing)]),
        (vec![absent("a")], vec![absent("a")], &[("a", Op::Nothing)]),
        (vec![exists("a")], vec![changed("a").external()], &[("a", Op::Nothing)]),
        (vec![exists("a")], vec![absent("a")], &[("a", Op::Delete)]),
        (vec![absent("a")], vec![exists("a")], &[("a", Op::Create)]),
        (vec![exists("a")], vec![changed("a")], &[("a", Op::Update)]),
        (
            vec![exists("a"), exists("b"), absent("c"), exists("d")],
            vec![exists("a"), absent("b"), exists("c"), changed("d")],
            &[("a", Op::Nothing), ("b", Op::Delete), ("c", Op::Create), ("d", Op::Update)],
        ),
    ];
    for (got, want, expected) in rows {
        let plans = local_plan(&graph(got), &graph(want)).expect("it can be planned");
        assert_eq!(ops(&plans), expected);
    }
}

#[test]
fn a_resource_of_one_graph_only_cannot_be_planned() {
    let (none, some) = (graph(vec![]), graph(resources("a")));
    assert_eq!(local_plan(&some, &none), Err(LocalPlanError::OnlyGot(Id::from("a"))));
    assert_eq!(local_plan(&none, &some), Err(LocalPlanError::OnlyWanted(Id::from("a"))));
}

#[test]
fn a_resource_of_which_nobody_said_whether_it_is_there_cannot_be_planned() {
    let unset = || graph(vec![Resource { state: State::Unset, ..Resource::new("a") }]);
    for (got, want) in [
        (unset(), unset()),
        (unset(), graph(resources("a"))),
        (graph(resources("a")), unset()),
        (unset(), graph(vec![Resource::absent("a")])),
    ] {
        assert!(matches!(local_plan(&got, &want), Err(LocalPlanError::Unset { .. })), "{got:?} {want:?}");
    }
}

#[test]
fn a_field_that_cannot_change_in_place_makes_the_resource_again() {
    let want = Resource::new("a").field("x", "2").recreated_on("x");
    let plans = local_plan(&graph(vec![Resource::new("a").field("x", "1")]), &graph(vec![want.clone()]));
    assert_eq!(ops(&plans.expect("it can be planned")), [("a", Op::Recreate)]);
    let same = local_plan(&graph(vec![Resource::new("a").field("x", "2")]), &graph(vec![want]));
    assert_eq!(ops(&same.expect("it can be planned")), [("a", Op::Nothing)]);
}

fn planned(op: Op) -> Plans {
    let planned = fatum::systems::graph::planner::Planned { op, why: "told".to_owned() };
    BTreeMap::from([(Id::from("x"), planned)])
}

fn texts<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<String> {
    events.into_iter().map(ToString::to_string).collect()
}

/// An operation, whether it is in the background, and for each action its name, what it waits for and what it emits.
type Row = (Op, bool, &'static [Expected]);

type Expected = (&'static str, &'static [&'static str], &'static [&'static str]);

const DELETE: Expected =
    ("delete x", &["DropRef(user => x)"], &["NotExists(x)", "DropRef(x => both)", "DropRef(x => old)"]);

const RECREATE: [Expected; 2] =
    [DELETE, ("create x", &["Exists(both)", "Exists(new)", "NotExists(x)"], &["Exists(x)"])];

#[test]
fn each_operation_has_its_actions() {
    let rows: [Row; 6] = [
        (Op::Nothing, false, &[("exists x", &[], &["Exists(x)"])]),
        (Op::Create, false, &[("create x", &["Exists(both)", "Exists(new)"], &["Exists(x)"])]),
        (Op::Delete, false, &[DELETE]),
        (Op::Recreate, false, &RECREATE),
        (
            Op::Update,
            false,
            &[("update x", &["Exists(both)", "Exists(new)"], &["DropRef(x => old)", "Exists(x)"])],
        ),
        (
            Op::Update,
            true,
            &[
                ("exists x", &[], &["Exists(x)"]),
                ("update x", &["Exists(new)"], &["DropRef(x => old)", "Exists(x)"]),
            ],
        ),
    ];
    for (op, in_background, expected) in rows {
        let got = graph(resources("user -> x -> old; x -> both"));
        let mut wanted = Resource::new("x").refers_to(["both", "new"]).external();
        wanted.changes.in_background = in_background;
        let shapes = actions(&got, &graph(vec![wanted]), &planned(op)).expect("it has actions");
        assert_eq!(shapes.len(), expected.len(), "{op:?}");
        for (shape, (name, wants, emits)) in shapes.iter().zip(expected) {
            assert_eq!(shape.name, *name);
            assert_eq!(texts(&shape.wants), *wants, "{name}");
            assert_eq!(texts(&shape.emits), *emits, "{name}");
        }
    }
}

#[test]
fn an_update_that_changes_nothing_says_that_the_resource_exists() {
    let there = graph(resources("x"));
    let shapes = actions(&there, &there, &planned(Op::Update)).expect("it has actions");
    assert_eq!(shapes.iter().map(|shape| shape.name.as_str()).collect::<Vec<_>>(), ["exists x"]);
}

#[test]
fn actions_need_a_counterpart_and_a_plan() {
    let (none, some) = (graph(vec![]), graph(resources("x")));
    let missing = actions(&none, &some, &planned(Op::Create)).unwrap_err().to_string();
    assert_eq!(missing, "actions: `got` is missing node x that is in `want`");
    let unplanned = actions(&some, &some, &Plans::new()).unwrap_err().to_string();
    assert_eq!(unplanned, "actions: node x has no plan");
}

fn x(refs: &[&'static str]) -> Resource {
    Resource::new("x").refers_to(refs.iter().copied())
}

#[test]
fn an_update_waits_for_all_that_it_is_to_refer_to() {
    let rows: [(&[&str], &[&str], &[&str]); 4] = [
        (&[], &[], &[]),
        (&[], &["a", "b"], &["Exists(a)", "Exists(b)"]),
        (&["a", "b"], &[], &[]),
        (&["a", "b"], &["a", "c"], &["Exists(a)", "Exists(c)"]),
    ];
    for (got, want, expected) in rows {
        assert_eq!(texts(&update_wants(&x(got), &x(want)).expect("both exist")), expected);
    }
    for (got, want) in [(Resource::absent("x"), x(&[])), (x(&[]), Resource::absent("x"))] {
        let error = update_wants(&got, &want).unwrap_err().to_string();
        assert_eq!(error, "node for update does not exist: x");
    }
}

#[test]
fn an_update_emits_what_it_drops_and_then_that_it_exists() {
    let rows: [(&[&str], &[&str], &[&str]); 6] = [
        (&["a", "b"], &[], &["DropRef(x => a)", "DropRef(x => b)", "Exists(x)"]),
        (&["a", "b"], &["b"], &["DropRef(x => a)", "Exists(x)"]),
        (&["a", "b", "c"], &["b", "a"], &["DropRef(x => c)", "Exists(x)"]),
        (&["a", "b", "c"], &["a", "b", "e"], &["DropRef(x => c)", "Exists(x)"]),
        (&["a"], &["a"], &["Exists(x)"]),
        (&[], &["a"], &["Exists(x)"]),
    ];
    for (got, want, expected) in rows {
        assert_eq!(texts(&update_emits(&x(got), &x(want))), expected);
    }
}
