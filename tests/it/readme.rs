//! The README's first screen, as tests: the program stands there word for word, and so does what it prints.

use std::fs;
use std::path::Path;

// README begin
use fatum::sync::Mutex;
use std::sync::Arc;

fn no_increment_is_lost() {
    fatum::check("no_increment_is_lost", |sim| {
        let counter = Arc::new(Mutex::new(0));
        for name in ["a", "b"] {
            let counter = counter.clone();
            sim.host(name).run(|_| async move {
                let n = *counter.lock().await;
                *counter.lock().await = n + 1; // fine at baseline, lost under one deviation
            });
        }
        sim.eventually("counter == 2", move || counter.try_lock().is_ok_and(|n| *n == 2));
    });
}
// README end

/// The second program, in a module of its own as it would be in a file of its own.
mod reconciler {
    // README begin
    use fatum::Check;
    use fatum::fault::{FaultKind, FaultPlan, FaultRule};
    use fatum::store::{Client, Key};
    use fatum::sync::CancellationToken;
    use fatum::systems::controller::{Controller, ReconcileError, Request, Shutdown, StorePublisher, Topic};
    use fatum::time::{Duration, sleep};
    use std::sync::Arc;

    /// Every site gets a pod that runs what the site asks for; a site that is gone has none.
    async fn reconcile(store: Client, site: Request) -> Result<(), ReconcileError> {
        let pod = Key::new("pod", site.name.clone());
        match store.entry(("site", site.name)).await? {
            Some(site) => drop(store.put(pod, &*site.value).await?),
            None if store.entry(pod.clone()).await?.is_some() => drop(store.delete(pod).await?),
            None => {}
        }
        Ok(())
    }

    pub(super) fn every_site_gets_its_pod() {
        let faults =
            FaultPlan::none().with(FaultRule::own(FaultKind::Crash(Duration::from_secs(9)), 0.1).on("pod/*"));
        Check::new("every_site_gets_its_pod").faults(faults).assert_passes(|sim| {
            sim.host("controller").daemon().serve(|host| {
                let (store, watched) = (host.store(), Arc::new(StorePublisher::new(host.store())));
                let sites = Controller::builder(watched, move |_, site| reconcile(store.clone(), site));
                sites.subscribe(Topic::all("site")).build().0.run(CancellationToken::new(), Shutdown::Drop)
            });
            sim.converges_to("a pod per site", &["pod"], |store| {
                let sites = store.list("site").entries.into_iter();
                sites.map(|site| (Key::new("pod", site.key.name), (*site.value).clone())).collect()
            });
            let store = sim.store();
            sim.run(async move {
                store.put(("site", "shop"), "v1")?;
                sleep(Duration::from_secs(1)).await;
                store.delete(("site", "shop"))
            });
        });
    }
    // README end
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The fenced blocks of the README, by their info string.
fn blocks(info: &str) -> Vec<String> {
    let readme = read("README.md");
    let fence = format!("```{info}\n");
    readme.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_first_program_is_the_tested_one() {
    let own = read("tests/it/readme.rs");
    let tested = own.split("// README begin\n").nth(1).unwrap().split("// README end").next().unwrap();
    let shown = blocks("rust")[0].replace("#[test]\n", "");
    assert_eq!(shown.trim(), tested.trim());
}

#[test]
fn the_first_output_is_the_real_one() {
    let panic = std::panic::catch_unwind(no_increment_is_lost).unwrap_err();
    let page = panic.downcast_ref::<String>().unwrap();
    assert_eq!(blocks("text")[0].trim(), page.trim(), "the output of the README's first program is\n{page}");
}

#[test]
fn the_second_program_is_the_tested_one_and_finds_its_bug() {
    let own = read("tests/it/readme.rs");
    let tested = own.split("// README begin\n").nth(2).unwrap().split("    // README end").next().unwrap();
    let outdented: Vec<&str> = tested.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    let shown = blocks("rust")[1].replace("#[test]\n", "");
    assert_eq!(shown.trim(), outdented.join("\n").replace("pub(super) ", "").trim());
    assert!(shown.lines().count() <= 45, "{} lines", shown.lines().count());
    let panic = std::panic::catch_unwind(reconciler::every_site_gets_its_pod).unwrap_err();
    let page = panic.downcast_ref::<String>().unwrap();
    assert_eq!(blocks("text")[1].trim(), page.trim(), "the output of the README's second program is\n{page}");
}

#[test]
fn the_two_commands_are_the_ones_that_ci_runs() {
    let ci = read(".ci/run");
    for command in ["cargo run --release -- check scenarios", "cargo test"] {
        assert!(blocks("sh").concat().contains(command), "the README shows `{command}`");
        assert!(ci.lines().any(|line| line == command), ".ci/run runs `{command}`");
    }
}
