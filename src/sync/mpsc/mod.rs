//! Channels with many senders and one receiver: tokio's, with a scheduling point before each operation and the
//! holders of reserved places registered.

pub mod error;
mod permit;
mod bounded;
mod receiver;
mod unbounded;

pub use bounded::{Sender, WeakSender, channel};
pub use permit::{OwnedPermit, Permit, PermitIterator};
pub use receiver::{Receiver, UnboundedReceiver};
pub use unbounded::{UnboundedSender, WeakUnboundedSender, unbounded_channel};
