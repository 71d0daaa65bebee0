//! The classic tier: the programs that schedule search is measured by in the literature. Written against `rt` alone.

use super::rt::Program;

mod account;
mod bluetooth;
mod bounded_buffer;
mod cargill;
mod carter01;
mod circular_buffer;
mod deadlock01;
mod din_phil;
mod lazy01;
mod qsort_mt;
mod queue;
mod reorder;
mod stack;
mod stringbuffer;
mod token_ring;
mod twostage;
mod uneven;
mod wronglock;
mod wsq;

/// In the order of the literature's tables; N counts as there.
#[rustfmt::skip]
pub const ALL: &[Program] = &[
    program!(Classic, "account", "SCTBench account", "panicked", |twin| account::account(twin)),
    program!(Classic, "bluetooth", "SCTBench bluetooth_driver", "panicked", |twin| bluetooth::bluetooth(twin)),
    program!(Classic, "carter01", "SCTBench carter01", "deadlock", |twin| carter01::carter01(twin)),
    program!(Classic, "circular_buffer", "SCTBench circular_buffer", "panicked", |twin| circular_buffer::circular_buffer(twin)),
    program!(Classic, "deadlock01", "SCTBench deadlock01", "deadlock", |twin| deadlock01::deadlock01(twin)),
    program!(Classic, "din_phil_3", "dining philosophers, after SCTBench din_phil3", "deadlock", |twin| din_phil::din_phil(3, twin)),
    program!(Classic, "din_phil_5", "dining philosophers, after SCTBench din_phil5", "deadlock", |twin| din_phil::din_phil(5, twin)),
    program!(Classic, "din_phil_7", "dining philosophers, after SCTBench din_phil7", "deadlock", |twin| din_phil::din_phil(7, twin)),
    program!(Classic, "lazy01", "SCTBench lazy01", "panicked", |twin| lazy01::lazy01(twin)),
    program!(Classic, "queue", "SCTBench queue", "panicked", |twin| queue::queue(twin)),
    program!(Classic, "stack", "SCTBench stack", "panicked", |twin| stack::stack(twin)),
    program!(Classic, "reorder_3", "SCTBench reorder_3", "panicked", |twin| reorder::reorder(2, 1, twin)),
    program!(Classic, "reorder_5", "SCTBench reorder_5", "panicked", |twin| reorder::reorder(4, 1, twin)),
    program!(Classic, "reorder_10", "SCTBench reorder_10", "panicked", |twin| reorder::reorder(9, 1, twin)),
    program!(Classic, "reorder_20", "SCTBench reorder_20", "panicked", |twin| reorder::reorder(10, 10, twin)),
    program!(Classic, "token_ring", "SCTBench token_ring", "panicked", |twin| token_ring::token_ring(twin)),
    program!(Classic, "twostage", "SCTBench twostage", "panicked", |twin| twostage::twostage(1, 1, twin)),
    program!(Classic, "twostage_20", "PERIOD twostage_20", "panicked", |twin| twostage::twostage(10, 10, twin)),
    program!(Classic, "twostage_50", "PERIOD twostage_50", "panicked", |twin| twostage::twostage(40, 10, twin)),
    program!(Classic, "wronglock", "SCTBench wronglock", "panicked", |twin| wronglock::wronglock(7, twin)),
    program!(Classic, "wronglock_3", "SCTBench wronglock_3", "panicked", |twin| wronglock::wronglock(3, twin)),
    program!(Classic, "WSQ", "CHESS WorkStealQueue, SCTBench", "panicked", |twin| wsq::wsq(twin)),
    program!(Classic, "stringbuffer", "stringbuffer-jdk1.4, SCTBench", "panicked", |twin| stringbuffer::stringbuffer(twin)),
    program!(Classic, "boundedBuffer", "Inspect boundedBuffer, PERIOD", "panicked", |twin| bounded_buffer::bounded_buffer(twin)),
    program!(Classic, "qsort_mt", "Inspect qsort_mt, SCTBench", "panicked", |twin| qsort_mt::qsort_mt(twin)),
    program!(Classic, "uneven_25_1", "shuttle demo/surw", "panicked", |twin| uneven::uneven(twin)),
    program!(Classic, "cargill_1", "Cargill's challenge 14: 1 place, 4 tasks", "deadlock", |twin| cargill::cargill(1, 2, 2, twin)),
    program!(Classic, "cargill_2", "Cargill's challenge 14: 2 places, 6 tasks", "deadlock", |twin| cargill::cargill(2, 3, 3, twin)),
];
