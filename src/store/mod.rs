//! The store that control planes keep their desired and actual state in: an API server as a mechanism.
//!
//! Versioned entries by (kind, name), one index for the whole store. It knows no controller and no kind. A [`Store`] is
//! the server: what it is asked itself is answered at once and without faults, for tests and oracles. A [`Client`] asks
//! from a host: its calls take time, fail before or after they took effect, and see an old state, as the plan says.
//!
//! | file | what it is |
//! |---|---|
//! | `state.rs` | entries, index, log, compaction, restore: pure |
//! | `channel.rs` | who watches what, and what each has yet to hear: data |
//! | `ledger.rs` | what is remembered for oracles |
//! | `server.rs`, `client.rs`, `watch.rs` | the server, the calls from a host, a watch |

mod entry;
mod error;
mod transaction;
mod ledger;
mod state;
mod event;
mod record;
mod channel;
mod latency;
mod server;
mod client;
mod watch;

pub use channel::LAG_MAX;
pub use client::{Client, Reads};
pub use entry::{Entry, Key};
pub use error::{StoreError, WatchError};
pub use event::{Change, Event, Payload, Topic, WatchFrom};
pub use latency::Latency;
pub use ledger::{Difference, Ledger, Written};
pub use record::StoreEvent;
pub use server::{Listing, Store};
pub use state::{HISTORY_MAX, Snapshot, Write};
pub use transaction::{Op, Transaction};
pub use watch::{Closer, Watch};
