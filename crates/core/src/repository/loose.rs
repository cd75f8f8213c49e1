//! Packs that no segment names: their own directories tell what is in them, so a lost index costs time, never data (rule I5).
//!
//! For readers. A writer must not refer to chunks that only this finds: nobody promises that such packs stay.

use std::{collections::HashSet, sync::Arc};

use super::{Repository, view::View};
use crate::{
    backend::{Backend, Folder, MemoryBackend, ObjectName},
    codec::Kind,
    error::{Error, Result},
    id::{PackId, SessionId},
    index::{PackRow, Segment, SegmentBuilder},
    pack::read_directory,
    store::{chunk_rows, list_names},
};

/// Chunks of one segment in memory.
const SEGMENT_CHUNKS: usize = 131_072;

impl Repository {
    /// Adds the packs that no readable segment names, or of which a damaged one hides something, to a view's index, from their own
    /// directories; returns how many.
    ///
    /// Reads each such pack's directory and keeps about 50 bytes per chunk in memory until the view is dropped. Packs that
    /// do not open are passed over.
    ///
    /// # Errors
    /// [`Error::Store`] when the store does not answer.
    pub fn index_loose_packs(&self, view: &View) -> Result<u64> {
        let named = named_packs(view);
        let memory: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
        let (mut builder, mut found) = (SegmentBuilder::new(), 0);
        for (name, size) in list_names(&**self.backend(), Folder::Packs.prefix())? {
            let ObjectName::Pack(id) = name else { continue };
            if named.contains(&id) {
                continue;
            }
            let read = read_directory(&**self.backend(), self.codec(), id, size).and_then(|(header, directory)| {
                let stored_length = u32::try_from(size).map_err(|_| Error::damaged(&name, "it is too long"))?;
                builder.add_pack(PackRow { id, stored_length, header }, &chunk_rows(&directory))
            });
            match read {
                Ok(()) => found += 1,
                Err(Error::Store { source, .. }) if !is_loss(&source) => {
                    return Err(Error::Store { action: "read", object: name.to_string(), source });
                }
                Err(_) => {}
            }
            if builder.record_count() >= SEGMENT_CHUNKS {
                self.add_segment(view, &memory, std::mem::take(&mut builder))?;
            }
        }
        if builder.record_count() > 0 {
            self.add_segment(view, &memory, builder)?;
        }
        Ok(found)
    }

    fn add_segment(&self, view: &View, memory: &Arc<dyn Backend>, builder: SegmentBuilder) -> Result<()> {
        let (name, sealed) = builder.finish(self.codec(), Kind::Segment, SessionId([0; 16]))?;
        memory.put(&name, &sealed).map_err(|error| Error::store("keep", &name, error))?;
        view.index.add(Segment::open(memory, self.codec(), &name, sealed.as_bytes().len() as u64)?);
        Ok(())
    }
}

fn is_loss(error: &crate::error::BackendError) -> bool {
    use crate::error::BackendErrorKind::{Corrupt, NotFound};
    matches!(error.kind, Corrupt | NotFound)
}

/// The packs of which every chunk is named by segments that open. A merged segment names some chunks of nearly every pack, so what one
/// hides may lie in packs that others name, too.
fn named_packs(view: &View) -> HashSet<PackId> {
    let (mut named, mut hidden) = (HashSet::new(), HashSet::new());
    for segment in view.index.segments() {
        match segment.pack_rows() {
            Ok(rows) if segment.is_hurt() => hidden.extend(rows.into_iter().map(|row| row.id)),
            Ok(rows) => named.extend(rows.into_iter().map(|row| row.id)),
            // Nobody knows which they are.
            Err(_) if matches!(segment.name(), ObjectName::MergedSegment(_)) => return HashSet::new(),
            Err(_) => {}
        }
    }
    if view.lacks_merged {
        return HashSet::new();
    }
    named.difference(&hidden).copied().collect()
}
