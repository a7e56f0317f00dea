//! Whether this process may still do anything for the run. It does not know who says so, nor what is locked.

use futures::future::{BoxFuture, FutureExt};

/// The right to write, which somebody else may have taken over. Once it is gone it is gone for good.
pub trait Permit: Send + Sync {
    /// Why nothing may leave any more; none while it may.
    fn refusal(&self) -> Option<String>;

    /// Waits until nothing may leave any more, and says why.
    fn lapsed(&self) -> BoxFuture<'static, String>;
}

/// The right of whoever shares nothing with other machines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

impl Permit for Unlimited {
    fn refusal(&self) -> Option<String> {
        None
    }

    fn lapsed(&self) -> BoxFuture<'static, String> {
        std::future::pending().boxed()
    }
}
