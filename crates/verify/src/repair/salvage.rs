//! Takes out of one damaged pack what still opens, and the rest from wherever else it is.

use std::{collections::BTreeSet, sync::Arc};

use lbak_core::{
    backend::{Backend, ObjectName},
    error::{Error, Result},
    id::{ChunkKind, PackId},
    index::{IdPrefix, PackRow},
    pack::read_directory,
    store::{BlockBuffers, BlockPlace, ChunkReader, ChunkWriter, chunk_rows},
};

use super::{
    DamagedPack,
    carried::padded,
    place::{Origin, Place},
    storing::Storing,
};
use crate::places::{Blocks, Wanted};

/// What salvaging needs.
pub(super) struct Salvage<'a> {
    /// The repository itself first.
    pub(super) places: Vec<Place>,
    pub(super) writer: &'a ChunkWriter,
    pub(super) storing: Storing<'a>,
}

/// Chunks of a block that are still looked for.
type Missing = Vec<Wanted>;

impl Salvage<'_> {
    /// Takes what can be had of a pack. `blocks` is what the index tells of it.
    pub(super) fn salvage(&mut self, outcome: &mut DamagedPack, mut blocks: Blocks) -> Result<()> {
        let listed = self.add_directories(&outcome.pack, &mut blocks)?;
        outcome.is_known = !blocks.is_empty() || listed;
        for (mut place, wanted) in blocks.into_values() {
            self.cut_to_size(&mut place);
            let missing = self.take_from_blocks(&place, wanted, outcome)?;
            for chunk in missing {
                self.take_from_anywhere(&chunk, outcome)?;
            }
        }
        Ok(())
    }

    /// Adds what the pack's own directory tells, wherever it opens; tells whether it did.
    fn add_directories(&self, pack: &PackId, blocks: &mut Blocks) -> Result<bool> {
        let mut is_told = false;
        for place in &self.places {
            let Some(size) = stored_size(&*place.backend, pack)? else { continue };
            let read = read_directory(&*place.backend, &place.codec, *pack, size);
            let (header, directory) = match read {
                Ok(read) => read,
                Err(error) if error.is_of_one_object() => continue,
                Err(error) => return Err(error),
            };
            is_told = true;
            let Ok(stored_length) = u32::try_from(size) else { continue };
            let row = Arc::new(PackRow { id: *pack, stored_length, header });
            for chunk in chunk_rows(&directory) {
                let lengths = (chunk.sealed_length, chunk.block_length);
                let key = (*pack, chunk.block_offset, lengths.0, lengths.1, header.encode());
                let block = BlockPlace {
                    pack: Arc::clone(&row),
                    offset: chunk.block_offset,
                    sealed_length: chunk.sealed_length,
                    plain_length: chunk.block_length,
                };
                let (_, wanted) = blocks.entry(key).or_insert_with(|| (block, Vec::new()));
                let id = IdPrefix::from(&chunk.id);
                if !wanted.iter().any(|known| (known.id, known.offset) == (id, chunk.offset)) {
                    wanted.push(Wanted { id, kind: chunk.kind, offset: chunk.offset, length: chunk.length });
                }
            }
        }
        Ok(is_told)
    }

    /// Ranges are read in large steps; of a pack that was cut short, no step may reach beyond its end.
    fn cut_to_size(&self, place: &mut BlockPlace) {
        let Some(own) = self.places.first() else { return };
        if let Ok(Some(size)) = stored_size(&*own.backend, &place.pack.id)
            && let Ok(size) = u32::try_from(size)
            && size < place.pack.stored_length
            && u64::from(place.offset) + u64::from(place.sealed_length) <= u64::from(size)
        {
            place.pack = Arc::new(PackRow { stored_length: size, ..*place.pack });
        }
    }

    /// Opens a block wherever it opens; returns the chunks that none of them gave.
    fn take_from_blocks(
        &mut self,
        place: &BlockPlace,
        wanted: Vec<Wanted>,
        outcome: &mut DamagedPack,
    ) -> Result<Missing> {
        let mut missing = wanted;
        let mut buffers = BlockBuffers::default();
        for number in 0..self.places.len() {
            if missing.is_empty() {
                break;
            }
            let Some(source) = self.places.get(number) else { break };
            let origin = source.origin;
            let plain = match source.reader.open_block(place, &mut buffers) {
                Ok(plain) => plain,
                Err(error) if error.is_of_one_object() => continue,
                Err(error) => return Err(error),
            };
            let mut still = Missing::new();
            for chunk in missing {
                let start = chunk.offset as usize;
                let bytes = plain.get(start..start + chunk.length as usize);
                if !self.take(&chunk, bytes.unwrap_or_default(), origin, outcome)? {
                    still.push(chunk);
                }
            }
            missing = still;
        }
        Ok(missing)
    }

    /// Looks for a chunk in other packs, here and in copies.
    fn take_from_anywhere(&mut self, chunk: &Wanted, outcome: &mut DamagedPack) -> Result<()> {
        if self.writer.is_stored(chunk.kind, &padded(&chunk.id))? {
            outcome.elsewhere_chunks += 1;
            return Ok(());
        }
        for number in 0..self.places.len() {
            let Some(source) = self.places.get(number) else { break };
            let origin = source.origin;
            if let Some(bytes) = read_copy(&source.reader, chunk)?
                && self.take(chunk, &bytes, origin, outcome)?
            {
                return Ok(());
            }
        }
        outcome.lost_chunks += 1;
        outcome.lost_bytes += u64::from(chunk.length);
        Ok(())
    }

    /// Stores a chunk that proves itself; tells whether it did.
    fn take(&mut self, chunk: &Wanted, bytes: &[u8], origin: Origin, outcome: &mut DamagedPack) -> Result<bool> {
        let codec = self.places.first().map(|place| &place.codec);
        let id = codec.map(|codec| codec.keys().chunk_id(chunk.kind, bytes));
        let Some(id) = id.filter(|id| IdPrefix::from(id) == chunk.id) else { return Ok(false) };
        if self.storing.add(chunk.kind, id, bytes)? {
            outcome.salvaged_chunks += 1;
            outcome.salvaged_bytes += u64::from(chunk.length);
            outcome.copied_chunks += u64::from(origin == Origin::Copy);
            outcome.healed_chunks += u64::from(origin == Origin::Parity);
        } else {
            outcome.elsewhere_chunks += 1;
        }
        Ok(true)
    }
}

