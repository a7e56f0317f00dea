//! Switching traffic back: to a side that is fit for it, and until it arrives there. What the old side answers is its own business.

use super::{SwitchIngress, SwitchIngressParams, accepted, plan};
use crate::action::{ActionError, Begun, UndoCx};
use crate::actions::kubernetes::{Place, failed, for_sure, undo};
use crate::actions::patching::known_patch;
use crate::cluster::Object;
use crate::cluster::traffic::{Side, wait_fit};
use crate::ids::Period;
use crate::record::{Mark, MarkKind};
use std::time::Duration;

/// Time for the old side to be ready for its traffic: every second counts, and the engine tries again.
const FIT_AGAIN_WITHIN: Duration = Duration::from_secs(15);
/// Time until no answer comes from the other side any more.
const LEFT_WITHIN: Duration = Duration::from_secs(10);

impl SwitchIngress {
    pub(super) async fn switch_back(
        &self,
        cx: &UndoCx,
        params: &SwitchIngressParams,
        mut effect: Begun<Self>,
    ) -> Result<Mark, ActionError> {
        let place = Place::open(&self.clusters, &cx.read.scope, params.namespace.as_deref()).await?;
        let settled = match for_sure(&mut effect.known) {
            Some(settled) => settled,
            None => self.settled(&cx.read.scope, params, &effect).await?,
        };
        let Begun { key, undo: before, .. } = effect;
        let change = match known_patch(&key, &before.image, settled) {
            Ok(change) => change,
            Err(mark) => return Ok(mark),
        };
        // A side that had nobody ready before the switch is no worse off now.
        if before.ready > 0
            && let Some(old) = plan::old_side(&before.image.before, &change.after)
        {
            wait_fit_again(cx, &place, &old).await?;
        }
        cx.read.doing(format!("switching {} back", change.at));
        let (mut mark, live) = undo(&place, key, &change).await?;
        let Some(live) = live.filter(|_| mark.kind == MarkKind::Restored) else { return Ok(mark) };
        if let Err(why) = accepted::wait_accepted(&cx.read, &place, &change.at, &live).await? {
            return Err(ActionError::transient(format!("{} was switched back, but {why}", change.at)));
        }
        mark.notes.extend(self.wait_arrived(cx, params, (&place, &live), before.answered).await?);
        cx.read.doing("letting requests on the other side come to their end");
        self.clock.sleep(params.drain()).await;
        Ok(mark)
    }

    /// Asks until anybody answers where traffic comes in. Gives back what could not be seen: it keeps nothing from being taken back.
    async fn wait_arrived(
        &self,
        cx: &UndoCx,
        params: &SwitchIngressParams,
        (place, live): (&Place, &Object),
        answered: Option<bool>,
    ) -> Result<Option<String>, ActionError> {
        let at = live.reference();
        let asked = match plan::question(params, place, live).await {
            Ok(Some(asked)) => asked,
            Ok(None) => return Ok(None),
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => return Ok(Some(format!("nobody could be asked whether traffic arrives again: {error}"))),
        };
        let tells_sides_apart = params.verify.as_ref().is_some_and(|verify| verify.expect.is_some());
        // A controller may lag behind what the Ingress says; what it still leads to must not be taken away yet.
        if tells_sides_apart {
            cx.read.doing(format!("asking {} until the other side has left", asked.url));
            asked.ask_until_left(self.http.as_ref(), self.clock.as_ref(), LEFT_WITHIN).await;
        }
        match asked.of_any_side().ask(self.http.as_ref(), self.clock.as_ref(), |text| cx.read.doing(text)).await {
            Ok(()) => Ok(None),
            Err(error) if answered == Some(false) => Ok(Some(format!("nobody answers, as before the switch: {error}"))),
            Err(error) => Err(ActionError::transient(format!("{at} was switched back, but {error}"))),
        }
    }
}

async fn wait_fit_again(cx: &UndoCx, place: &Place, old: &Side) -> Result<(), ActionError> {
    cx.read.doing(format!("waiting until {old} is ready for its traffic"));
    let fit = wait_fit(&place.cluster, &place.namespace, (old, old), 0, FIT_AGAIN_WITHIN).await;
    match fit.map_err(|error| failed("cannot see who is ready", &error))? {
        Ok(()) => Ok(()),
        Err(_) => {
            let within = Period(FIT_AGAIN_WITHIN);
            Err(ActionError::transient(format!("{old} has nobody ready: its traffic was not switched back yet (waited {within})")))
        }
    }
}
