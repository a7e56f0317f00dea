//! What a set of objects looks like now, kept up to date by watches: one a kind and namespace, no polling. It judges nothing.

use crate::cluster::answer::{ApiError, Class};
use crate::cluster::api::Cluster;
use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use futures::future::FutureExt;
use futures::stream::{BoxStream, SelectAll, StreamExt};
use kube::api::{Api, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// What to watch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Watched {
    /// The kind.
    pub kind: Kind,
    /// The namespace; none for kinds of the whole cluster.
    pub namespace: Option<String>,
    /// A selector of fields, such as `metadata.name=web`.
    pub fields: Option<String>,
    /// A selector of labels.
    pub labels: Option<String>,
}

impl Watched {
    /// All objects of a kind in a namespace.
    pub fn all(kind: Kind, namespace: Option<&str>) -> Self {
        Self { kind, namespace: namespace.map(str::to_owned), fields: None, labels: None }
    }

    /// One object.
    pub fn one(at: &Address) -> Self {
        Self { fields: Some(format!("metadata.name={}", at.name)), ..Self::all(at.kind.clone(), at.namespace.as_deref()) }
    }
}

type News = (usize, Result<Event<DynamicObject>, watcher::Error>);
type Objects = BTreeMap<(Option<String>, String), Object>;

/// Watches that are open. They list first, and go on watching only when somebody waits for more: what is as it should be at first sight
/// costs one request a kind.
pub struct Watch {
    listing: Vec<BoxStream<'static, News>>,
    streams: SelectAll<BoxStream<'static, News>>,
    seen: Vec<Seen>,
    trouble: Option<String>,
}

struct Seen {
    kind: Kind,
    objects: Objects,
    listing: Objects,
    complete: bool,
}

impl Watch {
    /// Opens watches.
    pub fn open(cluster: &Cluster, what: Vec<Watched>) -> Self {
        let mut listing = Vec::new();
        let mut seen = Vec::new();
        for (index, watched) in what.into_iter().enumerate() {
            let resource = watched.kind.resource();
            let client = cluster.connection.client.clone();
            let api: Api<DynamicObject> = match &watched.namespace {
                Some(namespace) if watched.kind.namespaced => Api::namespaced_with(client, namespace, &resource),
                _ => Api::all_with(client, &resource),
            };
            let config = watcher::Config { field_selector: watched.fields, label_selector: watched.labels, ..watcher::Config::default() };
            listing.push(watcher(api, config).default_backoff().map(move |news| (index, news)).boxed());
            seen.push(Seen::of(watched.kind));
        }
        Self { listing, streams: SelectAll::new(), seen, trouble: None }
    }

    /// Waits for news, and takes in all that have arrived. Returns for the first time when everything was seen once.
    ///
    /// # Errors
    /// When the server refuses a watch. A connection that breaks is opened again.
    ///
    /// # Cancel safety
    /// Nothing is lost when this is dropped.
    pub async fn changed(&mut self) -> Result<(), ApiError> {
        if !self.listing.is_empty() {
            return self.list().await;
        }
        match self.streams.next().await {
            Some(news) => self.take(news)?,
            // Watches never end by themselves; without any there is nothing to wait for.
            None => return Err(ApiError::lost("nothing is watched any more")),
        }
        while let Some(Some(news)) = self.streams.next().now_or_never() {
            self.take(news)?;
        }
        Ok(())
    }

    /// Until each was seen once. A stream that is not asked for more does not begin to watch.
    async fn list(&mut self) -> Result<(), ApiError> {
        while !self.listing.is_empty() {
            let (place, news) = poll_fn(|context| {
                let ready = |(place, stream): (usize, &mut BoxStream<'static, News>)| match stream.poll_next_unpin(context) {
                    Poll::Ready(Some(news)) => Some((place, news)),
                    _ => None,
                };
                self.listing.iter_mut().enumerate().find_map(ready).map_or(Poll::Pending, Poll::Ready)
            })
            .await;
            let index = news.0;
            self.take(news)?;
            if self.seen[index].complete {
                self.streams.push(self.listing.swap_remove(place));
            }
        }
        Ok(())
    }

