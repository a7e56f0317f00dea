//! Whether this process may do anything for the run now. It does not know who says so, nor what is locked.

use futures::future::{BoxFuture, FutureExt};

/// The right to write: it may have to be waited for, and somebody else may take it over.
pub trait Permit: Send + Sync {
    /// Waits until something may leave. An error says why nothing ever will again.
    fn entry(&self) -> BoxFuture<'static, Result<(), String>>;

    /// Waits until nothing may ever leave again, and says why.
    fn lapsed(&self) -> BoxFuture<'static, String>;
}

/// The right of whoever shares nothing with other machines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

impl Permit for Unlimited {
    fn entry(&self) -> BoxFuture<'static, Result<(), String>> {
        std::future::ready(Ok(())).boxed()
    }

    fn lapsed(&self) -> BoxFuture<'static, String> {
        std::future::pending().boxed()
    }
}
