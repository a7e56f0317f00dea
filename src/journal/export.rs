//! A run as text that can be carried elsewhere: one JSON value a line, blobs sealed as they are. It knows no key.
//!
//! The first line says what follows, the last one is a digest of every byte before it, so that a change or a loss anywhere shows.

use super::chain::Head;
use super::database::cannot_read;
use super::digest::hex;
use super::state::StateFolder;
use super::tables::{StoredRun, count_blobs, each_blob, each_record, select_run};
use super::{JournalError, Refused};
use crate::ids::{Moment, PlanName, RunId};
use data_encoding::BASE64;
use ring::digest::{Context, SHA256};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// The version that this program writes.
pub(super) const FORMAT: u64 = 1;

/// One line of an export. Only grows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    /// The first one.
    Journal(Header),
    /// A record, as it is stored.
    #[serde(rename_all = "kebab-case")]
    Record { text: String, hash: String },
    /// A blob: its name, and its sealed bytes in base64.
    #[serde(rename_all = "kebab-case")]
    Blob { id: String, sealed: String, size: u64, bytes: String },
    /// The last one.
    #[serde(rename_all = "kebab-case")]
    End { sha256: String },
}

/// What the first line says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Header {
    pub(super) format: u64,
    pub(super) run: RunId,
    pub(super) plan: PlanName,
    pub(super) environment: Option<String>,
    pub(super) opened: Moment,
    pub(super) epoch: u64,
    pub(super) sealed_with: String,
    pub(super) records: u64,
    pub(super) head: String,
    pub(super) blobs: u64,
}

impl Header {
    fn of(run: &StoredRun, blobs: usize) -> Self {
        let Head { count, hash } = run.head;
        Self {
            format: FORMAT,
            run: run.run.clone(),
            plan: run.identity.plan.clone(),
            environment: run.identity.environment.clone(),
            opened: run.opened,
            epoch: run.epoch,
            sealed_with: run.sealed_with.clone(),
            records: count,
            head: hex(&hash),
            blobs: blobs as u64,
        }
    }
}

/// Why a run could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The run cannot be read.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The text cannot be written.
    #[error("the export cannot be written")]
    Write(#[source] io::Error),
}

impl From<JournalError> for ExportError {
    fn from(error: JournalError) -> Self {
        ExportError::Refused(error.into())
    }
}

impl StateFolder {
    /// Writes a run out, live or not: as it stands at this moment.
    ///
    /// # Errors
    /// When there is no such run, it cannot be read, or the text cannot be written.
    pub fn export(&self, run: &RunId, to: &mut dyn Write) -> Result<(), ExportError> {
        let mut connection = self.looking()?;
        let look = connection.transaction().map_err(cannot_read)?;
        let stored = select_run(&look, run)?.ok_or_else(|| Refused::Unknown(run.clone()))?;
        let mut lines = Lines { to, digest: Context::new(&SHA256), failed: None };
        let written = write_all(&look, &stored, &mut lines);
        match lines.failed {
            Some(error) => Err(ExportError::Write(error)),
            None => Ok(written?),
        }
    }
}

fn write_all(look: &Connection, stored: &StoredRun, lines: &mut Lines<'_>) -> Result<(), JournalError> {
    lines.put(&Line::Journal(Header::of(stored, count_blobs(look, stored.no)?)))?;
    each_record(look, stored.no, |seq, bytes, hash| {
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| JournalError::Damaged(format!("record {seq} is no text")))?;
        lines.put(&Line::Record { text, hash: hex(hash) })
    })?;
    each_blob(look, stored.no, |label, bytes| {
        let (id, sealed) = (label.id.to_owned(), label.sealed.to_owned());
        lines.put(&Line::Blob { id, sealed, size: label.size, bytes: BASE64.encode(bytes) })
    })?;
    let sha256 = hex(lines.digest.clone().finish().as_ref());
    lines.put(&Line::End { sha256 })
}

/// Writes lines and keeps their digest.
struct Lines<'a> {
    to: &'a mut dyn Write,
    digest: Context,
    failed: Option<io::Error>,
}

impl Lines<'_> {
    fn put(&mut self, line: &Line) -> Result<(), JournalError> {
        let bytes = line.bytes()?;
        self.digest.update(&bytes);
        let written = self.to.write_all(&bytes).and_then(|()| self.to.flush());
        // The reader's side knows no such error: it is kept here, and what comes back only ends the reading.
        written.map_err(|e| {
            self.failed = Some(e);
            JournalError::Read("stopped".to_owned())
        })
    }
}

impl Line {
    /// The line with its end.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, JournalError> {
        let mut bytes = serde_json::to_vec(self).map_err(|e| JournalError::Read(e.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
