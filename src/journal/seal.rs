//! Seals bytes so that a copy of the journal tells nothing of them. It knows a key and bytes; it stores nothing.
//!
//! Sealed bytes are: the version (1), how the content is packed (0 as it is, 1 zstd), a nonce of 12 bytes, and AES-256-GCM of the packed
//! content. The version, the packing and the blob's id are authenticated with it.
//!
//! This protects what leaves the state folder without its key: exports, backups, copies of the database. It does not protect from whoever
//! can read the folder's key file or this process's memory. A content's size shows, and whether two contents of a run are equal.

use super::JournalError;
use super::digest::sha256;
use super::key::SealingKey;
use crate::ports::Random;
use crate::record::{BlobRef, Digest};
use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::hmac;

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const HEAD: usize = 2 + NONCE_LEN;
/// Smaller contents gain nothing from being packed.
const PACK_ABOVE: usize = 512;

/// The id of a content: without the key nobody can try guesses against it.
pub(super) fn blob_id(key: &SealingKey, bytes: &[u8]) -> Digest {
    let mut id = [0; 32];
    id.copy_from_slice(hmac::sign(&key.digest, bytes).as_ref());
    Digest(id)
}

/// Seals a content whose id is known.
///
/// # Errors
/// When the system has no randomness: a nonce that repeats would open everything.
pub(super) fn seal(key: &SealingKey, random: &dyn Random, id: Digest, bytes: &[u8]) -> Result<(BlobRef, Vec<u8>), JournalError> {
    let failed = |what: String| JournalError::Write(format!("a blob cannot be sealed: {what}"));
    let packed = match bytes.len() > PACK_ABOVE {
        true => Some(zstd::bulk::compress(bytes, 3).map_err(|e| failed(e.to_string()))?).filter(|packed| packed.len() < bytes.len()),
        false => None,
    };
    let (how, content) = packed.as_deref().map_or((PLAIN, bytes), |packed| (ZSTD, packed));
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce).map_err(|e| failed(e.to_string()))?;
    let mut sealed = Vec::with_capacity(HEAD + content.len() + 16);
    sealed.extend([VERSION, how]);
    sealed.extend(nonce);
    let mut body = content.to_vec();
    let aad = Aad::from(associated(how, id));
    key.seal
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
        .map_err(|_| failed("it is too large".to_owned()))?;
    sealed.append(&mut body);
    let blob = BlobRef { id, sealed: Digest(sha256(&[&sealed])), size: bytes.len() as u64 };
    Ok((blob, sealed))
}

/// Opens what [`seal`] made.
///
/// # Errors
/// When it is not what the record says, or was sealed with another key.
pub(super) fn open(key: &SealingKey, blob: &BlobRef, sealed: &[u8]) -> Result<Vec<u8>, JournalError> {
    let damaged = |what: &str| JournalError::Damaged(format!("blob {} {what}", blob.id));
    if sha256(&[sealed]) != blob.sealed.0 {
        return Err(damaged("is not what its record says"));
    }
    let Some((&[version, how], rest)) = sealed.split_first_chunk::<2>() else { return Err(damaged("is too short")) };
    let Some((nonce, body)) = rest.split_first_chunk::<NONCE_LEN>() else { return Err(damaged("is too short")) };
    if version != VERSION || how > ZSTD {
        return Err(JournalError::Read(format!("blob {} is in a format of a newer bowline: update this one", blob.id)));
    }
    let mut body = body.to_vec();
    let aad = Aad::from(associated(how, blob.id));
    let content = key
        .seal
        .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut body)
        .map_err(|_| JournalError::Key("the run was sealed with another one: give that one as BOWLINE_KEY".to_owned()))?;
    let size = usize::try_from(blob.size).map_err(|_| damaged("says a size that cannot be"))?;
    let bytes = match how {
        ZSTD => zstd::bulk::decompress(content, size).map_err(|_| damaged("cannot be unpacked"))?,
        _ => content.to_vec(),
    };
    (bytes.len() == size).then_some(bytes).ok_or_else(|| damaged("has another size than its record says"))
}

fn associated(how: u8, id: Digest) -> Vec<u8> {
    [b"bowline blob", &[VERSION, how][..], id.to_string().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::{blob_id, open, seal};
    use crate::journal::JournalError;
    use crate::journal::digest::sha256;
    use crate::journal::key::SealingKey;
    use crate::ports::SystemRandom;
    use crate::record::BlobRef;

    fn key(digit: &str) -> SealingKey {
        SealingKey::from_text(&digit.repeat(64)).unwrap()
    }

    fn sealed(key: &SealingKey, bytes: &[u8]) -> (BlobRef, Vec<u8>) {
        seal(key, &SystemRandom::default(), blob_id(key, bytes), bytes).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_again() {
        let key = key("1");
        let random: Vec<u8> = (0..2000_u64).flat_map(|n| sha256(&[&n.to_le_bytes()])).collect();
        for bytes in [b"".to_vec(), b"short".to_vec(), vec![b'x'; 100_000], random] {
            let (blob, stored) = sealed(&key, &bytes);
            assert_eq!(open(&key, &blob, &stored).unwrap(), bytes);
        }
    }

    #[test]
    fn long_contents_are_packed_and_none_shows() {
        let (blob, stored) = sealed(&key("1"), &b"password ".repeat(1000));
        assert!(stored.len() < 200 && blob.size == 9000);
        assert!(!stored.windows(8).any(|window| window == b"password"));
    }

    #[test]
    fn equal_contents_share_an_id_only_under_one_key() {
        let (first, stored) = sealed(&key("1"), b"content");
        let (second, again) = sealed(&key("1"), b"content");
        assert_eq!(first.id, second.id);
        assert_ne!(stored, again, "a nonce is never used twice");
        assert_ne!(first.id, sealed(&key("2"), b"content").0.id);
        assert_ne!(first.id.0, sha256(&[b"content"]));
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let (blob, mut stored) = sealed(&key("1"), b"content");
        insta::assert_snapshot!(open(&key("2"), &blob, &stored).unwrap_err(), @"the journal's key cannot be used: the run was sealed with another one: give that one as BOWLINE_KEY");
        stored[20] ^= 1;
        assert!(matches!(open(&key("1"), &blob, &stored), Err(JournalError::Damaged(_))));
    }

    #[test]
    fn a_blob_under_the_name_of_another_does_not_open() {
        let key = key("1");
        let (blob, stored) = sealed(&key, b"content");
        let (other, _) = sealed(&key, b"context");
        let forged = BlobRef { id: other.id, ..blob };
        assert!(open(&key, &forged, &stored).is_err());
    }
}
