//! A Lease in this process's hands: every write of it is a compare-and-swap, and each renewal keeps the gate open a little longer.

use super::claim::{Claim, MANAGER, freed, fresh, renewed, resting, taken};
use super::{RENEW_EVERY, WRITE_FOR};
use crate::cluster::answer::{ApiError, Class};
use crate::cluster::api::Cluster;
use crate::cluster::object::Object;
use crate::cluster::request::{Address, Manner};
use crate::ports::Gate;
use std::time::Duration;
use tokio::sync::Mutex;

/// Time for one renewal: two of them fit into the time in which the holder may still write.
const RENEW_WITHIN: Duration = Duration::from_secs(3);
/// How long renewals may fail before the run halts.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
/// How long after a renewal that failed the next one is tried.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A Lease that this process holds.
pub struct Lease {
    cluster: Cluster,
    at: Address,
    claim: Claim,
    gate: Gate,
    last: Mutex<Object>,
}

/// Why a Lease was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// It is not any more as it was when it was looked at. The Lease as it is now.
    #[error("somebody else was faster")]
    Moved(Box<Option<Object>>),
    /// The server refuses, or does not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// How a Lease is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Give {
    /// Nobody holds it any more.
    Free,
    /// The run keeps it, and nobody works on the run. The word says why.
    Rest(&'static str),
}

/// What a renewal came to.
enum Renewal {
    Done,
    Again,
    Lost(String),
}

