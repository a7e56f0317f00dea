//! The real files: whole or absent, whatever happens to the process, the machine or the disk.

use super::{FileError, Files, Reading, SystemFiles, Writing};
use futures::future::{BoxFuture, FutureExt};
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncWrite, AsyncWriteExt};

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { doing, path, source }
}

impl Files for SystemFiles {
    fn read(&self, path: &Path) -> BoxFuture<'static, Result<Vec<u8>, FileError>> {
        let path = path.to_owned();
        async move { tokio::fs::read(&path).await.map_err(failed("read", &path)) }.boxed()
    }

    fn size(&self, path: &Path) -> BoxFuture<'static, Option<u64>> {
        let path = path.to_owned();
        async move { tokio::fs::metadata(&path).await.ok().filter(|found| found.is_file()).map(|found| found.len()) }.boxed()
    }

    fn open(&self, path: &Path) -> BoxFuture<'static, Result<Reading, FileError>> {
        let path = path.to_owned();
        async move {
            let file = File::open(&path).await.map_err(failed("read", &path))?;
            Ok(Box::new(file) as Reading)
        }
        .boxed()
    }

    fn list(&self, folder: &Path) -> BoxFuture<'static, Result<Vec<String>, FileError>> {
        let folder = folder.to_owned();
        async move { list(&folder).await.map_err(failed("list", &folder)) }.boxed()
    }

    fn create(&self, path: &Path) -> BoxFuture<'static, Result<Box<dyn Writing>, FileError>> {
        let path = path.to_owned();
        async move {
            let writing = create(&path).await.map_err(failed("write", &path))?;
            Ok(Box::new(writing) as Box<dyn Writing>)
        }
        .boxed()
    }

    fn remove(&self, path: &Path) -> BoxFuture<'static, Result<(), FileError>> {
        let path = path.to_owned();
        async move { remove(&path).await.map_err(failed("remove", &path)) }.boxed()
    }
}

async fn list(folder: &Path) -> io::Result<Vec<String>> {
    let mut entries = match tokio::fs::read_dir(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

async fn remove(path: &Path) -> io::Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(folder_of(path)).await,
    }
}

async fn create(path: &Path) -> io::Result<PartialFile> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let folder = folder_of(path);
    make_folders(folder).await?;
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("the system's source of random numbers does not answer"))?;
    let partial = folder.join(format!(".{}.{:016x}.partial", name.to_string_lossy(), u64::from_le_bytes(random)));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).await?;
    Ok(PartialFile { file, real: path.to_owned(), partial: Some(partial) })
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a folder and those above it, and makes their names durable.
async fn make_folders(folder: &Path) -> io::Result<()> {
    let absent: Vec<PathBuf> =
        folder.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists()).map(Path::to_owned).collect();
    for folder in absent.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_folder(folder_of(&folder)).await?,
        }
    }
    Ok(())
}

/// A name is durable only once its folder is.
async fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).await?.sync_all().await
}

/// A file under its temporary name.
struct PartialFile {
    file: File,
    real: PathBuf,
    partial: Option<PathBuf>,
}

impl PartialFile {
    async fn finish(&mut self) -> io::Result<()> {
        // tokio writes behind our back: an error of the last write shows only here.
        self.file.flush().await?;
        self.file.sync_all().await?;
        let Some(partial) = self.partial.take() else { return Ok(()) };
        let named = give_name(&partial, &self.real).await;
        if named.is_err() {
            self.partial = Some(partial);
        }
        named?;
        sync_folder(folder_of(&self.real)).await
    }

    async fn discard(&mut self) -> io::Result<()> {
        match self.partial.take() {
            Some(partial) => remove(&partial).await,
            None => Ok(()),
        }
    }
}

/// Gives a file its real name and never takes that name from another file: a link is refused where a rename would replace.
async fn give_name(partial: &Path, real: &Path) -> io::Result<()> {
    match tokio::fs::hard_link(partial, real).await {
        Ok(()) => remove(partial).await,
        Err(error) if has_no_links(&error) => {
            if tokio::fs::symlink_metadata(real).await.is_ok() {
                return Err(io::Error::from(io::ErrorKind::AlreadyExists));
            }
            tokio::fs::rename(partial, real).await
        }
        Err(error) => Err(error),
    }
}

/// FAT and some network file systems know no hard links.
fn has_no_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied | io::ErrorKind::TooManyLinks)
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // What cannot be taken away now is named so that it is known for what it is.
            let _ = std::fs::remove_file(partial);
        }
    }
}

impl Writing for PartialFile {
    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<(), FileError>> {
        async move {
            let finished = PartialFile::finish(&mut self).await;
            finished.map_err(failed("write", &self.real))
        }
        .boxed()
    }

    fn discard(mut self: Box<Self>) -> BoxFuture<'static, Result<(), FileError>> {
        async move {
            let discarded = PartialFile::discard(&mut self).await;
            discarded.map_err(failed("remove", &self.real))
        }
        .boxed()
    }
}

impl AsyncWrite for PartialFile {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.file).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{Files, SystemFiles};
    use crate::ports::is_partial_of;
    use std::os::unix::fs::PermissionsExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_file_has_its_name_only_once_it_is_whole() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/dump");
        let mut file = SystemFiles.create(&path).await.unwrap();
        file.write_all(b"half").await.unwrap();
        let names = SystemFiles.list(&root.path().join("a/b")).await.unwrap();
        assert_eq!(names.len(), 1);
        assert!(is_partial_of(&names[0], "dump"), "{names:?}");
        file.write_all(b" and half").await.unwrap();
        file.finish().await.unwrap();
        assert_eq!(SystemFiles.list(&root.path().join("a/b")).await.unwrap(), ["dump"]);
        assert_eq!(SystemFiles.read(&path).await.unwrap(), b"half and half");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(root.path().join("a")).unwrap().permissions().mode() & 0o777, 0o700);
        let mut text = String::new();
        SystemFiles.open(&path).await.unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "half and half");
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("dump");
        std::fs::write(&path, "precious").unwrap();
        let mut file = SystemFiles.create(&path).await.unwrap();
        file.write_all(b"other").await.unwrap();
        let error = file.finish().await.unwrap_err();
        assert_eq!((error.doing, error.source.kind()), ("write", std::io::ErrorKind::AlreadyExists));
        assert_eq!(SystemFiles.read(&path).await.unwrap(), b"precious");
        assert_eq!(SystemFiles.list(root.path()).await.unwrap(), ["dump"]);
    }

    #[tokio::test]
    async fn what_is_discarded_or_dropped_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("dump");
        let mut file = SystemFiles.create(&path).await.unwrap();
        file.write_all(b"x").await.unwrap();
        file.discard().await.unwrap();
        drop(SystemFiles.create(&path).await.unwrap());
        assert!(SystemFiles.list(root.path()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn absence_is_no_error_where_it_is_what_was_wanted() {
        let root = tempfile::tempdir().unwrap();
        SystemFiles.remove(&root.path().join("absent")).await.unwrap();
        assert!(SystemFiles.list(&root.path().join("absent")).await.unwrap().is_empty());
        let error = SystemFiles.read(&root.path().join("absent")).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read {}", root.path().join("absent").display()));
    }

    #[test]
    fn only_its_own_partial_names_are_known_again() {
        assert!(is_partial_of(".dump.00ff.partial", "dump"));
        for other in ["dump", ".dump.partial", ".dump.old.00ff.partial", "dump.00ff.partial", ".dumps.00ff.partial"] {
            assert!(!is_partial_of(other, "dump"), "{other}");
        }
    }
}
