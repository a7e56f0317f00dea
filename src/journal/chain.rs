//! The chain of digests over a run's stored bytes, and the check that nothing of it was changed or lost. It needs no key.
//!
//! A record's digest is SHA-256 over the digest before it and its own bytes as stored; the first one stands on the run's id. Records name
//! blobs by the digest of their sealed bytes, so the chain covers those, too. It shows damage and loss; whoever can write the store and
//! knows this file can make a chain that fits.

use super::digest::{Digest, hex, sha256};
use crate::ids::RunId;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What the first record's digest stands on.
pub(super) fn genesis(run: &RunId) -> Digest {
    sha256(&[b"bowline run\0", run.as_str().as_bytes()])
}

/// A record's digest.
pub(super) fn link(before: &Digest, bytes: &[u8]) -> Digest {
    sha256(&[before, bytes])
}

/// How many records a run has, and the digest of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) count: u64,
    pub(super) hash: Digest,
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

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// A record was changed, or its digest was.
    Record {
        /// Its place in the run.
        seq: u64,
        /// What is wrong.
        what: String,
    },
    /// A blob was changed or is missing.
    Blob {
        /// Its id.
        id: String,
        /// The first record that names it.
        seq: Option<u64>,
        /// What is wrong.
        what: String,
    },
    /// What is said about the run as a whole does not fit its records.
    Run {
        /// What is wrong.
        what: String,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Record { seq, what } => write!(f, "record {seq}: {what}"),
            Damage::Blob { id, seq: Some(seq), what } => write!(f, "record {seq}: its blob {id} {what}"),
            Damage::Blob { id, seq: None, what } => write!(f, "blob {id} {what}"),
            Damage::Run { what } => f.write_str(what),
        }
    }
}

/// What a check of a run found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Records that were read.
    pub records: u64,
    /// Blobs that were read.
    pub blobs: u64,
    /// The digest of the last record, in hexadecimal: whoever noted it earlier can compare.
    pub head: String,
    /// Everything that is not as it was written.
    pub damage: Vec<Damage>,
    /// Whole blobs that no record names: sealed, and then the process died or thought better of it. No damage.
    pub unreferenced: Vec<String>,
}

impl Verified {
    /// True when everything is as it was written.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty()
    }
}

/// Checks a run while its records, then its blobs are read.
pub(super) struct Verifier {
    run: RunId,
    seen: Head,
    blobs: u64,
    named: BTreeMap<String, Named>,
    damage: Vec<Damage>,
    unreferenced: Vec<String>,
    opened: Option<Opened>,
}

/// A blob as a record names it.
struct Named {
    sealed: String,
    seq: u64,
    found: bool,
}

/// What the first record says of the run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) plan: String,
    pub(super) environment: Option<String>,
}

impl Verifier {
    pub(super) fn new(run: &RunId) -> Self {
        let seen = Head::of_new(run);
        Self { run: run.clone(), seen, blobs: 0, named: BTreeMap::new(), damage: Vec::new(), unreferenced: Vec::new(), opened: None }
    }

    /// Takes the next record with the digest that is stored beside it.
    pub(super) fn record(&mut self, seq: u64, bytes: &[u8], stored: &[u8]) {
        let due = self.seen.count;
        if seq != due {
            self.damage.push(Damage::Record { seq: due, what: format!("it is missing; the next one is {seq}") });
        }
        let hash = link(&self.seen.hash, bytes);
        if hash != stored {
            self.damage.push(Damage::Record { seq, what: "it, or its digest, is not what was written".to_owned() });
        }
        // What follows is judged by the digest that is stored, so that each damage is told once and where it is.
        self.seen = Head { count: seq + 1, hash: stored.try_into().unwrap_or(hash) };
        match serde_json::from_slice::<Value>(bytes) {
            Ok(json) => self.content(seq, &json),
            Err(_) => self.damage.push(Damage::Record { seq, what: "it cannot be read".to_owned() }),
        }
    }

