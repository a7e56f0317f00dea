//! What a Lease says: who holds it, in words for people and for this program. Pure.

use super::LASTS;
use crate::cluster::object::Object;
use crate::ids::{Moment, check_label};
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// The field manager of Leases.
pub(super) const MANAGER: &str = "bowline-lock";

/// How notes of a holder begin.
const NOTE: &str = "bowline/";
/// The same of one that held the Lease before it was freed.
const LAST: &str = "bowline/last-";

/// The Lease's name: of the lock that plans share, or of one plan in one environment. Parts are parted by dots, which no part holds.
pub fn lease_name(plan: &str, environment: Option<&str>, shared: Option<&str>) -> String {
    match (shared, environment) {
        (Some(lock), _) => format!("bowline-lock.{lock}"),
        (None, None) => format!("bowline.{plan}"),
        (None, Some(environment)) if check_label(environment).is_ok() => format!("bowline.{plan}.{environment}"),
        // An environment may be called anything; one part more than the names above, so that no name is ever both.
        (None, Some(environment)) => {
            let hash = HEXLOWER.encode(digest(&SHA256, environment.as_bytes()).as_ref());
            format!("bowline.{plan}.hash.{}", &hash[..32])
        }
    }
}

/// Who holds a Lease: a run, and the process that works on it or worked on it last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// The run; empty when no bowline made the claim.
    pub run: String,
    /// The run's epoch: which of the processes that held it one after the other.
    pub epoch: u64,
    /// The plan.
    pub plan: String,
    /// The environment; empty when the plan has none.
    pub environment: String,
    /// The process's host.
    pub host: String,
    /// The process's id there.
    pub pid: u32,
    /// When the process started, in its host's count.
    pub started: u64,
    /// The boot of its host.
    pub boot: String,
    /// Who started it.
    pub user: String,
    /// The state folder that keeps the run.
    pub state: String,
    /// The same folder as its host's file system tells it apart: the same path may lead elsewhere in a container.
    pub folder: String,
}

impl Claim {
    /// Reads who holds a Lease; none when nobody does.
    pub fn of(lease: &Object) -> Option<Self> {
        let identity = lease.text("/spec/holderIdentity");
        if identity.is_empty() {
            return None;
        }
        let claim = Self::noted(lease, NOTE);
        // Notes that do not fit the holder were left by an earlier one.
        Some(if claim.identity() == identity { claim } else { Self { host: identity.to_owned(), ..Self::default() } })
    }

    /// Reads who held a Lease last, whoever holds it now: nobody, or just that one. None of a Lease that an older bowline freed.
    pub fn last_of(lease: &Object) -> Option<Self> {
        Self::of(lease).or_else(|| Some(Self::noted(lease, LAST))).filter(|last| !last.run.is_empty())
    }

    fn noted(lease: &Object, prefix: &str) -> Self {
        let note = |name: &str| lease.at("/metadata/annotations").and_then(|notes| notes[format!("{prefix}{name}")].as_str());
        let text = |name: &str| note(name).unwrap_or_default().to_owned();
        let number = |name: &str| note(name).and_then(|text| text.parse().ok()).unwrap_or_default();
        Self {
            run: text("run"),
            epoch: number("epoch"),
            plan: text("plan"),
            environment: text("environment"),
            host: text("host"),
            pid: u32::try_from(number("pid")).unwrap_or_default(),
            started: number("started"),
            boot: text("boot"),
            user: text("user"),
            state: text("state"),
            folder: text("folder"),
        }
    }

    /// How the holder is called in the Lease: what `kubectl get lease` shows.
    pub fn identity(&self) -> String {
        format!("run {} epoch {}, process {} of {} on {}", self.run, self.epoch, self.pid, self.user, self.host)
    }

    fn notes(&self, prefix: &str) -> Vec<(String, String)> {
        let numbers = [("epoch", self.epoch.to_string()), ("pid", self.pid.to_string()), ("started", self.started.to_string())];
        let texts = [
            ("run", &self.run),
            ("plan", &self.plan),
            ("environment", &self.environment),
            ("host", &self.host),
            ("boot", &self.boot),
            ("user", &self.user),
            ("state", &self.state),
            ("folder", &self.folder),
        ];
        let texts = texts.into_iter().map(|(name, text)| (name, text.clone()));
        texts.chain(numbers).filter(|(_, text)| !text.is_empty()).map(|(name, text)| (format!("{prefix}{name}"), text)).collect()
    }
}

/// True when the holder said that it stopped: it writes no more, and need not be waited for.
pub fn is_resting(lease: &Object) -> bool {
    rest(lease).is_some()
}

/// The word that a holder left when it stopped on purpose; none while it works, or when it died.
pub(super) fn rest(lease: &Object) -> Option<&str> {
    lease.at("/metadata/annotations")?["bowline/rests"].as_str()
}

/// A Lease that nobody ever held.
pub(super) fn fresh(namespace: &str, name: &str) -> Object {
    Object(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "namespace": namespace, "name": name, "labels": { "app.kubernetes.io/managed-by": "bowline" } },
    }))
}

