//! Where chunks lie: chunk id → pack, block, place in the block.
//!
//! ```text
//! index ── segments, newest first ── filter ── fences ── page of 24 records ── page of the pack table
//!          (sealed, immutable)       "no" ends here      1 KiB, opened when asked, kept in a bounded cache
//! ```
//!
//! The index is a cache (rule I5): the directories of all packs give it again, so a damaged segment costs time and
//! deduplication, never data. Nothing is held in memory per chunk but 9 bits of filter and a third of a byte of fences,
//! and those only for segments that were asked. Records hold the first 20 bytes of an id; who reads the chunk compares
//! the full id (rule I14).
//!
//! `docs/format.md` section 7 describes the stored form. Functions named `parse_…` take plain bytes after opening and are
//! total (rule I7).

mod record;

mod filter;

mod layout;

mod builder;

mod segment;

mod pack_table;

mod records;

mod merge;

mod cache;

mod shelf;

mod lookup;

mod copies;

mod load;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use builder::SegmentBuilder;
pub use copies::{Copies, CopiesOptions};
pub use filter::Filter;
pub use layout::{Fences, LARGEST_SEGMENT, MOST_RECORDS, Summary, parse_fences, parse_summary};
pub use load::{Counted, Loaded};
pub use lookup::{Index, Ordinal};
pub use merge::{MergeOptions, merge};
pub use record::{ChunkRow, Entry, IdPrefix, Location, PackRow, Page, parse_pack_page, parse_page};
pub use records::{Record, Records};
pub use segment::Segment;
