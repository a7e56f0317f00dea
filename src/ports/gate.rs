//! Whether this process may still write: shut by time alone, so that a process that was stopped for a while finds it shut. It knows no lock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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

/// The gate that every write to a cluster passes. Open until somebody says how long; once it is shut it stays shut. Cheap to clone.
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

    /// Keeps it open until then. A gate that was shut meanwhile stays shut.
    pub fn keep_open_until(&self, until: Duration) {
        self.state(|state| state.until = Some(until));
    }

    /// Shuts it for good.
    pub fn shut(&self, why: impl Into<String>) {
        let why = Shut(why.into());
        self.state(|state| state.shut.get_or_insert(why).clone());
    }

    /// Lets through, or says why not.
    ///
    /// # Errors
    /// When it is shut.
    pub fn check(&self) -> Result<(), Shut> {
        self.state(|state| state.shut.clone().map_or(Ok(()), Err))
    }

    /// How long it stays open if nobody does anything; none when nobody said how long, or it is shut.
    pub fn left(&self) -> Option<Duration> {
        let now = self.now();
        self.state(|state| state.until.filter(|_| state.shut.is_none()).map(|until| until.saturating_sub(now)))
    }

    /// Whoever looks at the state finds it shut once its time is over: nobody can open it again.
    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.until.is_some_and(|until| self.now() >= until) {
            state.shut.get_or_insert_with(|| Shut("the lock was not renewed in time, so somebody else may hold it by now".to_owned()));
        }
        with(&mut state)
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
    fn it_is_open_until_its_time_is_over_and_never_again() {
        let (gate, set) = gate();
        set(1_000_000);
        assert!(gate.check().is_ok(), "nobody has said how long");
        gate.keep_open_until(Duration::from_secs(1_000_010));
        set(1_000_009);
        assert!(gate.check().is_ok());
        assert_eq!(gate.left(), Some(Duration::from_secs(1)));
        set(1_000_010);
        // An answer that came while the process was stopped says that it may go on: too late.
        gate.keep_open_until(Duration::from_secs(1_000_020));
        assert!(gate.check().is_err());
        assert_eq!(gate.left(), None);
    }

    #[test]
    fn the_first_reason_is_told() {
        let (gate, set) = gate();
        gate.keep_open_until(Duration::from_secs(10));
        gate.shut("run B took it over");
        set(60);
        gate.shut("something else");
        assert_eq!(gate.check().unwrap_err().to_string(), "run B took it over");
    }

    #[test]
    fn the_time_of_this_machine_passes() {
        let first = SystemUptime.uptime();
        assert!(first > Duration::ZERO && first < Duration::MAX);
        assert!(SystemUptime.uptime() >= first);
    }
}
