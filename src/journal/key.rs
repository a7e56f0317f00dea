//! The key that seals a state folder's blobs: where it comes from and what is derived from it. It knows no run.

use super::JournalError;
use super::digest::hex;
use crate::ports::Random;
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use ring::{aead, hkdf, hmac};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of the key.
const LENGTH: usize = 32;

/// Keys derived from one secret: one seals, one names blobs. Printing shows its fingerprint.
pub struct SealingKey {
    pub(super) seal: aead::LessSafeKey,
    pub(super) digest: hmac::Key,
    check: String,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.check)
    }
}

impl SealingKey {
    /// Reads a key from text, as `BOWLINE_KEY` gives it: 32 bytes in hexadecimal or base64.
    ///
    /// # Errors
    /// When it is something else. The text is not repeated.
    pub fn from_text(text: &str) -> Result<Self, JournalError> {
        let text = text.trim().trim_end_matches('=').as_bytes();
        let bytes = match text.len() {
            64 => HEXLOWER_PERMISSIVE.decode(text),
            _ => BASE64_NOPAD.decode(text).or_else(|_| BASE64URL_NOPAD.decode(text)),
        };
        let secret = bytes.ok().and_then(|bytes| <[u8; LENGTH]>::try_from(bytes).ok());
        let how = "BOWLINE_KEY holds none: a key is 32 bytes in hexadecimal or base64: `openssl rand -hex 32` makes one";
        secret.map(|secret| Self::derive(&secret)).ok_or_else(|| JournalError::Key(how.to_owned()))
    }

    /// Reads the key file; none when there is none.
    ///
    /// # Errors
    /// When it cannot be read, holds no key, or others than its owner can read it.
    pub fn load(path: &Path) -> Result<Option<Self>, JournalError> {
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(JournalError::Key(format!("`{shown}` cannot be read: {e}"))),
        };
        let mode = fs::metadata(path).map_err(|e| JournalError::Key(format!("`{shown}` cannot be looked at: {e}")))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(JournalError::Key(format!("others can use `{shown}` (mode {mode:04o}): `chmod 600 {shown}`")));
        }
        Self::from_text(&text).map(Some).map_err(|_| JournalError::Key(format!("`{shown}` holds no key: put back the file that was there")))
    }

    /// Reads the key file, and makes one first if there is none.
    ///
    /// # Errors
    /// As [`Self::load`], and when it cannot be written or the system has no randomness.
    pub fn load_or_create(path: &Path, random: &dyn Random) -> Result<Self, JournalError> {
        if let Some(key) = Self::load(path)? {
            return Ok(key);
        }
        create(path, random).map_err(|e| JournalError::Key(format!("`{}` cannot be written: {e}", path.display())))?;
        Self::load(path)?.ok_or_else(|| JournalError::Key(format!("`{}` disappeared", path.display())))
    }

    /// A fingerprint that tells two keys apart and nothing about them.
    pub fn check(&self) -> &str {
        &self.check
    }

    fn derive(secret: &[u8; LENGTH]) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"bowline journal key v1").extract(secret);
        let mut check = [0; 8];
        let fits = "a derived key is shorter than HKDF's limit";
        root.expand(&[b"check"], Short).and_then(|okm| okm.fill(&mut check)).expect(fits);
        Self {
            seal: aead::LessSafeKey::new(root.expand(&[b"seal"], &aead::AES_256_GCM).expect(fits).into()),
            digest: root.expand(&[b"digest"], hmac::HMAC_SHA256).expect(fits).into(),
            check: hex(&check),
        }
    }
}

/// The fingerprint's length, as HKDF wants to be told.
struct Short;

impl hkdf::KeyType for Short {
    fn len(&self) -> usize {
        8
    }
}

/// The file appears whole or not at all, and never replaces one: two processes that begin together end up with one key.
fn create(path: &Path, random: &dyn Random) -> std::io::Result<()> {
    let (mut secret, mut name) = ([0; LENGTH], [0; 8]);
    random.fill(&mut secret)?;
    random.fill(&mut name)?;
    let temporary = path.with_extension(hex(&name));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = writeln!(file, "{}", hex(&secret)).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&temporary, path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    fs::remove_file(&temporary)?;
    linked?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::SealingKey;
    use crate::ports::SystemRandom;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn a_key_reads_the_same_from_hexadecimal_and_base64() {
        let key = SealingKey::from_text(HEX).unwrap();
        for text in ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", &HEX.to_uppercase()] {
            assert_eq!(SealingKey::from_text(text).unwrap().check(), key.check());
        }
        assert_ne!(SealingKey::from_text(&HEX.replace("1f", "1e")).unwrap().check(), key.check());
    }

    #[test]
    fn a_text_that_is_no_key_is_not_repeated() {
        insta::assert_snapshot!(SealingKey::from_text("hunter2").unwrap_err(), @"the journal's key cannot be used: BOWLINE_KEY holds none: a key is 32 bytes in hexadecimal or base64: `openssl rand -hex 32` makes one");
        assert!(SealingKey::from_text("").is_err());
    }

    #[test]
    fn a_key_file_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(SealingKey::load(&path).unwrap().is_none());
        let made = SealingKey::load_or_create(&path, &SystemRandom::default()).unwrap();
        let again = SealingKey::load_or_create(&path, &SystemRandom::default()).unwrap();
        assert_eq!(made.check(), again.check());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        SealingKey::load_or_create(&path, &SystemRandom::default()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = SealingKey::load(&path).unwrap_err().to_string().replace(&folder.path().display().to_string(), "STATE");
        insta::assert_snapshot!(error, @"the journal's key cannot be used: others can use `STATE/key` (mode 0640): `chmod 600 STATE/key`");
    }

    #[test]
    fn printing_a_key_shows_its_fingerprint() {
        let key = SealingKey::from_text(HEX).unwrap();
        assert_eq!(format!("{key:?}"), format!("SealingKey({})", key.check()));
    }
}
