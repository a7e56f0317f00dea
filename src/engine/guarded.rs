//! Carries an action's work to its end, or stops it. It does not know whether the work goes forward or back.

use crate::action::ActionError;
use crate::ports::Clock;
use futures::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time that a stopped action has to come to an end by itself before it is dropped. Effects in flight are never dropped.
const GRACE: Duration = Duration::from_secs(2);

/// The work's end, once also every effect that it began, and that the tracker holds, is over.
///
/// # Errors
/// Its own; when it was stopped and did not end in time; when it panicked.
pub(super) async fn to_its_end<T>(
    work: impl Future<Output = Result<T, ActionError>> + Send,
    effects: TaskTracker,
    stop: CancellationToken,
    clock: &dyn Clock,
) -> Result<T, ActionError> {
    let mut work = AssertUnwindSafe(work).catch_unwind().boxed();
    let result = tokio::select! {
        biased;
        result = &mut work => Some(result),
        () = stop.cancelled() => tokio::select! {
            biased;
            result = &mut work => Some(result),
            () = clock.sleep(GRACE) => None,
        },
    };
    drop(work);
    effects.close();
    effects.wait().await;
    match result {
        Some(Ok(result)) => result,
        Some(Err(_)) => Err(ActionError::permanent("the action broke down; this is a bug in bowline")),
        None => Err(ActionError::transient("it was stopped")),
    }
}
