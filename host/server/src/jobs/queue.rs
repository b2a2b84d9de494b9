//! The line of work for ffmpeg: transcodes, pictures, analyses, edits and joins all take their slot here. Who is next
//! is [`super::schedule`]'s decision; here are the futures that wait for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::schedule::{Full, Schedule, Ticket};

/// Where work waits for its slot. Cheap to clone; all clones are the same line.
#[derive(Clone, Debug)]
pub struct Queue {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    schedule: Schedule,
    waiting: BTreeMap<Ticket, oneshot::Sender<()>>,
}

/// A place at work, given back when it is dropped.
#[derive(Debug)]
#[must_use = "the slot is free again as soon as this is dropped"]
pub struct Slot {
    queue: Queue,
    ticket: Ticket,
}

/// Whose work asks for a slot, and how urgent it is among that tenant's.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// 1 to 10.
    pub priority: u8,
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSlot {
    /// Who asked does not want it any more.
    #[error("cancelled")]
    Cancelled,
    /// The line is too long.
    #[error(transparent)]
    Full(#[from] Full),
}

impl Queue {
    /// A line for this many slots.
    pub fn new(slots: usize) -> Self {
        let shared = Shared { schedule: Schedule::new(slots), waiting: BTreeMap::new() };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Waits for a slot. Dropping the future, like `cancel`, gives the place in line up.
    ///
    /// # Errors
    /// [`NoSlot`].
    pub async fn acquire(&self, tenant: &str, priority: u8, cancel: &CancellationToken) -> Result<Slot, NoSlot> {
        let (called, call) = oneshot::channel();
        let slot = {
            let mut shared = self.lock();
            let ticket = shared.schedule.enter(tenant, priority)?;
            shared.waiting.insert(ticket, called);
            shared.call();
            // From here on the ticket is given back whatever becomes of this future.
            Slot { queue: self.clone(), ticket }
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(NoSlot::Cancelled),
            _ = call => Ok(slot),
        }
    }

    /// Slots in use, and requests that wait for one.
    pub fn depth(&self) -> (usize, usize) {
        let shared = self.lock();
        (shared.schedule.running(), shared.schedule.waiting())
    }

    /// No step below can stop half-way, so the state is whole even if a thread panicked while it held the lock.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Calls everybody for whom there is a slot now.
    fn call(&mut self) {
        while let Some(ticket) = self.schedule.start() {
            if let Some(called) = self.waiting.remove(&ticket) {
                // One that stopped listening gives its ticket back by itself.
                let _gone = called.send(());
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut shared = self.queue.lock();
        shared.schedule.leave(self.ticket);
        shared.waiting.remove(&self.ticket);
        shared.call();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slots_go_round_and_waiting_can_be_given_up() {
        let (queue, never) = (Queue::new(1), CancellationToken::new());
        let first = queue.acquire("a", 6, &never).await.unwrap();
        let cancel = CancellationToken::new();
        let (second, third) = (queue.acquire("a", 10, &cancel), queue.acquire("b", 1, &never));
        tokio::pin!(second, third);
        tokio::select! {
            biased;
            _ = &mut second => panic!("there is one slot"),
            _ = &mut third => panic!("there is one slot"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(queue.depth(), (1, 2));
        cancel.cancel();
        assert_eq!(second.await.unwrap_err(), NoSlot::Cancelled);
        assert_eq!(queue.depth(), (1, 1));
        drop(first);
        let third = third.await.unwrap();
        assert_eq!(queue.depth(), (1, 0));
        drop(third);
        assert_eq!(queue.depth(), (0, 0));
    }

    #[tokio::test]
    async fn a_call_that_nobody_hears_is_not_a_slot_lost() {
        let (queue, never) = (Queue::new(1), CancellationToken::new());
        let first = queue.acquire("a", 6, &never).await.unwrap();
        {
            let waits = queue.acquire("a", 6, &never);
            tokio::pin!(waits);
            tokio::select! {
                biased;
                _ = &mut waits => panic!("there is one slot"),
                () = std::future::ready(()) => {}
            }
            // It is called now and dropped before it looks.
            drop(first);
        }
        assert_eq!(queue.depth(), (0, 0));
        drop(queue.acquire("b", 6, &never).await.unwrap());
    }
}