    fn content(&mut self, seq: u64, json: &Value) {
        if json["seq"].as_u64() != Some(seq) {
            self.damage.push(Damage::Record { seq, what: format!("it calls itself record {}", json["seq"]) });
        }
        let opened = &json["what"]["run-opened"];
        if seq == 0 && opened["run"].as_str() != Some(self.run.as_str()) {
            self.damage.push(Damage::Record { seq, what: format!("it opens the run {}", opened["run"]) });
        }
        if seq == 0 {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            self.opened = text(&opened["plan"]).map(|plan| Opened { plan, environment: text(&opened["environment"]) });
        }
        self.name_blobs(seq, json);
    }

    /// Finds the blobs in a record by their shape, so that it works for kinds of records that this program does not know yet.
    fn name_blobs(&mut self, seq: u64, json: &Value) {
        match json {
            Value::Object(fields) => match (fields.get("id"), fields.get("sealed"), fields.get("size")) {
                (Some(Value::String(id)), Some(Value::String(sealed)), Some(_)) => {
                    let named = self.named.entry(id.clone()).or_insert(Named { sealed: sealed.clone(), seq, found: false });
                    if named.sealed != *sealed {
                        self.damage.push(Damage::Blob { id: id.clone(), seq: Some(seq), what: "is named with two digests".to_owned() });
                    }
                }
                _ => fields.values().for_each(|value| self.name_blobs(seq, value)),
            },
            Value::Array(values) => values.iter().for_each(|value| self.name_blobs(seq, value)),
            _ => {}
        }
    }

    /// Takes the next blob with the digest that is stored beside it. Records come first.
    pub(super) fn blob(&mut self, id: &str, sealed: &str, bytes: &[u8]) {
        self.blobs += 1;
        let digest = hex(&sha256(&[bytes]));
        let changed = || "is not what was written".to_owned();
        match self.named.get_mut(id) {
            Some(named) => {
                named.found = true;
                if digest != named.sealed || sealed != named.sealed {
                    self.damage.push(Damage::Blob { id: id.to_owned(), seq: Some(named.seq), what: changed() });
                }
            }
            None if digest != sealed => self.damage.push(Damage::Blob { id: id.to_owned(), seq: None, what: changed() }),
            None => self.unreferenced.push(id.to_owned()),
        }
    }

    /// Compares what is said about the run with its first record.
    pub(super) fn identity(&mut self, plan: &str, environment: Option<&str>) {
        if self.opened.as_ref().is_some_and(|opened| opened.plan != plan || opened.environment.as_deref() != environment) {
            self.damage.push(Damage::Run { what: "its plan or environment is not the one that its first record names".to_owned() });
        }
    }

    /// Tells the first damage of the records alone.
    pub(super) fn records_only(mut self, head: Head) -> Option<Damage> {
        self.named.clear();
        self.finish(Some(head)).damage.into_iter().next()
    }

    /// Tells what was found, given what the store says about the run's end.
    pub(super) fn finish(mut self, head: Option<Head>) -> Verified {
        match head {
            None => self.damage.push(Damage::Run { what: "it does not say how many records there are".to_owned() }),
            Some(head) if head.count > self.seen.count => {
                let lost = head.count - self.seen.count;
                self.damage.push(Damage::Record { seq: self.seen.count, what: format!("it is missing, and {} after it", lost - 1) });
            }
            Some(head) if head != self.seen => {
                self.damage.push(Damage::Run { what: format!("its last record is not the one that was written as number {}", head.count) });
            }
            Some(_) => {}
        }
        for (id, named) in self.named.iter().filter(|(_, named)| !named.found) {
            self.damage.push(Damage::Blob { id: id.clone(), seq: Some(named.seq), what: "is missing".to_owned() });
        }
        Verified {
            records: self.seen.count,
            blobs: self.blobs,
            head: hex(&self.seen.hash),
            damage: self.damage,
            unreferenced: self.unreferenced,
        }
    }
}
