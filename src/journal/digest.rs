//! SHA-256 and hexadecimal text. It knows bytes and nothing else.

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// The SHA-256 of several pieces, one after the other.
pub fn sha256(pieces: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for piece in pieces {
        context.update(piece);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// Bytes as lower-case hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::{hex, sha256};

    #[test]
    fn pieces_digest_like_their_concatenation() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(hex(&sha256(&[b"a", b"", b"bc"])), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
