//! What a record says of one effect: its name, its undo, its end.

use super::graph::Target;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::fmt;
use std::str::FromStr;

/// Names one effect of a step, the same in every attempt: `apply:apps/Deployment/production/web`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct EffectKey(#[schemars(with = "String")] pub SmolStr);

impl EffectKey {
    /// The name of what it touches; none where nobody knows, as of a program.
    pub fn target(&self) -> Option<&str> {
        self.0.split_once(':').map(|(_, target)| target)
    }

    /// True when it is among what has to stay.
    pub fn is_spared(&self, spared: &[Target]) -> bool {
        match self.target() {
            Some(target) => spared.iter().any(|known| known.0 == target),
            None => spared.contains(&Target::programs()),
        }
    }
}

/// Points at sealed bytes in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct BlobRef {
    /// A keyed digest of the content: equal contents of one key have equal ids, and without the key it tells nothing.
    pub id: Digest,
    /// SHA-256 of the sealed bytes: lets anybody verify them.
    pub sealed: Digest,
    /// Bytes of the content.
    pub size: u64,
}

/// 32 bytes that stand for longer ones; as text 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(#[schemars(with = "String")] pub [u8; 32]);

/// A text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 lower-case hexadecimal digits")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let mut bytes = [0; 32];
        let is_whole = text.len() == 64 && HEXLOWER.decode_mut(text.as_bytes(), &mut bytes).is_ok();
        is_whole.then_some(Self(bytes)).ok_or(DigestError)
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        HEXLOWER.encode(&digest.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is known of an effect whose answer got lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Settled<T> {
    /// It did not happen and will not.
    NotDone,
    /// It happened.
    Done(T),
    /// Something else stands there now, which we did not write.
    Other(String),
    /// Nobody can tell.
    Unknown(String),
}

/// What became of one effect when it was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Mark {
    /// The effect.
    pub key: EffectKey,
    /// What became of it.
    pub kind: MarkKind,
    /// Details for people: which field, whose change.
    pub notes: Vec<String>,
}

/// What became of one effect when it was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// There was nothing to take back.
    Nothing,
    /// It is as it was.
    Restored,
    /// Part of it is somebody else's by now and was left alone.
    Kept,
    /// A value that this run wrote is still there.
    Residue,
}
