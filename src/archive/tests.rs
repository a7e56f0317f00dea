//! The archive on a real folder, and on a disk that runs full.

use super::{About, Archive, ArchiveError, Manifest};
use crate::ids::{Moment, RunId, StepId};
use crate::ports::{FileError, Files, Reading, SystemFiles, Writing};
use futures::future::{BoxFuture, FutureExt};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tempfile::TempDir;
use tokio::io::AsyncWrite;

fn about() -> About {
    About {
        format: "postgres-custom".into(),
        source: "database app of statefulset/postgres".into(),
        run: RunId::new("20261121-034200-7f3a").unwrap(),
        step: StepId::new("database").unwrap(),
        verified: "listing".into(),
        found: [("public.users".to_owned(), 3)].into(),
        notes: Vec::new(),
    }
}

fn archive() -> (TempDir, Archive) {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::new(Arc::new(SystemFiles), root.path().join("backups"));
    (root, archive)
}

/// Content that does not compress to nothing: two megabytes of a simple sequence.
fn content() -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..2_000_000).map(|_| next()).collect()
}

async fn store(archive: &Archive, name: &str, series: &str, minute: i64) -> Result<Manifest, ArchiveError> {
    let mut writer = archive.begin(name).await?;
    for piece in content().chunks(100_000) {
        writer.write(piece).await?;
    }
    let content = writer.finish().await?;
    archive.bless(content, series, about(), Moment::from_millis(minute * 60_000)).await
}

