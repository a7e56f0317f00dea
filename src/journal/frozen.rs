//! All that a run will ever read, frozen when it opens: the content of the first record's blob. It knows no plan, only its text.

use super::{JournalError, RunJournal};
use crate::record::BlobRef;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a run was opened with. One blob holds all of it: what a record does not name, the chain would not cover.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Frozen {
    /// The version of this shape.
    pub v: u16,
    /// The name of the plan's file, for messages.
    pub plan_file: String,
    /// The plan.
    pub plan_text: String,
    /// The inputs, as they were chosen. Secrets are no inputs, but nothing keeps anybody from giving one as such.
    pub inputs: Map<String, Value>,
    /// The inputs of which it was known that they hold a secret: whoever shows inputs leaves their values out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disclosing: Vec<String>,
    /// The environment that was chosen.
    pub environment: Option<String>,
    /// The namespace of objects that name none.
    pub namespace: Option<String>,
    /// The kubeconfig context; the current one when none.
    pub context: Option<String>,
    /// Every file that the plan refers to, by its path from the plan's folder.
    pub files: BTreeMap<String, FrozenFile>,
    /// The folder in which the run began: its programs run there, also those that take it back days later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The Lease that keeps other machines out; none when the state folder alone keeps the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<FrozenLock>,
    /// It ran in a simulated world, which ended with it: nothing of it may ever reach a real one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

/// Where the Lease of a run is, in the cluster of its context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FrozenLock {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Frozen {
    /// The version that this program writes.
    pub const VERSION: u16 = 1;

    /// Seals it; it is durable with the next record.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn seal(&self, journal: &dyn RunJournal) -> Result<BlobRef, JournalError> {
        let bytes = serde_json::to_vec(self).map_err(|e| JournalError::Write(format!("what the run reads cannot be stored: {e}")))?;
        journal.seal(&bytes)
    }

    /// Reads what [`Self::seal`] stored, once it is opened.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(bytes: &[u8]) -> Result<Self, JournalError> {
        serde_json::from_slice(bytes).map_err(|e| JournalError::Read(format!("what the run was opened with is in no known shape: {e}")))
    }

    /// The files' contents.
    ///
    /// # Errors
    /// When one of them is not in the shape in which it was stored.
    pub fn contents(&self) -> Result<BTreeMap<String, Vec<u8>>, JournalError> {
        self.files.iter().map(|(path, file)| Ok((path.clone(), file.content(path)?))).collect()
    }
}

/// A file's content: text stays text, so that it packs well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrozenFile {
    /// Text in UTF-8.
    Text(String),
    /// Anything else, in base64.
    Base64(String),
}

impl From<Vec<u8>> for FrozenFile {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|e| FrozenFile::Base64(BASE64.encode(e.as_bytes())), FrozenFile::Text)
    }
}

impl FrozenFile {
    fn content(&self, path: &str) -> Result<Vec<u8>, JournalError> {
        match self {
            FrozenFile::Text(text) => Ok(text.clone().into_bytes()),
            FrozenFile::Base64(text) => {
                BASE64.decode(text.as_bytes()).map_err(|_| JournalError::Damaged(format!("the frozen file `{path}` is no base64")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Frozen, FrozenLock};
    use crate::journal::{MemoryStore, RunJournal};
    use serde_json::{Map, json};

    #[test]
    fn what_was_frozen_reads_back_byte_for_byte() {
        let files = [("a.yaml", b"kind: Service\n".to_vec()), ("b.bin", vec![0, 159, 255])];
        let frozen = Frozen {
            v: Frozen::VERSION,
            plan_file: "plan.yaml".to_owned(),
            plan_text: "plan: web\n".to_owned(),
            inputs: Map::from_iter([("version".to_owned(), json!("1.10"))]),
            disclosing: Vec::new(),
            environment: Some("production".to_owned()),
            namespace: None,
            folder: Some("/work".to_owned()),
            context: None,
            files: files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.clone().into())).collect(),
            simulated: false,
            lock: Some(FrozenLock { namespace: "shop".to_owned(), name: "bowline.web.production".to_owned() }),
        };
        let journal = MemoryStore::new().hold();
        let blob = frozen.seal(&journal).unwrap();
        let read = Frozen::read(&journal.open(&blob).unwrap()).unwrap();
        assert_eq!(read, frozen);
        assert_eq!(read.contents().unwrap(), files.map(|(path, bytes)| (path.to_owned(), bytes)).into());
    }

    #[test]
    fn the_first_version_can_still_be_read() {
        let stored = br#"{"v":1,"plan-file":"p.yaml","plan-text":"plan: p","inputs":{"n":1},"environment":null,"namespace":"n","context":null,"files":{"f":{"text":"x"},"g":{"base64":"AP8="}}}"#;
        let frozen = Frozen::read(stored).unwrap();
        assert_eq!(frozen.contents().unwrap()["g"], [0, 255]);
        assert_eq!(serde_json::to_vec(&frozen).unwrap(), stored);
    }
}
