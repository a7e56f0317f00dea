//! Notices when nothing can happen any more in a simulated run, so that whoever still waits is told instead of waiting for ever. It knows no
//! action.
//!
//! Nothing can happen when everybody who waited for time has got it, all that the cluster had before it has happened, and neither the run nor
//! the cluster has moved meanwhile: then the next such while begins as this one did.

use crate::engine::Control;
use crate::event::Event;
use crate::ids::{Moment, Period, StepId};
use crate::ports::{Clock, VirtualClock};
use crate::record::CancelLevel;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

/// The least time in which nothing must have happened: whoever looks again and again does so more often.
const QUIET: Duration = Duration::from_secs(3_600);
/// The longest that a simulated run may take in its own time, also one that never comes to rest.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The simulated cluster, as far as it moves by itself.
pub(in crate::cli) trait Course: Send + Sync {
    /// Where it is now.
    fn now(&self) -> u64;
    /// Whether it has moved since and does not only go round.
    fn has_moved_since(&self, course: u64) -> bool;
    /// When the last thing happens that is known to happen.
    fn last_due(&self) -> Option<Moment>;
}

/// The eye on a simulated run.
pub(in crate::cli) struct Standstill {
    clock: Arc<VirtualClock>,
    course: Arc<dyn Course>,
    heard: Mutex<Heard>,
}

/// What the run has told.
#[derive(Default)]
struct Heard {
    count: u64,
    last: BTreeMap<StepId, String>,
    /// Fires at the next standstill.
    reached: CancellationToken,
}

impl Standstill {
    pub(in crate::cli) fn new(clock: Arc<VirtualClock>, course: Arc<dyn Course>) -> Self {
        Self { clock, course, heard: Mutex::default() }
    }

    /// Hears what the run tells. A step that says again what it waits for has told nothing.
    pub(super) fn hear(&self, event: &Event) {
        let mut heard = self.heard();
        if let Event::Doing { step, text, .. } = event
            && heard.last.insert(step.clone(), text.clone()).as_ref() == Some(text)
        {
            return;
        }
        heard.count += 1;
    }

    /// Fires when nothing can happen any more.
    pub(super) fn reached(&self) -> CancellationToken {
        self.heard().reached.clone()
    }

    /// What a step said last that it does.
    pub(super) fn last_word(&self, step: &StepId) -> Option<String> {
        self.heard().last.get(step).cloned()
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Watches a run until it is over. One that nobody's giving up moves on is halted, and so is one that never comes to rest.
    pub(in crate::cli) async fn watch(&self, controls: UnboundedSender<Control>) {
        let mut reached_before = None;
        let by = loop {
            let left = LONGEST.saturating_sub(self.clock.passed());
            if left.is_zero() {
                break format!("the simulation, after {}", Period(LONGEST));
            }
            let (told, course) = (self.heard().count, self.course.now());
            self.clock.sleep(self.quiet().min(left)).await;
            if self.heard().count != told || self.course.has_moved_since(course) {
                continue;
            }
            if reached_before == Some(told) {
                break "the simulation, in which nothing happens any more".to_owned();
            }
            reached_before = Some(told);
            std::mem::take(&mut self.heard().reached).cancel();
        };
        // The engine has stopped listening only when it is about to end.
        let _ending = controls.send(Control::Cancel { level: CancelLevel::Halt, by });
    }

    /// Until all is over that anybody waits for now.
    fn quiet(&self) -> Duration {
        let timers = self.clock.last_due().map(|at| at.saturating_sub(self.clock.passed()));
        let cluster = self.course.last_due().map(|at| at.since(self.clock.now()));
        timers.into_iter().chain(cluster).fold(QUIET, Duration::max) + Duration::from_millis(1)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        // Each change of it is whole.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Course, QUIET, Standstill};
    use crate::engine::Control;
    use crate::event::Event;
    use crate::ids::{Moment, StepId};
    use crate::ports::{Clock, VirtualClock};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use tokio::task::JoinHandle;

    #[derive(Default)]
    struct Cluster(AtomicU64);

    impl Course for Cluster {
        fn now(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
        fn has_moved_since(&self, course: u64) -> bool {
            self.now() != course
        }
        fn last_due(&self) -> Option<Moment> {
            None
        }
    }

    struct Run {
        clock: Arc<VirtualClock>,
        cluster: Arc<Cluster>,
        standstill: Arc<Standstill>,
        controls: UnboundedReceiver<Control>,
        _watching: JoinHandle<()>,
    }

    fn run() -> Run {
        let (clock, cluster) = (Arc::new(VirtualClock::from(Moment::from_millis(0))), Arc::new(Cluster::default()));
        let standstill = Arc::new(Standstill::new(Arc::clone(&clock), Arc::clone(&cluster) as Arc<dyn Course>));
        let (sender, controls) = unbounded_channel();
        let watched = Arc::clone(&standstill);
        Run { clock, cluster, standstill, controls, _watching: tokio::spawn(async move { watched.watch(sender).await }) }
    }

    fn says(run: &Run, text: &str) {
        let (step, at) = (StepId::new("wait").unwrap(), run.clock.now());
        run.standstill.hear(&Event::Doing { step, text: text.to_owned(), at });
    }

    #[tokio::test(start_paused = true)]
    async fn what_only_repeats_itself_is_a_standstill_and_one_that_moves_nobody_halts_the_run() {
        let mut run = run();
        let reached = run.standstill.reached();
        says(&run, "there is none");
        for _ in 0..5 {
            run.clock.sleep(QUIET / 2).await;
            says(&run, "there is none");
        }
        assert!(reached.is_cancelled() && !run.standstill.reached().is_cancelled());
        assert_eq!(run.standstill.last_word(&StepId::new("wait").unwrap()).as_deref(), Some("there is none"));
        let halted = run.controls.recv().await;
        assert!(matches!(halted, Some(Control::Cancel { by, .. }) if by.contains("nothing happens any more")));
    }

    #[tokio::test(start_paused = true)]
    async fn news_of_the_run_or_the_cluster_and_whoever_waits_longer_are_waited_for() {
        let run = run();
        let reached = run.standstill.reached();
        for round in 0..5 {
            run.clock.sleep(QUIET / 2).await;
            says(&run, &format!("round {round}"));
        }
        for _ in 0..5 {
            run.clock.sleep(QUIET / 2).await;
            run.cluster.0.fetch_add(1, Ordering::Relaxed);
        }
        let long = run.clock.sleep(QUIET * 30);
        run.clock.sleep(QUIET * 29).await;
        assert!(!reached.is_cancelled());
        long.await;
        run.clock.sleep(QUIET * 2 + Duration::from_secs(1)).await;
        assert!(reached.is_cancelled());
    }
}
