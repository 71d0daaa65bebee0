//! SCTBench bluetooth_driver: a request looks whether the driver stops, and says that it is there only afterwards.
//!
//! In between the driver stops and gives its resources back.

use super::super::rt::{self, Shared, Twin};

#[derive(Clone)]
struct Device {
    pending: Shared<i32>,
    stopping: Shared<bool>,
    drained: Shared<bool>,
    stopped: Shared<bool>,
}

impl Device {
    /// Whether the request may go on.
    async fn enter(&self, twin: Twin) -> bool {
        if rt::is_buggy(twin) {
            if self.stopping.get().await {
                return false;
            }
            self.pending.update(|pending| *pending += 1).await;
            return true;
        }
        self.pending.update(|pending| *pending += 1).await;
        if self.stopping.get().await {
            self.leave().await;
            return false;
        }
        true
    }

    async fn leave(&self) {
        let left = self.pending.update(|pending| {
            *pending -= 1;
            *pending
        });
        if left.await == 0 {
            self.drained.set(true).await;
        }
    }
}

async fn stops(device: Device) {
    device.stopping.set(true).await;
    device.leave().await;
    if device.drained.get().await {
        device.stopped.set(true).await;
    }
}

/// Mended, the request says that it is there before it looks.
pub async fn bluetooth(twin: Twin) {
    let device = Device {
        pending: Shared::new("pending", 1),
        stopping: Shared::new("stopping", false),
        drained: Shared::new("drained", false),
        stopped: Shared::new("stopped", false),
    };
    let stop = rt::spawn("stops", stops(device.clone())).await;
    if device.enter(twin).await {
        rt::check(!device.stopped.get().await, "the resources are there while a request uses them");
        device.leave().await;
    }
    stop.join().await;
}
