//! Single objects and chunks, opened and decoded: for people who look into a repository, and for tools that help them.

use super::{Config, Repository, View};
use crate::{
    backend::{Folder, ObjectName},
    codec::{
        Header, Kind,
        slot::{SlotHead, read_head},
    },
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    index::{Location, PackRow, Segment, Summary},
    pack::{Directory, read_directory},
    parity::{ParityList, ParityObject},
    snapshot::{
        AsideRecord, DamagedRecord, FinRecord, ForgottenRecord, MarkRecord, ReadingRecord, RemovalsRecord,
        SessionRecord, Slot, open_slot,
    },
    store::{get_listed, list_names},
};

/// What an object holds.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "made one at a time")]
pub enum StoredObject {
    /// `config`.
    Config(Config),
    /// The clear fields of a key slot.
    Key(SlotHead),
    /// A writer's announcement.
    Session(SessionRecord),
    /// A pack: its header, and what it says it holds.
    Pack(Header, Directory),
    /// An index segment: how much it holds, and the packs that it names.
    Segment(Summary, Vec<PackRow>),
    /// The outcome of a session.
    Outcome(Slot),
    /// A snapshot was forgotten.
    Forgotten(ForgottenRecord),
    /// A pack was found damaged.
    Damaged(DamagedRecord),
    /// What a round of reclaiming may remove.
    Mark(MarkRecord),
    /// What it does remove.
    Removals(RemovalsRecord),
    /// A finished round.
    Fin(FinRecord),
    /// Packs that were read.
    Reading(ReadingRecord),
    /// Damaged records that were set aside.
    Aside(AsideRecord),
    /// The packs that a parity object is of, and how much of them it can give back.
    Parity(ParityList),
}

impl Repository {
    /// Lists the objects of a folder whose id, or number, begins with these hex digits.
    ///
    /// # Errors
    /// [`Error::Store`] when the folder can not be listed.
    pub fn objects_like(&self, folder: Folder, digits: &str) -> Result<Vec<(ObjectName, u64)>> {
        let mut names = list_names(&**self.backend(), folder.prefix())?;
        names.retain(|(name, _)| {
            let name = name.to_string();
            let last = name.rsplit('/').next().unwrap_or_default();
            last.strip_prefix("m-").unwrap_or(last).starts_with(digits)
        });
        Ok(names)
    }

    /// Opens and decodes an object that was listed with this size.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Newer`] when it is not what its name says; [`Error::Store`]; [`Error::Invalid`] for a
    /// feature, which holds nothing.
    pub fn open_stored(&self, name: &ObjectName, size: u64) -> Result<StoredObject> {
        let (backend, codec) = (self.backend(), self.codec());
        let whole = || get_listed(&**backend, name, size);
        let object = name.to_string();
        let record = |kind: Kind| Ok(codec.open_object(name, &[kind], None, &whole()?)?.plain);
        Ok(match name {
            ObjectName::Config => StoredObject::Config(Config::open(codec, &whole()?)?),
            ObjectName::Slot(slot) => StoredObject::Key(read_head(*slot, &whole()?)?),
            ObjectName::Session(_) => {
                StoredObject::Session(SessionRecord::decode(&object, &record(SessionRecord::KIND)?)?)
            }
            ObjectName::Pack(id) => {
                let (header, directory) = read_directory(&**backend, codec, *id, size)?;
                StoredObject::Pack(header, directory)
            }
            ObjectName::Segment(_) | ObjectName::MergedSegment(_) => {
                let segment = Segment::open(backend, codec, name, size)?;
                let packs = segment.pack_rows()?.into_iter().map(|row| *row).collect();
                StoredObject::Segment(*segment.summary(), packs)
            }
            ObjectName::Snapshot(session) => StoredObject::Outcome(open_slot(codec, *session, &whole()?)?),
            ObjectName::Forgotten(_) => {
                StoredObject::Forgotten(ForgottenRecord::decode(&object, &record(ForgottenRecord::KIND)?)?)
            }
            ObjectName::Damaged(_) => {
                StoredObject::Damaged(DamagedRecord::decode(&object, &record(DamagedRecord::KIND)?)?)
            }
            ObjectName::Mark(_) => StoredObject::Mark(MarkRecord::decode(&object, &record(MarkRecord::KIND)?)?),
            ObjectName::Removals(_) => {
                StoredObject::Removals(RemovalsRecord::decode(&object, &record(RemovalsRecord::KIND)?)?)
            }
            ObjectName::Fin(_) => StoredObject::Fin(FinRecord::decode(&object, &record(FinRecord::KIND)?)?),
            ObjectName::Reading(_) => {
                StoredObject::Reading(ReadingRecord::decode(&object, &record(ReadingRecord::KIND)?)?)
            }
            ObjectName::Aside(_) => StoredObject::Aside(AsideRecord::decode(&object, &record(AsideRecord::KIND)?)?),
            ObjectName::Parity(id) => {
                StoredObject::Parity(ParityObject::read(&**backend, Some(codec), *id, size)?.list)
            }
            ObjectName::Feature(_) => return Err(Error::Invalid { what: format!("{name} holds nothing to show") }),
        })
    }

    /// Finds chunks of a kind whose ids begin with these hex digits, and stops when there are `most`.
    ///
    /// With fewer than 40 digits every record of the index is looked at. The index knows no more than 40: the rest is read from
    /// the pack that holds the chunk.
    ///
    /// # Errors
    /// Trouble with the index or a pack that has to be asked.
    pub fn chunks_like(&self, view: &View, kind: ChunkKind, digits: &str, most: usize) -> Result<Vec<ChunkId>> {
        let mut found: Vec<ChunkId> = Vec::new();
        for segment in view.index.segments() {
            for record in segment.records()? {
                let record = record?;
                let begins = record.id.to_string();
                let is_like = begins.starts_with(digits) || digits.starts_with(&begins);
                if !is_like || record.location.kind != kind {
                    continue;
                }
                let id = self.id_at(&record.location)?;
                found.extend(id.filter(|id| id.to_string().starts_with(digits) && !found.contains(id)));
                if found.len() >= most {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// The whole id of a chunk, as the directory of its pack tells it.
    fn id_at(&self, location: &Location) -> Result<Option<ChunkId>> {
        let pack = &location.pack;
        let (_, directory) = read_directory(&**self.backend(), self.codec(), pack.id, pack.stored_length.into())?;
        let block = directory.blocks.iter().find(|block| block.offset == location.block_offset);
        let mut offset = 0;
        for chunk in block.iter().flat_map(|block| &block.chunks) {
            if offset == location.offset && chunk.kind == location.kind {
                return Ok(Some(chunk.id));
            }
            offset += chunk.length;
        }
        Ok(None)
    }
}
