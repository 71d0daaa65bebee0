//! CVE-2017-15265 (Linux sound sequencer): a port is listed, and its creator goes on to write it when another may find
//! it in the list, take it out and free it. Use after free.
//!
//! After `snd_seq_create_port`, `snd_seq_set_port_info`, `snd_seq_delete_port` and `port_delete`, with whom it harms. A
//! kernel does not see a stale write: it takes somebody who has got the memory since and finds it changed. That is a
//! queue whose message stands there; one that is damaged is sent once more, and one that is damaged again is lost.
//!
//! The order: the creator stands still before one of its late writes, while the port is found, taken out and freed, and
//! the queue keeps its message in the same memory; a late write; the message is read and sent again; a late write; the
//! message is read. These are four preemptions, of which no lock gives one for nothing, all between the accesses to one
//! object, and between each and the next are calls that copy their arguments word by word. Two changes of priorities are
//! too few, and a walk would have to leave the creator, which is eight steps from its end, alone for most of sixty.

use super::super::rt::{self, Lock, Shared, Twin};
use super::heap::{Heap, Pointer, ROWS};

/// Lists of subscribers that a port has, to be emptied before it ends.
const GROUPS: usize = 2;
/// Fields that the settings of a port change: name, capability, type, channels, voices, and whose time it keeps.
const SETTINGS: usize = 6;
/// Words that a system call copies between its caller and the kernel.
const WORDS: usize = 16;
/// Cells that a new queue links into its pool.
const CELLS: usize = 32;
/// How often a message is sent before it is lost.
const SENDINGS: usize = 2;

/// Who has written a piece of memory last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    Nobody,
    Creator,
    Queue,
}

#[derive(Clone)]
struct Port {
    memory: Pointer,
    number: i32,
    /// Held by who uses the port.
    in_use: Lock,
    subscribers: Vec<(Lock, Shared<u32>)>,
}

/// The heap, and what stands in its rows.
#[derive(Clone)]
struct Memory {
    heap: Heap,
    contents: Vec<Shared<Writer>>,
}

impl Memory {
    fn new() -> Memory {
        let contents = (0..ROWS as u64).map(|row| Shared::row("contents", row, Writer::Nobody)).collect();
        Memory { heap: Heap::new(), contents }
    }

    /// Of an object, or of what has its place by now.
    fn contents(&self, pointer: Pointer) -> &Shared<Writer> {
        &self.contents[pointer.row()]
    }
}

#[derive(Clone)]
struct Client {
    memory: Memory,
    ports_mutex: Lock,
    ports_lock: Lock,
    /// In the order of their numbers.
    ports: Shared<Vec<Port>>,
    count: Shared<u32>,
    twin: Twin,
}

impl Client {
    async fn port(&self, number: i32) -> Port {
        let group = |row| (Lock::row("group", row), Shared::row("subscribers", row, 0));
        Port {
            memory: self.memory.heap.allocate().await,
            number,
            in_use: Lock::row("in_use", number.unsigned_abs().into()),
            subscribers: (0..GROUPS as u64).map(group).collect(),
        }
    }

    /// The place in the list of the port of that number, or its end. Each step of the walk is one access.
    async fn find(&self, number: i32) -> (usize, Option<Port>) {
        let mut place = 0;
        loop {
            match self.ports.get().await.get(place) {
                Some(port) if port.number == number => return (place, Some(port.clone())),
                Some(_) => place += 1,
                None => return (place, None),
            }
        }
    }

    async fn change_count(&self, change: i32) {
        let count = self.count.get().await;
        self.count.set(count.saturating_add_signed(change)).await;
    }
}

/// What the caller of a system call and the kernel tell each other: nobody else has to do with it.
async fn copies(words: &Shared<u32>) {
    for _ in 0..WORDS {
        words.get().await;
    }
}

async fn creates(client: Client) {
    let port = client.port(1).await;
    let mut used = None;
    if !rt::is_buggy(client.twin) {
        used = Some(port.in_use.lock().await);
    }
    {
        let _mutex = client.ports_mutex.lock().await;
        let _lock = client.ports_lock.lock().await;
        let (place, _) = client.find(port.number).await;
        let listed = port.clone();
        client.ports.update(move |ports| ports.insert(place, listed)).await;
        client.change_count(1).await;
    }
    // Its first name, its settings, and its announcement.
    let contents = client.memory.contents(port.memory);
    contents.set(Writer::Creator).await;
    for _ in 0..SETTINGS {
        contents.set(Writer::Creator).await;
    }
    contents.get().await;
    drop(used);
}

async fn deletes(client: Client) {
    copies(&Shared::new("deleted", 1)).await;
    let found = {
        let _mutex = client.ports_mutex.lock().await;
        let _lock = client.ports_lock.lock().await;
        let (place, port) = client.find(1).await;
        if port.is_some() {
            client.ports.update(move |ports| ports.remove(place)).await;
            client.change_count(-1).await;
        }
        port
    };
    let Some(port) = found else { return };
    drop(port.in_use.lock().await);
    for (lock, subscribers) in &port.subscribers {
        let _guard = lock.lock().await;
        if subscribers.get().await > 0 {
            subscribers.set(0).await;
        }
    }
    client.memory.heap.free(port.memory).await;
}

async fn queues(memory: Memory) {
    let (cells, message) = (Shared::new("cells", 0), Shared::new("message", 1));
    for cell in 0..CELLS {
        cells.set(cell).await;
    }
    copies(&message).await;
    let contents = memory.contents(memory.heap.allocate().await);
    for _ in 0..SENDINGS {
        contents.set(Writer::Queue).await;
        copies(&message).await;
        if contents.get().await == Writer::Queue {
            return;
        }
        copies(&message).await;
    }
    rt::check(false, "use after free: a message is lost");
}

/// Mended, the creator uses the port before it lets others see it.
pub async fn sequencer_port(twin: Twin) {
    let memory = Memory::new();
    let client = Client {
        memory: memory.clone(),
        ports_mutex: Lock::new("ports_mutex"),
        ports_lock: Lock::new("ports_lock"),
        ports: Shared::new("ports", Vec::new()),
        count: Shared::new("count", 1),
        twin,
    };
    let first = client.port(0).await;
    client.ports.update(|ports| ports.push(first)).await;
    let handles = vec![
        rt::spawn("creates", creates(client.clone())).await,
        rt::spawn("deletes", deletes(client)).await,
        rt::spawn("queues", queues(memory)).await,
    ];
    rt::join_all(handles).await;
}