    /// The objects of a kind.
    pub fn objects<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        self.seen.iter().filter(move |seen| seen.kind.kind == kind).flat_map(|seen| seen.objects.values())
    }

    /// One object.
    pub fn object(&self, at: &Address) -> Option<&Object> {
        let key = (at.namespace.clone(), at.name.clone());
        self.seen.iter().filter(|seen| seen.kind == at.kind).find_map(|seen| seen.objects.get(&key))
    }

    /// Why the view may be old, when a watch is broken at the moment.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn take(&mut self, (index, news): News) -> Result<(), ApiError> {
        let seen = &mut self.seen[index];
        match news {
            Ok(event) => {
                self.trouble = None;
                seen.take(event);
                Ok(())
            }
            Err(error) => {
                let error = read_error(&error);
                self.trouble = Some(error.message.clone());
                match error.class {
                    Class::Forbidden | Class::Unauthorised | Class::Absent | Class::NotServed | Class::Malformed => Err(error),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl Seen {
    fn of(kind: Kind) -> Self {
        Self { kind, objects: Objects::new(), listing: Objects::new(), complete: false }
    }

    fn take(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(object) => {
                let (key, object) = self.read(object);
                self.listing.insert(key, object);
            }
            Event::InitDone => {
                self.objects = std::mem::take(&mut self.listing);
                self.complete = true;
            }
            Event::Apply(object) => {
                let (key, object) = self.read(object);
                self.objects.insert(key, object);
            }
            Event::Delete(object) => {
                let (key, _) = self.read(object);
                self.objects.remove(&key);
            }
        }
    }

    fn read(&self, object: DynamicObject) -> ((Option<String>, String), Object) {
        let key = (object.metadata.namespace.clone(), object.metadata.name.clone().unwrap_or_default());
        let mut value = serde_json::to_value(object).unwrap_or_default();
        // Items of a list do not say what they are, and whoever judges them has to know.
        value["apiVersion"] = serde_json::Value::from(self.kind.api_version.clone());
        value["kind"] = serde_json::Value::from(self.kind.kind.clone());
        (key, Object(value))
    }
}

fn read_error(error: &watcher::Error) -> ApiError {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
            ApiError::from_client(error)
        }
        // A resourceVersion that is too old only means that all is listed again.
        watcher::Error::WatchError(status) => ApiError::lost(status.message.clone()),
        watcher::Error::NoResourceVersion => ApiError::malformed("this kind cannot be watched"),
    }
}

/// Waits until the object with this uid is gone. True when it is; false when it is still there after `limit`.
///
/// # Errors
/// When the server refuses the watch.
pub async fn wait_gone(cluster: &Cluster, at: &Address, uid: &str, limit: Duration) -> Result<bool, ApiError> {
    let mut watch = Watch::open(cluster, vec![Watched::one(at)]);
    let gone = async {
        loop {
            watch.changed().await?;
            if watch.object(at).is_none_or(|object| object.uid() != uid) {
                return Ok(true);
            }
        }
    };
    tokio::select! {
        gone = gone => gone,
        () = cluster.clock.sleep(limit) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Seen};
    use crate::cluster::kinds::Kind;
    use serde_json::json;

    #[test]
    fn listed_objects_know_their_kind_and_appear_all_at_once() {
        let mut seen = Seen::of(Kind::known("Deployment"));
        let bare = serde_json::from_value(json!({ "metadata": { "name": "web", "namespace": "shop" }, "spec": {} })).unwrap();
        seen.take(Event::Init);
        seen.take(Event::InitApply(bare));
        assert!(seen.objects.is_empty() && !seen.complete);
        seen.take(Event::InitDone);
        let web = seen.objects.values().next().unwrap();
        assert_eq!((web.api_version(), web.kind()), ("apps/v1", "Deployment"));
        seen.take(Event::Init);
        seen.take(Event::InitDone);
        assert!(seen.objects.is_empty());
    }
}
