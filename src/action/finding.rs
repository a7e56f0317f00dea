//! What is known of a use of an action before it does anything: what it finds in the files that it reads, and what it asks of the outside. It
//! knows no plan.

use crate::ports::Script;
use serde_json::Value;

/// One thing that is wrong in a file, or worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is, with its place in the file.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// Names the kind of problem, such as `plan::values`.
    pub code: &'static str,
    /// What it is about among the parameters.
    pub about: About,
    /// Only worth a look.
    pub is_warning: bool,
}

/// An object that a use of an action sends to a cluster, as far as it is known before it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The object with its values filled in; a text that is a template stands for what is not known yet.
    pub object: Value,
    /// The same as it is written.
    pub written: Value,
    /// Where it stands.
    pub about: About,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A file, by its path from the plan's folder.
    File(String),
    /// A parameter, by the keys that lead to it.
    Parameter(Vec<String>),
    /// A key of the step itself.
    Key(&'static str),
}

/// What a use of an action asks of the outside besides programs of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// An HTTP server.
    Server {
        /// How it is asked.
        method: String,
        /// The whole URL.
        url: String,
        /// The `Host` that is named to it, where it is not that of the URL.
        host: Option<String>,
    },
    /// An object that must be there, such as `deployment/web`.
    Object(String),
    /// A program in a pod that runs.
    InPod {
        /// What leads to the pod, such as `deployment/web`.
        pod: String,
        /// The container, where one is named.
        container: Option<String>,
        /// What is run.
        script: Script,
    },
}
