//! What records say about effects.

use super::illegal::Illegal;
use super::state::{Effect, Index, Status};
use super::{Core, Undo};
use crate::ids::StepId;
use crate::record::{BlobRef, EffectKey, Settled, UndoClass};

impl Core {
    pub(super) fn effects_intended(
        &mut self,
        id: &StepId,
        effects: &[(EffectKey, BlobRef)],
        class: Option<&UndoClass>,
        irreversible: bool,
    ) -> Result<(), Illegal> {
        let step = self.find(id)?;
        let state = &mut self.steps[step];
        if state.status != Status::Running || state.undo != Undo::No {
            return Err(Illegal::Step { step: id.clone(), status: state.status.name(), what: "effects-intended" });
        }
        state.effects.reserve(effects.len());
        for (key, undo) in effects {
            // The first undo stays: a later one would be a picture of our own half-done work.
            let effect = state.effects.get_or_insert(key, Effect::intended(*undo));
            effect.in_flight = true;
            if effect.known == Some(Settled::NotDone) {
                effect.known = None;
            }
        }
        if let Some(class) = class {
            state.class = class.clone();
        }
        state.irreversible |= irreversible;
        Ok(())
    }

    pub(super) fn effect_known(
        &mut self,
        id: &StepId,
        key: &EffectKey,
        known: Settled<BlobRef>,
        what: &'static str,
    ) -> Result<(), Illegal> {
        let step = self.find(id)?;
        let state = &mut self.steps[step];
        let status = state.status;
        let is_due = status == Status::Running || self.unsure.contains(step);
        let Some(effect) = state.effects.get_mut(key).filter(|_| is_due) else {
            return Err(Illegal::Step { step: id.clone(), status: status.name(), what });
        };
        effect.learn(known);
        if self.unsure.contains(step) && self.steps[step].open_effects().next().is_none() {
            self.asked_again(step);
        }
        Ok(())
    }

    /// A person said how the effects ended that nobody could look up. That the last attempt did nothing says nothing of an earlier one;
    /// records from before meant all of them.
    pub(super) fn doubt_answered(&mut self, id: &StepId, done: bool, earlier_stands: bool) -> Result<(), Illegal> {
        let step = self.find(id)?;
        if !self.takes_answer(id, done) {
            return Err(Illegal::Step { step: id.clone(), status: self.steps[step].status.name(), what: "doubt-answered" });
        }
        for effect in self.steps[step].effects.values_mut() {
            if matches!(effect.known, Some(Settled::Unknown(_))) {
                let earlier = effect.done().copied().filter(|_| earlier_stands);
                effect.learn(match done {
                    true => Settled::Other("done, as a person said".to_owned()),
                    false => earlier.map_or(Settled::NotDone, Settled::Done),
                });
            }
        }
        // One that has failed does not go on: only what it has left changes.
        if self.steps[step].status != Status::Doubtful {
            return Ok(());
        }
        self.doubtful.remove(step);
        self.unsure.remove(step);
        match done {
            true => self.finish(step, Status::Succeeded),
            false => self.take_up_half_done(step),
        }
        Ok(())
    }

    /// The effects of an attempt that was watched to its end are known, except those that never began.
    pub(super) fn close_unbegun(&mut self, step: Index) {
        for effect in self.steps[step].effects.values_mut() {
            effect.in_flight = false;
            effect.known.get_or_insert(Settled::NotDone);
        }
    }
}
