//! Segments and the index over a store in memory.

mod answers;
mod building;
mod cost;
mod counting;
mod damage;
mod form;
mod lies;
mod lookup;
mod merge;

use std::sync::Arc;

use super::{
    testing::{Store, builder_of, chunk, id, pack, seal, sound},
    *,
};
use crate::{backend::ObjectName, codec::Kind, error::Result, id::ChunkKind};

/// Chunks 0..count, dealt to so many packs.
fn builder(count: u32, packs: u32) -> SegmentBuilder {
    let chunks_of = |number: u32| (0..count).filter(|chunk| chunk % packs == number).map(chunk).collect();
    builder_of((0..packs).map(|number| (pack(number), chunks_of(number))))
}

/// A store with one segment, and its index.
fn stored(builder: SegmentBuilder) -> (Arc<Store>, ObjectName, Index) {
    let store = Arc::new(Store::default());
    let sealed = seal(builder, Kind::Segment);
    store.put_new(&sealed);
    let index = sound(store.load());
    (store, sealed.0, index)
}

fn find(index: &Index, number: u32) -> Result<Option<Location>> {
    index.find(&id(number), ChunkKind::Data, &mut |_| true)
}

fn is_location_of(location: &Location, number: u32) -> bool {
    let ChunkRow { has_base, block_offset, sealed_length, block_length, offset, length, kind, .. } = chunk(number);
    let expected = Location {
        pack: Arc::clone(&location.pack),
        block_offset,
        sealed_length,
        block_length,
        offset,
        length,
        kind,
        has_base,
    };
    *location == expected
}
