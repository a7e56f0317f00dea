//! Tables by the numbers of nodes and keys. It knows nothing that is kept in them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// Something for each of some nodes or keys.
pub(super) type Table<T> = HashMap<usize, T, BuildHasherDefault<NumberHasher>>;
/// Some nodes and keys.
pub(super) type Ids = HashSet<usize, BuildHasherDefault<NumberHasher>>;

/// Spreads numbers that are given out one by one. Nobody can choose them, so that nothing must be kept secret, and each scalar of a plan is
/// looked up several times.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::plan) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, number: usize) {
        // The odd number next to 2^64 divided by the golden ratio: neighbours come to lie far apart.
        self.0 = (self.0.rotate_left(5) ^ number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
