//! The count of a workload for which an autoscaler is made: kept before, given back once the autoscaler is gone. It makes and deletes
//! nothing.

use crate::action::{ActionError, ReadCx};
use crate::actions::kubernetes::{Place, failed};
use crate::actions::patching::Image;
use crate::cluster::undo::give_count_back;
use crate::cluster::write::Wanted;
use crate::cluster::{Address, ApiError, Object};
use crate::record::{Mark, MarkKind};

/// The workload that an autoscaler which is to be made will scale, as it is now; none when there is none.
pub(super) async fn scaled(cx: &ReadCx, place: &Place, wanted: &Wanted, live: Option<&Object>) -> Result<Option<Box<Image>>, ActionError> {
    if live.is_some() || wanted.at.kind.kind != "HorizontalPodAutoscaler" {
        return Ok(None);
    }
    match target(place, wanted).await {
        Ok(image) => Ok(image.map(Box::new)),
        Err(error) if error.is_transient() => Err(failed(format!("cannot read what {} is to scale", wanted.at), &error)),
        Err(error) => {
            cx.warn(format!("going back will leave the count that {} sets: {error}", wanted.at));
            Ok(None)
        }
    }
}

async fn target(place: &Place, wanted: &Wanted) -> Result<Option<Image>, ApiError> {
    let text = |name: &str| wanted.manifest["spec"]["scaleTargetRef"][name].as_str().unwrap_or_default();
    let kind = place.cluster.kind(text("apiVersion"), text("kind")).await?;
    let at = Address { kind, namespace: wanted.at.namespace.clone(), name: text("name").to_owned() };
    Ok(place.cluster.get(&at).await?.map(|before| Image::of(at, before)))
}

/// Gives the count back. The workload as it is now, if that was to be done.
pub(super) async fn give_back(place: &Place, scaled: &Image, mark: &mut Mark) -> Option<Object> {
    let Image { at, before, .. } = scaled;
    let error = match give_count_back(&place.cluster, &place.managers, at, before).await {
        Ok(now) => return now,
        Err(error) => error,
    };
    if error.is_transient() {
        mark.kind = MarkKind::Residue;
    }
    mark.notes.push(format!("{at} keeps the count that the autoscaler has set: {error}"));
    None
}
