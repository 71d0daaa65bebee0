//! Whole plans: from what there is and what is wanted to the actions, and what cannot be planned.

use std::sync::Arc;

use fatum::systems::graph::Id;
use fatum::systems::graph::planner::{Op, Ownership, PlanError, Resource, State, plan};
use fatum::systems::graph::workload::Cloud;

use super::planner::{graph, resources};
use super::simulate_seeded;

/// A plan as its operations and the names of its actions, or why there is none.
fn planned(there: Vec<Resource>, wanted: Vec<Resource>) -> Result<(String, String), String> {
    let seen = simulate_seeded(0, move || async move {
        let cloud = Arc::new(Cloud::new());
        // In an order in which each finds what it refers to.
        let mut left = there;
        while !left.is_empty() {
            left.retain(|resource| cloud.create(resource).is_err());
        }
        plan(&cloud, graph(wanted)).await
    });
    let plan = seen.value.map_err(|error: PlanError| error.to_string())?;
    let op = |(id, planned): (&Id, &fatum::systems::graph::planner::Planned)| format!("{id}: {}", planned.op);
    let ops: Vec<String> = plan.plans.iter().map(op).collect();
    let actions: Vec<String> = plan.actions.iter().map(|shape| shape.name.clone()).collect();
    Ok((ops.join(", "), actions.join(", ")))
}

fn expect(there: Vec<Resource>, wanted: Vec<Resource>, ops: &str, actions: &str) {
    assert_eq!(planned(there, wanted), Ok((ops.to_owned(), actions.to_owned())));
}

#[test]
fn what_nobody_wants_any_more_goes() {
    expect(
        resources("a->b->c"),
        resources("a"),
        "a: Update, b: Delete, c: Delete",
        "update a, delete b, delete c",
    );
    // What nothing wanted leads to is not known, and stays.
    expect(resources("b->a"), resources("a"), "a: Nothing", "exists a");
}

#[test]
fn what_is_made_again_takes_all_that_refer_to_it_with_it() {
    let wanted = || {
        let mut wanted = resources("a->b->c; d->c; e");
        wanted[2] = wanted[2].clone().field("x", "1").recreated_on("x");
        wanted
    };
    expect(
        resources("a->b->c; d->c; e"),
        wanted(),
        "a: Recreate, b: Recreate, c: Recreate, d: Recreate, e: Nothing",
        "delete a, create a, delete b, create b, delete c, create c, delete d, create d, exists e",
    );
    let mut foreign = wanted();
    foreign[3].ownership = Ownership::External;
    let refused = planned(resources("a->b->c; d->c; e"), foreign);
    assert_eq!(refused.unwrap_err(), "Plan: c planned for recreate, but inRef d ownership=External");
}

#[test]
fn what_is_new_or_goes_anyway_is_not_made_again() {
    let mut wanted = resources("new->c; c");
    wanted[0] = wanted[0].clone().field("x", "1").recreated_on("x");
    wanted.push(Resource::absent("old"));
    expect(
        resources("old->c"),
        wanted,
        "c: Recreate, new: Create, old: Delete",
        "delete c, create c, create new, delete old",
    );
}

#[test]
fn what_is_still_wanted_by_another_does_not_go() {
    let mut wanted = resources("a->b");
    wanted[1].state = State::DoesNotExist;
    let refused = planned(resources("a->b"), wanted);
    assert_eq!(refused.unwrap_err(), "Plan: b to be deleted, but inRef a is not");
}

#[test]
fn what_is_somebody_elses_stays_and_is_not_followed() {
    let mut wanted = resources("a->b");
    wanted[1].ownership = Ownership::External;
    expect(resources("a->b->c"), wanted, "a: Nothing, b: Nothing", "exists a, exists b");
}

#[test]
fn a_cycle_of_references_can_be_planned() {
    let mut there = resources("a->b");
    there[0].refs.clear();
    expect(there, resources("a->b->a"), "a: Update, b: Update", "update a, update b");
    assert_eq!(Op::Update.to_string(), "Update");
}
