//! Watching whether a Lease is renewed. It counts time as this machine does and reads none from the Lease.

use super::LASTS;
use super::claim::rest;
use crate::cluster::answer::ApiError;
use crate::cluster::api::Cluster;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::ports::{Gate, REQUEST_TIMEOUT};
use serde_json::Value;
use std::time::Duration;

/// How long a Lease must stay as it is before its holder counts as dead: it writes no more by then, and its last request has ended.
pub const QUIET_FOR: Duration = LASTS.saturating_add(REQUEST_TIMEOUT);
/// How often it is looked at. A watch that broke unnoticed would look like silence, a look that fails does not.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A Lease as it was first seen, and when that was.
#[derive(Debug, Clone, PartialEq)]
pub struct Vigil {
    uid: String,
    spec: Value,
    since: Duration,
}

/// What a look at a Lease tells whoever watches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// It was renewed, given up or taken.
    Moved,
    /// It has not changed for long enough.
    Quiet,
    /// It has not changed yet; so much time is left.
    Wait(Duration),
}

impl Vigil {
    /// Begins to watch. `now` is this machine's own count of time.
    pub fn begin(lease: &Object, now: Duration) -> Self {
        Self { uid: lease.uid().to_owned(), spec: lease.at("/spec").cloned().unwrap_or_default(), since: now }
    }

    /// Judges what is there now.
    pub fn look(&self, lease: Option<&Object>, now: Duration) -> Sight {
        match lease {
            Some(lease) if lease.uid() == self.uid && lease.at("/spec") == Some(&self.spec) && rest(lease).is_none() => {
                match QUIET_FOR.saturating_sub(now.saturating_sub(self.since)) {
                    Duration::ZERO => Sight::Quiet,
                    left => Sight::Wait(left),
                }
            }
            _ => Sight::Moved,
        }
    }
}

/// What came of watching.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched {
    /// Nobody renewed it: its holder is dead, or knows that it may not write any more.
    Quiet(Object),
    /// It changed. The Lease as it is now.
    Moved(Option<Object>),
}

/// Watches a Lease until its holder shows that it lives, or can be taken for dead.
///
/// # Errors
/// When it cannot be read.
pub async fn watch(cluster: &Cluster, at: &Address, found: Object, time: &Gate) -> Result<Watched, ApiError> {
    let vigil = Vigil::begin(&found, time.now());
    let mut latest = Some(found);
    loop {
        match (vigil.look(latest.as_ref(), time.now()), latest) {
            (Sight::Quiet, Some(lease)) => return Ok(Watched::Quiet(lease)),
            (Sight::Wait(left), _) => cluster.clock.sleep(left.min(LOOK_EVERY)).await,
            (_, latest) => return Ok(Watched::Moved(latest)),
        }
        latest = cluster.get(at).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::{QUIET_FOR, Sight, Vigil};
    use crate::cluster::lease::claim::{Claim, freed, fresh, renewed, resting, taken};
    use crate::cluster::object::Object;
    use crate::ids::Moment;
    use std::time::Duration;

    const HOUR: i64 = 3_600_000;

    fn held(at: i64) -> Object {
        let claim = Claim { run: "r".to_owned(), ..Claim::default() };
        taken(&fresh("shop", "bowline.shop"), &claim, Moment::from_millis(at))
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_lease_that_does_not_change_is_quiet_after_its_time_and_a_request() {
        assert_eq!(QUIET_FOR, seconds(25));
        let lease = held(0);
        let vigil = Vigil::begin(&lease, seconds(1_000));
        assert_eq!(vigil.look(Some(&lease), seconds(1_000)), Sight::Wait(seconds(25)));
        assert_eq!(vigil.look(Some(&lease), seconds(1_024)), Sight::Wait(seconds(1)));
        assert_eq!(vigil.look(Some(&lease), seconds(1_025)), Sight::Quiet);
    }

    /// The judge is given no wall clock, and whatever time a holder writes, only the change counts.
    #[test]
    fn a_holder_whose_clock_is_an_hour_off_is_judged_like_any_other() {
        for skew in [-HOUR, 0, HOUR] {
            let lease = held(1_795_000_000_000 + skew);
            let vigil = Vigil::begin(&lease, seconds(5));
            assert_eq!(vigil.look(Some(&lease), seconds(29)), Sight::Wait(seconds(1)), "{skew}: old or new, it is watched");
            assert_eq!(vigil.look(Some(&lease), seconds(30)), Sight::Quiet, "{skew}");
            let later = renewed(&lease, Moment::from_millis(1_795_000_005_000 + skew));
            assert_eq!(vigil.look(Some(&later), seconds(30)), Sight::Moved, "{skew}: it lives");
            // A clock that was set back while it ran.
            let earlier = renewed(&lease, Moment::from_millis(1_795_000_005_000 + skew - HOUR));
            assert_eq!(vigil.look(Some(&earlier), seconds(30)), Sight::Moved, "{skew}: it lives");
        }
    }

    #[test]
    fn whatever_else_happens_to_it_is_no_silence() {
        let lease = held(0);
        let vigil = Vigil::begin(&lease, seconds(0));
        let mut anew = lease.clone();
        anew.0["metadata"]["uid"] = "another".into();
        for moved in [None, Some(&freed(&lease)), Some(&resting(&lease, "halted")), Some(&anew)] {
            assert_eq!(vigil.look(moved, seconds(100)), Sight::Moved, "{moved:?}");
        }
        let mut noted = lease.clone();
        noted.0["metadata"]["labels"]["team"] = "web".into();
        assert_eq!(vigil.look(Some(&noted), seconds(25)), Sight::Quiet, "somebody else's label is no sign of life");
    }
}
