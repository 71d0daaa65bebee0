//! Workflow files: what is wrong is said with its place; and a workflow as a drawing.

use fatum::systems::plugin::error::TaskError;
use fatum::systems::plugin::graphviz::dot;
use fatum::systems::plugin::model::{NodePhase, WorkflowPhase};
use fatum::systems::plugin::status::{NodeStatus, WorkflowStatus};
use fatum::systems::plugin::workflow::{NODES_MAX, WorkflowSpec};
use fatum::systems::plugin::workflow_file::{parse, read};
use std::path::{Path, PathBuf};

fn parsed(text: &str) -> Result<WorkflowSpec, String> {
    parse(Path::new("w.toml"), text).map_err(|error| error.to_string())
}

fn nodes(count: usize) -> String {
    let node = |nth: usize| format!("\n[[node]]\nname = \"n{nth}\"\n");
    format!("name = \"w\"\n{}", (0..count).map(node).collect::<String>())
}

#[test]
fn a_file_is_read() {
    let spec = parsed(
        "name = \"train\"\nmax-parallelism = 2\n\n[[task]]\nname = \"fetch\"\ntype = \"container\"\noutputs = [\"rows\"]\n\
         work = { takes = \"2s\", ends = [\"recoverable\", \"ok\"] }\n\n[[node]]\nname = \"a\"\ntask = \"fetch\"\n\
         min-attempts = 2\nexecution-deadline = \"5s\"\n\n[[node]]\nname = \"b\"\nupstream = [\"a\"]\n",
    )
    .unwrap();
    assert_eq!((spec.nodes.len(), spec.namespace.as_str(), spec.max_parallelism), (2, "default", 2));
    let children: Vec<&str> = spec.children(Some("a")).map(|node| node.name.as_str()).collect();
    assert_eq!(children, ["b"]);
    assert_eq!(parsed(&nodes(NODES_MAX)).unwrap().nodes.len(), 100);
}

#[test]
fn mistakes_are_placed_and_explained() {
    let head = "name = \"w\"\n\n[[node]]\nname = \"a\"\n";
    for (text, place, said) in [
        (nodes(101), "w.toml:303:1: ", "the workflow has 101 nodes, at most 100 are allowed"),
        ("name = \"w\"\n".to_owned(), "w.toml:1:1: ", "the workflow has no nodes"),
        (format!("{head}\n[[node]]\nname = \"a\"\n"), "w.toml:6:1: ", "there are two nodes of the name `a`"),
        (
            format!("{head}upstream = [\"b\"]\n\n[[node]]\nname = \"bb\"\n"),
            "w.toml:5:13: ",
            "node `a` waits for `b`, which is no node",
        ),
        (
            format!("{head}\n[[node]]\nname = \"b\"\nupstream = [\"a\", \"a\"]\n"),
            "w.toml:8:18: ",
            "node `b` waits for `a` twice",
        ),
        (format!("{head}upstream = [\"a\"]\n"), "w.toml:3:1: ", "nodes wait for each other: a -> a"),
        (
            format!(
                "{head}\n[[node]]\nname = \"b\"\nupstream = [\"c\"]\n\n[[node]]\nname = \"c\"\nupstream = [\"b\", \"a\"]\n"
            ),
            "w.toml:6:1: ",
            "nodes wait for each other: b -> c -> b",
        ),
        (format!("{head}task = \"t\"\n"), "w.toml:3:1: ", "node `a` runs `t`, which is no task"),
        (
            format!("{head}\n[[task]]\nname = \"t\"\ntype = \"x\"\n\n[[task]]\nname = \"t\"\ntype = \"x\"\n"),
            "w.toml:10:1: ",
            "there are two tasks of the name `t`",
        ),
        ("name = \"W\"\n\n[[node]]\nname = \"a\"\n".to_owned(), "w.toml:1:1: ", "\"W\" is no name"),
        (format!("{head}upstreem = []\n"), "w.toml:5:1: ", "did you mean `upstream`?"),
        (format!("{head}\n[[task]]\nname = \"t\"\n"), "w.toml:6:1: ", "the key `type` is missing here"),
        (
            format!("{head}\n[[task]]\nname = \"t\"\ntype = \"x\"\nwork = {{ ends = [\"okay\"] }}\n"),
            "w.toml:9:18: ",
            "there is no value `okay`",
        ),
        ("name = ".to_owned(), "w.toml:1:", "string"),
        ("name = \"w\"\nnode = 3\n".to_owned(), "w.toml:2:8: ", "invalid type: integer `3`"),
    ] {
        let error = parsed(&text).unwrap_err();
        assert!(error.starts_with(place) && error.contains(said), "{place}{said}\nfound\n{error}");
    }
}

fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("fatum-workflow-{}-{name}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn what_is_no_workflow_file_is_refused() {
    for (name, content, said) in [
        ("large.toml", vec![b'#'; 10 << 20], "is no workflow file: it is larger than 1 MiB"),
        ("empty.toml", b"  \n".to_vec(), "is empty, not a workflow file"),
        ("binary.toml", vec![b'a', b'\n', 0xff], ":2: not a text: byte 2 is not UTF-8"),
    ] {
        let path = file(name, &content);
        let error = read(&path).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains(said), "{error}");
    }
    let error = read(&std::env::temp_dir()).unwrap_err().to_string();
    assert!(error.contains("is a directory, not a workflow file"), "{error}");
    assert!(read(Path::new("/nowhere/w.toml")).unwrap_err().is_io());
    let path = file("good.toml", nodes(3).as_bytes());
    assert_eq!(read(&path).unwrap().nodes.len(), 3);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_workflow_is_drawn_as_it_stands() {
    let spec = parsed(
        "name = \"train\"\n\n[[task]]\nname = \"fetch\"\ntype = \"container\"\n\n[[node]]\nname = \"fetch\"\ntask = \"fetch\"\n\n\
         [[node]]\nname = \"query\"\ntask = \"fetch\"\n\n[[node]]\nname = \"fit\"\nupstream = [\"fetch\", \"query\"]\n",
    )
    .unwrap();
    let mut status = WorkflowStatus { phase: WorkflowPhase::Running, ..WorkflowStatus::default() };
    let done = NodeStatus { phase: NodePhase::Succeeded, ..NodeStatus::default() };
    let again = NodeStatus {
        phase: NodePhase::RetryableFailure,
        attempts: 1,
        error: Some(TaskError::user("OOM", "no \"memory\"")),
        ..NodeStatus::default()
    };
    status.nodes.insert("fetch".to_owned(), done);
    status.nodes.insert("query".to_owned(), again);
    insta::assert_snapshot!("workflow", dot(&spec, Some(&status)));
    insta::assert_snapshot!("workflow-plan", dot(&spec, None));
}
