//! Doing it: look at everything, make all before-images durable, then delete, what can block others first, and wait until it is gone.

use super::{AfterDelete, BeforeDelete, Delete, DeleteParams, Deleted, loss, select};
use crate::action::{ActionError, Cx, EffectError, Intent, Ticket, key};
use crate::actions::apply::order::removal_rank;
use crate::actions::kubernetes::{Place, effect_failed, failed, target};
use crate::cluster::diff::is_same;
use crate::cluster::undo::held_by;
use crate::cluster::undo::managed::{entries, is_same_list};
use crate::cluster::watch::{Watch, Watched};
use crate::cluster::{Address, Cluster, Object};
use crate::record::EffectKey;
use futures::future::join_all;

/// An object that comes back under the same name so often is not ours to delete.
const GENERATIONS: usize = 3;
/// How often an object that somebody writes between our look and our deletion is looked at anew: controllers note their status all the time.
const LOOKS: usize = 20;

/// A deletion that is to be made.
struct Planned {
    at: Address,
    live: Object,
    ticket: Ticket<Delete>,
}

pub(super) async fn perform(cx: &Cx<Delete>, place: &Place, params: &DeleteParams, declared: bool) -> Result<Deleted, ActionError> {
    let found = select::find(place, &cx.read, params).await?;
    let losses = loss::of(place, &cx.read, &found).await?;
    if let Some(refusal) = loss::refusal(&losses).filter(|_| !declared) {
        return Err(refusal);
    }
    let mut deleted = Deleted::default();
    let planned = plan(cx, place, params, found, &mut deleted).await?;
    let mut ranks: Vec<(usize, Vec<Planned>)> = Vec::new();
    for one in planned {
        let rank = removal_rank(&one.at.kind.kind);
        match ranks.iter_mut().find(|(known, _)| *known == rank) {
            Some((_, group)) => group.push(one),
            None => ranks.push((rank, vec![one])),
        }
    }
    ranks.sort_by_key(|(rank, _)| *rank);
    for (_, group) in ranks {
        let gone: Vec<(Address, String)> = group.iter().map(|one| (one.at.clone(), one.live.uid().to_owned())).collect();
        cx.read.doing(format!("deleting {}", gone.iter().map(|(at, _)| at.to_string()).collect::<Vec<_>>().join(", ")));
        join_all(group.into_iter().map(|one| delete_one(cx, place, one, declared))).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        if params.wait != Some(false) {
            wait_gone(cx, place, &gone).await?;
        }
        deleted.deleted.extend(gone.iter().map(|(at, _)| at.to_string()));
    }
    Ok(deleted)
}

/// Makes the before-images durable. An object that an earlier attempt deleted is known by its own.
async fn plan(
    cx: &Cx<Delete>,
    place: &Place,
    params: &DeleteParams,
    found: Vec<(Address, Option<Object>)>,
    deleted: &mut Deleted,
) -> Result<Vec<Planned>, ActionError> {
    let (mut planned, mut missing, mut left) = (Vec::new(), Vec::new(), found);
    for generation in 0..GENERATIONS {
        let asked: Vec<(Address, Option<Object>)> = std::mem::take(&mut left);
        let images = asked.iter().map(|(at, live)| (effect_key(at, generation), BeforeDelete { at: at.clone(), before: live.clone() }));
        let tickets = cx.intend(Intent::default(), images.collect()).await?;
        for ((at, live), ticket) in asked.into_iter().zip(tickets) {
            let first = ticket.undo.before.as_ref().map(|first| first.uid().to_owned());
            match (live, first) {
                (None, None) => missing.push(at),
                (None, Some(_)) => deleted.deleted.push(at.to_string()),
                (Some(live), Some(first)) if live.uid() == first => planned.push(Planned { at, live, ticket }),
                // Another one by now: it has its own before-image.
                (live, _) => left.push((at, live)),
            }
        }
        if left.is_empty() {
            break;
        }
    }
    if let Some((at, _)) = left.first() {
        return Err(ActionError::permanent(format!("{at} is made anew by somebody else all the time")).hint("delete what makes it"));
    }
    match missing.first() {
        Some(at) if !params.ignore_missing => Err(select::missing(place, at)),
        _ => {
            deleted.missing = missing.iter().map(Address::to_string).collect();
            Ok(planned)
        }
    }
}

