//! Pods that started on configuration which is taken back, and that know nothing of it. It restores nothing.

use crate::action::UndoCx;
use crate::actions::kubernetes::{Place, failed};
use crate::cluster::Object;
use crate::cluster::evict::{self, Evicted, Restored};
use crate::record::{EffectKey, Mark, MarkKind};
use std::collections::BTreeSet;

/// Such pods, and the effect that they read.
pub(super) type Readers = Vec<(EffectKey, Object)>;

/// Finds them among the pods that there are now. Where nobody can look, that is a residue of what they may have read.
pub(super) async fn readers(place: &Place, mut read: Vec<(EffectKey, Restored)>, marks: &mut [Mark]) -> Readers {
    read.retain(|(_, restored)| restored.is_content());
    let (keys, restored): (Vec<EffectKey>, Vec<Restored>) = read.into_iter().unzip();
    match evict::readers(&place.cluster, &restored).await {
        Ok(found) => found.into_iter().map(|(place, pod)| (keys[place].clone(), pod)).collect(),
        Err(error) => {
            let why = failed("cannot see which pods read what was restored", &error).told();
            keys.iter().for_each(|key| leave(marks, key, why.clone()));
            Readers::new()
        }
    }
}

/// Workloads that were restored have replaced their pods by now, and those that were made are gone; what is left of these pods belongs to
/// others, who do not know.
pub(super) async fn send_away(cx: &UndoCx, place: &Place, readers: Readers, marks: &mut [Mark]) {
    let mut seen = BTreeSet::new();
    let (keys, pods): (Vec<EffectKey>, Vec<Object>) = readers.into_iter().filter(|(_, pod)| seen.insert(pod.uid().to_owned())).unzip();
    if pods.is_empty() {
        return;
    }
    let names: Vec<String> = pods.iter().map(|pod| format!("pod/{}", pod.name())).collect();
    cx.read.doing(format!("evicting {}, which started on what was taken back", names.join(", ")));
    for ((key, name), answer) in keys.iter().zip(names).zip(evict::evict(&place.cluster, &pods).await) {
        match answer {
            Ok(Evicted::Stays(why)) => note(marks, key, why),
            Ok(_) => {}
            Err(error) => leave(marks, key, failed(format!("cannot evict {name}"), &error).told()),
        }
    }
}

fn note(marks: &mut [Mark], key: &EffectKey, note: String) {
    marks.iter_mut().filter(|mark| mark.key == *key).for_each(|mark| mark.notes.push(note.clone()));
}

fn leave(marks: &mut [Mark], key: &EffectKey, why: String) {
    marks.iter_mut().filter(|mark| mark.key == *key).for_each(|mark| mark.kind = MarkKind::Residue);
    note(marks, key, why);
}
