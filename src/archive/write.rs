//! Writing a backup: compressed and summed on its way to the disk, under a temporary name until it is whole.

use super::{About, Archive, ArchiveError, Manifest, VERSION, check_name, hexadecimal};
use crate::ids::Moment;
use crate::ports::Writing;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use tokio::io::AsyncWriteExt;
use zstd::stream::write::Encoder;

/// A backup that is being written. Dropped before its end, nothing of it is left.
pub struct Writer {
    archive: Archive,
    name: String,
    file: Box<dyn Writing>,
    encoder: Encoder<'static, Vec<u8>>,
    sum: Sha256,
    size: u64,
    stored_size: u64,
}

/// A backup whose content is durable and that nobody has verified yet: without its manifest it is no backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unblessed {
    /// Its name.
    pub name: String,
    /// Bytes of the content.
    pub size: u64,
    /// Bytes of the file.
    pub stored_size: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl Archive {
    /// Begins a backup. What there is of one of this name is taken away first: its manifest must not stand over other content.
    ///
    /// # Errors
    /// When the name is none, or the folder cannot be written.
    pub async fn begin(&self, name: &str) -> Result<Writer, ArchiveError> {
        check_name(name)?;
        self.remove(name).await?;
        let file = self.files.create(&self.path(name)).await?;
        let broken = |source| ArchiveError::Write { name: name.to_owned(), source };
        let mut encoder = Encoder::new(Vec::new(), 3).map_err(broken)?;
        encoder.include_checksum(true).map_err(broken)?;
        Ok(Writer { archive: self.clone(), name: name.to_owned(), file, encoder, sum: Sha256::new(), size: 0, stored_size: 0 })
    }

    /// Makes a backup of verified content, by writing its manifest.
    ///
    /// # Errors
    /// When the manifest cannot be made durable. It is taken away then, and the content.
    pub async fn bless(&self, content: Unblessed, series: &str, about: About, created: Moment) -> Result<Manifest, ArchiveError> {
        let Unblessed { name, size, stored_size, sha256 } = content;
        let manifest = Manifest { version: VERSION, name, series: series.to_owned(), about, created, size, stored_size, sha256 };
        match self.write_manifest(&manifest).await {
            Ok(()) => Ok(manifest),
            Err(error) => {
                // The first error is the one to tell. The manifest may have its name already, and goes first: should the content stay
                // after that, it is no backup; should the manifest stay, its content does.
                let _ = self.remove(&manifest.name).await;
                Err(error)
            }
        }
    }

    async fn write_manifest(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let broken = |source| ArchiveError::Write { name: manifest.name.clone(), source };
        let mut text = serde_json::to_vec_pretty(manifest).map_err(|error| broken(io::Error::other(error)))?;
        text.push(b'\n');
        let mut file = self.files.create(&self.manifest_path(&manifest.name)).await?;
        file.write_all(&text).await.map_err(broken)?;
        Ok(file.finish().await?)
    }
}

impl Writer {
    /// Writes a piece of the content.
    ///
    /// # Errors
    /// When it cannot be written: the disk is full, for instance.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), ArchiveError> {
        self.encoder.write_all(piece).map_err(|source| self.broken(source))?;
        self.size += piece.len() as u64;
        let ready = std::mem::take(self.encoder.get_mut());
        self.store(&ready).await
    }

    /// Makes the content durable and gives the file its name.
    ///
    /// # Errors
    /// When that is not possible. Nothing is left then.
    pub async fn finish(mut self) -> Result<Unblessed, ArchiveError> {
        self.encoder.do_finish().map_err(|source| self.broken(source))?;
        let rest = std::mem::take(self.encoder.get_mut());
        self.store(&rest).await?;
        let path = self.archive.path(&self.name);
        self.file.finish().await?;
        let sha256 = hexadecimal(&self.sum.finalize());
        tracing::debug!(path = %path.display(), size = self.size, "a backup's content is durable");
        Ok(Unblessed { name: self.name, size: self.size, stored_size: self.stored_size, sha256 })
    }

    async fn store(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.sum.update(bytes);
        self.stored_size += bytes.len() as u64;
        self.file.write_all(bytes).await.map_err(|source| ArchiveError::Write { name: self.name.clone(), source })
    }

    fn broken(&self, source: io::Error) -> ArchiveError {
        ArchiveError::Write { name: self.name.clone(), source }
    }
}
