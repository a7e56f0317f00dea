//! Chance.

use ring::rand::{SecureRandom, SystemRandom as RingRandom};

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
