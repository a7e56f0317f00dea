//! The simulated cluster as a whole: its objects, its time, and what is going to happen in it. It knows no request.
//!
//! Nothing runs in the background. Whoever looks lets the world catch up to the present first: what was due happens at its own time, in
//! order, and the controllers look at what came of it. So the course of a run follows from its requests and the seed alone.

use super::controllers;
use super::controllers::configuration::Environments;
use super::kinds::Kind;
use super::owners::{self, Writer};
use super::store::{Key, Store};
use crate::ids::Moment;
use crate::ports::SeededRandom;
use crate::scenario::Scenario;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// From a change until the controllers have seen it.
const LAG: Duration = Duration::from_millis(20);
/// Most rounds of the controllers after one change: more means that two of them do not agree.
const ROUNDS: usize = 200;

/// Something that is going to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happening {
    /// The controllers look.
    Look,
    /// The kubelet goes on with the pod that has this uid.
    Pod(Key, String),
}

/// The cluster.
#[derive(Debug)]
pub(super) struct World {
    pub(super) store: Store,
    pub(super) scenario: Scenario,
    pub(super) random: SeededRandom,
    /// The time up to which everything has happened.
    pub(super) now: Moment,
    agenda: BTreeMap<(Moment, u64), Happening>,
    planned: u64,
    looks_at: Option<Moment>,
    addresses: u32,
    /// What was asked for and is not modelled.
    missing: BTreeSet<String>,
    /// What the containers of running pods started with, by the pods' uids.
    pub(super) environments: HashMap<String, Environments>,
}

impl World {
    pub(super) fn new(scenario: Scenario, seed: u64, now: Moment) -> Self {
        let mut world = Self {
            store: Store::default(),
            scenario,
            random: SeededRandom::new(seed),
            now,
            agenda: BTreeMap::new(),
            planned: 0,
            looks_at: None,
            addresses: 0,
            missing: BTreeSet::new(),
            environments: HashMap::new(),
        };
        ["default", "kube-system"].iter().for_each(|name| world.make_namespace(name));
        world
    }

