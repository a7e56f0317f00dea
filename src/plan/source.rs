//! The text of a plan and the name it goes by. It does not read files.

use super::problem::{Notes, Problems};
use miette::NamedSource;
use std::ops::Range;
use std::sync::Arc;

/// Most bytes of a plan.
pub const MOST_BYTES: u64 = 32 << 20;

/// A plan's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What people know the file by.
    pub name: String,
    /// Its content.
    pub text: String,
}

impl Source {
    /// Takes a text in.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Takes in what a file holds: UTF-8, with or without a byte order mark.
    ///
    /// # Errors
    /// When it is in another encoding, with the place where that shows.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, Problems> {
        let name = name.into();
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            let problem = "this file is UTF-16, and a plan is UTF-8";
            return Err(refused(name, String::new(), 0..0, problem, "save it as UTF-8: `iconv -f UTF-16 -t UTF-8`"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text: text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text) }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let problem = format!("the byte 0x{:02X} is not UTF-8", bytes[valid]);
                // Up to here the text is as it was: the sign that stands for the byte begins where it did.
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let sign = valid..valid + '\u{fffd}'.len_utf8();
                Err(refused(name, text, sign, &problem, "save it as UTF-8: `iconv -f WINDOWS-1252 -t UTF-8` if it is from Windows"))
            }
        }
    }

    /// Refuses a file for its size: it is not read at all.
    pub fn too_large(name: impl Into<String>, bytes: u64) -> Problems {
        let problem = format!("this file has {bytes} bytes, and a plan has at most {} MiB", MOST_BYTES >> 20);
        refused_as(
            "plan::too-large",
            name.into(),
            String::new(),
            0..0,
            &problem,
            "is it a plan at all? Leave what is large to files that steps name",
        )
    }

    /// The text as it may be shown: what stands in `masked` is hidden, byte by byte, so that places stay right.
    pub(super) fn shown(&self, masked: &[Range<usize>]) -> Arc<NamedSource<String>> {
        let mut text = self.text.clone();
        for range in masked {
            let stars: String = self.text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
            text.replace_range(range.clone(), &stars);
        }
        // A plan may be anybody's: what it holds must not steer the terminal of whoever checks it.
        let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if text.contains(steers) {
            let plain = |c: char| if steers(c) { "?".repeat(c.len_utf8()) } else { c.to_string() };
            text = text.chars().map(plain).collect();
        }
        Arc::new(NamedSource::new(&self.name, text))
    }
}

fn refused(name: String, text: String, span: Range<usize>, problem: &str, help: &str) -> Problems {
    refused_as("plan::encoding", name, text, span, problem, help)
}

fn refused_as(code: &'static str, name: String, text: String, span: Range<usize>, problem: &str, help: &str) -> Problems {
    let source = Source { name, text };
    let mut notes = Notes::new(&source);
    notes.mask_secrets();
    notes.error(code, &span, problem).help(help);
    notes.finish().expect_err("a mistake was noted just now")
}
