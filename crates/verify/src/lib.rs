//! The verb `verify`: proves that what is stored can be restored, and names what can not.
//!
//! ```text
//! verify_without_key            every object against its name or trailer
//! verify, Depth::Structure      small objects opened · segments whole · every tree opened · every chunk located
//! verify, Depth::ReadData       and every pack read, opened, decompressed, every chunk hashed, compared with the index
//!   → damage by object → where damage was found: the places that do not open → snapshots and paths that need them
//! ```
//!
//! A damaged object never stops the rest; a store that does not answer does. Nothing is changed or removed. On a sound
//! repository one bit per index record and a row per pack are kept in memory, never a set of ids.

mod bits;
mod data;
mod hurt;
mod ledger;
mod object;
mod options;
mod packs;
mod places;
mod records;
mod report;
mod run;
mod segments;
mod structure;
mod without_key;

pub use options::{Depth, Share, VerifyOptions};
pub use report::{Damage, HurtSnapshot, VerifyReport};
pub use run::verify;
pub use without_key::verify_without_key;
