//! What signals do to a run, and the watchdog that leaves when a halted run does not stop. It knows no terminal.

use crate::engine::Control;
use crate::ports::{Clock, SystemHost, SystemUptime, Uptime};
use crate::record::CancelLevel;
use crate::report::sentence::CTRL_C;
use futures::future::BoxFuture;
use std::future::Future;
use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

/// From a request to halt until the work is left where it is. With the time to fall it makes the seven seconds that people are promised.
const LEAVE_WITHIN: Duration = Duration::from_millis(6_500);
/// Time for tasks to fall, and with them the programs that they started.
const FALL_WITHIN: Duration = Duration::from_millis(500);
/// A wrapper that forwards signals to a program which the terminal has told already makes two of one Ctrl-C. Nobody presses it again as soon.
const ECHO: Duration = Duration::from_millis(300);

/// A signal that says something to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Interrupt,
    Terminate,
    HangUp,
}

/// What a signal means, after those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    /// Tell the engine, and let it end in its own time.
    Tell(Control),
    /// Tell the engine, and leave when it does not stop in time.
    Halt(Control),
    /// Leave now.
    Leave,
    /// Nothing: it was heard before.
    Echo,
}

/// Counts signals: each person's next one is more urgent than the one before.
#[derive(Debug, Default)]
struct Signals {
    /// When the last Ctrl-C that counted was heard.
    interrupted: Option<Duration>,
    halting: bool,
}

impl Signals {
    /// `at` is the machine's time since it was booted.
    fn hear(&mut self, signal: Signal, at: Duration) -> Meaning {
        let cancel = |level, by: &str| Control::Cancel { level, by: by.to_owned() };
        let before = self.interrupted;
        if signal == Signal::Interrupt {
            if before.is_some_and(|before| at.saturating_sub(before) < ECHO) {
                return Meaning::Echo;
            }
            self.interrupted = Some(at);
        }
        let by = match signal {
            Signal::Interrupt if before.is_none() && !self.halting => {
                return Meaning::Tell(cancel(CancelLevel::RollBack, CTRL_C));
            }
            Signal::Interrupt if self.halting => return Meaning::Leave,
            Signal::Interrupt => CTRL_C,
            Signal::Terminate => "SIGTERM",
            Signal::HangUp => "SIGHUP",
        };
        self.halting = true;
        Meaning::Halt(cancel(CancelLevel::Halt, by))
    }
}

/// What became of supervised work.
pub struct Supervised<T> {
    /// How it came to its end.
    pub end: End<T>,
    /// False when a task could not be stopped: it is in the middle of a call that blocks, and may do something until the process ends.
    pub all_over: bool,
}

/// How work came to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum End<T> {
    /// By itself.
    Came(T),
    /// By a panic.
    BrokeDown,
    /// It was left where it was.
    Left,
}

/// Does the work on threads of its own while this thread listens: whatever blocks the work, signals are heard and the time to leave is kept.
/// When all is over no program that the work started is left.
///
/// # Errors
/// When the system gives no threads or no signals.
pub fn supervise<T: Send + 'static>(
    clock: &Arc<dyn Clock>,
    controls: &UnboundedSender<Control>,
    work: impl Future<Output = T> + Send + 'static,
) -> io::Result<Supervised<T>> {
    let workers = Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    let listener = Builder::new_current_thread().enable_all().build()?;
    let end = listener.block_on(async {
        let mut streams = Streams::open()?;
        io::Result::Ok(watch(workers.handle(), clock, controls, work, async || streams.next().await).await)
    })?;
    Ok(Supervised { end, all_over: fall(workers) })
}

/// Does the work on one runtime, beside the signals: whose time is not the real one cannot be watched from outside of it.
///
/// # Errors
/// When the system gives no signals.
pub fn supervise_on<T: Send + 'static>(
    runtime: Runtime,
    clock: &Arc<dyn Clock>,
    controls: &UnboundedSender<Control>,
    work: impl Future<Output = T> + Send + 'static,
) -> io::Result<Supervised<T>> {
    let end = runtime.block_on(async {
        let mut streams = Streams::open()?;
        io::Result::Ok(watch(runtime.handle(), clock, controls, work, async || streams.next().await).await)
    })?;
    Ok(Supervised { end, all_over: fall(runtime) })
}