fn effect_key(at: &Address, generation: usize) -> EffectKey {
    let verb = if generation == 0 { "delete".to_owned() } else { format!("delete-{}", generation + 1) };
    key(&verb, &target(&at.reference()))
}

async fn delete_one(cx: &Cx<Delete>, place: &Place, planned: Planned, declared: bool) -> Result<(), ActionError> {
    let Planned { at, live, ticket } = planned;
    let (cluster, first) = (place.cluster.clone(), ticket.undo.before.clone());
    let write = async move {
        let met = delete_as_met(&cluster, &at, live, declared).await?;
        let is_news = |met: &Object| first.is_some_and(|first| !is_same(&first, met) || !is_same_list(&entries(&first), &entries(met)));
        Ok(AfterDelete { instead: Some(met).filter(is_news) })
    };
    cx.effect(ticket, write).await.map(drop)
}

/// Deletes the object as it was read: what somebody writes meanwhile is looked at first. Gives the object that went.
async fn delete_as_met(cluster: &Cluster, at: &Address, mut met: Object, declared: bool) -> Result<Object, EffectError> {
    let refused = |why: String| Err(EffectError::Refused(ActionError::transient(why)));
    for _ in 0..LOOKS {
        match cluster.delete_unchanged(at, &met).await {
            Ok(()) => return Ok(met),
            Err(error) if error.is_stale() => {}
            Err(error) => return Err(effect_failed(format!("cannot delete {at}"), &error)),
        }
        let now = cluster.get(at).await.map_err(|error| EffectError::Refused(failed(format!("cannot read {at}"), &error)))?;
        match now {
            None => return Ok(met),
            Some(now) if now.uid() != met.uid() => return refused(format!("{at} was made anew by somebody else just now")),
            Some(now) if now.is_terminating() => return Ok(met),
            Some(now) => met = now,
        }
        if let Some(why) = loss::of_object(&met).filter(|_| !declared) {
            return Err(EffectError::Refused(loss::not_declared(&format!("{at} ({why})"))));
        }
    }
    refused(format!("{at} is changed by somebody else all the time"))
}

/// Waits until all are gone, and tells what holds those that are not.
async fn wait_gone(cx: &Cx<Delete>, place: &Place, gone: &[(Address, String)]) -> Result<(), ActionError> {
    let mut watch = Watch::open(&place.cluster, gone.iter().map(|(at, _)| Watched::one(at)).collect());
    let mut waits_for = String::new();
    loop {
        tokio::select! {
            changed = watch.changed() => changed.map_err(|error| failed("cannot watch what is being deleted", &error))?,
            () = cx.read.cancel.cancelled() => {
                return Err(ActionError::transient(format!("stopped while it waited: {waits_for}")));
            }
        }
        let left = gone.iter().filter_map(|(at, uid)| watch.object(at).filter(|live| live.uid() == uid).map(|live| (at, live)));
        let told: Vec<String> = left.map(|(at, live)| format!("{at} is not gone yet{}{}", held_by(live), contents(live))).collect();
        if told.is_empty() {
            return Ok(());
        }
        let text = told.join("; ");
        if text != waits_for {
            cx.read.doing(text.clone());
            waits_for = text;
        }
    }
}

/// What a namespace says that still is in it.
fn contents(live: &Object) -> String {
    let conditions = live.list("/status/conditions").iter().filter(|condition| live.kind() == "Namespace" && condition["status"] == "True");
    conditions.filter_map(|condition| condition["message"].as_str()).map(|message| format!(" ({message})")).collect()
}
