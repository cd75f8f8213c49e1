//! Findings of one run: counted, told, the first kept in full, all of them written to chunks when there are many.

use std::sync::Arc;

use crate::{
    error::Result,
    id::{ChunkId, ChunkKind},
    observe::{Event, Finding, FindingKind, Observer},
    snapshot::{FindingCount, StoredFindings},
    tree::StoreChunk,
    wire,
};

/// Findings in one chunk.
const CHUNK: usize = 256;

/// Bytes of a path or a message that are kept: paths can be longer than any chunk, and anybody can make them.
const LONGEST: usize = 4096;

/// Collects findings in bounded memory.
pub(super) struct Findings {
    observer: Arc<dyn Observer>,
    stored: StoredFindings,
    /// Not yet in a chunk; begins with the first when there are more than fit into the manifest.
    pending: Vec<Finding>,
}

impl Findings {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Self {
        Self { observer, stored: StoredFindings::default(), pending: Vec::new() }
    }

    /// Notes one; full chunks are stored.
    pub(super) fn add(&mut self, mut finding: Finding, store: &mut StoreChunk<'_>) -> Result<()> {
        self.observer.event(&Event::Finding(&finding));
        finding.path.truncate(LONGEST);
        finding.message = finding.message.chars().take(LONGEST / 4).collect();
        match self.stored.counts.iter_mut().find(|count| count.kind == finding.kind) {
            Some(count) => count.count += 1,
            None => self.stored.counts.push(FindingCount { kind: finding.kind, count: 1 }),
        }
        if self.stored.first.len() < StoredFindings::FIRST {
            self.stored.first.push(finding.clone());
        }
        self.pending.push(finding);
        if self.pending.len() == CHUNK { self.flush(store) } else { Ok(()) }
    }

    /// Notes one from its parts.
    pub(super) fn note(
        &mut self,
        kind: FindingKind,
        path: Vec<u8>,
        message: impl std::fmt::Display,
        store: &mut StoreChunk<'_>,
    ) -> Result<()> {
        self.add(Finding { kind, path, message: message.to_string() }, store)
    }

    /// Stores the rest when not all fit into the manifest.
    pub(super) fn finish(&mut self, store: &mut StoreChunk<'_>) -> Result<()> {
        if self.stored.total() > StoredFindings::FIRST as u64 { self.flush(store) } else { Ok(()) }
    }

    /// What goes into the manifest.
    pub(super) fn stored(&mut self) -> StoredFindings {
        self.stored.counts.sort_by_key(|count| count.kind as u32);
        self.stored.clone()
    }

    fn flush(&mut self, store: &mut StoreChunk<'_>) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let chunk = wire::encode("findings", 1, &self.pending)?;
        self.pending.clear();
        let id: ChunkId = store(ChunkKind::List, chunk)?;
        self.stored.all.push(id);
        Ok(())
    }
}