fn files(archive: &Archive) -> Vec<String> {
    let mut names: Vec<String> = match std::fs::read_dir(archive.folder()) {
        Ok(entries) => entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect(),
        Err(_) => Vec::new(),
    };
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_comes_back_as_it_was() {
    let (_root, archive) = archive();
    let manifest = store(&archive, "app-1", "app", 0).await.unwrap();
    assert_eq!(files(&archive), ["app-1.json", "app-1.zst"]);
    assert_eq!(manifest.size, 2_000_000);
    assert_eq!(std::fs::metadata(archive.path("app-1")).unwrap().len(), manifest.stored_size);
    assert_eq!(archive.verify("app-1").await.unwrap(), manifest);
    let mut reader = archive.open(&manifest).await.unwrap();
    let mut back = Vec::new();
    while let Some(piece) = reader.next().await.unwrap() {
        back.extend(piece);
    }
    assert!(back == content());
}

#[tokio::test]
async fn content_is_no_backup_before_it_is_blessed() {
    let (_root, archive) = archive();
    let mut writer = archive.begin("app-1").await.unwrap();
    writer.write(b"half").await.unwrap();
    assert!(archive.list().await.unwrap().backups.is_empty());
    drop(writer);
    assert_eq!(files(&archive), Vec::<String>::new());
    let mut writer = archive.begin("app-1").await.unwrap();
    writer.write(b"whole").await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(files(&archive), ["app-1.zst"]);
    assert!(archive.list().await.unwrap().backups.is_empty());
    assert!(archive.clear_unfinished("app-1").await.unwrap());
    assert_eq!(files(&archive), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_killed_process_left_is_taken_away_by_the_next_try() {
    let (_root, archive) = archive();
    std::fs::create_dir_all(archive.folder()).unwrap();
    for left in [".app-1.zst.00ff.partial", ".app-1.json.00ff.partial", "app-1.zst", "other.zst", ".app-12.zst.00ff.partial"] {
        std::fs::write(archive.folder().join(left), "left").unwrap();
    }
    store(&archive, "app-1", "app", 0).await.unwrap();
    assert_eq!(files(&archive), [".app-12.zst.00ff.partial", "app-1.json", "app-1.zst", "other.zst"]);
    archive.verify("app-1").await.unwrap();
    assert!(!archive.clear_unfinished("app-1").await.unwrap(), "a backup stays");
}

#[tokio::test]
async fn every_damage_is_found() {
    let (_root, archive) = archive();
    let manifest = store(&archive, "app-1", "app", 0).await.unwrap();
    let whole = std::fs::read(archive.path("app-1")).unwrap();
    let damaged = |bytes: Option<Vec<u8>>| {
        match bytes {
            Some(bytes) => std::fs::write(archive.path("app-1"), bytes).unwrap(),
            None => std::fs::remove_file(archive.path("app-1")).unwrap(),
        }
        async { archive.verify("app-1").await.unwrap_err().to_string() }
    };
    let mut flipped = whole.clone();
    flipped[1_000_000] ^= 1;
    assert!(damaged(Some(flipped)).await.starts_with("the backup `app-1` is damaged: "));
    insta::assert_snapshot!(damaged(Some(whole[..whole.len() - 1].to_vec())).await, @"the backup `app-1` is damaged: its SHA-256 is not the one that was noted");
    insta::assert_snapshot!(damaged(None).await, @"the backup `app-1` is damaged: its content is gone");
    std::fs::write(archive.folder().join("app-1.json"), "{").unwrap();
    assert_eq!(archive.list().await.unwrap().damaged.len(), 1);
    insta::assert_snapshot!(archive.show("app-2").await.unwrap_err().to_string().replace(&archive.folder().display().to_string(), "FOLDER"), @"there is no backup `app-2` in FOLDER");
    let stored = serde_json::to_string(&Manifest { version: 2, ..manifest }).unwrap();
    std::fs::write(archive.folder().join("app-1.json"), stored).unwrap();
    insta::assert_snapshot!(archive.show("app-1").await.unwrap_err(), @"the backup `app-1` is damaged: its manifest is of version 2, which is newer than this program");
}

#[tokio::test]
async fn only_the_oldest_of_one_series_and_source_go() {
    let (_root, archive) = archive();
    for (name, series, minute) in [("a-1", "a", 1), ("a-2", "a", 2), ("a-3", "a", 3), ("b-1", "b", 0), ("other-1", "a", 0)] {
        store(&archive, name, series, minute).await.unwrap();
    }
    let other = archive.folder().join("other-1.json");
    let stored = std::fs::read_to_string(&other).unwrap();
    std::fs::write(&other, stored.replace("statefulset/postgres", "statefulset/other")).unwrap();
    let made = archive.show("a-3").await.unwrap();
    assert_eq!(archive.prune(&made, 2).await.unwrap(), ["a-1"]);
    assert_eq!(archive.prune(&made, 0).await.unwrap(), ["a-2"], "the one that was made stays");
    let names: Vec<String> = archive.list().await.unwrap().backups.into_iter().map(|backup| backup.name).collect();
    assert_eq!(names, ["a-3", "other-1", "b-1"]);
    assert_eq!(files(&archive).len(), 6);
}

#[tokio::test]
async fn what_was_made_just_now_stays_although_a_clock_was_set_back() {
    let (_root, archive) = archive();
    for (name, minute) in [("a-1", 100), ("a-2", 101), ("a-3", 5)] {
        store(&archive, name, "a", minute).await.unwrap();
    }
    let made = archive.show("a-3").await.unwrap();
    assert_eq!(archive.list().await.unwrap().later_than(&made).unwrap().name, "a-2");
    assert_eq!(archive.prune(&made, 2).await.unwrap(), ["a-1"]);
    assert_eq!(archive.prune(&made, 1).await.unwrap(), ["a-2"]);
    let left = archive.list().await.unwrap();
    assert_eq!((left.backups.len(), left.later_than(&made)), (1, None));
}

#[tokio::test]
async fn a_name_stays_in_its_folder() {
    let (_root, archive) = archive();
    for name in ["../app", "a/b", ".hidden", "", "a b"] {
        assert!(matches!(archive.begin(name).await, Err(ArchiveError::Name(_))), "{name}");
        assert!(matches!(archive.show(name).await, Err(ArchiveError::Name(_))), "{name}");
    }
}

#[tokio::test]
async fn a_stored_manifest_can_always_be_read() {
    let stored = r#"{"version":1,"name":"app-1","series":"app","about":{"format":"postgres-custom","source":"database app","run":"r","step":"s",
        "verified":"listing"},"created":"2026-11-21T03:42:00Z","size":3,"stored-size":2,"sha256":"00"}"#;
    let manifest: Manifest = serde_json::from_str(stored).unwrap();
    assert_eq!((manifest.size, manifest.about.found.len()), (3, 0));
}

/// A disk on which only so many bytes of a file find room, and which may fail after a manifest has its name.
#[derive(Clone, Copy)]
struct BadDisk {
    room: usize,
    fails_late: bool,
}

struct BadFile {
    file: Box<dyn Writing>,
    room: usize,
    fails_late: bool,
}

impl Files for BadDisk {
    fn read(&self, path: &Path) -> BoxFuture<'static, Result<Vec<u8>, FileError>> {
        SystemFiles.read(path)
    }
    fn open(&self, path: &Path) -> BoxFuture<'static, Result<Reading, FileError>> {
        SystemFiles.open(path)
    }
    fn list(&self, folder: &Path) -> BoxFuture<'static, Result<Vec<String>, FileError>> {
        SystemFiles.list(folder)
    }
    fn create(&self, path: &Path) -> BoxFuture<'static, Result<Box<dyn Writing>, FileError>> {
        let (creating, room) = (SystemFiles.create(path), self.room);
        let fails_late = self.fails_late && path.extension().is_some_and(|extension| extension == "json");
        async move { Ok(Box::new(BadFile { file: creating.await?, room, fails_late }) as Box<dyn Writing>) }.boxed()
    }
    fn remove(&self, path: &Path) -> BoxFuture<'static, Result<(), FileError>> {
        SystemFiles.remove(path)
    }
}

