//! Taking changes of objects back: three-way and field by field, then who owns which field.

mod count;
#[cfg(test)]
mod count_tests;
mod keys;
pub mod managed;
mod merge;
#[cfg(test)]
mod merge_tests;
mod owned;
mod recreate;
#[cfg(test)]
mod recreate_tests;
mod take_back;
#[cfg(test)]
mod take_back_tests;
mod vacancy;
#[cfg(test)]
mod vacancy_tests;

pub use count::give_count_back;
pub use managed::Managers;
pub use merge::{Path, Restoration, Step, merge};
pub use owned::owned_kinds;
pub use recreate::{Recreated, recreate};
pub(crate) use recreate::{held_by, still_there};
pub use take_back::{Change, GONE_WITHIN, TakenBack, is_sealing, released, take_back};
pub use vacancy::namespaced_kinds;
