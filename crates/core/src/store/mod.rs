//! Chunks in and out of a backend, through packs and the index.
//!
//! [`ChunkReader`] finds a chunk, opens its block and proves it by its id. [`ChunkWriter`] takes blocks from many
//! workers, fills packs, puts them, and makes the segments that tell where everything lies. [`map_reading`] decides who reads.

mod at_once;
mod objects;
mod reader;
mod waiting;
mod writer;

pub(crate) use at_once::for_each;
pub use objects::{LARGEST_WHOLE, get_listed, get_object, list_names, put_object, put_slot};
pub use reader::{BlockBuffers, BlockPlace, ChunkReader, SecondReading};
pub use waiting::map_reading;
pub use writer::{Budget, ChunkWriter, Encode, ReadBack, Share, Stored, UsablePacks, WriterOptions, chunk_rows};
