//! How these tests run a future in virtual time, see what it recorded, and judge it by every property.

use std::future::Future;

use fatum::systems::graph::{GraphEvent, GraphProperties, Punctuality, Violation};

pub(crate) struct Observed<T> {
    pub(crate) value: T,
    pub(crate) events: Vec<(u64, GraphEvent)>,
    pub(crate) took: fatum::time::Duration,
}

impl<T> Observed<T> {
    pub(crate) fn properties(&self) -> GraphProperties {
        self.judge().unwrap_or_else(|violation| panic!("{violation}\n{}", self.listing()))
    }
    pub(crate) fn judge(&self) -> Result<GraphProperties, Violation> {
        let mut fold = GraphProperties::new(Punctuality::Exact);
        for (at, event) in &self.events {
            fold.observe(*at, event)?;
        }
        fold.finish()?;
        Ok(fold)
    }
    pub(crate) fn listing(&self) -> String {
        self.events.iter().map(|(at, event)| format!("{at:>12} {event:?}\n")).collect()
    }
}

pub(crate) fn simulate<F, Fut, T>(body: F) -> Observed<T>
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    simulate_seeded(0, body)
}

pub(crate) fn simulate_seeded<F, Fut, T>(seed: u64, body: F) -> Observed<T>
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fatum::task::RNG.with(|rng| rng.set(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    fatum::trace::SINK.with(|sink| *sink.borrow_mut() = Some(Vec::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (value, start, took) = runtime.block_on(async {
        let start = fatum::time::Instant::now();
        let value = fatum::task::spawn(body()).await.expect("the body does not panic");
        (value, start, start.elapsed())
    });
    let sink = fatum::trace::SINK.with(|sink| sink.borrow_mut().take().unwrap());
    let events = sink
        .into_iter()
        .filter_map(|(at, event)| Some(((at - start).as_nanos() as u64, *event.downcast::<GraphEvent>().ok()?)))
        .collect();
    Observed { value, events, took }
}
