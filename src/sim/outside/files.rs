//! Files that live in memory and end with the run. What was there before is not to be seen.

use crate::ports::{FileError, Files, Reading, Writing};
use futures::future::{BoxFuture, FutureExt};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, ErrorKind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

type Contents = BTreeMap<PathBuf, Arc<[u8]>>;

/// The files. Clones share them.
#[derive(Debug, Clone, Default)]
pub(in crate::sim) struct SimulatedFiles(Arc<Mutex<Contents>>);

impl SimulatedFiles {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, path: &Path) -> Result<Arc<[u8]>, FileError> {
        let found = self.contents().get(path).cloned();
        let why = "not modelled: a simulated run sees only the files that it has made itself";
        found.ok_or_else(|| failed("read", path, io::Error::new(ErrorKind::NotFound, why)))
    }
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> FileError {
    FileError { doing, path: path.to_owned(), source }
}

impl Files for SimulatedFiles {
    fn read(&self, path: &Path) -> BoxFuture<'static, Result<Vec<u8>, FileError>> {
        std::future::ready(self.get(path).map(|bytes| bytes.to_vec())).boxed()
    }

    fn open(&self, path: &Path) -> BoxFuture<'static, Result<Reading, FileError>> {
        std::future::ready(self.get(path).map(|bytes| Box::new(Cursor::new(bytes)) as Reading)).boxed()
    }

    fn list(&self, folder: &Path) -> BoxFuture<'static, Result<Vec<String>, FileError>> {
        let contents = self.contents();
        let names = contents.keys().filter_map(|path| path.strip_prefix(folder).ok()?.iter().next()?.to_str());
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        std::future::ready(Ok(names.into_iter().collect())).boxed()
    }

    fn create(&self, path: &Path) -> BoxFuture<'static, Result<Box<dyn Writing>, FileError>> {
        let writing = Begun { files: self.clone(), path: path.to_owned(), bytes: Vec::new() };
        std::future::ready(Ok(Box::new(writing) as Box<dyn Writing>)).boxed()
    }

    fn remove(&self, path: &Path) -> BoxFuture<'static, Result<(), FileError>> {
        self.contents().remove(path);
        std::future::ready(Ok(())).boxed()
    }
}

/// A file that has no name yet.
struct Begun {
    files: SimulatedFiles,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl AsyncWrite for Begun {
    fn poll_write(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Writing for Begun {
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), FileError>> {
        let Self { files, path, bytes } = *self;
        let mut contents = files.contents();
        let finished = match contents.contains_key(&path) {
            true => Err(failed("write", &path, io::Error::from(ErrorKind::AlreadyExists))),
            false => {
                contents.insert(path, bytes.into());
                Ok(())
            }
        };
        drop(contents);
        std::future::ready(finished).boxed()
    }

    fn discard(self: Box<Self>) -> BoxFuture<'static, Result<(), FileError>> {
        std::future::ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::SimulatedFiles;
    use crate::ports::Files;
    use std::path::Path;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_file_is_there_once_it_is_finished_and_never_twice() {
        let (files, path) = (SimulatedFiles::default(), Path::new("/backups/a/b.zst"));
        let mut writing = files.create(path).await.unwrap();
        writing.write_all(b"rows").await.unwrap();
        assert!(files.read(path).await.is_err());
        writing.finish().await.unwrap();
        assert_eq!(files.read(path).await.unwrap(), b"rows");
        assert_eq!(files.list(Path::new("/backups")).await.unwrap(), ["a"]);
        assert!(files.create(path).await.unwrap().finish().await.is_err());
        files.remove(path).await.unwrap();
        assert!(files.read(path).await.is_err());
    }
}
