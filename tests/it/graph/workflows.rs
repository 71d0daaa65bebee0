//! Table 2.13: the provisioning of a load balancer, in serial and parallel, with nothing left undone.

use fatum::systems::graph::Id;
use fatum::systems::graph::workload::{Workload, run};

use super::simulate_seeded;

/// The workflow, the number of actions of each step, what exists at the end.
fn check(workflow: &str, steps: &[(&str, usize)], exists: &[&str]) {
    for mode in ["serial", "parallel"] {
        let text = format!(
            "executor = {{ mode = {mode:?} }}\nbehaviour = {{ duration = \"200ms\" }}\n\
             graph.load-balancer = {{ workflow = {workflow:?} }}"
        );
        let workload: Workload = toml::from_str(&text).expect("it is well formed");
        for seed in 0..100 {
            let workload = workload.clone();
            let seen = simulate_seeded(seed, move || async move { run(&workload).await });
            let counts: Vec<(&str, usize)> = seen
                .value
                .steps
                .iter()
                .map(|(name, result)| (*name, result.outcome().expect("the step returned").completed.len()))
                .collect();
            assert_eq!(counts, steps, "{mode}, seed {seed}");
            assert!(seen.value.is_complete(), "{mode}, seed {seed}");
            let cloud = seen.value.cloud.snapshot();
            assert_eq!(cloud.keys().map(Id::as_str).collect::<Vec<_>>(), exists, "{mode}, seed {seed}");
            seen.properties();
        }
    }
}

const BASIC: [&str; 7] = ["addr", "bs", "fr", "hc", "neg", "thp", "um"];

#[test]
fn a_load_balancer_is_created() {
    check("create", &[("create", 7)], &BASIC);
}

#[test]
fn a_second_sync_changes_nothing() {
    check("stable-resync", &[("create", 7), ("resync", 7)], &BASIC);
}

#[test]
fn a_forwarding_rule_goes_to_a_new_target_and_the_old_one_is_deleted() {
    let exists = ["addr", "bs", "fr", "hc", "neg", "thp-new", "um"];
    check("retarget", &[("create", 7), ("retarget", 9)], &exists);
}

#[test]
fn a_label_changes_in_place() {
    check("update-label", &[("create", 7), ("update-label", 8)], &BASIC);
}

#[test]
fn a_description_needs_a_new_forwarding_rule() {
    check("update-description", &[("create", 7), ("update-description", 8)], &BASIC);
}

#[test]
fn an_address_that_is_made_again_takes_the_forwarding_rule_with_it() {
    check("recreate-address", &[("create", 7), ("recreate-address", 9)], &BASIC);
}

#[test]
fn a_load_balancer_is_taken_down() {
    check("teardown", &[("create", 7), ("teardown", 7)], &[]);
}

#[test]
fn creating_takes_as_long_as_its_longest_chain() {
    let text = "executor = { workers = 8 }\nbehaviour = { duration = \"200ms\" }\n\
                graph.load-balancer = { workflow = \"create\" }";
    let workload: Workload = toml::from_str(text).expect("it is well formed");
    let seen = simulate_seeded(0, move || async move { run(&workload).await });
    // hc or neg, bs, um, thp, fr.
    assert_eq!(seen.took, super::ms(5 * 200));
}
