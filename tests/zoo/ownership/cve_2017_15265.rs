//! CVE-2017-15265 (Linux sound sequencer): a port is listed, and its creator goes on to write it when another may find
//! it in the list, take it out and free it. Use after free.
//!
//! The other has to come all the way from its first lock to the end of the port while the creator stands still between
//! two of its steps.

use super::super::rt::{self, Lock, Shared, Twin};
use super::heap::{Heap, Pointer};

/// Lists of subscribers that a port has, to be emptied before it ends.
const GROUPS: usize = 2;

#[derive(Clone)]
struct Port {
    memory: Pointer,
    number: Shared<i32>,
    /// Held by who uses the port.
    in_use: Lock,
    subscribers: Vec<(Lock, Shared<u32>)>,
}

#[derive(Clone)]
struct Client {
    heap: Heap,
    ports_mutex: Lock,
    ports_lock: Lock,
    /// The ports in the order of their numbers.
    ports: Vec<Shared<Option<Port>>>,
    count: Shared<u32>,
    twin: Twin,
}

impl Client {
    async fn port(&self, number: i32) -> Port {
        let group = |row| (Lock::new(), Shared::row("subscribers", row, 0));
        Port {
            memory: self.heap.allocate().await,
            number: Shared::new("number", number),
            in_use: Lock::new(),
            subscribers: (0..GROUPS as u64).map(group).collect(),
        }
    }

    /// The first place of the list with a port of this number, or, for none, the first that is empty.
    async fn find(&self, number: Option<i32>) -> Option<(&Shared<Option<Port>>, Option<Port>)> {
        for place in &self.ports {
            let port = place.get().await;
            let fits = match (&port, number) {
                (Some(port), Some(number)) => port.number.get().await == number,
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            if fits {
                return Some((place, port));
            }
        }
        None
    }

    async fn change_count(&self, change: i32) {
        let count = self.count.get().await;
        self.count.set(count.saturating_add_signed(change)).await;
    }
}

async fn creates(client: Client) {
    let port = client.port(-1).await;
    let mut used = None;
    {
        let _mutex = client.ports_mutex.lock().await;
        let _lock = client.ports_lock.lock().await;
        if let Some((place, _)) = client.find(None).await {
            place.set(Some(port.clone())).await;
        }
        client.change_count(1).await;
        port.number.set(1).await;
        if !rt::is_buggy(client.twin) {
            used = Some(port.in_use.lock().await);
        }
    }
    // Its settings, and its announcement.
    client.heap.touch(port.memory).await;
    client.heap.touch(port.memory).await;
    drop(used);
}

async fn deletes(client: Client) {
    let mut found = None;
    {
        let _mutex = client.ports_mutex.lock().await;
        let _lock = client.ports_lock.lock().await;
        if let Some((place, port)) = client.find(Some(1)).await {
            place.set(None).await;
            client.change_count(-1).await;
            found = port;
        }
    }
    let Some(port) = found else { return };
    drop(port.in_use.lock().await);
    for (lock, subscribers) in &port.subscribers {
        let _guard = lock.lock().await;
        if subscribers.get().await > 0 {
            subscribers.set(0).await;
        }
    }
    client.heap.free(port.memory).await;
}

/// Mended, the creator uses the port before it lets others see the list.
pub async fn sequencer_port(twin: Twin) {
    let client = Client {
        heap: Heap::new(),
        ports_mutex: Lock::new(),
        ports_lock: Lock::new(),
        ports: (0..2).map(|row| Shared::row("ports", row, None)).collect(),
        count: Shared::new("count", 1),
        twin,
    };
    let first = client.port(0).await;
    client.ports[0].set(Some(first)).await;
    let handles = vec![
        rt::spawn("creates", creates(client.clone())).await,
        rt::spawn("deletes", deletes(client)).await,
    ];
    rt::join_all(handles).await;
}