impl Writing for BadFile {
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), FileError>> {
        let fails_late = self.fails_late;
        let finishing = self.file.finish();
        async move {
            finishing.await?;
            let error = || FileError { doing: "write", path: "the folder".into(), source: io::Error::other("it cannot be synced") };
            if fails_late { Err(error()) } else { Ok(()) }
        }
        .boxed()
    }
    fn discard(self: Box<Self>) -> BoxFuture<'static, Result<(), FileError>> {
        self.file.discard()
    }
}

impl AsyncWrite for BadFile {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.len() > self.room {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::StorageFull)));
        }
        self.room -= bytes.len();
        Pin::new(&mut self.file).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_that_looks_like_a_backup() {
    // No room for the content, for its end, and for the manifest.
    for room in [0, 1_000_000, 100] {
        let (_root, real) = archive();
        let archive = Archive::new(Arc::new(BadDisk { room, fails_late: false }), real.folder());
        let result = if room == 100 {
            let mut writer = archive.begin("app-1").await.unwrap();
            writer.write(b"small").await.unwrap();
            let content = writer.finish().await.unwrap();
            archive.bless(content, "app", about(), Moment::from_millis(0)).await
        } else {
            store(&archive, "app-1", "app", 0).await
        };
        assert_eq!(result.unwrap_err().to_string(), "the backup `app-1` could not be written");
        assert_eq!(files(&archive), Vec::<String>::new(), "room for {room} bytes");
    }
}

#[tokio::test]
async fn a_manifest_that_cannot_be_made_durable_does_not_stay_without_its_content() {
    let (_root, real) = archive();
    let archive = Archive::new(Arc::new(BadDisk { room: usize::MAX, fails_late: true }), real.folder());
    assert!(matches!(store(&archive, "app-1", "app", 0).await, Err(ArchiveError::File(_))));
    assert_eq!(files(&archive), Vec::<String>::new());
}

#[tokio::test]
async fn a_manifest_never_stands_over_other_content_or_none() {
    let (_root, archive) = archive();
    for name in ["app-1", "app-2"] {
        store(&archive, name, "app", 0).await.unwrap();
    }
    std::fs::write(archive.path("app-1"), "damaged").unwrap();
    // The next try does not get far.
    drop(archive.begin("app-1").await.unwrap());
    assert_eq!(files(&archive), ["app-2.json", "app-2.zst"]);
    store(&archive, "app-3", "app", 1).await.unwrap();
    std::fs::remove_file(archive.path("app-3")).unwrap();
    let catalogue = archive.list().await.unwrap();
    assert_eq!(catalogue.backups.iter().map(|backup| backup.name.as_str()).collect::<Vec<_>>(), ["app-2"]);
    insta::assert_snapshot!(catalogue.damaged[0].1, @"the backup `app-3` is damaged: its content is gone");
}
