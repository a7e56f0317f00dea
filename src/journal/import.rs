//! Reads an export: checks all of it, and only then puts it into a state folder. It knows no key.

use super::chain::Head;
use super::database::cannot_write;
use super::digest::Hash;
use super::export::{FORMAT, Header, Line};
use super::lock::Identity;
use super::state::StateFolder;
use super::tables::Label;
use super::tables::{Rest, insert_blob, insert_record, insert_run, move_head, select_run, select_unclosed};
use super::verify::{Damage, Verified, Verifier};
use super::{JournalError, Refused};
use crate::ids::RunId;
use crate::record::{BlobRef, Record, What};
use data_encoding::{BASE64, HEXLOWER};
use ring::digest::{Context, SHA256};
use rusqlite::{Transaction, TransactionBehavior};
use std::io::{self, BufRead};

/// Why an export could not be read or taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("the export cannot be read")]
    Read(#[source] io::Error),
    /// It does not begin as an export does.
    #[error("this is no export of a run: {0}")]
    NotAnExport(String),
    /// It is not what was written.
    #[error("the export is damaged: {}", .0.damage.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Damaged(Box<Verified>),
    /// The run is here already.
    #[error("run {0} is in this state folder already")]
    Exists(RunId),
    /// It cannot be put into the state folder.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl From<JournalError> for ImportError {
    fn from(error: JournalError) -> Self {
        ImportError::Refused(error.into())
    }
}

/// Checks that an export is what was written, and all of it. It needs no key.
///
/// # Errors
/// When it cannot be read, or does not begin as an export does.
pub fn verify_export(from: &mut dyn BufRead) -> Result<Verified, ImportError> {
    Ok(read(from, &mut |_| ())?.1)
}

impl StateFolder {
    /// Takes a run in. It has no holder here: whoever has its key can go on with it.
    ///
    /// # Errors
    /// When the export is damaged, the run is here already, or it is not closed and neither is one of the same plan and environment.
    pub fn import(&self, from: &mut dyn BufRead) -> Result<RunId, ImportError> {
        let mut lines = Vec::new();
        let (header, verified) = read(from, &mut |line| lines.push(line))?;
        if !verified.is_whole() {
            return Err(ImportError::Damaged(Box::new(verified)));
        }
        let mut connection = self.writing()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(cannot_write)?;
        if select_run(&transaction, &header.run)?.is_some() {
            return Err(ImportError::Exists(header.run));
        }
        self.put(&transaction, &header, lines)?;
        transaction.commit().map_err(cannot_write)?;
        Ok(header.run)
    }

    fn put(&self, transaction: &Transaction<'_>, header: &Header, parts: Vec<Part>) -> Result<(), ImportError> {
        let identity = Identity { plan: header.plan.clone(), environment: header.environment.clone() };
        let unclosed = select_unclosed(transaction, &identity)?.filter(|_| !is_simulated(&parts));
        let no = insert_run(transaction, &header.run, &identity, header.opened, &header.sealed_with, header.epoch)?;
        let mut head = Head::of_new(&header.run);
        let mut last = None;
        for part in parts {
            match part {
                Part::Record { bytes, hash } => {
                    insert_record(transaction, no, head.count, &bytes, &hash, None)?;
                    head = head.with(&bytes);
                    last = Some(bytes);
                }
                Part::Blob { blob, bytes } => insert_blob(transaction, no, &blob, &bytes)?,
            }
        }
        let last = last.ok_or_else(|| ImportError::NotAnExport("it has no records".to_owned()))?;
        let last: Record = serde_json::from_slice(&last)
            .map_err(|e| JournalError::Read(format!("the last record is in a format that this bowline does not know: {e}")))?;
        let rests = Rest::after(&last.what);
        if let (Some(run), false) = (unclosed, rests.is_some_and(|rest| rest.closed)) {
            return Err(Refused::Unfinished { state: self.state(&run)?, run: run.run, identity }.into());
        }
        move_head(transaction, no, header.epoch.max(last.epoch), 0, head, rests, None).map_err(ImportError::from)
    }
}

/// True for an export of a run of a simulated world: it keeps nobody out.
///
/// What cannot be read is taken for real; [`StateFolder::import`] says what is wrong with it.
pub fn is_simulated_export(bytes: &[u8]) -> bool {
    // The header is the first line, the record that opens the run the next.
    let opening = bytes.split(|byte| *byte == b'\n').nth(1).and_then(|line| serde_json::from_slice(line).ok());
    matches!(opening, Some(Line::Record { text, .. }) if opens_simulated(text.as_bytes()))
}

