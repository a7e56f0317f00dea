//! What the containers of some pods print, while they print it. It never fails: what cannot be had is not told.

use crate::cluster::api::{Cluster, NO_LOGS};
use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::watch::{Watch, Watched};
use crate::ports::Capture;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use http_body_util::BodyExt;
use kube::client::Body;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A stream that broke off is opened again after this time.
const AGAIN: Duration = Duration::from_secs(1);

/// What is heard of a container.
pub enum Heard {
    /// It printed this line, or a piece of one that goes on.
    Line(String, bool),
    /// It has ended, and nothing of what it printed was missed.
    Whole,
}

/// Whoever listens to pods.
pub type Hear = Arc<dyn Fn(&Object, Heard) + Send + Sync>;

/// Tells what the pods with these labels print in their first container. Ends when `ended` has fired and all that was being printed is
/// told, or when the pods cannot be watched.
pub async fn follow(cluster: &Cluster, namespace: &str, labels: &str, hear: Hear, ended: CancellationToken) {
    let watched = Watched { labels: Some(labels.to_owned()), ..Watched::all(Kind::known("Pod"), Some(namespace)) };
    let mut watch = Watch::open(cluster, vec![watched]);
    let (mut known, mut followed) = (BTreeSet::new(), FuturesUnordered::<BoxFuture<'static, ()>>::new());
    let mut looked = false;
    loop {
        // A program that ends at once is looked at, too.
        let over = looked && ended.is_cancelled() && followed.is_empty();
        tokio::select! {
            biased;
            changed = watch.changed() => match changed {
                Ok(()) => looked = true,
                Err(_) => return,
            },
            Some(()) = followed.next() => {}
            () = ended.cancelled(), if !ended.is_cancelled() => {}
            () = std::future::ready(()), if over => return,
        }
        for pod in watch.objects("Pod").filter(|pod| has_started(pod)) {
            if known.insert(pod.uid().to_owned()) {
                let ear = Ear { cluster: cluster.clone(), pod: pod.clone(), hear: Arc::clone(&hear), is_whole: true };
                followed.push(Box::pin(ear.follow()));
            }
        }
    }
}

fn has_started(pod: &Object) -> bool {
    let first = pod.list("/status/containerStatuses").iter().find(|status| status["name"].as_str() == container(pod));
    first.is_some_and(|status| ["running", "terminated"].iter().any(|state| status["state"][state].is_object()))
}

/// The container whose output counts.
pub fn container(pod: &Object) -> Option<&str> {
    pod.list("/spec/containers").first()?["name"].as_str()
}

/// Listens to one pod.
struct Ear {
    cluster: Cluster,
    pod: Object,
    hear: Hear,
    /// Nothing was missed so far.
    is_whole: bool,
}

impl Ear {
    async fn follow(mut self) {
        let pod = self.pod.clone();
        let Some(container) = container(&pod) else { return };
        let at = Address::known("Pod", pod.namespace().unwrap_or_default(), pod.name());
        let mut capture = Capture::new(0);
        let mut since = String::new();
        loop {
            let uri = format!("{}/log?container={container}&follow=true{since}", at.path());
            let Ok(request) = http::Request::get(uri).body(Body::empty()) else { return };
            // A stream that ends by itself ends with its container.
            if self.read(request, &mut capture).await {
                break;
            }
            // Lines may be missed now, or told twice.
            self.is_whole = false;
            match self.cluster.get(&at).await {
                Ok(Some(live)) if live.uid() == pod.uid() && is_running(&live, container) => {}
                _ => break,
            }
            since = "&sinceSeconds=1".to_owned();
            self.cluster.clock.sleep(AGAIN).await;
        }
        capture.flush(|line, goes_on| self.line(line, goes_on));
        if self.is_whole {
            (self.hear)(&pod, Heard::Whole);
        }
    }

    /// Tells what a stream brings. False when it broke off, or was refused.
    async fn read(&mut self, request: http::Request<Body>, capture: &mut Capture) -> bool {
        let Ok(answer) = self.cluster.connection.client.send(request).await else { return false };
        if !answer.status().is_success() {
            return false;
        }
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            if let Some(piece) = frame.data_ref() {
                capture.push(piece, |line, goes_on| self.line(line, goes_on));
            }
        }
        true
    }

    fn line(&mut self, line: String, goes_on: bool) {
        match line.starts_with(NO_LOGS) {
            true => self.is_whole = false,
            false => (self.hear)(&self.pod, Heard::Line(line, goes_on)),
        }
    }
}

fn is_running(pod: &Object, container: &str) -> bool {
    pod.list("/status/containerStatuses").iter().any(|status| status["name"] == container && status["state"]["running"].is_object())
}
