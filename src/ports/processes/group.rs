//! A process group: waiting for its leader, and leaving nobody of it behind. It knows no pipes.

use super::table;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::Child;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// From SIGTERM to SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(5);
/// From SIGKILL until somebody else's program counts as one that cannot be ended.
const KILL_GRACE: Duration = Duration::from_secs(2);
/// The longest pause between two questions whether a group is gone.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// Time for what a leader left behind to end by itself, such as the last `tee` of a shell.
const LEFTOVER_GRACE: Duration = Duration::from_secs(1);

/// The processes that a program started, itself included. Dropped before its end, all of them are killed.
#[derive(Debug)]
pub(super) struct Group {
    id: Pid,
    ended: bool,
}

impl Group {
    /// The group of a child that was started as its leader.
    pub(super) fn led_by(child: &Child) -> io::Result<Self> {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.ok_or_else(|| io::Error::other("the system gave no process id"))?;
        Ok(Self { id: Pid::from_raw(id), ended: false })
    }

    /// Waits until the leader and all others are gone; says how the leader ended, and whether that was `cancel`'s doing.
    pub(super) async fn end(mut self, leader: &mut Child, cancel: &CancellationToken) -> io::Result<(ExitStatus, bool)> {
        let by_itself = tokio::select! {
            biased;
            status = leader.wait() => Some(status?),
            () = cancel.cancelled() => None,
        };
        let cancelled = by_itself.is_none();
        let status = match by_itself {
            Some(status) => {
                if timeout(LEFTOVER_GRACE, self.gone()).await.is_err() {
                    self.terminate(async {}).await;
                }
                status
            }
            None => {
                // What it does with SIGTERM is its own affair: it may well clean up and say 0.
                self.terminate(async {
                    let _ = leader.wait().await;
                })
                .await;
                leader.wait().await?
            }
        };
        self.ended = true;
        Ok((status, cancelled))
    }

    async fn terminate(&self, leader: impl Future<Output = ()>) {
        self.signal(Signal::SIGTERM);
        let all = async {
            leader.await;
            self.gone().await;
        };
        if timeout(TERM_GRACE, all).await.is_err() {
            self.signal(Signal::SIGKILL);
        }
    }

    /// Waits until nobody of the group is left. The leader must have been waited for.
    async fn gone(&self) {
        let mut pause = Duration::from_millis(1);
        loop {
            // As process 1 of a container we inherit orphans: they are gone only once somebody has asked for their end.
            while matches!(waitpid(Pid::from_raw(-self.id.as_raw()), Some(WaitPidFlag::WNOHANG)), Ok(status) if status.pid().is_some()) {}
            if killpg(self.id, None) == Err(Errno::ESRCH) {
                return;
            }
            // The dead stay in the group until their parent asks for them, and process 1 of many a container never does.
            if pause == LONGEST_PAUSE && !self.is_alive().await {
                return;
            }
            // Nothing tells the end of a process that is not our child, so it is asked for.
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// True when somebody of the group lives, or nobody can tell.
    async fn is_alive(&self) -> bool {
        let id = self.id.as_raw();
        let look = tokio::task::spawn_blocking(move || table::living().is_none_or(|all| all.iter().any(|entry| entry.group == id)));
        look.await.unwrap_or(true)
    }

    fn signal(&self, signal: Signal) {
        // Nobody left to hear it is what we want.
        let _ = killpg(self.id, signal);
    }
}

/// Ends a group that is not ours to wait for: SIGTERM, and five seconds later SIGKILL. False when somebody of it lives on.
pub(super) async fn end_by_id(id: Pid) -> bool {
    let mut group = Group { id, ended: false };
    group.terminate(async {}).await;
    group.ended = timeout(KILL_GRACE, group.gone()).await.is_ok();
    group.ended
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            self.signal(Signal::SIGKILL);
        }
    }
}
