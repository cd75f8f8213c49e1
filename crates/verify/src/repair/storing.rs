//! Stores chunks that were read, in blocks.

use lbak_core::{
    codec::{BlockEncoder, Codec, Compression},
    error::Result,
    id::{ChunkId, ChunkKind},
    pack::ChunkEntry,
    store::ChunkWriter,
};

/// Plain bytes that a block of data aims at, and one of trees and lists: the units of loss.
const DATA_BYTES: usize = 2 << 20;
const TREE_BYTES: usize = 64 << 10;

/// Gathers chunks into blocks, data apart from trees and lists.
pub(super) struct Storing<'a> {
    codec: &'a Codec,
    writer: &'a ChunkWriter,
    encoder: BlockEncoder,
    scratch: Vec<u8>,
    open: [(Vec<u8>, Vec<ChunkEntry>); 2],
}

impl<'a> Storing<'a> {
    pub(super) fn new(codec: &'a Codec, writer: &'a ChunkWriter) -> Result<Self> {
        let encoder = BlockEncoder::new(Compression::default())?;
        Ok(Self { codec, writer, encoder, scratch: Vec::new(), open: Default::default() })
    }

    /// Stores a chunk, unless a sound pack has it, and returns its id.
    pub(super) fn store(&mut self, kind: ChunkKind, chunk: &[u8]) -> Result<ChunkId> {
        let id = self.codec.keys().chunk_id(kind, chunk);
        self.add(kind, id, chunk)?;
        Ok(id)
    }

    /// Stores a chunk whose id was compared; tells whether no sound pack had it.
    pub(super) fn add(&mut self, kind: ChunkKind, id: ChunkId, chunk: &[u8]) -> Result<bool> {
        if !self.writer.claim(kind, &id)? {
            return Ok(false);
        }
        let is_data = kind == ChunkKind::Data;
        let most = if is_data { DATA_BYTES } else { TREE_BYTES };
        if self.open[usize::from(!is_data)].0.len() + chunk.len() > most {
            self.flush_one(is_data)?;
        }
        let (plain, chunks) = &mut self.open[usize::from(!is_data)];
        plain.extend_from_slice(chunk);
        let length = u32::try_from(chunk.len()).expect("a chunk is at most 8 MiB long");
        chunks.push(ChunkEntry { kind, length, id, base: None });
        Ok(true)
    }

    /// Stores what was gathered.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.flush_one(true)?;
        self.flush_one(false)
    }

    fn flush_one(&mut self, is_data: bool) -> Result<()> {
        let (plain, chunks) = std::mem::take(&mut self.open[usize::from(!is_data)]);
        if chunks.is_empty() {
            return Ok(());
        }
        // Waits while a slow store has not taken what was stored before.
        let _share = self.writer.budget().take(plain.len())?;
        self.writer.store_block(&mut self.encoder, &plain, chunks, &mut self.scratch)
    }
}
