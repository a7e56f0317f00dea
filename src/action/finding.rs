//! What an action finds in the files that it reads, before it does anything. It knows no plan.

/// One thing that is wrong in a file, or worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is, with its place in the file.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// What it is about among the parameters.
    pub about: About,
    /// Only worth a look.
    pub is_warning: bool,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A file, by its path from the plan's folder.
    File(String),
    /// A parameter, by the keys that lead to it.
    Parameter(Vec<String>),
}
