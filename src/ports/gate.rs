//! Whether this process may write now: closed by time alone, so that a process that was stopped for a while finds it closed. It knows no lock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often whoever waits at the gate looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Counts time that nobody sets: it goes on while the process is stopped or the machine sleeps, and no clock that is set moves it.
pub trait Uptime: Send + Sync {
    /// Time since some instant in the past, the same one for the life of this process.
    fn uptime(&self) -> Duration;
}

/// This machine's time since it was booted, sleep included.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemUptime;

impl Uptime for SystemUptime {
    fn uptime(&self) -> Duration {
        // A kernel without this clock would be older than any that runs this program: then nothing may be written, rather than everything.
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from)
    }
}

/// Why nothing may be written any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Shut(pub String);

/// The gate that every write to a cluster passes. Open until somebody says how long; then closed until somebody says again, unless it is
/// shut, which is for good. Cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    uptime: Arc<dyn Uptime>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    until: Option<Duration>,
    shut: Option<Shut>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(Arc::new(SystemUptime))
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    /// Makes an open one.
    pub fn new(uptime: Arc<dyn Uptime>) -> Self {
        Self(Arc::new(Inner { uptime, state: Mutex::default() }))
    }

    /// The time by which it is shut.
    pub fn now(&self) -> Duration {
        self.0.uptime.uptime()
    }

    /// Opens it until then. A gate that was shut meanwhile stays shut.
    pub fn keep_open_until(&self, until: Duration) {
        self.state(|state| state.until = Some(until));
    }

    /// Shuts it for good.
    pub fn shut(&self, why: impl Into<String>) {
        let why = Shut(why.into());
        self.state(|state| state.shut.get_or_insert(why).clone());
    }

    /// True when it may be passed now.
    ///
    /// # Errors
    /// When it is shut for good.
    pub fn is_open(&self) -> Result<bool, Shut> {
        let now = self.now();
        self.state(|state| match &state.shut {
            Some(shut) => Err(shut.clone()),
            None => Ok(state.until.is_none_or(|until| now < until)),
        })
    }

    /// Lets through as soon as it is open.
    ///
    /// # Errors
    /// When it is shut for good.
    pub async fn pass(&self) -> Result<(), Shut> {
        while !self.is_open()? {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Waits until it is shut for good.
    pub async fn wait_shut(&self) -> Shut {
        loop {
            if let Err(shut) = self.is_open() {
                return shut;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::{Gate, SystemUptime, Uptime};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    #[derive(Clone, Default)]
    struct Seconds(Arc<AtomicU64>);

    impl Uptime for Seconds {
        fn uptime(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    fn gate() -> (Gate, impl Fn(u64)) {
        let seconds = Seconds::default();
        (Gate::new(Arc::new(seconds.clone())), move |now| seconds.0.store(now, Ordering::Relaxed))
    }

    #[test]
    fn it_is_open_until_its_time_is_over_or_somebody_says_again() {
        let (gate, set) = gate();
        set(1_000_000);
        assert_eq!(gate.is_open(), Ok(true), "nobody has said how long");
        gate.keep_open_until(Duration::from_secs(1_000_010));
        set(1_000_009);
        assert_eq!(gate.is_open(), Ok(true));
        set(1_000_010);
        assert_eq!(gate.is_open(), Ok(false));
        // An answer that came while the process was stopped: its time is over as well.
        set(1_003_600);
        gate.keep_open_until(Duration::from_secs(1_000_015));
        assert_eq!(gate.is_open(), Ok(false));
        gate.keep_open_until(Duration::from_secs(1_003_605));
        assert_eq!(gate.is_open(), Ok(true));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_too_late_waits_until_it_is_open_or_shut() {
        for opens in [true, false] {
            let (gate, set) = gate();
            gate.keep_open_until(Duration::from_secs(10));
            set(12);
            let waiting = tokio::spawn({
                let gate = gate.clone();
                async move { gate.pass().await }
            });
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert!(!waiting.is_finished());
            if opens {
                gate.keep_open_until(Duration::from_secs(20))
            } else {
                gate.shut("taken over")
            }
            assert_eq!(waiting.await.unwrap().is_ok(), opens);
        }
    }

    #[test]
    fn shut_is_for_good_and_the_first_reason_is_told() {
        let (gate, _) = gate();
        gate.keep_open_until(Duration::from_secs(10));
        gate.shut("run B took it over");
        gate.shut("something else");
        gate.keep_open_until(Duration::from_secs(100));
        assert_eq!(gate.is_open().unwrap_err().to_string(), "run B took it over");
    }

    #[test]
    fn the_time_of_this_machine_passes() {
        let first = SystemUptime.uptime();
        assert!(first > Duration::ZERO && first < Duration::MAX);
        assert!(SystemUptime.uptime() >= first);
    }
}
