//! The check that nothing of a run was changed or lost. It needs no key, and knows stores only as records, then blobs.

use super::Refused;
use super::chain::{Head, link};
use super::database::cannot_read;
use super::digest::{hex, sha256};
use super::runs::outcome_name;
use super::state::StateFolder;
use super::tables::{Label, each_blob, each_record, select_run};
use crate::ids::RunId;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

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
    rests: Option<(String, bool)>,
}

/// A blob as a record names it.
struct Named {
    sealed: String,
    size: Option<u64>,
    seq: u64,
    found: bool,
}

/// What the first record says of the run.
struct Opened {
    plan: String,
    environment: Option<String>,
}

/// The outcome that a record tells, and whether it closes the run.
fn rest_of(what: &Value) -> Option<(String, bool)> {
    let outcome = |kind: &str| what[kind]["outcome"].as_str().map(str::to_owned);
    outcome("run-halted").map(|outcome| (outcome, false)).or_else(|| outcome("run-closed").map(|outcome| (outcome, true)))
}

impl Verifier {
    pub(super) fn new(run: &RunId) -> Self {
        let seen = Head::of_new(run);
        Self {
            run: run.clone(),
            seen,
            blobs: 0,
            named: BTreeMap::new(),
            damage: Vec::new(),
            unreferenced: Vec::new(),
            opened: None,
            rests: None,
        }
    }

    /// Takes the next record with the digest that is stored beside it.
    pub(super) fn record(&mut self, seq: u64, bytes: &[u8], stored: &[u8]) {
        let due = self.seen.count;
        if seq != due {
            self.damage.push(Damage::Record { seq: due, what: format!("it is missing; the next one is {seq}") });
        }
        let hash = link(&self.seen.hash, bytes);
        // What follows is judged by the digest that is stored, so that each damage is told once and where it is.
        self.seen = Head { count: seq.saturating_add(1), hash: stored.try_into().unwrap_or(hash) };
        if hash != stored {
            return self.damage.push(Damage::Record { seq, what: "it, or its digest, is not what was written".to_owned() });
        }
        match serde_json::from_slice::<Value>(bytes) {
            Ok(json) => self.content(seq, &json),
            Err(_) => self.damage.push(Damage::Record { seq, what: "it cannot be read".to_owned() }),
        }
    }

    /// Takes a record that stands where the next one is due.
    pub(super) fn next_record(&mut self, bytes: &[u8], stored: &[u8]) {
        self.record(self.seen.count, bytes, stored);
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
        self.rests = rest_of(&json["what"]);
        self.name_blobs(seq, json);
    }

