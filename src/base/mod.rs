//! Vocabulary that every layer shares.

pub mod addr;
pub mod assembler;
mod brief;
pub mod budget;
pub(crate) mod bytes;
pub mod channel;
pub mod digest;
mod few;
pub mod name;
pub mod name_source;
pub mod stage;
pub mod temporary;
pub mod time;

pub use addr::{Addr, Mac, Prefix};
pub use brief::brief;
pub use budget::Budget;
pub use channel::Channel;
pub use few::Few;
pub use name::Name;
pub use name_source::NameSource;
pub use stage::Stage;
pub use time::Timestamp;
