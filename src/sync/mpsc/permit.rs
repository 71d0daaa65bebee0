//! Reserved places in a bounded channel; whoever has one is registered as a holder of the channel.

use super::Sender;
use crate::choice::Label;
use crate::sync::site::{Handle, Hold, Site};
use std::fmt;
use tokio::sync::mpsc as inner;

const SEND: Label = Label::new("sync.send");

/// A place in the channel; given back on drop.
pub struct Permit<'a, T> {
    site: Site,
    inner: inner::Permit<'a, T>,
    _hold: Hold,
}

impl<'a, T> Permit<'a, T> {
    pub(super) fn new(site: Site, inner: inner::Permit<'a, T>) -> Permit<'a, T> {
        Permit { site, inner, _hold: site.hold() }
    }

    /// Sends a value, without waiting. When the receiver is gone, the value is dropped.
    #[track_caller]
    pub fn send(self, value: T) {
        let (site, inner) = (self.site, self.inner);
        site.signal(&SEND, "send", || inner.send(value));
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Places in the channel, one after the other; those left over are given back on drop.
pub struct PermitIterator<'a, T> {
    site: Site,
    inner: inner::PermitIterator<'a, T>,
    _hold: Hold,
}

impl<'a, T> PermitIterator<'a, T> {
    pub(super) fn new(site: Site, inner: inner::PermitIterator<'a, T>) -> PermitIterator<'a, T> {
        PermitIterator { site, inner, _hold: site.hold() }
    }
}

impl<'a, T> Iterator for PermitIterator<'a, T> {
    type Item = Permit<'a, T>;

    fn next(&mut self) -> Option<Permit<'a, T>> {
        let permit = self.inner.next()?;
        Some(Permit::new(self.site, permit))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<T> ExactSizeIterator for PermitIterator<'_, T> {}
impl<T> std::iter::FusedIterator for PermitIterator<'_, T> {}

impl<T> fmt::Debug for PermitIterator<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A place in the channel, with its sender; given back on drop.
pub struct OwnedPermit<T> {
    site: Site,
    inner: inner::OwnedPermit<T>,
    _hold: Hold,
}

impl<T> OwnedPermit<T> {
    pub(super) fn new(site: Site, inner: inner::OwnedPermit<T>) -> OwnedPermit<T> {
        OwnedPermit { site, inner, _hold: site.hold() }
    }

    /// Sends a value, without waiting; the sender. When the receiver is gone, the value is dropped.
    #[track_caller]
    pub fn send(self, value: T) -> Sender<T> {
        let (site, inner) = (self.site, self.inner);
        let inner = site.signal(&SEND, "send", || inner.send(value));
        Sender { site, inner, handle: Handle::of(&site) }
    }

    /// Gives the place back; the sender.
    pub fn release(self) -> Sender<T> {
        Sender { site: self.site, inner: self.inner.release(), handle: Handle::of(&self.site) }
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// Whether it is of the sender's channel.
    pub fn same_channel_as_sender(&self, sender: &Sender<T>) -> bool {
        self.inner.same_channel_as_sender(&sender.inner)
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
