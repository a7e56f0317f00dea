//! The effects of one step, by name, in the order in which they were first intended. Nearly every step has one: it takes one piece of
//! memory, and only a step with many keeps a table beside them.

use super::state::Effect;
use crate::record::EffectKey;
use std::collections::HashMap;

/// So many are looked through faster than a table finds one.
const FEW: usize = 16;

/// A step's effects.
#[derive(Debug, Clone, Default)]
pub struct EffectList {
    entries: Vec<(EffectKey, Effect)>,
    /// Where each stands, once there are more than a few.
    table: Option<Box<Table>>,
}

#[derive(Debug, Clone)]
struct Table {
    places: HashMap<EffectKey, usize>,
}

impl EffectList {
    /// True when nothing was intended.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&EffectKey, &Effect)> {
        self.entries.iter().map(|(key, effect)| (key, effect))
    }

    /// Their names.
    pub fn keys(&self) -> impl Iterator<Item = &EffectKey> {
        self.iter().map(|(key, _)| key)
    }

    /// The effects alone.
    pub fn values(&self) -> impl Iterator<Item = &Effect> {
        self.iter().map(|(_, effect)| effect)
    }

    /// One of them.
    pub fn get(&self, key: &EffectKey) -> Option<&Effect> {
        self.place(key).map(|place| &self.entries[place].1)
    }

    /// True when it was intended.
    pub fn contains_key(&self, key: &EffectKey) -> bool {
        self.place(key).is_some()
    }

    pub(super) fn get_mut(&mut self, key: &EffectKey) -> Option<&mut Effect> {
        self.place(key).map(|place| &mut self.entries[place].1)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Effect> {
        self.entries.iter_mut().map(|(_, effect)| effect)
    }

    /// Makes room for exactly so many more: a list that grows by itself would keep room for several.
    pub(super) fn reserve(&mut self, more: usize) {
        self.entries.reserve_exact(more);
    }

    /// The effect of this name; `new` when there is none yet.
    pub(super) fn get_or_insert(&mut self, key: &EffectKey, new: Effect) -> &mut Effect {
        let place = self.place(key).unwrap_or_else(|| self.push(key.clone(), new));
        &mut self.entries[place].1
    }

    fn place(&self, key: &EffectKey) -> Option<usize> {
        match &self.table {
            Some(table) => table.places.get(key).copied(),
            None => self.entries.iter().position(|(known, _)| known == key),
        }
    }

    fn push(&mut self, key: EffectKey, effect: Effect) -> usize {
        let place = self.entries.len();
        if let Some(table) = &mut self.table {
            table.places.insert(key.clone(), place);
        }
        self.entries.push((key, effect));
        if self.table.is_none() && self.entries.len() > FEW {
            let places = self.entries.iter().enumerate().map(|(place, (key, _))| (key.clone(), place)).collect();
            self.table = Some(Box::new(Table { places }));
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::{EffectList, FEW};
    use crate::engine::core::state::Effect;
    use crate::record::{BlobRef, Digest, EffectKey};

    fn effect(number: u8) -> Effect {
        Effect::intended(BlobRef { id: Digest([number; 32]), sealed: Digest([0; 32]), size: 0 })
    }

    fn key(number: u8) -> EffectKey {
        EffectKey(format!("effect-{number}").into())
    }

    #[test]
    fn few_and_many_are_found_in_their_order_and_the_first_stays() {
        for count in [1, FEW, FEW + 1, 3 * FEW] {
            let count = u8::try_from(count).unwrap();
            let mut list = EffectList::default();
            for number in 0..count {
                list.get_or_insert(&key(number), effect(number));
                assert_eq!(*list.get_or_insert(&key(0), effect(99)), effect(0), "what was intended first stays");
            }
            assert!((0..count).all(|number| list.get(&key(number)) == Some(&effect(number))));
            assert!(list.keys().eq((0..count).map(key).collect::<Vec<_>>().iter()));
            assert!(!list.contains_key(&key(count)));
        }
    }
}
