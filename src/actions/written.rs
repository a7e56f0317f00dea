//! An eye on what actions wrote to a cluster, until their run closes. It takes nothing back and stops nothing.

use super::kubernetes::{Place, target};
use super::patching::{Image, Patched};
use crate::action::{Known, ReadCx, Superseded, Telling};
use crate::cluster::superseded::{Owned, Written, watch_written};
use crate::cluster::{Address, Clusters, Object};

/// Watches objects, each with what its write returned. `action` is whose patch it was; none for what was applied.
pub(super) async fn watch<'a>(
    clusters: &Clusters,
    cx: &ReadCx,
    action: Option<&str>,
    objects: impl Iterator<Item = (&'a Address, &'a Object)> + Send,
    tell: &Telling<'_>,
) {
    let Ok(place) = Place::open(clusters, &cx.scope, None).await else { return };
    let manager = action.map(|action| place.managers.action(action));
    let written = objects.filter_map(|(at, after)| {
        let owned = Owned::by(after, cx.scope.plan.as_str(), manager.as_deref())?;
        Some(Written { at: at.clone(), uid: after.uid().to_owned(), owned })
    });
    let written: Vec<Written> = written.collect();
    if !written.is_empty() {
        watch_written(&place.cluster, &written, |at, by| tell(Superseded { target: target(&at.reference()), by })).await;
    }
}

/// What a patch wrote, where it is known.
pub(super) fn patched<'a>(image: &'a Image, known: &'a Known<Patched>) -> Option<(&'a Address, &'a Object)> {
    known.done().map(|patched| (&image.at, &patched.after))
}

#[cfg(test)]
mod tests {
    use crate::action::Superseded;
    use crate::action::conformance::World;
    use crate::actions::patch::Patch;
    use crate::actions::test_world::{Listener, Servers, read_cx};
    use serde_json::{Value, json};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    const CONF: &str = "/api/v1/namespaces/shop/configmaps/conf";

    fn with_entries(mut conf: Value, entries: &[(&str, &str, &[&str])]) -> Value {
        let entry = |(manager, time, fields): &(&str, &str, &[&str])| {
            let fields: serde_json::Map<String, Value> = fields.iter().map(|name| (format!("f:{name}"), json!({}))).collect();
            json!({ "manager": manager, "operation": "Update", "time": time, "fieldsV1": { "f:data": fields } })
        };
        conf["metadata"]["managedFields"] = entries.iter().map(entry).collect();
        conf
    }

    #[tokio::test(start_paused = true)]
    async fn who_changes_or_deletes_what_was_written_is_told_once() {
        let conf = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": "1" }, "metadata": { "name": "conf", "namespace": "shop", "uid": "u", "managedFields": [] } });
        let params = json!({ "object": "configmap/conf", "merge": { "data": { "a": "2" } } });
        let (tried, world) = Servers::of(|clusters| Arc::new(Patch::new(clusters)), params, vec![(CONF, conf)]).tried().await;
        let told = Mutex::new(Vec::new());
        let tell = |superseded: Superseded| told.lock().unwrap().push((superseded.target.0.to_string(), superseded.by));
        let action = world.action();
        assert!(action.is_watched());
        let watching = action.watch(read_cx(&world, &Listener::default()), world.params(), tried.effects, &tell);
        let edits = async {
            let ours = world.server.object(CONF).unwrap();
            let mut beside = ours.clone();
            beside["metadata"]["labels"] = json!({ "team": "a" });
            for live in [
                beside,
                with_entries(ours.clone(), &[("hotfix", "2099-01-01T00:00:00Z", &["a"])]),
                with_entries(ours.clone(), &[("hotfix", "2099-01-01T00:00:00Z", &["a", "z"])]),
            ] {
                tokio::time::sleep(Duration::from_secs(2)).await;
                world.server.put(CONF, live);
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
            world.server.remove(CONF);
            tokio::time::sleep(Duration::from_secs(2)).await;
        };
        tokio::select! {
            () = watching => panic!("it stopped looking"),
            () = edits => {}
        }
        let target = "kube:core/ConfigMap/shop/conf".to_owned();
        assert_eq!(*told.lock().unwrap(), [(target.clone(), Some("hotfix".to_owned())), (target, None)]);
    }
}
