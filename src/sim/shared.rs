//! The world behind a lock, and how to wait until something happens in it. It knows no request.

use super::world::World;
use crate::ids::Moment;
use crate::ports::{Clock, VirtualClock};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The world, for everybody who looks at it.
#[derive(Debug)]
pub(super) struct Shared {
    world: Mutex<World>,
    changed: Notify,
    pub(super) clock: Arc<VirtualClock>,
}

impl Shared {
    pub(super) fn new(world: World, clock: Arc<VirtualClock>) -> Self {
        Self { world: Mutex::new(world), changed: Notify::new(), clock }
    }

    /// Looks at the world as it is now, or changes it. Whoever waits hears of every change.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let now = self.clock.now();
        // What a panic left behind is whole: each change stores one object.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (world.store.version(), world.next_at());
        world.advance(now);
        let done = work(&mut world);
        let is_changed = before != (world.store.version(), world.next_at());
        drop(world);
        if is_changed {
            self.changed.notify_waiters();
        }
        done
    }

    /// Changes the world at the time at which it is, and lets happen what comes of that by now.
    pub(super) fn before<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut world);
        world.advance(self.clock.now());
        done
    }

    /// Looks again and again, whenever something may have changed, until there is an answer.
    pub(super) async fn wait_for<T>(&self, mut look: impl FnMut(&mut World) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Whoever looks and then waits must not miss what happens in between.
            changed.as_mut().enable();
            let (found, next): (Option<T>, Option<Moment>) = self.with(|world| (look(world), world.next_at()));
            if let Some(found) = found {
                return found;
            }
            let due = async {
                match next {
                    Some(at) => self.clock.sleep(at.since(self.clock.now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut changed => {}
                () = due => {}
            }
        }
    }
}
