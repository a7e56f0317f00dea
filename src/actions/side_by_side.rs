//! Requests that are sent side by side. It knows no request.

use futures::stream::{FuturesUnordered, StreamExt};
use std::future::Future;

/// So many at a time: enough to keep an API server busy, few enough not to be told to slow down.
const AT_A_TIME: usize = 16;

/// Does all of this, some at a time, and gives the results in the order of the work. After an error nothing new is begun, and what is on
/// its way is waited for.
///
/// # Errors
/// The first error, in the order of the work.
pub(super) async fn side_by_side<T, E, F>(work: impl IntoIterator<Item = F>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = work.into_iter().enumerate();
    let (mut running, mut done, mut failed) = (FuturesUnordered::new(), Vec::new(), false);
    loop {
        while !failed
            && running.len() < AT_A_TIME
            && let Some((place, one)) = waiting.next()
        {
            running.push(async move { (place, one.await) });
        }
        // Whoever ends first makes place for the next: kept in order, one slow answer would hold up all that came after it.
        let Some((place, result)) = running.next().await else { break };
        failed |= result.is_err();
        done.push((place, result));
    }
    done.sort_by_key(|(place, _): &(usize, Result<T, E>)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::{AT_A_TIME, side_by_side};
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::task::Poll;

    /// Ready at the given number of looks.
    async fn looks(count: usize) {
        let mut left = count;
        poll_fn(|cx| {
            left = left.saturating_sub(1);
            cx.waker().wake_by_ref();
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[tokio::test]
    async fn a_slow_one_holds_up_nobody_and_the_order_is_kept() {
        let done = Cell::new(0);
        let work = (0..100).map(|place| {
            let done = &done;
            async move {
                looks(if place == 0 { 90 } else { 1 }).await;
                done.set(done.get() + 1);
                Ok::<_, ()>((place, done.get()))
            }
        });
        let results = side_by_side(work).await.unwrap();
        assert!(results.iter().enumerate().all(|(index, (place, _))| index == *place));
        assert_eq!(results[0].1, 100, "the first was done last");
    }

    #[tokio::test]
    async fn after_an_error_nothing_new_is_begun_and_what_is_on_its_way_ends() {
        let (begun, ended) = (Cell::new(0), Cell::new(0));
        let work = (0..100).map(|place| {
            let (begun, ended) = (&begun, &ended);
            async move {
                begun.set(begun.get() + 1);
                looks(if place == 3 { 1 } else { 5 }).await;
                ended.set(ended.get() + 1);
                if place == 3 { Err(place) } else { Ok(()) }
            }
        });
        assert_eq!(side_by_side(work).await, Err(3));
        assert_eq!((begun.get(), ended.get()), (AT_A_TIME, AT_A_TIME));
    }
}
