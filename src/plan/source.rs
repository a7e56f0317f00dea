//! The text of a plan and the name it goes by. It does not read files.

use miette::NamedSource;
use std::ops::Range;
use std::sync::Arc;

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

    /// The text as it may be shown: what stands in `masked` is hidden, byte by byte, so that places stay right.
    pub(super) fn shown(&self, masked: &[Range<usize>]) -> Arc<NamedSource<String>> {
        let mut text = self.text.clone();
        for range in masked {
            let stars: String = self.text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
            text.replace_range(range.clone(), &stars);
        }
        Arc::new(NamedSource::new(&self.name, text))
    }
}