fn is_simulated(parts: &[Part]) -> bool {
    matches!(parts.first(), Some(Part::Record { bytes, .. }) if opens_simulated(bytes))
}

fn opens_simulated(record: &[u8]) -> bool {
    serde_json::from_slice::<Record>(record).is_ok_and(|record| matches!(record.what, What::RunOpened { simulated: true, .. }))
}

/// A record or a blob of an export, decoded.
enum Part {
    Record { bytes: Vec<u8>, hash: Hash },
    Blob { blob: BlobRef, bytes: Vec<u8> },
}

/// Reads all lines, hands records and blobs on, and tells what is wrong with them.
fn read(from: &mut dyn BufRead, see: &mut dyn FnMut(Part)) -> Result<(Header, Verified), ImportError> {
    let (mut bytes, mut digest) = (Vec::new(), Context::new(&SHA256));
    let header = header(from, &mut bytes)?;
    digest.update(&bytes);
    let mut check = Check { verifier: Verifier::new(&header.run), ended: false, line: 1, damage: Vec::new(), blobs: 0, see };
    loop {
        bytes.clear();
        if from.read_until(b'\n', &mut bytes).map_err(ImportError::Read)? == 0 {
            break;
        }
        check.line(&bytes, &digest);
        digest.update(&bytes);
    }
    let Check { mut verifier, ended, mut damage, blobs, .. } = check;
    if !ended {
        damage.push("the export ends early".to_owned());
    }
    if blobs != header.blobs {
        damage.push(format!("the export has {blobs} blobs instead of {}", header.blobs));
    }
    verifier.identity(header.plan.as_str(), header.environment.as_deref());
    let hash = HEXLOWER.decode(header.head.as_bytes()).ok().and_then(|hash| Hash::try_from(hash).ok());
    let mut verified = verifier.finish(hash.map(|hash| Head { count: header.records, hash }));
    verified.damage.extend(damage.into_iter().map(|what| Damage::Run { what }));
    Ok((header, verified))
}

fn header(from: &mut dyn BufRead, bytes: &mut Vec<u8>) -> Result<Header, ImportError> {
    from.read_until(b'\n', bytes).map_err(ImportError::Read)?;
    let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| ImportError::NotAnExport(e.to_string()))?;
    match json["journal"]["format"].as_u64() {
        Some(FORMAT) => {}
        Some(newer) => return Err(ImportError::NotAnExport(format!("it has format {newer}: update this bowline"))),
        None => return Err(ImportError::NotAnExport("its first line says nothing of a journal".to_owned())),
    }
    match serde_json::from_slice(bytes) {
        Ok(Line::Journal(header)) => Ok(header),
        Ok(_) => Err(ImportError::NotAnExport("its first line is no header".to_owned())),
        Err(e) => Err(ImportError::NotAnExport(e.to_string())),
    }
}

struct Check<'a> {
    verifier: Verifier,
    ended: bool,
    line: u64,
    damage: Vec<String>,
    blobs: u64,
    see: &'a mut dyn FnMut(Part),
}

impl Check<'_> {
    fn line(&mut self, bytes: &[u8], before: &Context) {
        self.line += 1;
        if self.ended {
            return self.wrong("stands after the end");
        }
        match serde_json::from_slice(bytes) {
            Ok(Line::Record { text, hash }) => self.record(text, &hash),
            Ok(Line::Blob { id, sealed, size, bytes }) => self.blob(Label { id: &id, sealed: &sealed, size }, &bytes),
            Ok(Line::End { .. }) => {
                self.ended = true;
                // Byte for byte: a change that JSON does not see is a change.
                let due = Line::End { sha256: HEXLOWER.encode(before.clone().finish().as_ref()) };
                if due.bytes().ok().as_deref() != Some(bytes) {
                    self.damage.push("the export is not what was written: its digest differs".to_owned());
                }
            }
            Ok(Line::Journal(_)) => self.wrong("is a second header"),
            Err(_) => self.wrong("cannot be read"),
        }
    }

    fn record(&mut self, text: String, hash: &str) {
        let hash = HEXLOWER.decode(hash.as_bytes()).unwrap_or_default();
        self.verifier.next_record(text.as_bytes(), &hash);
        if let Ok(hash) = Hash::try_from(hash) {
            (self.see)(Part::Record { bytes: text.into_bytes(), hash });
        }
    }

    fn blob(&mut self, label: Label<'_>, bytes: &str) {
        self.blobs += 1;
        let bytes = BASE64.decode(bytes.as_bytes()).unwrap_or_default();
        self.verifier.blob(label, &bytes);
        match label.blob() {
            Some(blob) => (self.see)(Part::Blob { blob, bytes }),
            None => self.wrong("names a blob as none is named"),
        }
    }

    fn wrong(&mut self, what: &str) {
        self.damage.push(format!("line {} {what}", self.line));
    }
}

