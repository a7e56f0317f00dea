//! A name that an expression refers to, and where it stands. It does not know whether the name exists.

use std::fmt;
use std::ops::Range;

/// One mention of a name such as `steps.deploy.objects`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its parts, outermost first.
    pub path: Vec<String>,
    /// The expression gives a value even if the name stands for nothing: `default`, `has()`, a block's condition.
    pub optional: bool,
    /// Where it stands in the expression's text, in bytes.
    pub at: Range<usize>,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path.join("."))
    }
}