/// The size of a pack that is there.
pub(super) fn stored_size(backend: &dyn Backend, pack: &PackId) -> Result<Option<u64>> {
    let name = ObjectName::Pack(*pack).to_string();
    let mut found = None;
    let listed = backend.list(&name, &mut |listed, size| {
        if listed == name {
            found = Some(size);
        }
        Ok(())
    });
    listed.map_err(|error| Error::store("list", &name, error))?;
    Ok(found)
}

/// Reads a chunk of which the index knows the beginning of the id, from any of its copies.
fn read_copy(reader: &ChunkReader, chunk: &Wanted) -> Result<Option<Vec<u8>>> {
    let id = padded(&chunk.id);
    let mut tried: BTreeSet<(PackId, u32)> = BTreeSet::new();
    loop {
        let found = reader.index().find(&id, chunk.kind, &mut |location| {
            !location.has_base && !tried.contains(&(location.pack.id, location.block_offset))
        });
        let location = match found {
            Ok(Some(location)) => location,
            Ok(None) => return Ok(None),
            Err(error) if error.is_of_one_object() => return Ok(None),
            Err(error) => return Err(error),
        };
        match reader.open_block(&BlockPlace::of(&location), &mut BlockBuffers::default()) {
            Ok(plain) => {
                let start = location.offset as usize;
                let bytes = plain.get(start..start + location.length as usize).unwrap_or_default();
                if is_chunk(reader, chunk.kind, bytes, &chunk.id) {
                    return Ok(Some(bytes.to_vec()));
                }
            }
            Err(error) if error.is_of_one_object() => {}
            Err(error) => return Err(error),
        }
        tried.insert((location.pack.id, location.block_offset));
    }
}

fn is_chunk(reader: &ChunkReader, kind: ChunkKind, bytes: &[u8], id: &IdPrefix) -> bool {
    IdPrefix::from(&reader.codec().keys().chunk_id(kind, bytes)) == *id
}
