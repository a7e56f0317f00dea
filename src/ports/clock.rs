//! Time: this machine's, and one that passes only while everybody waits.

use super::gate::Uptime;
use crate::ids::Moment;
use futures::future::{BoxFuture, FutureExt};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Tells and waits for time.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Moment;
    /// Waits.
    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()>;
}

/// This machine's clock: what its wall clock showed when this process first looked, and the time that has passed since. Deadlines,
/// back-offs and budgets hang on it, so that nobody who sets the wall clock meanwhile moves them.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

static FIRST_LOOK: LazyLock<Count> = LazyLock::new(|| Count::from(Moment::from_millis(jiff::Timestamp::now().as_millisecond())));

/// Counts from a moment on, whatever the wall clock shows meanwhile.
#[derive(Debug)]
struct Count {
    from: Moment,
    since: std::time::Instant,
}

impl Count {
    fn from(moment: Moment) -> Self {
        Self { from: moment, since: std::time::Instant::now() }
    }

    fn now(&self) -> Moment {
        self.from.after(self.since.elapsed())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        FIRST_LOOK.now()
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(wait).boxed()
    }
}

/// The time of a paused runtime, as a wall clock: it stands still while anybody works, and leaps to the next timer when all wait.
#[derive(Debug)]
pub struct VirtualClock {
    begins: Moment,
    origin: OnceLock<Instant>,
    /// Milliseconds since the origin, for threads that are on no runtime.
    passed: AtomicU64,
    timers: Timers,
}

/// Who waits for time, and until when.
#[derive(Debug, Clone, Default)]
struct Timers(Arc<Mutex<(u64, BTreeMap<u64, Duration>)>>);

/// One who waits. Whoever is dropped waits no longer.
struct Timer {
    timers: Timers,
    number: u64,
}

impl Timers {
    fn begin(&self, until: Duration) -> Timer {
        // A number and its time are put in together.
        let mut timers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        timers.0 += 1;
        let number = timers.0;
        timers.1.insert(number, until);
        Timer { timers: self.clone(), number }
    }

    fn last(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.values().max().copied()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.timers.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
    }
}

impl VirtualClock {
    /// A clock that shows `begins` when it is looked at for the first time.
    pub fn from(begins: Moment) -> Self {
        Self { begins, origin: OnceLock::new(), passed: AtomicU64::new(0), timers: Timers::default() }
    }

    /// Time since it was looked at for the first time.
    pub fn passed(&self) -> Duration {
        // Off the runtime the same call would tell this machine's time.
        if Handle::try_current().is_ok() {
            let passed = Instant::now().saturating_duration_since(*self.origin.get_or_init(Instant::now));
            self.passed.fetch_max(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        Duration::from_millis(self.passed.load(Ordering::Relaxed))
    }

    /// How much time will have passed when the last of those is over who wait now; none when nobody waits for time.
    pub fn last_due(&self) -> Option<Duration> {
        self.timers.last()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        let passed = i64::try_from(self.passed().as_millis()).unwrap_or(i64::MAX);
        Moment::from_millis(self.begins.as_millis().saturating_add(passed))
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        let timer = self.timers.begin(self.passed().saturating_add(wait));
        let sleep = tokio::time::sleep(wait);
        async move {
            sleep.await;
            drop(timer);
        }
        .boxed()
    }
}

impl Uptime for VirtualClock {
    fn uptime(&self) -> Duration {
        self.passed()
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Count, SystemClock, VirtualClock};
    use crate::ids::Moment;
    use std::sync::Arc;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn virtual_time_passes_only_while_all_wait_and_is_the_same_on_every_thread() {
        let clock = Arc::new(VirtualClock::from(Moment::from_millis(1_000)));
        assert_eq!(clock.now(), Moment::from_millis(1_000));
        std::thread::yield_now();
        assert_eq!(clock.now(), Moment::from_millis(1_000));
        clock.sleep(Duration::from_secs(3_600)).await;
        assert_eq!(clock.now(), Moment::from_millis(3_601_000));
        let elsewhere = Arc::clone(&clock);
        assert_eq!(std::thread::spawn(move || elsewhere.now()).join().unwrap(), clock.now());
    }

    #[tokio::test(start_paused = true)]
    async fn virtual_time_knows_who_still_waits_for_it() {
        let clock = VirtualClock::from(Moment::from_millis(0));
        assert_eq!(clock.last_due(), None);
        let (long, short) = (clock.sleep(Duration::from_secs(60)), clock.sleep(Duration::from_secs(10)));
        assert_eq!(clock.last_due(), Some(Duration::from_secs(60)));
        drop(long);
        assert_eq!(clock.last_due(), Some(Duration::from_secs(10)));
        short.await;
        assert_eq!(clock.last_due(), None);
    }

    /// Deadlines and times between two records hang on it: a wall clock that somebody sets must move none of them.
    #[test]
    fn the_wall_clock_is_looked_at_once_and_time_counts_from_there() {
        let long_ago = Moment::from_millis(1_000);
        let count = Count::from(long_ago);
        let first = count.now();
        assert!(first >= long_ago && first < Moment::from_millis(60_000), "{first}");
        while count.now() == first {
            std::thread::yield_now();
        }
        let (shown, wall) = (SystemClock.now(), jiff::Timestamp::now().as_millisecond());
        assert!(shown.as_millis().abs_diff(wall) < 5_000, "it shows {shown}");
    }
}
