//! The checks: what must hold when an action is repeated, broken off, settled and taken back.

use super::play::{Crash, Scene};
use super::{Stage, World};
use crate::record::{EffectKey, Mark, MarkKind, Reversibility};

/// Tries an action in every way that a run can go and tells what does not hold; nothing when all does.
///
/// A world is set up anew for each try. After the last effect of a clean run is known, the process dies before and after each of them.
pub async fn faults<S: Stage>(stage: &S) -> Vec<String> {
    let mut faults = Faults::default();
    faults.note("preview", preview(stage).await);
    faults.note("compensate after nothing", after_nothing(stage).await);
    let clean = match clean(stage).await {
        Ok(clean) => clean,
        Err(fault) => {
            faults.note("perform", Err(fault));
            return faults.0;
        }
    };
    faults.note("perform twice", twice(stage, &clean).await);
    faults.note("compensate", compensate(stage, None).await);
    for number in 0..clean.effects {
        for crash in [Crash::Before(number), Crash::After(number)] {
            let when = match crash {
                Crash::Before(number) => format!("crash between intent and effect {number}"),
                Crash::After(number) => format!("crash between effect {number} and its record"),
            };
            faults.note(&format!("{when}, then compensate"), compensate(stage, Some(crash)).await);
            faults.note(&format!("{when}, then resume"), resume(stage, crash, &clean).await);
        }
    }
    faults.0
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn note(&mut self, check: &str, result: Result<(), String>) {
        if let Err(fault) = result {
            self.0.push(format!("{check}: {fault}"));
        }
    }
}

/// What an undisturbed run leaves behind.
struct Clean {
    after: String,
    effects: usize,
}

async fn scene<S: Stage>(stage: &S, crash: Option<Crash>) -> Scene<S::World> {
    Scene::set(stage.fresh().await, crash).await
}

async fn is_as<W: World>(scene: &Scene<W>, expected: &str, what: &str) -> Result<(), String> {
    let is = scene.world.fingerprint().await;
    if is == expected { Ok(()) } else { Err(format!("{what}\nexpected: {expected}\nis: {is}")) }
}

fn reversibility<W: World>(world: &W) -> Result<Reversibility, String> {
    let prepared = world.action().prepare(&world.scope(), &world.frozen(), &world.params());
    prepared.map(|prepared| prepared.reversibility).map_err(|error| error.to_string())
}

async fn preview<S: Stage>(stage: &S) -> Result<(), String> {
    let scene = scene(stage, None).await;
    scene.preview().await.map_err(|error| format!("it failed: {error}"))?;
    is_as(&scene, &scene.before, "it changed the world").await
}

async fn after_nothing<S: Stage>(stage: &S) -> Result<(), String> {
    let scene = scene(stage, None).await;
    let marks = scene.compensate(Vec::new()).await.map_err(|error| format!("it failed: {error}"))?;
    if !marks.is_empty() {
        return Err(format!("it marked {} effects where there were none", marks.len()));
    }
    is_as(&scene, &scene.before, "it changed the world").await
}

async fn clean<S: Stage>(stage: &S) -> Result<Clean, String> {
    let scene = scene(stage, None).await;
    scene.perform().await.map_err(|error| format!("it failed: {error}"))?;
    let clean = Clean { after: scene.world.fingerprint().await, effects: scene.journal.begun() };
    if reversibility(&scene.world)? == Reversibility::ReadOnly && !(clean.effects == 0 && clean.after == scene.before) {
        return Err("it calls itself read-only and is not".to_owned());
    }
    scene.evidence().await;
    is_as(&scene, &clean.after, "taking evidence changed the world").await?;
    Ok(clean)
}

async fn twice<S: Stage>(stage: &S, clean: &Clean) -> Result<(), String> {
    let scene = scene(stage, None).await;
    scene.perform().await.map_err(|error| format!("the first time failed: {error}"))?;
    scene.perform().await.map_err(|error| format!("the second time failed: {error}"))?;
    is_as(&scene, &clean.after, "the second time changed the world").await
}

/// Breaks off, settles, takes back, and takes back again.
async fn compensate<S: Stage>(stage: &S, crash: Option<Crash>) -> Result<(), String> {
    let scene = scene(stage, crash).await;
    begin(&scene, crash).await?;
    let asked = scene.settle().await?;
    for time in ["the first time", "the second time"] {
        let effects = scene.journal.effects();
        let keys: Vec<EffectKey> = effects.iter().map(|effect| effect.key.clone()).collect();
        let marks = scene.compensate(effects).await.map_err(|error| format!("{time} failed: {error}"))?;
        marks_fit(&keys, &marks)?;
        let left = marks.iter().any(|mark| mark.kind == MarkKind::Residue);
        if left && !asked && reversibility(&scene.world)? == Reversibility::Reversible {
            return Err(format!("{time} left residue of what it calls reversible: {marks:?}"));
        }
        let said_clean = marks.iter().all(|mark| matches!(mark.kind, MarkKind::Nothing | MarkKind::Restored));
        if said_clean {
            is_as(&scene, &scene.before, &format!("{time} it said that all is as before, and it is not")).await?;
        }
    }
    Ok(())
}

/// Breaks off, settles, goes on: the world is what an undisturbed run leaves.
async fn resume<S: Stage>(stage: &S, crash: Crash, clean: &Clean) -> Result<(), String> {
    let scene = scene(stage, Some(crash)).await;
    begin(&scene, Some(crash)).await?;
    let asked = scene.settle().await?;
    let prepared = scene
        .world
        .action()
        .prepare(&scene.world.scope(), &scene.world.frozen(), &scene.world.params())
        .map_err(|error| error.to_string())?;
    if asked && !prepared.repeatable {
        // A person is asked: what they answer is not the action's doing.
        return Ok(());
    }
    scene.perform().await.map_err(|error| format!("it failed: {error}"))?;
    is_as(&scene, &clean.after, "the world is not what an undisturbed run leaves").await
}

/// The first attempt, which dies where it should.
async fn begin<W: World>(scene: &Scene<W>, crash: Option<Crash>) -> Result<(), String> {
    let performed = scene.perform().await;
    match crash {
        None => performed.map(drop).map_err(|error| format!("performing failed: {error}")),
        Some(_) if !scene.journal.is_dead() => Err("the point of the crash was not reached: it is not the same every time".to_owned()),
        Some(Crash::Before(0)) => is_as(scene, &scene.before, "the world changed before the first effect").await,
        Some(_) => Ok(()),
    }
}

fn marks_fit(keys: &[EffectKey], marks: &[Mark]) -> Result<(), String> {
    let mut expected: Vec<&EffectKey> = keys.iter().collect();
    let mut marked: Vec<&EffectKey> = marks.iter().map(|mark| &mark.key).collect();
    expected.sort();
    marked.sort();
    if expected == marked { Ok(()) } else { Err(format!("the marks are for {marked:?}, the effects are {expected:?}")) }
}
