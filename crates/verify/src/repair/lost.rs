//! What is gone of one snapshot: counted, the first kept in the manifest, all of them in chunks when there are many.

use std::{ops::Range, sync::Arc};

use lbak_core::{
    error::Result,
    id::ChunkKind,
    observe::{Event, Finding, FindingKind, Observer},
    snapshot::{FindingCount, StoredFindings},
    wire,
};

use super::storing::Storing;

/// Findings in one chunk.
const CHUNK: usize = 256;

/// Bytes of a path that are kept: paths can be longer than any chunk.
const LONGEST_PATH: usize = 4096;

/// Ranges of a file that one finding names; more make more findings.
const RANGES: usize = 24;

/// Collects findings in bounded memory.
pub(super) struct Losses {
    observer: Arc<dyn Observer>,
    stored: StoredFindings,
    /// Not yet in a chunk.
    pending: Vec<Finding>,
    pub(super) files: u64,
    pub(super) directories: u64,
    pub(super) bytes: u64,
    is_any: bool,
}

impl Losses {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Self {
        let stored = StoredFindings::default();
        Self { observer, stored, pending: Vec::new(), files: 0, directories: 0, bytes: 0, is_any: false }
    }

    /// Tells whether anything is lost.
    pub(super) fn is_any(&self) -> bool {
        self.is_any
    }

    /// Keeps a finding of the snapshot that is repaired.
    pub(super) fn keep(&mut self, finding: Finding, storing: &mut Storing<'_>) -> Result<()> {
        match self.stored.counts.iter_mut().find(|count| count.kind == finding.kind) {
            Some(count) => count.count += 1,
            None => self.stored.counts.push(FindingCount { kind: finding.kind, count: 1 }),
        }
        if self.stored.first.len() < StoredFindings::FIRST {
            self.stored.first.push(finding.clone());
        }
        self.pending.push(finding);
        if self.pending.len() == CHUNK { self.flush(storing) } else { Ok(()) }
    }

    /// Ranges of a file are lost.
    pub(super) fn ranges(&mut self, path: &[u8], ranges: &[Range<u64>], storing: &mut Storing<'_>) -> Result<()> {
        self.files += 1;
        self.bytes = ranges.iter().fold(self.bytes, |sum, range| sum.saturating_add(range.end - range.start));
        for ranges in ranges.chunks(RANGES) {
            let shown: Vec<String> = ranges.iter().map(|range| format!("{}-{}", range.start, range.end - 1)).collect();
            self.lose(path, format!("bytes {} are lost", shown.join(", ")), storing)?;
        }
        Ok(())
    }

    /// Entries of a directory are lost.
    pub(super) fn entries(&mut self, path: &[u8], what: String, storing: &mut Storing<'_>) -> Result<()> {
        self.directories += 1;
        self.lose(path, what, storing)
    }

    /// Something of a path is lost.
    pub(super) fn lose(&mut self, path: &[u8], message: String, storing: &mut Storing<'_>) -> Result<()> {
        self.is_any = true;
        let path = path.get(..LONGEST_PATH).unwrap_or(path).to_vec();
        let finding = Finding { kind: FindingKind::Lost, path, message };
        self.observer.event(&Event::Finding(&finding));
        self.keep(finding, storing)
    }

    /// What goes into the manifest; the rest is stored when not all of it fits there.
    pub(super) fn finish(&mut self, storing: &mut Storing<'_>) -> Result<StoredFindings> {
        if self.stored.total() > StoredFindings::FIRST as u64 {
            self.flush(storing)?;
        }
        self.stored.counts.sort_by_key(|count| count.kind as u32);
        Ok(self.stored.clone())
    }

    fn flush(&mut self, storing: &mut Storing<'_>) -> Result<()> {
        if !self.pending.is_empty() {
            let chunk = wire::encode("findings", 1, &std::mem::take(&mut self.pending))?;
            self.stored.all.push(storing.store(ChunkKind::List, &chunk)?);
        }
        Ok(())
    }
}
