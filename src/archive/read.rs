//! Reading a backup back, piece by piece, and finding out whether it is still what was written.

use super::{Archive, ArchiveError, Manifest, VERSION, check_name, hexadecimal};
use crate::ports::Reading;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use tokio::io::AsyncReadExt;
use zstd::stream::write::Decoder;

const PIECE: usize = 64 * 1024;

/// The content of a backup, piece by piece. Its sum and its end are checked with the last one.
pub struct Reader {
    name: String,
    expected: Expected,
    file: Reading,
    decoder: Decoder<'static, Vec<u8>>,
    sum: Sha256,
    size: u64,
    over: bool,
}

/// What the content should turn out to be.
struct Expected {
    size: u64,
    sha256: String,
}

impl Archive {
    /// What is known of a backup.
    ///
    /// # Errors
    /// When there is none of that name, or its manifest cannot be read.
    pub async fn show(&self, name: &str) -> Result<Manifest, ArchiveError> {
        check_name(name)?;
        let damaged = |what: String| ArchiveError::Damaged { name: name.to_owned(), what };
        let bytes = match self.files.read(&self.manifest_path(name)).await {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
                return Err(ArchiveError::Absent { name: name.to_owned(), folder: self.folder.clone() });
            }
            bytes => bytes?,
        };
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| damaged(format!("its manifest cannot be read: {error}")))?;
        match () {
            () if manifest.version > VERSION => {
                Err(damaged(format!("its manifest is of version {}, which is newer than this program", manifest.version)))
            }
            () if manifest.name != name => Err(damaged(format!("its manifest is that of `{}`", manifest.name))),
            () => Ok(manifest),
        }
    }

    /// Opens a backup's content.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn open(&self, manifest: &Manifest) -> Result<Reader, ArchiveError> {
        self.reader(&manifest.name, Expected { size: manifest.size, sha256: manifest.sha256.clone() }).await
    }

    /// Opens content that nobody has verified yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn open_unblessed(&self, content: &super::Unblessed) -> Result<Reader, ArchiveError> {
        self.reader(&content.name, Expected { size: content.size, sha256: content.sha256.clone() }).await
    }

    async fn reader(&self, name: &str, expected: Expected) -> Result<Reader, ArchiveError> {
        let file = match self.files.open(&self.path(name)).await {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
                return Err(gone(name));
            }
            file => file?,
        };
        let decoder = Decoder::new(Vec::new()).map_err(|source| ArchiveError::Write { name: name.to_owned(), source })?;
        Ok(Reader { name: name.to_owned(), expected, file, decoder, sum: Sha256::new(), size: 0, over: false })
    }

    /// Reads a backup from end to end and says what is known of it.
    ///
    /// # Errors
    /// When it is not what was written.
    pub async fn verify(&self, name: &str) -> Result<Manifest, ArchiveError> {
        let manifest = self.show(name).await?;
        let mut reader = self.open(&manifest).await?;
        while reader.next().await?.is_some() {}
        Ok(manifest)
    }
}

/// The content is not there.
pub(super) fn gone(name: &str) -> ArchiveError {
    ArchiveError::Damaged { name: name.to_owned(), what: "its content is gone".to_owned() }
}

impl Reader {
    /// The next piece of the content; none at its end. The last one comes only once all of it has proved to be what was written.
    ///
    /// # Errors
    /// When it is not.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ArchiveError> {
        while !self.over {
            let mut piece = vec![0; PIECE];
            let count = self.file.read(&mut piece).await.map_err(|error| self.damaged(format!("it cannot be read: {error}")))?;
            self.over = count == 0;
            self.sum.update(&piece[..count]);
            let content = self.expand(&piece[..count]).map_err(|error| self.damaged(format!("it cannot be expanded: {error}")))?;
            self.size += content.len() as u64;
            if self.over {
                // Before the last piece is given away: who has all of it must know that it is right.
                self.end()?;
            }
            if !content.is_empty() {
                return Ok(Some(content));
            }
        }
        Ok(None)
    }

    /// Expands a piece; an empty one brings out what is still held back.
    fn expand(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match piece.is_empty() {
            true => self.decoder.flush()?,
            false => self.decoder.write_all(piece)?,
        }
        Ok(std::mem::take(self.decoder.get_mut()))
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let sum = hexadecimal(&std::mem::take(&mut self.sum).finalize());
        match () {
            () if sum != self.expected.sha256 => Err(self.damaged("its SHA-256 is not the one that was noted".to_owned())),
            () if self.size != self.expected.size => Err(self.damaged(format!("it holds {} bytes of {}", self.size, self.expected.size))),
            () => Ok(()),
        }
    }

    fn damaged(&self, what: String) -> ArchiveError {
        ArchiveError::Damaged { name: self.name.clone(), what }
    }
}
