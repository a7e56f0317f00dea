//! Files on this machine. It knows no archive and no plan.

mod system;

use futures::future::BoxFuture;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncWrite};

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {path}", path = path.display())]
pub struct FileError {
    /// What was tried: `read`, `write`, `list`.
    pub doing: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: std::io::Error,
}

/// A file that is being written under a temporary name. Dropped unfinished, it takes itself away.
pub trait Writing: AsyncWrite + Send + Unpin {
    /// Makes what was written durable and gives it its real name; that is durable, too. A file that has the name already stays as it
    /// is, and that is an error.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), FileError>>;
    /// Takes it away.
    fn discard(self: Box<Self>) -> BoxFuture<'static, Result<(), FileError>>;
}

/// A file that is being read.
pub type Reading = Box<dyn AsyncRead + Send + Unpin>;

/// True when `name` is what a killed process left behind of a file that was to be called `real`.
pub fn is_partial_of(name: &str, real: &str) -> bool {
    let rest = name.strip_prefix('.').and_then(|rest| rest.strip_prefix(real)).and_then(|rest| rest.strip_prefix('.'));
    rest.and_then(|rest| rest.strip_suffix(".partial")).is_some_and(|random| !random.is_empty() && !random.contains('.'))
}

/// Reads and writes files.
pub trait Files: Send + Sync {
    /// A file's content.
    fn read(&self, path: &Path) -> BoxFuture<'static, Result<Vec<u8>, FileError>>;
    /// How many bytes a file has, without reading any; none where that cannot be told.
    fn size(&self, _path: &Path) -> BoxFuture<'static, Option<u64>> {
        Box::pin(std::future::ready(None))
    }
    /// Opens a file to read it piece by piece.
    fn open(&self, path: &Path) -> BoxFuture<'static, Result<Reading, FileError>>;
    /// The names in a folder, sorted; an absent folder is empty.
    fn list(&self, folder: &Path) -> BoxFuture<'static, Result<Vec<String>, FileError>>;
    /// Begins a file, readable by its owner only, under the temporary name `.NAME.RANDOM.partial` beside the real one; makes its folders.
    fn create(&self, path: &Path) -> BoxFuture<'static, Result<Box<dyn Writing>, FileError>>;
    /// Takes a file away; an absent one is no error.
    fn remove(&self, path: &Path) -> BoxFuture<'static, Result<(), FileError>>;
}

/// This machine's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFiles;
