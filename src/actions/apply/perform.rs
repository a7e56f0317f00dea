//! Doing it: look at everything, let the server check everything, make all undos durable, then write in order.

use super::counts::scaled;
use super::draft::{Draft, all, read};
use super::rights::{Touched, lacking};
use super::{AfterApply, Apply, ApplyParams, BeforeApply, order};
use crate::action::{ActionError, Begun, Cx, Intent, Ticket, key};
use crate::actions::applied_by::{Applied, AppliedObject};
use crate::actions::kubernetes::{Place, effect_failed, failed, given_up, target};
use crate::actions::patching::instead;
use crate::actions::side_by_side::side_by_side;
use crate::cluster::hidden::values;
use crate::cluster::images::images;
use crate::cluster::tracked::{Keeper, tracked};
use crate::cluster::unchanged::is_unchanged;
use crate::cluster::undo::managed::applied_by;
use crate::cluster::write::{DryRun, Wanted, apply, dry_run};
use crate::cluster::{Address, Class, Object};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Time for a new kind to be served.
const SERVED_WITHIN: Duration = Duration::from_secs(30);

/// What a look at an object found out.
pub(super) enum Checked {
    /// It is there as it should be.
    Same { object: Object },
    /// It would be made or changed.
    Changes { before: Option<Object>, after: Option<Object>, force: bool, warnings: Vec<String> },
    /// The server would refuse it.
    Refused(ActionError),
}

