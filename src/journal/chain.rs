//! The chain of digests over a run's stored bytes. It needs no key.
//!
//! A record's digest is SHA-256 over the digest before it and its own bytes as stored; the first one stands on the run's id. Records name
//! blobs by the digest of their sealed bytes, so the chain covers those, too. It shows damage and loss; whoever can write the store and
//! knows this file can make a chain that fits.

use super::digest::{Hash, sha256};
use crate::ids::RunId;

/// What the first record's digest stands on.
pub(super) fn genesis(run: &RunId) -> Hash {
    sha256(&[b"bowline run\0", run.as_str().as_bytes()])
}

/// A record's digest.
pub(super) fn link(before: &Hash, bytes: &[u8]) -> Hash {
    sha256(&[before, bytes])
}

/// How many records a run has, and the digest of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) count: u64,
    pub(super) hash: Hash,
}

impl Head {
    /// Of a run without records.
    pub(super) fn of_new(run: &RunId) -> Self {
        Self { count: 0, hash: genesis(run) }
    }

    /// With one more record.
    pub(super) fn with(self, bytes: &[u8]) -> Self {
        Self { count: self.count + 1, hash: link(&self.hash, bytes) }
    }
}
