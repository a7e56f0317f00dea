//! A set of steps' places: a bit a step, and above them bits that tell which words have any. It knows no step.
//!
//! A run of 100,000 steps keeps each of its sets in 13 KiB, and no change to one asks the system for memory.

use super::state::Index;

const BITS: usize = u64::BITS as usize;

/// Some of a fixed number of places, told in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlaceSet {
    /// The bits of the places first; a bit of each further level stands for a word of the one before, and the last level is one word.
    levels: Vec<Vec<u64>>,
    len: usize,
}

impl PlaceSet {
    /// None of so many places.
    pub(super) fn none_of(count: usize) -> Self {
        let mut levels = Vec::new();
        let mut words = count;
        loop {
            words = words.div_ceil(BITS).max(1);
            levels.push(vec![0; words]);
            if words == 1 {
                return Self { levels, len: 0 };
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn contains(&self, place: Index) -> bool {
        self.levels[0][place / BITS] & bit(place) != 0
    }

    pub(super) fn insert(&mut self, place: Index) {
        if self.contains(place) {
            return;
        }
        self.len += 1;
        let mut at = place;
        for level in &mut self.levels {
            let word = &mut level[at / BITS];
            let had_any = *word != 0;
            *word |= bit(at);
            if had_any {
                return;
            }
            at /= BITS;
        }
    }

    pub(super) fn remove(&mut self, place: Index) {
        if !self.contains(place) {
            return;
        }
        self.len -= 1;
        let mut at = place;
        for level in &mut self.levels {
            let word = &mut level[at / BITS];
            *word &= !bit(at);
            if *word != 0 {
                return;
            }
            at /= BITS;
        }
    }

    pub(super) fn clear(&mut self) {
        // Nearly always there is nothing to clear, and the words of a large run are many.
        while let Some(place) = self.first_from(0) {
            self.remove(place);
        }
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> Vec<Index> {
        let all = self.iter().collect();
        self.clear();
        all
    }

    pub(super) fn extend(&mut self, more: &Self) {
        more.iter().for_each(|place| self.insert(place));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Index> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let place = self.first_from(next)?;
            next = place + 1;
            Some(place)
        })
    }

    /// The first place that is in the set and not before this one.
    fn first_from(&self, place: Index) -> Option<Index> {
        // Up until a word has a bit at the place or behind it, then down along the first bits.
        let mut at = place;
        for (height, level) in self.levels.iter().enumerate() {
            let rest = level.get(at / BITS).map_or(0, |word| word & (u64::MAX << (at % BITS)));
            if rest != 0 {
                let found = at / BITS * BITS + rest.trailing_zeros() as usize;
                let lower = self.levels[..height].iter().rev();
                return Some(lower.fold(found, |word, level| word * BITS + level[word].trailing_zeros() as usize));
            }
            at = at / BITS + 1;
        }
        None
    }
}

fn bit(place: Index) -> u64 {
    1 << (place % BITS)
}

#[cfg(test)]
mod tests {
    use super::PlaceSet;
    use std::collections::BTreeSet;

    /// A small generator of its own: the same places each time.
    fn numbers(seed: u64) -> impl Iterator<Item = u64> {
        let mut state = seed | 1;
        std::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        })
    }

    #[test]
    fn it_holds_what_an_ordered_set_holds() {
        for count in [1_usize, 63, 64, 65, 4096, 4097, 300_000] {
            let (mut set, mut model) = (PlaceSet::none_of(count), BTreeSet::new());
            for number in numbers(count as u64).take(2_000) {
                let place = (number >> 8) as usize % count;
                match number % 3 {
                    0 => {
                        set.remove(place);
                        model.remove(&place);
                    }
                    _ => {
                        set.insert(place);
                        model.insert(place);
                    }
                }
                assert_eq!((set.len(), set.contains(place)), (model.len(), model.contains(&place)));
            }
            assert!(set.iter().eq(model.iter().copied()), "{count}");
            assert_eq!(set.take(), model.into_iter().collect::<Vec<_>>());
            assert_eq!(set, PlaceSet::none_of(count), "taking all leaves nothing behind");
        }
    }

    #[test]
    fn a_run_without_steps_has_an_empty_set() {
        let set = PlaceSet::none_of(0);
        assert!(set.is_empty() && set.iter().next().is_none());
    }
}
