//! Stores chunks of trees and lists: small, made on the walking thread, gathered into blocks of 64 KiB.

use super::context::Context;
use crate::{
    error::Result,
    id::{ChunkId, ChunkKind},
    pack::ChunkEntry,
};

/// Plain bytes of a block of trees: the unit of loss, so that damage costs few directories.
const BLOCK_BYTES: usize = 64 << 10;

/// Gathers new chunks of trees and lists.
pub(super) struct ChunkStore<'a> {
    context: &'a Context<'a>,
    plain: Vec<u8>,
    chunks: Vec<ChunkEntry>,
}

impl<'a> ChunkStore<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context, plain: Vec::with_capacity(BLOCK_BYTES), chunks: Vec::new() }
    }

    /// Stores a chunk unless it is stored already, and returns its id.
    pub(super) fn store(&mut self, kind: ChunkKind, chunk: &[u8]) -> Result<ChunkId> {
        let id = self.context.keys().chunk_id(kind, chunk);
        if !self.context.writer.claim(kind, &id)? {
            return Ok(id);
        }
        let length = u32::try_from(chunk.len()).expect("trees and lists are a few KiB long");
        let entry = ChunkEntry { kind, length, id, base: None };
        if kind == ChunkKind::Data {
            // Attributes that do not fit into an entry: rare, and in packs of data.
            self.put(chunk, vec![entry])?;
            return Ok(id);
        }
        if self.plain.len() + chunk.len() > BLOCK_BYTES {
            self.flush()?;
        }
        self.plain.extend_from_slice(chunk);
        self.chunks.push(entry);
        Ok(id)
    }

    /// Stores what was gathered.
    pub(super) fn flush(&mut self) -> Result<()> {
        let chunks = std::mem::take(&mut self.chunks);
        self.put(&self.plain, chunks)?;
        self.plain.clear();
        Ok(())
    }

    fn put(&self, plain: &[u8], chunks: Vec<ChunkEntry>) -> Result<()> {
        let context = self.context;
        context.with_bench(|bench| context.writer.store_block(&mut bench.encoder, plain, chunks, &mut bench.scratch))
    }
}