#[cfg(test)]
mod tests {
    use super::{ImportError, verify_export};
    use crate::ids::StepId;
    use crate::journal::fixture::{append, begin, identity, note, open};
    use crate::journal::{ExportError, Held, Refused, StateFolder};
    use crate::record::{BlobRef, Mode, Outcome, What};

    fn evidence(held: &Held, content: &[u8]) -> (BlobRef, What) {
        let blob = held.journal().seal(content).unwrap();
        (blob, What::EvidenceKept { step: StepId::new("deploy").unwrap(), evidence: Some(blob), error: None })
    }

    /// A short run that is not closed, and one of its blobs.
    fn written(folder: &StateFolder) -> (Held, BlobRef) {
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let (blob, what) = evidence(&held, b"logs");
        append(&held, 1, what);
        append(&held, 2, note("\"quoted\" \u{1f600}"));
        futures::executor::block_on(held.journal().durable()).unwrap();
        (held, blob)
    }

    fn exported(folder: &StateFolder, held: &Held) -> Vec<u8> {
        let mut export = Vec::new();
        folder.export(held.run(), &mut export).unwrap();
        export
    }

    #[test]
    fn an_exported_run_goes_on_elsewhere() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = open(here.path());
        let (held, blob) = written(&folder);
        let export = exported(&folder, &held);
        let there = open(there.path());
        assert_eq!(there.import(&mut &export[..]).unwrap(), *held.run());
        assert!(there.verify(held.run()).unwrap().is_whole());
        assert_eq!(there.records(held.run()).unwrap(), folder.records(held.run()).unwrap());
        let resumed = there.hold(held.run(), Mode::Resume).unwrap();
        assert_eq!((resumed.epoch(), resumed.journal().open(&blob).unwrap()), (2, b"logs".to_vec()));
        drop(resumed);
        let mut again = Vec::new();
        there.export(held.run(), &mut again).unwrap();
        assert_eq!(String::from_utf8(again).unwrap().lines().nth(1), String::from_utf8(export).unwrap().lines().nth(1));
    }

    #[test]
    fn a_run_is_taken_in_once_and_not_beside_one_that_is_open() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = open(here.path());
        let (held, _) = written(&folder);
        let export = exported(&folder, &held);
        assert!(matches!(folder.import(&mut &export[..]), Err(ImportError::Exists(_))));
        let there = open(there.path());
        let (other, _) = written(&there);
        assert!(matches!(there.import(&mut &export[..]), Err(ImportError::Refused(Refused::Unfinished { .. }))));
        append(&other, 3, What::RunClosed { outcome: Outcome::Succeeded, notes: Vec::new() });
        other.release().unwrap();
        there.import(&mut &export[..]).unwrap();
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_of_an_export_is_found() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let (held, _) = written(&folder);
        let mut export = exported(&folder, &held);
        let found = |export: &[u8]| verify_export(&mut &export[..]).map_or(true, |verified| !verified.is_whole());
        assert!(!found(&export));
        for end in 0..export.len() {
            assert!(found(&export[..end]), "cut after {end} bytes");
        }
        for bit in 0..export.len() * 8 {
            export[bit / 8] ^= 1 << (bit % 8);
            assert!(found(&export), "bit {} of byte {}", bit % 8, bit / 8);
            export[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(found(&[&export[..], b"\n"].concat()));
    }

    #[test]
    fn a_damaged_export_is_not_taken_in_and_told_where_it_is_wrong() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = open(here.path());
        let (held, _) = written(&folder);
        let export = String::from_utf8(exported(&folder, &held)).unwrap().replace("quoted", "quotes");
        let error = open(there.path()).import(&mut export.as_bytes()).unwrap_err();
        insta::assert_snapshot!(error, @"the export is damaged: record 2: it, or its digest, is not what was written; the export is not what was written: its digest differs");
        assert!(open(there.path()).runs(&Default::default()).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_export_is_told() {
        for (text, why) in [("", "EOF"), ("{}\n", "nothing of a journal"), ("{\"journal\":{\"format\":2}}\n", "update this bowline")] {
            let error = verify_export(&mut text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_an_error_of_writing() {
        struct Closed;
        impl std::io::Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let (held, _) = written(&folder);
        assert!(matches!(folder.export(held.run(), &mut Closed), Err(ExportError::Write(_))));
    }
}
