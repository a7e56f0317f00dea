//! What nobody can tell of: whether an effect happened. Steps of which the same is said are told together. Pure; it knows no terminal.

use super::{Left, NAMED, named};
use crate::ids::StepId;
use crate::record::EffectKey;
use crate::report::story::{StepStory, Story};
use crate::report::words;
use std::collections::BTreeSet;

/// Whoever goes back takes for done what nobody can tell.
pub(super) fn doubts(story: &Story) -> Vec<Left> {
    let back = |step: &StepStory| story.takes_back(step).then(|| "it is taken back as if it was done".to_owned());
    let of = |step: &StepStory, (key, why): &(EffectKey, String)| Left {
        step: step.id.clone(),
        what: words::plain(words::effect(key)),
        notes: std::iter::once(words::plain(why)).chain(back(step)).collect(),
    };
    story.doubtful().flat_map(|step| step.doubts.iter().map(|doubt| of(step, doubt)).collect::<Vec<_>>()).collect()
}

/// One paragraph: a line for all of which the same is said.
pub(super) fn lines(doubts: &[Left]) -> Vec<String> {
    let mut alike: Vec<(String, Vec<&StepId>)> = Vec::new();
    for Left { step, what, notes } in doubts {
        let what = if what == words::ALL { None } else { Some(what.as_str()) };
        let told = what.into_iter().chain(notes.iter().map(String::as_str)).collect::<Vec<_>>().join("; ");
        match alike.iter_mut().find(|(known, _)| *known == told) {
            Some((_, steps)) => steps.push(step),
            None => alike.push((told, vec![step])),
        }
    }
    let title = (!alike.is_empty()).then(|| "in doubt:".to_owned());
    title.into_iter().chain(alike.into_iter().map(|(told, steps)| format!("  {}: {told}", called(&steps)))).collect()
}

/// Many items of one step by its name: each is named in the table of `show`.
fn called(steps: &[&StepId]) -> String {
    let families: BTreeSet<Option<&str>> = steps.iter().map(|step| step.parts().map(|(name, _)| name)).collect();
    match families.first() {
        Some(Some(name)) if families.len() == 1 && steps.len() > NAMED => format!("{} steps of `{name}`", steps.len()),
        _ => named(steps.iter().copied()),
    }
}