/// The Lease as its next holder writes it.
pub(super) fn taken(lease: &Object, claim: &Claim, now: Moment) -> Object {
    let mut taken = with_notes(lease, claim.notes(NOTE));
    let transitions = lease.number("/spec/leaseTransitions").unwrap_or(0) + 1;
    taken.0["spec"] = json!({
        "holderIdentity": claim.identity(), "leaseDurationSeconds": LASTS.as_secs(), "leaseTransitions": transitions,
        "acquireTime": time(now), "renewTime": time(now),
    });
    taken
}

/// The same holder, a moment later.
pub(super) fn renewed(lease: &Object, now: Moment) -> Object {
    let mut renewed = lease.clone();
    renewed.0["spec"]["renewTime"] = time(now);
    renewed
}

/// The Lease that its holder keeps, although nobody works on the run.
pub(super) fn resting(lease: &Object, word: &str) -> Object {
    let mut resting = lease.clone();
    resting.0["metadata"]["annotations"]["bowline/rests"] = Value::from(word);
    resting
}

/// The Lease that nobody holds any more. It stays: deleted, it would lose the count of its holders, and who the last one was.
pub(super) fn freed(lease: &Object) -> Object {
    let mut freed = with_notes(lease, Claim::last_of(lease).map(|last| last.notes(LAST)).unwrap_or_default());
    if let Some(spec) = freed.0["spec"].as_object_mut() {
        ["holderIdentity", "acquireTime", "renewTime"].iter().for_each(|field| drop(spec.remove(*field)));
    }
    freed
}

/// The Lease with these notes of ours, and no others.
fn with_notes(lease: &Object, ours: Vec<(String, String)>) -> Object {
    let mut lease = lease.clone();
    let notes = lease.0["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    let others = notes.into_iter().filter(|(name, _)| !name.starts_with(NOTE));
    let ours = ours.into_iter().map(|(name, text)| (name, Value::from(text)));
    lease.0["metadata"]["annotations"] = Value::Object(others.chain(ours).collect());
    lease
}

/// As the API wants times with fractions.
fn time(at: Moment) -> Value {
    Value::from(format!("{:.6}", at.0))
}

#[cfg(test)]
mod tests {
    use super::{Claim, freed, fresh, lease_name, renewed, rest, resting, taken};
    use crate::ids::Moment;

    fn claim() -> Claim {
        Claim {
            run: "20261121-120300-7f3a".to_owned(),
            epoch: 2,
            plan: "shop".to_owned(),
            host: "a".to_owned(),
            pid: 7,
            started: 99,
            boot: "b".to_owned(),
            user: "ann".to_owned(),
            state: "/s".to_owned(),
            ..Claim::default()
        }
    }

    #[test]
    fn no_two_identities_share_a_name() {
        let names = [
            lease_name("a-b", None, None),
            lease_name("a", Some("b"), None),
            lease_name("a", Some("B"), None),
            lease_name("a", Some("hash.x"), None),
            lease_name("a", Some(&"x".repeat(300)), None),
            lease_name("a", Some("b"), Some("a")),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        assert!(
            names.iter().all(|name| name.len() <= 253 && name.split('.').all(|part| crate::ids::check_label(part).is_ok())),
            "{names:?}"
        );
        assert_eq!(lease_name("a", Some("b"), Some("shared")), lease_name("z", None, Some("shared")));
    }

    #[test]
    fn a_lease_tells_who_holds_it_and_that_nobody_does() {
        let lease = taken(&fresh("shop", "bowline.shop"), &claim(), Moment::from_millis(1_795_000_000_123));
        assert_eq!(Claim::of(&lease), Some(claim()));
        assert_eq!(lease.text("/spec/renewTime"), "2026-11-18T11:06:40.123000Z");
        let rests = resting(&renewed(&lease, Moment::from_millis(0)), "halted");
        assert_eq!((Claim::of(&rests), rest(&rests)), (Some(claim()), Some("halted")));
        let again = taken(&rests, &Claim { epoch: 3, ..claim() }, Moment::from_millis(0));
        assert_eq!((again.number("/spec/leaseTransitions"), rest(&again)), (Some(2), None), "who takes it over does not rest");
        let free = freed(&again);
        assert_eq!((Claim::of(&free), free.number("/spec/leaseTransitions")), (None, Some(2)));
    }

    #[test]
    fn a_free_lease_still_tells_who_held_it_last_until_somebody_takes_it() {
        let held = taken(&fresh("shop", "bowline.shop"), &claim(), Moment::from_millis(0));
        assert_eq!(Claim::last_of(&held), Some(claim()), "whoever holds it is the last one so far");
        let free = freed(&freed(&resting(&held, "halted")));
        assert_eq!((Claim::of(&free), Claim::last_of(&free)), (None, Some(claim())));
        let other = taken(&free, &Claim { run: "other".to_owned(), ..claim() }, Moment::from_millis(0));
        assert_eq!(Claim::last_of(&other).map(|last| last.run), Some("other".to_owned()));
        assert_eq!(Claim::last_of(&fresh("shop", "bowline.shop")), None, "nor does one that an older bowline freed tell");
    }

    #[test]
    fn a_holder_that_is_no_bowline_is_still_a_holder() {
        let mut lease = taken(&fresh("shop", "bowline.shop"), &claim(), Moment::from_millis(0));
        lease.0["spec"]["holderIdentity"] = "somebody".into();
        let found = Claim::of(&lease).unwrap();
        assert_eq!((found.run.as_str(), found.host.as_str()), ("", "somebody"));
    }
}