    /// Finds the blobs in a record by their shape, so that it works for kinds of records that this program does not know yet.
    fn name_blobs(&mut self, seq: u64, json: &Value) {
        match json {
            Value::Object(fields) => match (fields.get("id"), fields.get("sealed"), fields.get("size")) {
                (Some(Value::String(id)), Some(Value::String(sealed)), Some(size)) => {
                    let named =
                        self.named.entry(id.clone()).or_insert(Named { sealed: sealed.clone(), size: size.as_u64(), seq, found: false });
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
    pub(super) fn blob(&mut self, label: Label<'_>, bytes: &[u8]) {
        let Label { id, sealed, size } = label;
        self.blobs += 1;
        let digest = hex(&sha256(&[bytes]));
        let changed = || "is not what was written".to_owned();
        match self.named.get_mut(id) {
            Some(named) => {
                named.found = true;
                if digest != named.sealed || sealed != named.sealed || named.size != Some(size) {
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

    /// Compares where the store says that the run rests with its last record.
    pub(super) fn rest(&mut self, outcome: Option<&str>, closed: bool) {
        if self.rests.as_ref().map(|(outcome, closed)| (outcome.as_str(), *closed)) != outcome.map(|outcome| (outcome, closed)) {
            self.damage.push(Damage::Run { what: "its outcome is not the one that its last record tells".to_owned() });
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

impl StateFolder {
    /// Checks that a run's records and blobs are what was written, and all of it. It needs no key.
    ///
    /// # Errors
    /// When there is no such run, or so much is damaged that the database cannot be read.
    pub fn verify(&self, run: &RunId) -> Result<Verified, Refused> {
        let mut connection = self.looking()?;
        // One look at everything: a live run goes on meanwhile.
        let look = connection.transaction().map_err(cannot_read)?;
        let stored = select_run(&look, run)?.ok_or_else(|| Refused::Unknown(run.clone()))?;
        let mut verifier = Verifier::new(run);
        each_record(&look, stored.no, |seq, bytes, hash| {
            verifier.record(seq, bytes, hash);
            Ok(())
        })?;
        each_blob(&look, stored.no, |label, bytes| {
            verifier.blob(label, bytes);
            Ok(())
        })?;
        verifier.identity(stored.identity.plan.as_str(), stored.identity.environment.as_deref());
        verifier.rest(stored.rests.map(|rest| outcome_name(rest.outcome)), stored.rests.is_some_and(|rest| rest.closed));
        Ok(verifier.finish(Some(stored.head)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Damage, Verifier};
    use crate::ids::{Moment, RunId};
    use crate::journal::chain::{Head, link};
    use crate::journal::fixture::note;
    use crate::record::{Record, VERSION};

    fn run() -> RunId {
        RunId::new("20261121-034200-7f3a").unwrap()
    }

    /// 64 KiB of records as they are stored, with their digests.
    fn journal() -> Vec<(Vec<u8>, [u8; 32])> {
        let (mut records, mut head, mut size) = (Vec::new(), Head::of_new(&run()), 0);
        while size < 64 * 1024 {
            let what = note(&"somebody ".repeat(1 + records.len() % 90));
            let record = Record { v: VERSION, seq: head.count, at: Moment::from_millis(1_795_000_000_000), epoch: 1, what };
            let bytes = serde_json::to_vec(&record).unwrap();
            head = head.with(&bytes);
            size += bytes.len();
            records.push((bytes, head.hash));
        }
        records
    }

    #[test]
    fn every_flipped_bit_of_64_kib_is_found_in_its_record() {
        let mut before = Head::of_new(&run());
        for (seq, (mut bytes, hash)) in (0_u64..).zip(journal()) {
            assert_eq!(link(&before.hash, &bytes), hash);
            let found = |bytes: &[u8], hash: &[u8]| {
                let mut verifier = Verifier { seen: before, ..Verifier::new(&run()) };
                verifier.record(seq, bytes, hash);
                matches!(verifier.damage[..], [Damage::Record { seq: told, .. }] if told == seq)
            };
            for bit in 0..bytes.len() * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(found(&bytes, &hash), "bit {bit} of record {seq}");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            for bit in 0..hash.len() * 8 {
                let mut flipped = hash;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(found(&bytes, &flipped), "bit {bit} of the digest of record {seq}");
            }
            before = Head { count: seq + 1, hash };
        }
    }

    #[test]
    fn every_lost_tail_of_64_kib_is_found() {
        let records = journal();
        let head = Head { count: records.len() as u64, hash: records.last().unwrap().1 };
        let mut verifier = Verifier::new(&run());
        for (seq, (bytes, hash)) in (0_u64..).zip(&records) {
            let lost = Verifier { seen: verifier.seen, ..Verifier::new(&run()) }.records_only(head);
            assert!(matches!(lost, Some(Damage::Record { seq: told, .. }) if told == seq));
            verifier.record(seq, bytes, hash);
            if let Some(half) = bytes.get(..bytes.len() / 2) {
                let mut torn = Verifier { seen: verifier.seen, ..Verifier::new(&run()) };
                torn.record(seq + 1, half, hash);
                assert!(!torn.damage.is_empty());
            }
        }
        assert_eq!(verifier.seen, head);
    }
}