impl Checked {
    pub(super) fn refusal(self) -> Option<ActionError> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

/// The objects of a step, by when they can be checked.
pub(super) struct Wave {
    pub(super) now: Vec<Wanted>,
    /// Those that have to wait until this step has made their namespace or kind.
    pub(super) later: Vec<Draft>,
    /// Why others cannot be: their kind is not served, and this step does not define it.
    pub(super) unserved: Vec<ActionError>,
}

/// A write that is to be made.
struct Planned {
    wanted: Wanted,
    /// Fields have to be taken from other managers: of this plan, unless it says `force`.
    force: bool,
    live: Option<Object>,
    ticket: Ticket<Apply>,
}

pub(super) async fn perform(cx: &Cx<Apply>, place: &Place, params: &ApplyParams) -> Result<Applied, ActionError> {
    let mut drafts = read(&cx.read.frozen, params, &place.namespace, cx.read.scope.plan.as_str())?;
    let order: HashMap<String, usize> =
        drafts.iter().enumerate().map(|(at, draft)| (draft.reference(&place.namespace).target(), at)).collect();
    let mut applied = Applied { changed: take_up(cx, place).await?, ..Applied::default() };
    while !drafts.is_empty() {
        let waiting = drafts.len();
        let Wave { now: wave, later, unserved } = next_wave(place, drafts, params.force).await?;
        if wave.is_empty() && later.len() == waiting {
            return Err(ActionError::permanent("some objects need a namespace or a kind that never comes"));
        }
        let done = perform_wave(cx, place, params, wave, unserved).await?;
        applied.changed += done.changed;
        applied.objects.extend(done.objects);
        drafts = later;
        wait_served(cx, place, &drafts, &applied).await?;
    }
    applied.objects.sort_by_key(|object| order.get(&object.target).copied());
    Ok(applied)
}

/// The objects that can be checked now, and those that cannot.
pub(super) async fn next_wave(place: &Place, drafts: Vec<Draft>, force: bool) -> Result<Wave, ActionError> {
    let missing = missing_namespaces(place, &drafts).await?;
    let (mut now, mut later, mut unserved) = (Vec::new(), Vec::new(), Vec::new());
    for draft in &drafts {
        let namespace = draft.reference(&place.namespace).namespace;
        if namespace.is_some_and(|namespace| missing.contains(&namespace)) {
            later.push(draft.clone());
            continue;
        }
        match place.cluster.kind(&draft.api_version, &draft.kind).await {
            Ok(kind) => now.push(draft.wanted(kind, &place.namespace, force)),
            Err(error) if error.is_absent() && drafts.iter().any(|other| other.defines(draft)) => later.push(draft.clone()),
            Err(error) => {
                let refused = failed(format!("cannot apply {}", draft.reference(&place.namespace)), &error);
                if !error.is_absent() {
                    return Err(refused);
                }
                unserved.push(refused);
            }
        }
    }
    Ok(Wave { now, later, unserved })
}

async fn missing_namespaces(place: &Place, drafts: &[Draft]) -> Result<BTreeSet<String>, ActionError> {
    let mut missing = BTreeSet::new();
    for draft in drafts.iter().filter(|draft| draft.kind == "Namespace" && draft.api_version == "v1") {
        let at = Address::known("Namespace", "", &draft.name);
        let live = place.cluster.get(&at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
        if live.is_none() {
            missing.insert(draft.name.clone());
        }
    }
    Ok(missing)
}

/// Reads every object and lets the server say what applying it would do.
pub(super) async fn check(place: &Place, allowed: &[Keeper], wave: Vec<Wanted>) -> Result<Vec<(Wanted, Checked)>, ActionError> {
    let addresses: Vec<Address> = wave.iter().map(|wanted| wanted.at.clone()).collect();
    let mut live = images(&place.cluster, &addresses).await.map_err(|error| failed("cannot read the objects", &error))?;
    let with_live: Vec<(Wanted, Option<Object>)> = wave
        .into_iter()
        .map(|wanted| {
            let live = live.remove(&wanted.at);
            (wanted, live)
        })
        .collect();
    let checks = with_live.into_iter().map(|(wanted, live)| async move {
        let checked = check_one(place, allowed, &wanted, live).await?;
        Ok((wanted, checked))
    });
    side_by_side(checks).await
}

async fn check_one(place: &Place, allowed: &[Keeper], wanted: &Wanted, mut live: Option<Object>) -> Result<Checked, ActionError> {
    let at = &wanted.at;
    let refused = |error| Ok(Checked::Refused(error));
    let mut tries = 0;
    loop {
        if live.as_ref().is_some_and(Object::is_terminating) {
            return Err(ActionError::transient(format!("{at} is being deleted: what is written now would go with it")));
        }
        if let Some(object) = live.take_if(|live| is_unchanged(live, &wanted.manifest, &place.managers.apply())) {
            return Ok(Checked::Same { object });
        }
        match dry_run(&place.cluster, &place.managers, wanted, live.as_ref()).await {
            Ok(DryRun::Same) => match live {
                Some(object) => return Ok(Checked::Same { object }),
                None => return refused(ActionError::permanent(format!("{at}: the server would make nothing"))),
            },
            Ok(DryRun::Changes { object, force, warnings }) => {
                return match live.as_ref().and_then(|live| kept_by_another(at, live, allowed)) {
                    Some(error) => refused(error),
                    None => Ok(Checked::Changes { before: live, after: object, force, warnings }),
                };
            }
            Err(error) if error.class == Class::Stale && tries < 5 => {
                tries += 1;
                live = place.cluster.get(at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
            }
            Err(error) if matches!(error.class, Class::Lost | Class::Unreached | Class::Busy) => {
                return Err(failed(format!("cannot check {at}"), &error));
            }
            Err(error) => return refused(failed(format!("{at} is refused"), &error)),
        }
    }
}

/// What another tool keeps would be put back by it, or be taken for its own.
fn kept_by_another(at: &Address, live: &Object, allowed: &[Keeper]) -> Option<ActionError> {
    let by = tracked(live).filter(|by| !allowed.contains(&by.keeper))?;
    let error = ActionError::permanent(format!("{at} is kept by {by}, which may undo what is written to it"));
    Some(error.hint(format!("change it there, or say `allow-managed-by: [{}]`", by.keeper)))
}

/// True when this manager's write made the object: nobody else's did that it then wrote to.
pub(super) fn is_made_by(live: &Object, manager: &str) -> bool {
    let made = live.text("/metadata/creationTimestamp");
    applied_by(live, manager).is_some_and(|entry| entry["time"].as_str().is_none_or(|time| time <= made))
}

/// What an earlier attempt made, and nobody knew it: the request came late, after it was looked for. Gives how many objects earlier attempts
/// have changed in all.
async fn take_up(cx: &Cx<Apply>, place: &Place) -> Result<usize, ActionError> {
    let (done, mut earlier): (Vec<_>, Vec<_>) = cx.earlier()?.into_iter().partition(|effect| effect.known.done().is_some());
    let mut changed = done.len();
    earlier.retain(|effect| effect.undo.before.is_none());
    let addresses: Vec<Address> = earlier.iter().map(|effect| effect.undo.at.clone()).collect();
    let mut live = images(&place.cluster, &addresses).await.map_err(|error| failed("cannot read the objects", &error))?;
    for Begun { key, undo, .. } in earlier {
        if let Some(after) = live.remove(&undo.at).filter(|live| is_made_by(live, &place.managers.apply())) {
            let ticket = cx.intend_one(key, undo).await?;
            cx.effect(ticket, async { Ok(AfterApply { after, created: true, instead: None }) }).await?;
            changed += 1;
        }
    }
    Ok(changed)
}

async fn perform_wave(
    cx: &Cx<Apply>,
    place: &Place,
    params: &ApplyParams,
    wave: Vec<Wanted>,
    mut refused: Vec<ActionError>,
) -> Result<Applied, ActionError> {
    wave.iter().map(|wanted| Object(wanted.manifest.clone())).flat_map(|object| values(&object)).for_each(|value| cx.read.hide(value));
    let objects = if wave.len() == 1 { "object" } else { "objects" };
    cx.read.doing(format!("checking {} {objects}", wave.len()));
    let mut applied = Applied::default();
    let (mut changing, mut effects) = (Vec::new(), Vec::new());
    for (wanted, checked) in check(place, &params.allow_managed_by, wave).await? {
        match checked {
            Checked::Same { object } => applied.objects.push(AppliedObject::of(&wanted.at, &object, cx.read.scope.plan.as_str())),
            Checked::Changes { before, after, force, .. } => {
                given_up(&wanted.at, before.as_ref(), after.as_ref()).into_iter().for_each(|lost| cx.read.warn(lost));
                // What will be made has no uid yet, and needs no image: it is deleted.
                let expected = after.filter(|_| before.is_some());
                let scaled = scaled(&cx.read, place, &wanted, before.as_ref()).await?;
                let undo = BeforeApply { at: wanted.at.clone(), before: before.clone(), expected, scaled };
                effects.push((key("apply", &target(&wanted.at.reference())), undo));
                changing.push((wanted, force, before));
            }
            Checked::Refused(error) => refused.push(error),
        }
    }
    if !refused.is_empty() {
        return Err(refusal(refused));
    }
    let touched: Vec<Touched<'_>> = changing.iter().map(|(wanted, _, before)| Touched::of(wanted, before.as_ref())).collect();
    let lacking = lacking(place, &touched).await?;
    if !lacking.is_empty() {
        return Err(all("rights are missing, so nothing was written", lacking));
    }
    let tickets = cx.intend(Intent::default(), effects).await?;
    let planned: Vec<Planned> =
        changing.into_iter().zip(tickets).map(|((wanted, force, live), ticket)| Planned { wanted, force, live, ticket }).collect();
    applied.changed = planned.iter().filter(|planned| planned.ticket.known.done().is_none()).count();
    for (at, after) in write(cx, place, planned).await? {
        applied.objects.push(AppliedObject::of(&at, &after.after, cx.read.scope.plan.as_str()));
    }
    Ok(applied)
}

/// Several refusals become one error, each told with its reason.
pub(super) fn refusal(refused: Vec<ActionError>) -> ActionError {
    match <[ActionError; 1]>::try_from(refused) {
        Ok([one]) => one,
        Err(refused) => {
            let told = all("the server refuses some objects, so none was written", refused.iter().map(ActionError::told).collect());
            match refused.iter().find_map(|error| error.failure().hint.clone()) {
                Some(hint) => told.hint(hint),
                None => told,
            }
        }
    }
}

/// Writes rank by rank, side by side within one. After a failure nothing new is begun; what is on its way is waited for.
async fn write(cx: &Cx<Apply>, place: &Place, planned: Vec<Planned>) -> Result<Vec<(Address, AfterApply)>, ActionError> {
    let (total, mut done) = (planned.len(), Vec::new());
    let mut ranks: Vec<(usize, Vec<Planned>)> = Vec::new();
    for one in planned {
        let rank = order::rank(&one.wanted.at.kind.kind);
        match ranks.last_mut() {
            Some((last, group)) if *last == rank => group.push(one),
            _ => ranks.push((rank, vec![one])),
        }
    }
    for (_, group) in ranks {
        cx.read.doing(format!("applying {} of {total} objects", done.len() + group.len()));
        let writes = group.into_iter().map(|one| write_one(cx, place, one));
        done.extend(side_by_side(writes).await?);
    }
    Ok(done)
}

async fn write_one(cx: &Cx<Apply>, place: &Place, planned: Planned) -> Result<(Address, AfterApply), ActionError> {
    let Planned { wanted, force, live, ticket } = planned;
    let (cluster, managers, at) = (place.cluster.clone(), place.managers.clone(), wanted.at.clone());
    let (first, earlier, read) = (ticket.undo.before.clone(), ticket.known.done().cloned(), cx.read.clone());
    let write = async move {
        let applied = apply(&cluster, &managers, &wanted, force, live.clone()).await;
        let applied = applied.map_err(|error| effect_failed(format!("cannot apply {}", wanted.at), &error))?;
        applied.warnings.iter().for_each(|warning| read.warn(format!("{}: {warning}", wanted.at)));
        let met = applied.met.or(live);
        // One that is on its way still, of an earlier attempt, may come in between.
        let made_late = first.is_none() && earlier.is_none() && met.as_ref().is_some_and(|met| is_made_by(met, &managers.apply()));
        let made_earlier = earlier.as_ref().is_some_and(|earlier| earlier.created && earlier.after.uid() == applied.object.uid());
        let created = applied.created || made_earlier || made_late;
        let instead = match (created, &first, met) {
            (true, _, _) | (false, _, None) => None,
            // Somebody else made it after it was looked for: then that is what it should be again.
            (false, None, Some(met)) => Some(met),
            (false, Some(first), Some(met)) => {
                let earlier = earlier.as_ref().map(|earlier| (earlier.instead.as_ref(), &earlier.after));
                instead(first, earlier, &met)
            }
        };
        Ok(AfterApply { after: applied.object, created, instead })
    };
    Ok((at, cx.effect(ticket, write).await?))
}

/// Waits until the kinds that this step has defined are served.
async fn wait_served(cx: &Cx<Apply>, place: &Place, later: &[Draft], applied: &Applied) -> Result<(), ActionError> {
    if !applied.objects.iter().any(|object| object.kind == "CustomResourceDefinition") {
        return Ok(());
    }
    let mut waited = Duration::ZERO;
    for draft in later {
        while let Err(error) = place.cluster.kind(&draft.api_version, &draft.kind).await {
            if !error.is_absent() || waited >= SERVED_WITHIN {
                return Err(failed(format!("cannot apply {}", draft.reference(&place.namespace)), &error));
            }
            cx.read.doing(format!("waiting until the cluster serves {}", draft.kind));
            // Discovery cannot be watched, and lags behind the definition's own conditions.
            let pause = Duration::from_millis(200);
            place.cluster.clock.sleep(pause).await;
            waited += pause;
        }
    }
    Ok(())
}
