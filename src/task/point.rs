//! Scheduling points: choices to go on or to let others run first. No-ops outside a simulation.

use crate::choice::{Access, Label, fold};
use crate::runtime::current;
use crate::runtime::world::World;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Lets every other ready task run first: the task goes to the end of the ready set, behind those that it spawned or
/// woke in this turn too.
pub fn yield_now() -> impl Future<Output = ()> {
    YieldNow { yielded: false }
}

struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) && !current::is_cut() {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Marks a place that writes the shared object `label`: a choice in a simulation, nothing outside.
#[track_caller]
pub fn yield_point(label: &'static str) -> impl Future<Output = ()> {
    Point::declared(Label::new(label), Access::Write, Location::caller())
}

/// Marks a place that reads the shared object `label`: a choice in a simulation, nothing outside.
#[track_caller]
pub fn yield_read(label: &'static str) -> impl Future<Output = ()> {
    Point::declared(Label::new(label), Access::Read, Location::caller())
}

/// As [`yield_point`], for one of many objects that share a label: row `object` of a table, the account of that number.
/// To strategies and properties it is another object than the label alone, and than each other row.
#[track_caller]
pub fn yield_point_on(label: &'static str, object: u64) -> impl Future<Output = ()> {
    Point::declared_on(Label::new(label), object, Access::Write, Location::caller())
}

/// As [`yield_read`], for one of many objects that share a label: see [`yield_point_on`].
#[track_caller]
pub fn yield_read_on(label: &'static str, object: u64) -> impl Future<Output = ()> {
    Point::declared_on(Label::new(label), object, Access::Read, Location::caller())
}

/// A synchronous operation cannot yield; asked here, it owes the yield to the task's next scheduling point. In a run
/// that keeps its events, how many tasks were woken in this turn so far.
#[inline]
pub(crate) fn mark_on(label: Label, object: u64, place: &'static Location<'static>) -> Option<usize> {
    current::try_with(|world| {
        mark_in(world, &label, object);
        world.note_asked(label, object, Some(place))
    })
    .flatten()
}

/// As [`mark_on`], for who has the world at hand.
#[inline]
pub(crate) fn mark_in(world: &mut World, label: &Label, object: u64) {
    let Some(slot) = world.running else { return };
    world.access(object, Access::Write);
    if world.chooses_to_yield(slot, label) {
        world.tasks.at(slot).owes_yield = true;
    }
}

/// What a scheduling point does.
#[derive(Clone, Copy)]
enum Yields {
    Not,
    Once,
    Stops,
}

/// The scheduling point before an operation: asked once, when first polled.
pub(crate) struct Point {
    label: Label,
    object: u64,
    access: Access,
    place: &'static Location<'static>,
    asked: bool,
}

impl Point {
    /// Before an operation on `object`.
    pub(crate) fn operation(
        label: Label,
        object: u64,
        access: Access,
        place: &'static Location<'static>,
    ) -> Point {
        Point { label, object, access, place, asked: false }
    }

    fn declared(label: Label, access: Access, place: &'static Location<'static>) -> Point {
        Point::operation(label, label.hash(), access, place)
    }

    fn declared_on(label: Label, object: u64, access: Access, place: &'static Location<'static>) -> Point {
        Point::operation(label, fold(label.hash(), object), access, place)
    }
}

impl Future for Point {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.asked, true) {
            return Poll::Ready(());
        }
        let yields = current::try_with(|world| {
            let slot = world.running?;
            if world.is_cut() {
                // Of a host that crashed: it goes no further, and is dropped at the end of its turn.
                self.asked = false;
                return Some(Yields::Stops);
            }
            world.access(self.object, self.access);
            let owed = std::mem::take(&mut world.tasks.at(slot).owes_yield);
            world.asking_at = Some(self.place);
            let chosen = world.chooses_to_yield(slot, &self.label);
            world.asking_at = None;
            world.note_asked(self.label, self.object, Some(self.place));
            Some(if chosen || owed { Yields::Once } else { Yields::Not })
        });
        match yields.flatten() {
            Some(Yields::Not) | None => return Poll::Ready(()),
            Some(Yields::Once) => context.waker().wake_by_ref(),
            Some(Yields::Stops) => {}
        }
        Poll::Pending
    }
}
