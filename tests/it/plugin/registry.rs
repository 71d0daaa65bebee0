//! Who executes what: section 1.3, the factory, and the rows Initialize and Context of table 2.2.

use super::{Scripted, ScriptedPlugin, bench, call, node, now, v1, workflow};
use fatum::systems::plugin::core::PluginProperties;
use fatum::systems::plugin::executor::{Executor, InitializationParameters};
use fatum::systems::plugin::executors::{K8s, K8sOptions};
use fatum::systems::plugin::outside::{Cluster, Files};
use fatum::systems::plugin::registry::{Registered, Registry};
use fatum::systems::plugin::status::NodeStatus;
use std::collections::BTreeMap;
use std::sync::Arc;

fn scripted(id: &'static str) -> Arc<dyn Executor> {
    Arc::new(Scripted { id, ..Scripted::default() })
}

#[test]
fn a_type_has_one_executor_and_there_is_one_default() {
    let mut registry = Registry::new();
    registry.register(scripted("a"), &["x", "y"]).unwrap();
    let error = registry.register(scripted("b"), &["z", "y"]).unwrap_err().to_string();
    assert!(error.starts_with("an Executor already exists for TaskType [y]"), "{error}");
    let error = registry.executor("z").map(Registered::id).unwrap_err().to_string();
    assert_eq!(error, "No Executor defined for TaskType [z] and no default executor is configured.");
    registry.register_default(scripted("c")).unwrap();
    let error = registry.register_default(scripted("d")).unwrap_err().to_string();
    assert!(error.starts_with("a default Executor already exists"), "{error}");
    assert_eq!(registry.executor("x").unwrap().id(), "a");
    assert_eq!(registry.executor("z").unwrap().id(), "c");
}

#[test]
fn what_is_not_enabled_is_passed_over_silently() {
    for (enabled, expected) in [
        (vec!["*"], true),
        (vec!["*", "b"], true),
        (vec!["a"], true),
        (vec!["b"], false),
        (vec!["b", "*"], false),
    ] {
        let mut registry = Registry::new().enabled(enabled.clone());
        registry.register(scripted("a"), &["x"]).unwrap();
        assert_eq!(registry.executor("x").is_ok(), expected, "{enabled:?}");
    }
}

#[test]
fn executors_are_initialized_once_before_all_else() {
    let parameters = InitializationParameters::default();
    now(Registry::new().initialize(&parameters)).unwrap();
    let executor = Arc::new(Scripted::default());
    let mut registry = Registry::new();
    registry.register(Registered::Executor(executor.clone()), &["x", "y"]).unwrap();
    now(registry.initialize(&parameters)).unwrap();
    assert_eq!(executor.calls(), ["initialize"]);
}

#[test]
fn an_executor_that_lacks_something_ends_the_start() {
    let cluster = Arc::new(Cluster::new(Files::new(), None, Default::default()));
    let k8s: Arc<dyn Executor> = Arc::new(K8s::new("k8s", cluster, K8sOptions::default()));
    let mut registry = Registry::new();
    registry.register(k8s, &["x"]).unwrap();
    let error = now(registry.initialize(&InitializationParameters::default())).unwrap_err().to_string();
    assert!(
        error.starts_with("Failed to Initialize TaskExecutor [k8s]: Failed to initialize plugin, "),
        "{error}"
    );
    assert!(error.ends_with("cannot be nil or empty."), "{error}");
}

