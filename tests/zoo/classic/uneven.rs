//! Uneven load, 25 to 1 (shuttle's demonstration of SURW): one task has 25 events, the other one, which must come last.
//!
//! A walk puts the one off 25 times with a chance of 1 in 2^25; by the number of events it is 1 in 26.

use super::super::rt::{self, Shared, Twin};

const ENTRIES: u32 = 25;

async fn grows(room: Shared<u32>) {
    room.update(|room| *room += 1).await;
}

async fn writes(room: Shared<u32>) {
    for entry in 1..=ENTRIES {
        rt::check(entry <= room.get().await, "there is room for the entry");
    }
}

/// Mended, there is room for all entries from the start.
pub async fn uneven(twin: Twin) {
    let room = Shared::new("room", if rt::is_buggy(twin) { ENTRIES - 1 } else { ENTRIES });
    let handles =
        vec![rt::spawn("grows", grows(room.clone())).await, rt::spawn("writes", writes(room)).await];
    rt::join_all(handles).await;
}
