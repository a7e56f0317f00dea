//! Somebody wants to stop before anything was begun: while the run's lock is being taken nobody else listens. It knows no lock.

use super::exit::Exit;
use super::failure::CommandFailure;
use crate::engine::Control;
use crate::ports::Clock;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// Time to give up what was asked for and may be ours by now. A server that is away is not waited for.
const GIVE_UP_WITHIN: Duration = Duration::from_secs(2);

/// What is said when nothing was begun.
pub fn stopped() -> CommandFailure {
    CommandFailure::new(Exit::Interrupted, "stopped before anything was begun, and nothing was done")
}

/// Takes something, unless somebody says that the run is to stop: then it is given up again. What else was said stays said.
///
/// # Errors
/// When it cannot be taken, or the run is to stop.
pub async fn unless_stopped<T, G: Future>(
    taking: impl Future<Output = Result<T, Box<CommandFailure>>>,
    give_up: impl FnOnce(T) -> G,
    heard: &mut UnboundedReceiver<Control>,
    controls: &UnboundedSender<Control>,
    clock: &dyn Clock,
) -> Result<T, Box<CommandFailure>> {
    let mut taking = pin!(taking);
    let mut others = Vec::new();
    loop {
        tokio::select! {
            biased;
            taken = &mut taking => {
                others.into_iter().for_each(|control| drop(controls.send(control)));
                return taken;
            }
            Some(control) = heard.recv() => match control {
                Control::Cancel { .. } => break,
                other => others.push(other),
            }
        }
    }
    let giving_up = async {
        if let Ok(taken) = taking.await {
            give_up(taken).await;
        }
    };
    tokio::select! {
        () = giving_up => {}
        () = clock.sleep(GIVE_UP_WITHIN) => {}
    }
    Err(Box::new(stopped()))
}

#[cfg(test)]
mod tests {
    use super::unless_stopped;
    use crate::cli::exit::Exit;
    use crate::cli::failure::CommandFailure;
    use crate::engine::Control;
    use crate::ids::{Moment, StepId};
    use crate::ports::VirtualClock;
    use crate::record::CancelLevel;
    use std::future::{pending, ready};
    use std::time::Duration;
    use tokio::sync::mpsc::unbounded_channel;
    use tokio::time::{Instant, sleep};

    fn cancel() -> Control {
        Control::Cancel { level: CancelLevel::RollBack, by: "ann".to_owned() }
    }

    fn settle() -> Control {
        Control::SettleDoubt { step: StepId::new("one").unwrap(), done: true, by: "ann".to_owned() }
    }

    async fn slowly() -> Result<(), Box<CommandFailure>> {
        sleep(Duration::from_secs(1)).await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_while_the_lock_is_taken_is_heard_at_once_and_the_lock_given_up() {
        let clock = VirtualClock::from(Moment::from_millis(0));
        let (controls, mut heard) = unbounded_channel();
        controls.send(settle()).unwrap();
        controls.send(cancel()).unwrap();
        let mut given_up = false;
        let give_up = |()| {
            given_up = true;
            ready(())
        };
        let stopped = unless_stopped(slowly(), give_up, &mut heard, &controls, &clock).await;
        assert_eq!(stopped.unwrap_err().exit, Exit::Interrupted);
        assert!(given_up, "nobody else could take it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_away_holds_up_nobody_who_stops() {
        let clock = VirtualClock::from(Moment::from_millis(0));
        let (controls, mut heard) = unbounded_channel();
        controls.send(cancel()).unwrap();
        let began = Instant::now();
        let away = pending::<Result<(), Box<CommandFailure>>>();
        assert!(unless_stopped(away, |()| ready(()), &mut heard, &controls, &clock).await.is_err());
        assert_eq!(began.elapsed(), super::GIVE_UP_WITHIN);
    }

    #[tokio::test(start_paused = true)]
    async fn what_else_was_said_meanwhile_is_not_lost() {
        let clock = VirtualClock::from(Moment::from_millis(0));
        let (controls, mut heard) = unbounded_channel();
        controls.send(settle()).unwrap();
        assert!(unless_stopped(slowly(), |()| ready(()), &mut heard, &controls, &clock).await.is_ok());
        assert!(matches!(heard.try_recv(), Ok(Control::SettleDoubt { .. })));
    }
}
