//! Mistakes in the table of a workload are told with the place and with what is allowed.

use super::swarm::registry;
use fatum::scenario::{Document, Scenario};

fn error(workload: &str) -> String {
    let text =
        format!("system = \"agent\"\ndescription = \"x\"\nexpect = \"passed\"\n\n[workload]\n{workload}\n");
    Scenario::parse(&Document::new("swarm.toml", text), &registry()).unwrap_err().to_string()
}

#[test]
fn each_mistake_is_told_with_its_place() {
    let many = format!("acts = [{}]", vec!["\"run\""; 65].join(", "));
    let cases = [
        ("unknown-key", "acts = [\"run\"]\nnode = 2"),
        ("no-acts", "nodes = 2"),
        ("unknown-act", "acts = [\"run\", \"rnu\"]"),
        ("empty-acts", "acts = []"),
        ("many-acts", &*many),
        ("no-node", "acts = [\"run\"]\nnodes = 0"),
        ("many-nodes", "acts = [\"run\"]\nnodes = 4000000000"),
        ("negative-nodes", "acts = [\"run\"]\nnodes = -1"),
        ("duration", "acts = [\"run\"]\nrest = \"1.5s\""),
        ("image-key", "acts = [\"run\"]\nimages.server.pul = \"2s\""),
        ("image-duration", "acts = [\"run\"]\nimages.server.pull = \"long\""),
        ("image-port", "acts = [\"run\"]\nimages.server.port = 70000"),
        ("type", "acts = \"run\""),
    ];
    let told: Vec<String> = cases.map(|(name, workload)| format!("{name}:\n{}", error(workload))).to_vec();
    insta::assert_snapshot!("workload-mistakes", told.join("\n\n"));
}