#[test]
fn a_context_needs_a_task_and_somebody_who_executes_it() {
    let nobody = bench(None);
    let somebody = bench(v1(&Arc::new(Scripted::default())));
    let with = |task: Option<&str>| {
        let mut node = node("n1", &[]);
        node.task = task.map(str::to_owned);
        workflow(vec![node])
    };
    let status = NodeStatus::default();
    for (bench, workflow, code) in [
        (&somebody, with(None), "BadSpecificationError"),
        (&somebody, with(Some("other")), "BadSpecificationError"),
        (&nobody, with(Some("t")), "UnsupportedTaskTypeError"),
    ] {
        let error = call(&bench.effects, &workflow, &status).context().unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().starts_with(code), "{error}");
    }
    let workflow = with(Some("t"));
    let context = call(&somebody.effects, &workflow, &status).context().unwrap();
    assert_eq!(&*context.generated_name, "execName1-n1-0");
    assert_eq!(
        (context.id.task.as_str(), context.id.node.as_str(), context.id.retry_attempt),
        ("t", "n1", 0)
    );
    assert_eq!(context.paths.data_dir, "default/execName1/n1/0");
    assert_eq!(context.service_account.as_deref(), Some("account"));
    assert_eq!((context.namespace(), context.owner.to_string().as_str()), ("default", "default/execName1"));
    let second = NodeStatus { attempts: 2, ..NodeStatus::default() };
    let context = call(&somebody.effects, &workflow, &second).context().unwrap();
    assert!(context.generated_name.ends_with("-2"));
}

#[test]
fn an_id_is_one_executors() {
    let mut registry = Registry::new();
    let one = scripted("a");
    registry.register(one.clone(), &["x"]).unwrap();
    registry.register(one, &["y"]).unwrap();
    let error = registry.register(scripted("a"), &["z"]).unwrap_err().to_string();
    assert_eq!(error, "an Executor of the id [a] is registered already, and is another one");
    assert!(registry.executor("z").is_err());
    assert!(registry.register_default(scripted("a")).is_err());
}

/// The name of attempt 0 of `n1` of a workflow of this name, for a plugin that can give names of so many letters.
fn named(workflow_name: &str, generated_name_max: usize) -> Result<String, String> {
    let properties = PluginProperties { generated_name_max, ..PluginProperties::default() };
    let plugin = Arc::new(ScriptedPlugin { properties, ..ScriptedPlugin::default() });
    let mut registry = Registry::new();
    registry.register(Registered::Plugin(plugin), &["type"]).map_err(|error| error.to_string())?;
    let mut bench = bench(None);
    bench.effects.registry = registry;
    let mut workflow = workflow(vec![node("n1", &[])]);
    workflow.spec.name = workflow_name.to_owned();
    let context = call(&bench.effects, &workflow, &NodeStatus::default()).context().unwrap();
    Ok(context.generated_name.to_string())
}

#[test]
fn a_plugin_bounds_its_names_from_8_letters_on() {
    assert_eq!(PluginProperties::default().generated_name_max, 50);
    let (long, error) = ("a".repeat(60), named("w", 7).unwrap_err());
    assert_eq!(error, "plugin [scripted] asks for names of at most 7 letters: at least 8 are needed");
    for (max, length) in [(8, 8), (20, 20), (50, 50), (63, 63), (65, 65), (70, 65)] {
        assert_eq!(named(&long, max).unwrap().len(), length, "{max}");
    }
    assert_eq!(named(&long, 65).unwrap(), format!("{long}-n1-0"));
    assert_eq!(named("execName1", 50).unwrap(), "execName1-n1-0");
}

#[test]
fn a_context_says_what_the_node_and_the_workflow_ask_for() {
    let somebody = bench(v1(&Arc::new(Scripted::default())));
    let pair = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let mut workflow = workflow(vec![node("n1", &[])]);
    (workflow.spec.labels, workflow.spec.annotations) = (pair("team", "a"), pair("note", "b"));
    (workflow.spec.nodes[0].resources, workflow.spec.nodes[0].config) =
        (pair("cpu", "2"), pair("queue", "c"));
    let context = call(&somebody.effects, &workflow, &NodeStatus::default()).context().unwrap();
    assert_eq!(
        (context.overrides.resources, context.overrides.config),
        (pair("cpu", "2"), pair("queue", "c"))
    );
    assert_eq!(context.annotations, pair("note", "b"));
    assert_eq!(context.labels, BTreeMap::from([("node".into(), "n1".into()), ("team".into(), "a".into())]));
}
