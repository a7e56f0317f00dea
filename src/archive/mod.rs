//! Backup artefacts in a folder: `NAME.zst` and, once it is whole and verified, `NAME.json` beside it. It knows no database and no plan.
//!
//! A backup is what has a manifest. Data without one was left behind by somebody who died, and is never listed.

mod catalogue;
mod read;
mod write;

pub use catalogue::Catalogue;
pub use read::Reader;
pub use write::{Unblessed, Writer};

use crate::ids::{Moment, RunId, StepId};
use crate::ports::{FileError, Files};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The version that this program writes into every manifest.
pub const VERSION: u16 = 1;

/// What is known of one backup. Stored beside it, so it only grows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// The version of this form.
    pub version: u16,
    /// The backup's name in its folder.
    pub name: String,
    /// What it is one of: only backups of one series replace each other, see [`Manifest::is_like`].
    pub series: String,
    /// What is in it.
    pub about: About,
    /// When it was finished.
    pub created: Moment,
    /// Bytes of the content.
    pub size: u64,
    /// Bytes of the file.
    pub stored_size: u64,
    /// SHA-256 of the file as it is stored, in hexadecimal: `sha256sum` says the same.
    pub sha256: String,
}

impl Manifest {
    /// True when one of the two may replace the other: they are of one series, and come from the same place.
    pub fn is_like(&self, other: &Self) -> bool {
        self.series == other.series && self.about.source == other.about.source
    }
}

/// What is in a backup, and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct About {
    /// The form of the content: `postgres-custom`.
    pub format: String,
    /// What was backed up: `database app of statefulset/postgres, namespace shop`. Backups of different sources never replace each other.
    pub source: String,
    /// The run that made it.
    pub run: RunId,
    /// The step that made it.
    pub step: StepId,
    /// How it was verified: `listing`, `restore`.
    pub verified: String,
    /// What the verification found: rows of each table, for instance.
    #[serde(default)]
    pub found: BTreeMap<String, u64>,
    /// What whoever restores it ought to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Why the archive could not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file could not be used.
    #[error("the archive cannot be used")]
    File(#[from] FileError),
    /// The content could not be written whole. Nothing of it is left.
    #[error("the backup `{name}` could not be written")]
    Write {
        /// The backup.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no such backup.
    #[error("there is no backup `{name}` in {folder}", folder = folder.display())]
    Absent {
        /// The backup.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// It is not what was written.
    #[error("the backup `{name}` is damaged: {what}")]
    Damaged {
        /// The backup.
        name: String,
        /// How it shows.
        what: String,
    },
    /// It could not become a file's name.
    #[error("`{0}` cannot be a backup's name: use letters, digits, `.`, `_` and `-`, and begin with a letter or digit")]
    Name(String),
}

/// A folder of backups.
#[derive(Clone)]
pub struct Archive {
    files: Arc<dyn Files>,
    folder: PathBuf,
}

impl Archive {
    /// The archive in this folder, which is made when the first backup is.
    pub fn new(files: Arc<dyn Files>, folder: impl Into<PathBuf>) -> Self {
        Self { files, folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that holds a backup's content.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(data_name(name))
    }

    fn manifest_path(&self, name: &str) -> PathBuf {
        self.folder.join(manifest_name(name))
    }
}

fn data_name(name: &str) -> String {
    format!("{name}.zst")
}

fn manifest_name(name: &str) -> String {
    format!("{name}.json")
}

fn check_name(name: &str) -> Result<(), ArchiveError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins_well && name.len() <= 210 && name.chars().all(allowed) { Ok(()) } else { Err(ArchiveError::Name(name.to_owned())) }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
