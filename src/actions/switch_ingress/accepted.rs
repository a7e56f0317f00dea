//! Waits until the gateways of an HTTPRoute have taken it. Of other kinds nobody says whether they were taken.

use crate::action::{ActionError, ReadCx};
use crate::actions::kubernetes::{Place, failed, stopped};
use crate::cluster::traffic::{Acceptance, acceptance};
use crate::cluster::watch::{Watch, Watched};
use crate::cluster::{Address, ApiError, Object};
use crate::ids::Period;
use std::time::Duration;

/// Time for gateways to say something of a route.
const TOLD_WITHIN: Duration = Duration::from_secs(30);
/// Time in which a refusal may pass: a Service that was made a moment ago is seen late.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// What its gateways say of the route as it is, if that speaks against switching it: an error for what they refuse, a note for what they
/// have not said yet.
pub(super) fn look(live: &Object) -> Option<Result<String, String>> {
    if live.kind() != "HTTPRoute" {
        return None;
    }
    match acceptance(live, live.generation().unwrap_or_default()) {
        Acceptance::Accepted => None,
        Acceptance::Waiting(why) => Some(Ok(why)),
        Acceptance::Refused(why) => Some(Err(format!("it is not accepted: {why}"))),
    }
}

/// Waits until every gateway of the route has taken this generation of it; else says why not.
pub(super) async fn wait_accepted(cx: &ReadCx, place: &Place, at: &Address, live: &Object) -> Result<Result<(), String>, ActionError> {
    if live.kind() != "HTTPRoute" {
        return Ok(Ok(()));
    }
    let generation = live.generation().unwrap_or_default();
    if acceptance(live, generation) == Acceptance::Accepted {
        return Ok(Ok(()));
    }
    cx.doing(format!("waiting until the gateways of {at} have taken it"));
    let waited = tokio::select! {
        waited = watch(place, at, generation) => waited,
        () = cx.cancel.cancelled() => return Err(stopped()),
    };
    waited.map_err(|error| failed(format!("cannot watch {at}"), &error))
}

async fn watch(place: &Place, at: &Address, generation: i64) -> Result<Result<(), String>, ApiError> {
    let (clock, mut watch) = (&place.cluster.clock, Watch::open(&place.cluster, vec![Watched::one(at)]));
    let began = clock.now();
    let mut last = Acceptance::Waiting("nothing was said of it".to_owned());
    let mut refused_since = None;
    loop {
        let now = clock.now();
        let left = TOLD_WITHIN.saturating_sub(now.since(began));
        let left = refused_since.map_or(left, |since| left.min(REFUSED_FOR.saturating_sub(now.since(since))));
        tokio::select! {
            changed = watch.changed() => changed?,
            () = clock.sleep(left) => return Ok(Err(given_up(last))),
        }
        last = watch.object(at).map_or_else(|| Acceptance::Refused("it is gone".to_owned()), |route| acceptance(route, generation));
        refused_since = match &last {
            Acceptance::Accepted => return Ok(Ok(())),
            Acceptance::Refused(_) => refused_since.or(Some(clock.now())),
            Acceptance::Waiting(_) => None,
        };
    }
}

fn given_up(last: Acceptance) -> String {
    match last {
        Acceptance::Refused(why) => format!("it is not accepted: {why}"),
        Acceptance::Waiting(why) => format!("{why} (waited {})", Period(TOLD_WITHIN)),
        Acceptance::Accepted => String::new(),
    }
}