    /// Makes a namespace that is not there yet.
    pub(super) fn make_namespace(&mut self, name: &str) {
        let key = Key::new(Kind::named("Namespace"), "", name);
        if self.store.get(&key).is_none() {
            let labels = json!({ "kubernetes.io/metadata.name": name });
            let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels }, "status": { "phase": "Active" } });
            self.create(&key, namespace, "kube-apiserver");
        }
    }

    /// Lets happen what is due by now.
    pub(super) fn advance(&mut self, now: Moment) {
        while let Some((&(at, number), _)) = self.agenda.first_key_value() {
            if at > now {
                break;
            }
            self.now = self.now.max(at);
            match self.agenda.remove(&(at, number)) {
                Some(Happening::Look) => {
                    self.looks_at = None;
                    self.look();
                }
                Some(Happening::Pod(key, uid)) => {
                    controllers::kubelet::go_on(self, &key, &uid);
                    self.look_soon();
                }
                None => {}
            }
        }
        self.now = self.now.max(now);
    }

    /// When the next thing happens.
    pub(super) fn next_at(&self) -> Option<Moment> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// When the last thing happens that is known to happen.
    pub(super) fn last_at(&self) -> Option<Moment> {
        self.agenda.last_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn plan(&mut self, after: Duration, happening: Happening) {
        self.planned += 1;
        self.agenda.insert((self.now.after(after), self.planned), happening);
    }

    /// The controllers look a moment from now.
    pub(super) fn look_soon(&mut self) {
        self.look_after(LAG);
    }

    pub(super) fn look_after(&mut self, wait: Duration) {
        let at = self.now.after(wait);
        if self.looks_at.is_none_or(|known| at < known) {
            self.looks_at = Some(at);
            self.plan(wait, Happening::Look);
        }
    }

    fn look(&mut self) {
        for _ in 0..ROUNDS {
            let before = self.store.version();
            controllers::look(self);
            if self.store.version() == before {
                return;
            }
        }
    }

    /// Stores a new object: uid, time and generation are given to it.
    pub(super) fn create(&mut self, key: &Key, mut object: Value, manager: &str) -> Value {
        let uid = self.store.new_uid();
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(uid);
        metadata["creationTimestamp"] = json!(owners::time(self.now));
        if self.kind_of(&object).is_some_and(|kind| kind.counts) {
            object["metadata"]["generation"] = json!(1);
        }
        if object["metadata"]["managedFields"].is_null() {
            owners::note_update(None, &mut object, self.writer(manager, ""));
        }
        let stored = self.store.put(key, object);
        self.look_soon();
        stored
    }

    /// Stores an object that was changed. One that is as it was is not stored again.
    pub(super) fn update(&mut self, key: &Key, mut object: Value) -> Value {
        let Some(live) = self.store.get(key) else { return object };
        if *live == object {
            return object;
        }
        let counts = self.kind_of(&object).is_some_and(|kind| kind.counts);
        if counts && wanted(live) != wanted(&object) {
            object["metadata"]["generation"] = json!(live["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        let is_over = object["metadata"]["deletionTimestamp"].is_string() && finalizers(&object) == 0 && object["kind"] != "Pod";
        if is_over {
            return self.store.remove(key).unwrap_or(object);
        }
        let stored = self.store.put(key, object);
        self.look_soon();
        stored
    }

    /// A controller changes an object.
    pub(super) fn change(&mut self, key: &Key, manager: &str, subresource: &str, change: impl FnOnce(&mut Value)) {
        let Some(live) = self.store.get(key).cloned() else { return };
        let mut new = live.clone();
        change(&mut new);
        if new != live {
            owners::note_update(Some(&live), &mut new, self.writer(manager, subresource));
            self.update(key, new);
        }
    }

    /// Deletes an object: at once, or when its finalizers let go, or when its containers have ended.
    pub(super) fn delete(&mut self, key: &Key) {
        let Some(live) = self.store.get(key).cloned() else { return };
        if live["metadata"]["deletionTimestamp"].is_string() {
            return;
        }
        if live["kind"] == "Pod" || finalizers(&live) > 0 || live["kind"] == "Namespace" {
            let mut going = live;
            going["metadata"]["deletionTimestamp"] = json!(owners::time(self.now));
            going["metadata"]["deletionGracePeriodSeconds"] = json!(if going["kind"] == "Pod" { 30 } else { 0 });
            if going["kind"] == "Namespace" {
                going["status"]["phase"] = json!("Terminating");
            }
            let uid = going["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            if going["kind"] == "Pod" {
                self.plan(controllers::kubelet::STOPS_WITHIN, Happening::Pod(key.clone(), uid));
            }
            self.store.put(key, going);
        } else {
            self.store.remove(key);
            self.forget_kinds(&live);
        }
        self.look_soon();
    }

    /// Objects of a kind go with its definition.
    fn forget_kinds(&mut self, definition: &Value) {
        if definition["kind"] != "CustomResourceDefinition" {
            return;
        }
        let (group, plural) = (&definition["spec"]["group"], &definition["spec"]["names"]["plural"]);
        let gone: Vec<Key> =
            self.store.all().keys().filter(|key| *group == key.group.as_str() && *plural == key.plural.as_str()).cloned().collect();
        gone.iter().for_each(|key| drop(self.store.remove(key)));
    }

    /// Notes that something was asked for which is not modelled.
    pub(super) fn note(&mut self, what: &str) {
        if what.starts_with("not modelled") {
            self.missing.insert(what.to_owned());
        }
    }

    /// What was asked for and is not modelled.
    pub(super) fn missing(&self) -> impl Iterator<Item = &String> {
        self.missing.iter()
    }

    pub(super) fn writer<'a>(&self, manager: &'a str, subresource: &'a str) -> Writer<'a> {
        Writer { manager, subresource, now: self.now }
    }

    /// Does something and forgets that it was done.
    pub(super) fn dry_run<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let mark = self.store.mark();
        let done = work(self);
        self.store.forget_since(mark);
        done
    }

    /// An address that nobody else has.
    pub(super) fn new_address(&mut self, net: &str) -> String {
        self.addresses += 1;
        format!("{net}.{}.{}", self.addresses / 250, self.addresses % 250 + 1)
    }

    /// The end of a generated name.
    pub(super) fn suffix(&self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut number = self.random.next();
        let mut letter = || {
            let index = usize::try_from(number % LETTERS.len() as u64).unwrap_or(0);
            number /= LETTERS.len() as u64;
            char::from(LETTERS[index])
        };
        (0..5).map(|_| letter()).collect()
    }
}

fn finalizers(object: &Value) -> usize {
    object["metadata"]["finalizers"].as_array().map_or(0, Vec::len)
}

/// What somebody wants of an object: everything but what is noted about it.
fn wanted(object: &Value) -> Value {
    let mut wanted = object.clone();
    if let Some(fields) = wanted.as_object_mut() {
        ["metadata", "status"].iter().for_each(|name| drop(fields.remove(*name)));
    }
    wanted
}
