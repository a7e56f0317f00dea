//! What signals do to a run, and the watchdog that leaves when a halted run does not stop. It knows no terminal.

use crate::engine::Control;
use crate::ports::{Clock, SystemHost};
use crate::record::CancelLevel;
use crate::report::sentence::CTRL_C;
use futures::future::BoxFuture;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

/// From a request to halt until the process leaves, whatever still runs.
const LEAVE_WITHIN: Duration = Duration::from_secs(7);
/// Time for tasks to fall, and with them the programs that they started.
const FALL_WITHIN: Duration = Duration::from_millis(500);

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
}

/// Counts signals: each person's next one is more urgent than the one before.
#[derive(Debug, Default)]
struct Signals {
    interrupts: u32,
    halting: bool,
}

impl Signals {
    fn hear(&mut self, signal: Signal) -> Meaning {
        let cancel = |level, by: &str| Control::Cancel { level, by: by.to_owned() };
        self.interrupts += u32::from(signal == Signal::Interrupt);
        let by = match signal {
            Signal::Interrupt if self.interrupts == 1 && !self.halting => {
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

/// How supervised work came to its end.
pub enum Supervised<T> {
    /// By itself.
    Ended(T),
    /// By a panic.
    BrokeDown,
    /// It was left where it was.
    Left,
}

/// Does the work on threads of its own while this thread listens: whatever blocks the work, signals are heard and the time to leave is kept.
/// When this returns, no program that the work started is left.
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
    let supervised = listener.block_on(watch(&workers, clock, controls, work));
    // Dropped tasks kill the process groups that they hold.
    workers.shutdown_timeout(FALL_WITHIN);
    supervised
}

async fn watch<T: Send + 'static>(
    workers: &Runtime,
    clock: &Arc<dyn Clock>,
    controls: &UnboundedSender<Control>,
    work: impl Future<Output = T> + Send + 'static,
) -> io::Result<Supervised<T>> {
    let mut streams = Streams::open()?;
    let mut signals = Signals::default();
    let mut task: JoinHandle<T> = workers.spawn(work);
    // Counts from the first signal that halts: whoever repeats it does not give the run more time.
    let mut deadline: Option<BoxFuture<'static, ()>> = None;
    loop {
        tokio::select! {
            ended = &mut task => return Ok(ended.map_or(Supervised::BrokeDown, Supervised::Ended)),
            signal = streams.next() => match signals.hear(signal) {
                Meaning::Leave => return Ok(Supervised::Left),
                Meaning::Tell(control) => tell(controls, control),
                Meaning::Halt(control) => {
                    tell(controls, control);
                    deadline.get_or_insert_with(|| clock.sleep(LEAVE_WITHIN));
                }
            },
            () = async { deadline.as_mut().expect("looked at before").await }, if deadline.is_some() => return Ok(Supervised::Left),
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

    async fn next(&mut self) -> Signal {
        let hang_up = async {
            match &mut self.hang_up {
                Some(stream) => stream.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.terminate.recv() => Signal::Terminate,
            Some(()) = hang_up => Signal::HangUp,
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Meaning, Signal, Signals, Supervised, supervise};
    use crate::engine::Control;
    use crate::ports::{Clock, SystemClock};
    use crate::record::CancelLevel;
    use std::sync::Arc;
    use tokio::sync::mpsc::unbounded_channel;

    fn meanings(heard: &[Signal]) -> Vec<&'static str> {
        let mut signals = Signals::default();
        let word = |meaning| match meaning {
            Meaning::Tell(Control::Cancel { level: CancelLevel::RollBack, .. }) => "roll back",
            Meaning::Halt(Control::Cancel { level: CancelLevel::Halt, .. }) => "halt",
            Meaning::Leave => "leave",
            _ => "?",
        };
        heard.iter().map(|signal| word(signals.hear(*signal))).collect()
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
    fn work_that_panics_is_told_apart_from_work_that_ends() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (controls, _obeyed) = unbounded_channel();
        assert!(matches!(supervise(&clock, &controls, async { 7 }).unwrap(), Supervised::Ended(7)));
        let broken = supervise(&clock, &controls, async { panic!("on purpose") });
        assert!(matches!(broken.unwrap(), Supervised::<()>::BrokeDown));
    }
}
