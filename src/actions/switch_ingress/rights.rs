//! Which rights a switch needs: to look who is ready, to write, to be accepted, to ask.

use super::{SwitchIngressParams, plan};
use crate::actions::kubernetes::{Place, patch_rights};
use crate::cluster::Address;
use crate::cluster::rights::Right;
use crate::cluster::traffic::{Side, gateways};

/// All of them. What they depend on is read where that is allowed; the step itself tells why it is not.
pub(super) async fn needed(place: &Place, params: &SwitchIngressParams) -> Vec<Right> {
    let (at, namespace) = (params.at(&place.namespace), &place.namespace);
    let live = place.cluster.get(&at).await.ok().flatten();
    let any = |verb, kind: &str| Right { name: None, ..Right::on(verb, &Address::known(kind, namespace, "")) };
    let mut rights = patch_rights(&at);
    // Who is ready, now and on the way back.
    let told_by = if params.service.is_some() { "Pod" } else { "EndpointSlice" };
    rights.extend(["list", "watch"].map(|verb| any(verb, told_by)));
    // What the old side runs on must be fit again before traffic returns.
    rights.extend([any("list", "Pod"), any("get", "ReplicaSet")]);
    let old = live.as_ref().and_then(|live| plan::plan(params, live).ok()?.old);
    let old = old.and_then(|old| if let Side::Service(name) = old { Some(name) } else { None });
    for service in params.to.iter().chain(&old) {
        rights.push(Right::on("get", &Address::known("Service", namespace, service)));
    }
    if params.route.is_some() {
        rights.extend(["list", "watch"].map(|verb| Right::on(verb, &at)));
        if params.verify.as_ref().is_some_and(|verify| verify.url.is_none()) {
            rights.extend(live.iter().flat_map(gateways).map(|(gateway, _)| Right::on("get", &gateway)));
        }
    }
    rights
}
