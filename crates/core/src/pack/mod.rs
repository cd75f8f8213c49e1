//! Packs: many sealed blocks in one object, with a sealed directory of them at its end.
//!
//! ```text
//! header 80 · block · block · … · block of padding · directory · its length u32 · signature length u16
//! ```
//!
//! A [`PackBuilder`] takes blocks from several workers at once: each reserves its place, seals its own buffer
//! for that place, and copies it in. Nothing here knows chunks beyond their rows in the directory, or backends.

mod buffer;
mod builder;
mod directory;
mod padding;
mod reader;
#[cfg(test)]
mod tests;

pub use buffer::{PackBuffer, PackBuffers};
pub use builder::{FinishedPack, PackBuilder, Place};
pub use directory::{BlockRow, ChunkEntry, Directory};
pub use padding::padded_length;
pub use reader::{LARGEST_PACK, TRAILER, parse_trailer, read_directory};
