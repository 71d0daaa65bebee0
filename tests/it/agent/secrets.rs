//! Secrets and configs: what a node holds, and what of it one task may see (1.8).

use super::simulate;
use fatum::systems::agent::{Dependencies, Dependency, DependencyKind, Task};

fn dependency(kind: DependencyKind, id: &str, data: &str) -> Dependency {
    Dependency { kind, id: id.to_owned(), data: data.to_owned() }
}

fn secret(id: &str, data: &str) -> Dependency {
    dependency(DependencyKind::Secret, id, data)
}

#[test]
fn what_is_added_is_there_until_it_is_removed() {
    let held = Dependencies::default();
    for (manager, kind) in [(&held.secrets, DependencyKind::Secret), (&held.configs, DependencyKind::Config)]
    {
        let missing = manager.get("a").unwrap_err().to_string();
        assert_eq!(missing, format!("{kind} a not found"));
        manager.add([dependency(kind, "a", "1"), dependency(kind, "b", "1")]);
        manager.add([dependency(kind, "a", "2")]);
        assert_eq!(manager.get("a").unwrap().data, "2");
        manager.remove(["b", "unknown"]);
        assert_eq!(manager.ids(), ["a".to_owned()].into());
        manager.reset();
        assert!(manager.ids().is_empty());
    }
}

fn task_with(secrets: &[&str], configs: &[&str]) -> Task {
    let mut task = Task::new("t1", "image");
    task.spec.secrets = secrets.iter().map(|id| (*id).to_owned()).collect();
    task.spec.configs = configs.iter().map(|id| (*id).to_owned()).collect();
    task
}

#[test]
fn a_task_sees_what_it_refers_to_and_no_more() {
    let held = Dependencies::default();
    held.secrets.add([secret("s", "plain"), secret("other", "hush")]);
    held.configs.add([dependency(DependencyKind::Config, "c", "1")]);
    let own = held.restricted(&task_with(&["s", "gone"], &["c"]));
    assert_eq!(own.secret("s").unwrap(), secret("s", "plain"));
    assert_eq!(own.config("c").unwrap().data, "1");
    let texts = [
        (own.secret("other"), "task not authorized to access secret other"),
        (own.config("s"), "task not authorized to access config s"),
        (own.secret("gone"), "secret gone not found"),
    ];
    for (answer, text) in texts {
        assert_eq!(answer.unwrap_err().to_string(), text);
    }
}

#[test]
fn a_clone_made_for_the_task_comes_first_under_the_plain_id_and_stays_as_it_is() {
    let held = Dependencies::default();
    held.secrets.add([secret("s", "plain"), secret("s.t1", "for t1"), secret("s.t2", "for t2")]);
    let before = held.secrets.ids();
    simulate({
        let held = held.clone();
        move || async move {
            let own = held.restricted(&task_with(&["s"], &[])).on("n".into());
            assert_eq!(own.secret("s").unwrap(), secret("s", "for t1"));
        }
    });
    assert_eq!(held.secrets.get("s.t1").unwrap(), secret("s.t1", "for t1"));
    assert_eq!(held.secrets.get("s").unwrap(), secret("s", "plain"));
    assert_eq!(held.secrets.ids(), before);
}
