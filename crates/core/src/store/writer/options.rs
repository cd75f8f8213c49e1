//! How a writer works, and what it stored.

use super::ReadBack;

/// How a writer works.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Size that packs of data aim at, in bytes.
    pub data_pack_bytes: u32,
    /// Size that packs of trees and lists aim at, in bytes.
    pub tree_pack_bytes: u32,
    /// Threads that put packs.
    pub uploads: usize,
    /// Bytes that may be read and not yet be in a pack, for two workers; a snapshot gives each further one half as much more.
    pub read_bytes: usize,
    /// Bytes in packs on their way from which on nothing more is read, for two workers, too.
    pub queued_bytes: usize,
    /// New chunks after which a segment is put.
    pub segment_chunks: usize,
    /// Stored bytes after which a segment is put.
    pub segment_bytes: u64,
    /// How much of what was sealed is opened again before it is stored.
    pub read_back: ReadBack,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            data_pack_bytes: 16 << 20,
            tree_pack_bytes: 4 << 20,
            uploads: 2,
            // Two buffers of a large file, or six batches of small ones.
            read_bytes: 12 << 20,
            // One data pack and one tree pack.
            queued_bytes: (16 + 4) << 20,
            segment_chunks: 131_072,
            segment_bytes: 4 << 30,
            read_back: ReadBack::default(),
        }
    }
}

impl WriterOptions {
    /// With the memory that keeps so many workers busy: what is said of it is for two.
    pub(crate) fn for_workers(self, workers: usize) -> Self {
        let scaled = |bytes: usize| bytes.saturating_mul(workers.max(2)) / 2;
        Self { read_bytes: scaled(self.read_bytes), queued_bytes: scaled(self.queued_bytes), ..self }
    }
}

/// What a writer stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Packs put.
    pub packs: u64,
    /// Segments put.
    pub segments: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Plain bytes of new data chunks.
    pub new_data_bytes: u64,
    /// Chunks stored.
    pub chunks: u64,
    /// Blocks that were not what was meant just after they were sealed, and were sealed once more: memory or processor of this
    /// machine is unreliable.
    pub spoiled_blocks: u64,
}

impl std::ops::AddAssign for Stored {
    fn add_assign(&mut self, other: Self) {
        self.packs += other.packs;
        self.segments += other.segments;
        self.bytes += other.bytes;
        self.new_data_bytes += other.new_data_bytes;
        self.chunks += other.chunks;
        self.spoiled_blocks += other.spoiled_blocks;
    }
}