/// Drops all tasks, which kill the process groups that they hold, and says whether all of them let go in time.
fn fall(workers: Runtime) -> bool {
    let (over, heard) = mpsc::channel();
    std::thread::spawn(move || {
        drop(workers);
        // Nobody waits any more when it took too long.
        let _late = over.send(());
    });
    heard.recv_timeout(FALL_WITHIN).is_ok()
}

async fn watch<T: Send + 'static>(
    workers: &Handle,
    clock: &Arc<dyn Clock>,
    controls: &UnboundedSender<Control>,
    work: impl Future<Output = T> + Send + 'static,
    mut next: impl AsyncFnMut() -> (Signal, Duration),
) -> End<T> {
    let mut signals = Signals::default();
    let mut task: JoinHandle<T> = workers.spawn(work);
    // Counts from the first signal that halts: whoever repeats it does not give the run more time.
    let mut deadline: Option<BoxFuture<'static, ()>> = None;
    loop {
        tokio::select! {
            ended = &mut task => return ended.map_or(End::BrokeDown, End::Came),
            (signal, at) = next() => match signals.hear(signal, at) {
                Meaning::Leave => return End::Left,
                Meaning::Echo => {}
                Meaning::Tell(control) => tell(controls, control),
                Meaning::Halt(control) => {
                    tell(controls, control);
                    deadline.get_or_insert_with(|| clock.sleep(LEAVE_WITHIN));
                }
            },
            () = async { deadline.as_mut().expect("looked at before").await }, if deadline.is_some() => return End::Left,
        }
    }
}

fn tell(controls: &UnboundedSender<Control>, control: Control) {
    // The engine has stopped listening only when it is about to end.
    let _ending = controls.send(control);
}

struct Streams {
    interrupt: Stream,
    terminate: Stream,
    /// None when the process was started deaf to it: who types `nohup` wants the run to outlive the terminal.
    hang_up: Option<Stream>,
}

impl Streams {
    fn open() -> io::Result<Self> {
        let deaf = SystemHost.is_deaf_to_hang_up();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: if deaf { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// The next signal, and when it was heard. That is no time of the run: a simulated one stands still while somebody works.
    async fn next(&mut self) -> (Signal, Duration) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(stream) => stream.recv().await,
                None => std::future::pending().await,
            }
        };
        let signal = tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.terminate.recv() => Signal::Terminate,
            Some(()) = hang_up => Signal::HangUp,
            else => std::future::pending().await,
        };
        (signal, SystemUptime.uptime())
    }
}

#[cfg(test)]
mod tests {
    use super::{End, LEAVE_WITHIN, Meaning, Signal, Signals, supervise, watch};
    use crate::engine::Control;
    use crate::ids::Moment;
    use crate::ports::{Clock, SystemClock};
    use crate::record::CancelLevel;
    use futures::future::{BoxFuture, FutureExt};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::runtime::Handle;
    use tokio::sync::mpsc::unbounded_channel;

