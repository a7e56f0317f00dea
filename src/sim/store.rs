//! The objects of the simulated cluster, their versions, and the news that watches show. It knows no rule of any kind.

use super::kinds::Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) group: String,
    pub(super) plural: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(kind: &Kind, namespace: &str, name: &str) -> Self {
        let namespace = if kind.namespaced { namespace.to_owned() } else { String::new() };
        Self { group: kind.group.to_string(), plural: kind.plural.to_string(), namespace, name: name.to_owned() }
    }

    pub(super) fn is_of(&self, kind: &Kind) -> bool {
        self.plural == kind.plural.as_str() && self.group == kind.group.as_str()
    }
}

/// So often a container was started again when the wait in between grows no longer.
const ROUNDS: i64 = 6;

/// One line of a watch, before it is known who sees it.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) version: u64,
    pub(super) key: Key,
    /// The object before; none when it is new.
    pub(super) before: Option<Value>,
    /// The object now, or as it was when it went.
    pub(super) object: Value,
    pub(super) is_gone: bool,
}

/// All objects.
#[derive(Debug, Default)]
pub(super) struct Store {
    objects: BTreeMap<Key, Value>,
    news: Vec<News>,
    version: u64,
    uids: u64,
}

impl Store {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    pub(super) fn all(&self) -> &BTreeMap<Key, Value> {
        &self.objects
    }

    /// The objects of a kind, in a namespace or everywhere when it is empty.
    pub(super) fn of_kind<'a>(&'a self, kind: &Kind, namespace: &'a str) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        let kind = kind.clone();
        let meant = move |key: &Key| key.is_of(&kind) && (namespace.is_empty() || key.namespace == namespace);
        self.objects.iter().filter(move |(key, _)| meant(key))
    }

    /// An id that no other object has.
    pub(super) fn new_uid(&mut self) -> String {
        self.uids += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }

    /// Stores an object under a new version, which is written into it.
    pub(super) fn put(&mut self, key: &Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!((self.version + FIRST).to_string());
        let before = self.objects.insert(key.clone(), object.clone());
        self.news.push(News { version: self.version, key: key.clone(), before, object: object.clone(), is_gone: false });
        object
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Value> {
        let mut object = self.objects.remove(key)?;
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!((self.version + FIRST).to_string());
        self.news.push(News { version: self.version, key: key.clone(), before: None, object: object.clone(), is_gone: true });
        Some(object)
    }

    /// What has happened since a version.
    pub(super) fn since(&self, version: u64) -> &[News] {
        let from = self.news.partition_point(|news| news.version <= version);
        &self.news[from..]
    }

    /// What is needed to forget all that comes after now.
    pub(super) fn mark(&self) -> Mark {
        Mark { objects: self.objects.clone(), news: self.news.len(), version: self.version, uids: self.uids }
    }

    /// Forgets what came after a mark.
    pub(super) fn forget_since(&mut self, mark: Mark) {
        self.news.truncate(mark.news);
        (self.objects, self.version, self.uids) = (mark.objects, mark.version, mark.uids);
    }
}

impl News {
    /// False for what only goes round: the renewals of a Lease, and a container that is started again and again and waits the longest
    /// time in between.
    pub(super) fn is_progress(&self) -> bool {
        let restarts = || self.object["status"]["containerStatuses"].as_array().into_iter().flatten().map(|known| &known["restartCount"]);
        match self.key.plural.as_str() {
            "leases" => false,
            "pods" => self.is_gone || !restarts().any(|count| count.as_i64().is_some_and(|count| count > ROUNDS)),
            _ => true,
        }
    }
}

/// The store at some time.
pub(super) struct Mark {
    objects: BTreeMap<Key, Value>,
    news: usize,
    version: u64,
    uids: u64,
}

/// Versions begin here: no object ever has the version 1, which stands for an object that must not be there.
pub(super) const FIRST: u64 = 1000;