impl Lease {
    /// Takes a Lease that was found like this. From now on the gate is open only as long as it is renewed.
    ///
    /// # Errors
    /// When it has changed since, or cannot be written.
    pub async fn take(cluster: Cluster, at: Address, found: Option<Object>, claim: Claim, gate: Gate) -> Result<Self, TakeError> {
        let sent = gate.now();
        let now = cluster.clock.now();
        let manner = Manner::of(MANAGER);
        let written = match &found {
            Some(lease) => cluster.replace(&at, &taken(lease, &claim, now), manner).await,
            None => {
                let new = fresh(at.namespace.as_deref().unwrap_or_default(), &at.name);
                cluster.create(&at, &taken(&new, &claim, now), manner).await
            }
        };
        let lease = match written {
            Ok(written) => written.object,
            // A lost answer may have been a yes: what the Lease says counts.
            Err(error) if error.is_stale() || error.is_lost() => match cluster.get(&at).await? {
                Some(lease) if Claim::of(&lease).as_ref() == Some(&claim) => lease,
                now if error.is_stale() || now != found => return Err(TakeError::Moved(Box::new(now))),
                _ => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        };
        gate.keep_open_until(sent + WRITE_FOR);
        Ok(Self { cluster, at, claim, gate, last: Mutex::new(lease) })
    }

    /// Renews it for ever; ends when it is lost, with the gate shut. While the server is away the gate is closed, and opens again if the
    /// Lease is still ours by then: the compare-and-swap shows that nobody had it in between.
    pub async fn keep(&self) {
        loop {
            self.cluster.clock.sleep(RENEW_EVERY).await;
            let due = self.gate.now();
            loop {
                let renewal = tokio::select! {
                    renewal = self.renew() => renewal,
                    () = self.cluster.clock.sleep(RENEW_WITHIN) => Renewal::Again,
                };
                match renewal {
                    Renewal::Done => break,
                    Renewal::Lost(why) => return self.gate.shut(why),
                    Renewal::Again if self.gate.now().saturating_sub(due) > GIVE_UP_AFTER => {
                        return self.gate.shut(format!("the lock could not be renewed for {}s", GIVE_UP_AFTER.as_secs()));
                    }
                    Renewal::Again => self.cluster.clock.sleep(AGAIN_AFTER).await,
                }
            }
        }
    }

    async fn renew(&self) -> Renewal {
        let mut last = self.last.lock().await;
        // The time counts from before the request: the answer may be slow.
        let sent = self.gate.now();
        let next = renewed(&last, self.cluster.clock.now());
        match self.cluster.replace(&self.at, &next, Manner::of(MANAGER)).await {
            Ok(written) => {
                *last = written.object;
                self.gate.keep_open_until(sent + WRITE_FOR);
                Renewal::Done
            }
            Err(error) if error.is_stale() || error.is_absent() => match self.cluster.get(&self.at).await {
                // A renewal of ours whose answer was lost, or somebody's label.
                Ok(Some(lease)) if Claim::of(&lease).as_ref() == Some(&self.claim) => {
                    *last = lease;
                    Renewal::Again
                }
                Ok(lease) => Renewal::Lost(lost(lease.as_ref())),
                Err(_) => Renewal::Again,
            },
            Err(_) => Renewal::Again,
        }
    }

    /// Gives it up on the connection that it was taken on. Nothing may be in flight any more.
    ///
    /// # Errors
    /// When it cannot be written. It is held by the run then, as if the process had died.
    pub async fn give(&self, how: Give) -> Result<(), ApiError> {
        let last = self.last.lock().await.clone();
        give(&self.cluster, &self.at, last, &self.claim, how).await
    }

    /// The run that holds it.
    pub fn run(&self) -> &str {
        &self.claim.run
    }

    /// The Lease as it was written last, to be given up on another connection.
    pub fn into_last(self) -> (Address, Object, Claim) {
        (self.at, self.last.into_inner(), self.claim)
    }
}

/// Gives a Lease up that was found like this and belongs to this claim. One that somebody else holds by now is left alone.
///
/// # Errors
/// When it cannot be written.
pub async fn give(cluster: &Cluster, at: &Address, found: Object, claim: &Claim, how: Give) -> Result<(), ApiError> {
    let change = |lease: &Object| match how {
        Give::Free => freed(lease),
        Give::Rest(word) => resting(lease, word),
    };
    let mut lease = found;
    for _ in 0..3 {
        match cluster.replace(at, &change(&lease), Manner::of(MANAGER)).await {
            Err(error) if error.is_stale() || error.is_lost() => match cluster.get(at).await? {
                Some(now) if Claim::of(&now).as_ref() == Some(claim) => lease = now,
                _ => return Ok(()),
            },
            Err(error) if error.is_absent() => return Ok(()),
            written => return written.map(drop),
        }
    }
    Err(ApiError { class: Class::Stale, message: format!("{at} is changed by somebody else all the time"), retry_after: None })
}

fn lost(lease: Option<&Object>) -> String {
    match lease.and_then(Claim::of) {
        Some(claim) if claim.run.is_empty() => format!("the lock was taken over by `{}`", claim.host),
        Some(claim) => format!("the lock was taken over by run {}, process {} of {} on {}", claim.run, claim.pid, claim.user, claim.host),
        None => "somebody freed the lock".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Give, Lease, TakeError, give};
    use crate::cluster::lease::Claim;
    use crate::cluster::request::Address;
    use crate::cluster::test_server::{Mishap, TestServer};
    use crate::ports::Gate;

    const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/bowline.shop";

    fn at() -> Address {
        Address::known("Lease", "shop", "bowline.shop")
    }

    fn claim(run: &str) -> Claim {
        Claim { run: run.to_owned(), ..Claim::default() }
    }

    /// A Lease that somebody has held before.
    async fn server() -> TestServer {
        let server = TestServer::default();
        let free = super::freed(&super::taken(&super::fresh("shop", "bowline.shop"), &claim("old"), crate::ids::Moment::from_millis(0)));
        let mut free = free.0;
        free["metadata"]["uid"] = "u1".into();
        free["metadata"]["managedFields"] = serde_json::json!([]);
        server.put(PATH, free);
        server
    }

    async fn take(server: &TestServer, run: &str, gate: &Gate) -> Result<Lease, TakeError> {
        let cluster = server.cluster().await;
        let found = cluster.get(&at()).await.unwrap();
        Lease::take(cluster, at(), found, claim(run), gate.clone()).await
    }

    fn holder(server: &TestServer) -> Option<String> {
        Claim::of(&crate::cluster::Object(server.object(PATH).unwrap())).map(|claim| claim.run)
    }

    #[tokio::test]
    async fn of_two_that_found_it_free_one_gets_it() {
        let server = server().await;
        let cluster = server.cluster().await;
        let found = cluster.get(&at()).await.unwrap();
        let first = Lease::take(cluster.clone(), at(), found.clone(), claim("a"), Gate::default()).await;
        let second = Lease::take(cluster, at(), found, claim("b"), Gate::default()).await;
        assert!(first.is_ok());
        let Err(TakeError::Moved(now)) = second else { panic!("both have it") };
        assert_eq!(Claim::of(now.as_ref().as_ref().unwrap()), Some(claim("a")));
    }

    #[tokio::test]
    async fn an_answer_that_is_lost_may_have_been_a_yes() {
        let server = server().await;
        server.meet(&[Mishap::Lost]);
        assert!(take(&server, "a", &Gate::default()).await.is_ok());
        assert_eq!(holder(&server), Some("a".to_owned()));
    }

    #[tokio::test]
    async fn a_holder_that_was_taken_over_finds_its_gate_shut() {
        let server = server().await;
        let gate = Gate::default();
        let lease = take(&server, "a", &gate).await.unwrap();
        assert!(matches!(lease.renew().await, super::Renewal::Done));
        server.meet(&[Mishap::Lost]);
        assert!(matches!(lease.renew().await, super::Renewal::Again), "nobody knows whether it was renewed");
        assert!(matches!(lease.renew().await, super::Renewal::Again), "it was: that is seen, and the next one counts");
        assert!(matches!(lease.renew().await, super::Renewal::Done));
        take(&server, "b", &Gate::default()).await.unwrap();
        let super::Renewal::Lost(why) = lease.renew().await else { panic!("it does not know") };
        assert!(why.contains("taken over by run b"), "{why}");
        lease.give(Give::Free).await.unwrap();
        assert_eq!(holder(&server), Some("b".to_owned()), "what is somebody else's is not given up");
    }

    #[tokio::test]
    async fn it_is_given_up_for_good_or_kept_at_rest() {
        let server = server().await;
        let lease = take(&server, "a", &Gate::default()).await.unwrap();
        let (at, last, claim) = lease.into_last();
        let cluster = server.cluster().await;
        give(&cluster, &at, last, &claim, Give::Rest("halted")).await.unwrap();
        let resting = cluster.get(&at).await.unwrap().unwrap();
        assert!(crate::cluster::lease::is_resting(&resting));
        assert_eq!(holder(&server), Some("a".to_owned()));
        give(&cluster, &at, resting, &claim, Give::Free).await.unwrap();
        assert_eq!(holder(&server), None);
        assert_eq!(server.object(PATH).unwrap()["spec"]["leaseTransitions"], 2, "the count of holders goes on");
    }
}
