//! Damages stores, through their tables and through their file, and looks whether it is told.

use super::fixture::{append, begin, identity, note, open, outside};
use super::{StateFolder, Verified};
use crate::ids::{RunId, StepId};
use crate::record::What;
use rusqlite::params;
use std::fs;

/// A run in a store whose second record names a blob.
fn stored(folder: &StateFolder) -> (RunId, i64) {
    let held = folder.open_run(&identity("web")).unwrap();
    begin(&held);
    let evidence = Some(held.journal().seal(b"logs").unwrap());
    append(&held, 1, What::EvidenceKept { step: StepId::new("deploy").unwrap(), evidence, error: None });
    (2..6).for_each(|seq| append(&held, seq, note("more")));
    let run = held.run().clone();
    held.release().unwrap();
    let no = folder.stored(&run).unwrap().no;
    (run, no)
}

/// Does something to the store, verifies, and puts everything back.
fn after(folder: &StateFolder, run: &RunId, no: i64, sql: &str) -> Option<Verified> {
    let damaging = folder.writing().unwrap();
    let tables = ["runs", "heads", "records", "blobs"];
    for table in tables {
        damaging.execute(&format!("CREATE TEMP TABLE kept_{table} AS SELECT * FROM {table}"), []).unwrap();
    }
    assert!(damaging.execute(sql, params![no]).unwrap() > 0, "{sql}");
    let verified = folder.verify(run).ok();
    for table in tables {
        damaging.execute_batch(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}")).unwrap();
    }
    assert!(folder.verify(run).unwrap().is_whole());
    verified
}

#[test]
fn whatever_is_done_to_the_store_shows() {
    let place = tempfile::tempdir().unwrap();
    let folder = open(place.path());
    let (run, no) = stored(&folder);
    let whole = folder.verify(&run).unwrap();
    assert!(whole.is_whole() && whole.records == 6 && whole.blobs == 2 && whole.unreferenced.is_empty());
    let told = [
        "UPDATE records SET bytes = CAST(replace(CAST(bytes AS TEXT), 'more', 'less') AS BLOB) WHERE no = ?1 AND seq = 3",
        "UPDATE records SET hash = zeroblob(32) WHERE no = ?1 AND seq = 2",
        "UPDATE records SET seq = 9 WHERE no = ?1 AND seq = 5",
        "DELETE FROM records WHERE no = ?1 AND seq = 2",
        "DELETE FROM records WHERE no = ?1 AND seq >= 4",
        "DELETE FROM records WHERE no = ?1",
        "DELETE FROM blobs WHERE no = ?1 AND size = 4",
        "UPDATE blobs SET bytes = zeroblob(9) WHERE no = ?1 AND size = 4",
        "UPDATE blobs SET sealed = upper(sealed) WHERE no = ?1 AND size = 4",
        "UPDATE blobs SET size = 5 WHERE no = ?1 AND size = 4",
        "UPDATE blobs SET id = 'x' WHERE no = ?1 AND size = 4",
        "UPDATE heads SET count = 5 WHERE no = ?1",
        "UPDATE heads SET hash = zeroblob(32) WHERE no = ?1",
        "UPDATE heads SET outcome = '\"succeeded\"', closed = 1 WHERE no = ?1",
        "UPDATE runs SET plan = 'api' WHERE no = ?1",
        "UPDATE runs SET environment = NULL WHERE no = ?1",
    ]
    .map(|sql| {
        let damage = after(&folder, &run, no, sql).unwrap().damage;
        format!("{sql}\n  {}", damage.first().map_or("nothing".to_owned(), ToString::to_string))
    });
    let records = folder.records(&run).unwrap();
    let What::EvidenceKept { evidence: Some(blob), .. } = &records[1].what else { panic!("{records:?}") };
    insta::assert_snapshot!(told.join("\n").replace(&blob.id.to_string(), "BLOB"), @r#"
    UPDATE records SET bytes = CAST(replace(CAST(bytes AS TEXT), 'more', 'less') AS BLOB) WHERE no = ?1 AND seq = 3
      record 3: it, or its digest, is not what was written
    UPDATE records SET hash = zeroblob(32) WHERE no = ?1 AND seq = 2
      record 2: it, or its digest, is not what was written
    UPDATE records SET seq = 9 WHERE no = ?1 AND seq = 5
      record 5: it is missing; the next one is 9
    DELETE FROM records WHERE no = ?1 AND seq = 2
      record 2: it is missing; the next one is 3
    DELETE FROM records WHERE no = ?1 AND seq >= 4
      record 4: it is missing, and 1 after it
    DELETE FROM records WHERE no = ?1
      record 0: it is missing, and 5 after it
    DELETE FROM blobs WHERE no = ?1 AND size = 4
      record 1: its blob BLOB is missing
    UPDATE blobs SET bytes = zeroblob(9) WHERE no = ?1 AND size = 4
      record 1: its blob BLOB is not what was written
    UPDATE blobs SET sealed = upper(sealed) WHERE no = ?1 AND size = 4
      record 1: its blob BLOB is not what was written
    UPDATE blobs SET size = 5 WHERE no = ?1 AND size = 4
      record 1: its blob BLOB is not what was written
    UPDATE blobs SET id = 'x' WHERE no = ?1 AND size = 4
      record 1: its blob BLOB is missing
    UPDATE heads SET count = 5 WHERE no = ?1
      its last record is not the one that was written as number 5
    UPDATE heads SET hash = zeroblob(32) WHERE no = ?1
      its last record is not the one that was written as number 6
    UPDATE heads SET outcome = '"succeeded"', closed = 1 WHERE no = ?1
      its outcome is not the one that its last record tells
    UPDATE runs SET plan = 'api' WHERE no = ?1
      its plan or environment is not the one that its first record names
    UPDATE runs SET environment = NULL WHERE no = ?1
      its plan or environment is not the one that its first record names
    "#);
}

#[test]
fn a_flipped_bit_of_the_database_file_is_found_or_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (run, records) = {
        let folder = open(place.path());
        let (run, _) = stored(&folder);
        let records = folder.records(&run).unwrap();
        (run, records)
    };
    let file = place.path().join("journal.db");
    let whole = fs::read(&file).unwrap();
    let mut found = 0;
    for bit in (0..whole.len() * 8).step_by(1009) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, flipped).unwrap();
        let Ok(folder) = StateFolder::open(place.path(), outside(), None) else {
            found += 1;
            continue;
        };
        match folder.verify(&run) {
            Ok(verified) if verified.is_whole() => assert_eq!(folder.records(&run).unwrap(), records, "bit {bit}"),
            _ => found += 1,
        }
    }
    assert!(found > 10, "only {found} were found: most of the file is empty, but not all");
}
