//! Time: this machine's, and one that passes only while everybody waits.

use super::gate::{SystemUptime, Uptime};
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

/// Longest sleep of a timer. Timers stand still while the machine sleeps: whoever waits longer looks in between how much time has passed.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// This machine's clock: what its wall clock showed when this process first looked, and the time that has passed since, the machine's sleep
/// included. Deadlines, back-offs and budgets hang on it, so that nobody who sets the wall clock meanwhile moves them.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

static FIRST_LOOK: LazyLock<Count<SystemUptime>> =
    LazyLock::new(|| Count::from(Moment::from_millis(jiff::Timestamp::now().as_millisecond()), SystemUptime));

/// Counts from a moment on, whatever the wall clock shows meanwhile.
#[derive(Debug)]
struct Count<U> {
    from: Moment,
    since: Duration,
    uptime: U,
}

impl<U: Uptime> Count<U> {
    fn from(moment: Moment, uptime: U) -> Self {
        Self { from: moment, since: uptime.uptime(), uptime }
    }

    fn passed(&self) -> Duration {
        self.uptime.uptime().saturating_sub(self.since)
    }

    fn now(&self) -> Moment {
        self.from.after(self.passed())
    }

    /// Waits until so much time has passed since it began to count.
    async fn until(self, passed: Duration) {
        let mut slept = Duration::ZERO;
        loop {
            let left = passed.saturating_sub(slept.max(self.passed()));
            if left <= LOOK_AGAIN {
                return tokio::time::sleep(left).await;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            slept += LOOK_AGAIN;
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        FIRST_LOOK.now()
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        match wait <= LOOK_AGAIN {
            true => tokio::time::sleep(wait).boxed(),
            false => Count::from(Moment::from_millis(0), SystemUptime).until(wait).boxed(),
        }
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
    use super::{Clock, Count, LOOK_AGAIN, SystemClock, SystemUptime, Uptime, VirtualClock};
    use crate::ids::Moment;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;
    use tokio::time::Instant;

    #[derive(Clone, Default)]
    struct Seconds(Arc<AtomicU64>);

    impl Uptime for Seconds {
        fn uptime(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

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
        let count = Count::from(long_ago, SystemUptime);
        let first = count.now();
        assert!(first >= long_ago && first < Moment::from_millis(60_000), "{first}");
        while count.now() == first {
            std::thread::yield_now();
        }
        let (shown, wall) = (SystemClock.now(), jiff::Timestamp::now().as_millisecond());
        assert!(shown.as_millis().abs_diff(wall) < 5_000, "it shows {shown}");
    }

    /// Timers stand still meanwhile: a deadline that was over when the lid was opened must not wait for all the time that it was closed.
    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_machine_sleeps_has_passed() {
        let (seconds, began) = (Seconds::default(), Instant::now());
        let count = Count::from(Moment::from_millis(0), seconds.clone());
        let waiting = tokio::spawn(Count::from(Moment::from_millis(0), seconds.clone()).until(Duration::from_secs(3_600)));
        tokio::task::yield_now().await;
        seconds.0.store(3_600, Ordering::Relaxed);
        assert_eq!(count.now(), Moment::from_millis(3_600_000));
        waiting.await.unwrap();
        assert!(began.elapsed() <= LOOK_AGAIN, "it ended after {:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_was_said_where_the_count_stands_still() {
        let began = Instant::now();
        Count::from(Moment::from_millis(0), Seconds::default()).until(Duration::from_secs(25)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(25));
    }
}
