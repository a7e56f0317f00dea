//! Chance.

use ring::rand::{SecureRandom, SystemRandom as RingRandom};
use std::sync::atomic::{AtomicU64, Ordering};

/// Gives random bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// When the system's source does not answer: nothing that needs a secret may go on then.
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()>;

    /// A number in `0.0..1.0`, for jitter; 0.5 when the source does not answer.
    fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        match self.fill(&mut bytes) {
            Ok(()) => f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0),
            Err(_) => 0.5,
        }
    }
}

/// The operating system's source.
#[derive(Debug, Clone, Default)]
pub struct SystemRandom(RingRandomHandle);

#[derive(Debug, Clone)]
struct RingRandomHandle(RingRandom);

impl Default for RingRandomHandle {
    fn default() -> Self {
        Self(RingRandom::new())
    }
}

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        self.0.0.fill(bytes).map_err(|_| std::io::Error::other("the system's source of random numbers does not answer"))
    }
}

/// Numbers that follow from a seed: the same seed gives the same ones. Never for secrets.
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next number. SplitMix64: <https://prng.di.unimi.it/splitmix64.c>.
    pub fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        for chunk in bytes.chunks_mut(8) {
            let next = self.next().to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Random, SeededRandom};

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let bytes = |seed| {
            let (random, mut bytes) = (SeededRandom::new(seed), [0; 13]);
            random.fill(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
    }
}
