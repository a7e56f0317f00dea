//! Files on this machine.

use futures::future::BoxFuture;
use std::path::{Path, PathBuf};
use tokio::io::AsyncWrite;

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

/// A file that is being written under a temporary name.
pub trait Writing: AsyncWrite + Send + Unpin {
    /// Makes what was written durable and gives it its real name, which had better not exist; that is durable, too.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), FileError>>;
    /// Takes it away.
    fn discard(self: Box<Self>) -> BoxFuture<'static, Result<(), FileError>>;
}

/// Reads and writes files.
pub trait Files: Send + Sync {
    /// A file's content.
    fn read(&self, path: &Path) -> BoxFuture<'static, Result<Vec<u8>, FileError>>;
    /// The names in a folder, sorted; an absent folder is empty.
    fn list(&self, folder: &Path) -> BoxFuture<'static, Result<Vec<String>, FileError>>;
    /// Begins a file, readable by its owner only, under a temporary name beside the real one; makes its folders.
    fn create(&self, path: &Path) -> BoxFuture<'static, Result<Box<dyn Writing>, FileError>>;
    /// Takes a file away; an absent one is no error.
    fn remove(&self, path: &Path) -> BoxFuture<'static, Result<(), FileError>>;
}

/// This machine's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFiles;