    /// What signals mean, a second apart.
    fn meanings(heard: &[Signal]) -> Vec<&'static str> {
        let timed: Vec<(Signal, u64)> = heard.iter().copied().zip((1..).map(|second| second * 1_000)).collect();
        meanings_at(&timed)
    }

    fn meanings_at(heard: &[(Signal, u64)]) -> Vec<&'static str> {
        let mut signals = Signals::default();
        let word = |meaning| match meaning {
            Meaning::Tell(Control::Cancel { level: CancelLevel::RollBack, .. }) => "roll back",
            Meaning::Halt(Control::Cancel { level: CancelLevel::Halt, .. }) => "halt",
            Meaning::Leave => "leave",
            Meaning::Echo => "-",
            _ => "?",
        };
        heard.iter().map(|(signal, millis)| word(signals.hear(*signal, Duration::from_millis(*millis)))).collect()
    }

    #[test]
    fn each_signal_is_more_urgent_than_the_one_before() {
        use Signal::{HangUp, Interrupt, Terminate};
        assert_eq!(meanings(&[Interrupt, Interrupt, Interrupt]), ["roll back", "halt", "leave"]);
        assert_eq!(meanings(&[Interrupt, Terminate]), ["roll back", "halt"]);
        assert_eq!(meanings(&[Terminate, Terminate, HangUp]), ["halt", "halt", "halt"], "a supervisor that repeats itself is no person");
        assert_eq!(meanings(&[HangUp, Interrupt]), ["halt", "leave"]);
    }

    #[test]
    fn a_ctrl_c_that_arrives_twice_at_once_is_one() {
        use Signal::{Interrupt, Terminate};
        assert_eq!(meanings_at(&[(Interrupt, 1_000), (Interrupt, 1_000), (Interrupt, 1_299)]), ["roll back", "-", "-"]);
        assert_eq!(meanings_at(&[(Interrupt, 1_000), (Interrupt, 1_300)]), ["roll back", "halt"]);
        assert_eq!(meanings_at(&[(Interrupt, 0), (Interrupt, 9), (Interrupt, 2_000), (Interrupt, 2_009)]), ["roll back", "-", "halt", "-"]);
        let kept_pressed = [(Interrupt, 0), (Interrupt, 200), (Interrupt, 400), (Interrupt, 600), (Interrupt, 800)];
        assert_eq!(meanings_at(&kept_pressed), ["roll back", "-", "halt", "-", "leave"], "an echo gives no more time");
        assert_eq!(meanings_at(&[(Interrupt, 0), (Terminate, 5), (Interrupt, 9)]), ["roll back", "halt", "-"]);
        assert_eq!(meanings_at(&[(Terminate, 0), (Interrupt, 5), (Interrupt, 9)]), ["halt", "leave", "-"]);
    }

    #[test]
    fn work_that_panics_is_told_apart_from_work_that_ends() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (controls, _obeyed) = unbounded_channel();
        assert_eq!(supervise(&clock, &controls, async { 7 }).unwrap().end, End::Came(7));
        let broken = supervise(&clock, &controls, async { panic!("on purpose") }).unwrap();
        assert_eq!((broken.end, broken.all_over), (End::<()>::BrokeDown, true));
    }

    #[test]
    fn work_that_cannot_be_stopped_is_not_called_over() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (controls, _obeyed) = unbounded_channel();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let supervised = supervise(&clock, &controls, async {
            let (begun, begins) = tokio::sync::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                begun.send(()).unwrap();
                wait.recv()
            });
            begins.await.unwrap();
        });
        assert!(!supervised.unwrap().all_over, "its thread still waits");
        drop(go);
        assert!(supervise(&clock, &controls, async {}).unwrap().all_over);
    }

    /// The paused clock of the runtime.
    struct Paused;

    impl Clock for Paused {
        fn now(&self) -> Moment {
            Moment::from_millis(0)
        }

        fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
            tokio::time::sleep(wait).boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_that_is_repeated_gives_no_more_time() {
        let clock: Arc<dyn Clock> = Arc::new(Paused);
        let (controls, _obeyed) = unbounded_channel();
        let begun = tokio::time::Instant::now();
        let every_second = async || {
            tokio::time::sleep(Duration::from_secs(1)).await;
            (Signal::Terminate, Duration::ZERO)
        };
        let workers = Handle::current();
        let watching = watch(&workers, &clock, &controls, std::future::pending::<()>(), every_second);
        assert_eq!(tokio::time::timeout(Duration::from_secs(60), watching).await, Ok(End::Left));
        assert_eq!(begun.elapsed(), Duration::from_secs(1) + LEAVE_WITHIN);
    }
}
