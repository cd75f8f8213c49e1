//! The verbs `verify` and `repair`: proves that what is stored can be restored, names what can not, and mends what can be mended.
//!
//! ```text
//! verify_without_key            every object against its name or trailer
//! verify, Depth::Structure      small objects opened · segments whole · every tree opened · every chunk located
//! verify, Depth::ReadData       and every pack read, opened, decompressed, every chunk hashed, compared with the index
//!   → damage by object → where damage was found: the places that do not open → snapshots and paths that need them
//! ```
//!
//! Damaged packs that parity makes whole again are told. [`repair`] has its own page.
//!
//! A damaged object never stops the rest; a store that does not answer does. `verify` changes nothing, `repair` removes nothing. On a sound
//! repository two bits per index record, a row per pack and some 25 bytes per directory are kept in memory, never a set of ids.

mod bits;
mod data;
mod heard;
mod history;
mod hurt;
mod ledger;
mod misread;
mod node;
mod object;
mod options;
mod pace;
mod packs;
mod parity;
mod places;
mod records;
pub mod repair;
mod report;
mod run;
mod segments;
mod structure;
mod sums;
mod turn;
mod without_key;

pub use options::{Depth, Share, Steady, VerifyOptions};
pub use report::{Coverage, Damage, HurtSnapshot, VerifyReport};
pub use run::verify;
pub use without_key::verify_without_key;
