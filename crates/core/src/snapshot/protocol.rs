//! The records by which many writers and a collector agree without locks or clocks.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    codec::Kind,
    error::Result,
    id::{ObjectHash, PackId, SegmentId, SessionId},
    metadata::Timestamp,
    wire,
};

const VERSION: u8 = 1;

macro_rules! record {
    ($name:ident, $what:literal, $kind:expr) => {
        impl $name {
            /// The kind of object that holds it.
            pub const KIND: Kind = $kind;

            /// Writes the record.
            ///
            /// # Errors
            /// When it is larger than records may be.
            pub fn encode(&self) -> Result<Vec<u8>> {
                wire::encode($what, VERSION, self)
            }

            /// Reads the record.
            ///
            /// # Errors
            /// When it is damaged or newer.
            pub fn decode(object: &str, bytes: &[u8]) -> Result<Self> {
                decode(object, bytes)
            }
        }
    };
}

fn decode<T: DeserializeOwned>(object: &str, bytes: &[u8]) -> Result<T> {
    wire::decode(object, VERSION, bytes)
}

/// `sessions/<s>`: somebody is about to work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Host and user, for people.
    pub author: String,
    /// What for.
    pub purpose: Purpose,
    /// The program and its version.
    pub program: String,
    /// When it began, by its own clock: for people and politeness.
    pub started_at: Timestamp,
    /// Snapshots that must stay while it works.
    pub pinned: Vec<SessionId>,
}

/// Why a session was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// To take a snapshot.
    Snapshot,
    /// To read for long.
    Restore,
    /// To change what is there (tag, repair, copy).
    Rewrite,
    /// To reclaim.
    Collect,
}

/// `snapshots/<s>` of a session that a collector closed, or that gave up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedRecord {
    /// Who closed it, for people.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, by that one's clock.
    pub at: Timestamp,
}

/// `forgotten/<s>`: that snapshot is not wanted any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgottenRecord {
    /// Who forgot it, for people.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, by that one's clock.
    pub at: Timestamp,
}

/// `damaged/<pack>`: that pack was found damaged, its chunks are to be stored anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedRecord {
    /// Who found it, for people.
    pub by: String,
    /// What was found.
    pub what: String,
    /// When, by that one's clock.
    pub at: Timestamp,
}

/// `marks/<n>`: what round n may remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRecord {
    /// Packs whose chunks nobody may begin to refer to.
    pub condemned: Vec<PackId>,
}

/// `removals/<n>`: what round n does remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalsRecord {
    /// Exactly these packs.
    pub packs: Vec<PackId>,
    /// Exactly these segments of sessions.
    pub segments: Vec<SegmentId>,
    /// Exactly these merged segments.
    pub merged: Vec<SegmentId>,
}

/// `fin/<n>`: round n is over. The newest is the authority on which segments count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinRecord {
    /// All merged segments that count.
    pub merged: Vec<SegmentId>,
    /// All segments, own and merged, that were ever replaced.
    pub replaced: Vec<SegmentId>,
    /// Sessions whose snapshots are live.
    pub live: Vec<SessionId>,
    /// Closed sessions whose packs are removed: their segments count no more, whenever they arrive.
    pub buried: Vec<SessionId>,
    /// Hash of the stored removal list.
    pub removals: ObjectHash,
    /// Hash of the stored `fin` before; `None` in the first round.
    pub previous: Option<ObjectHash>,
}

/// `readings/<n>`: these packs were read and found sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingRecord {
    /// Who read them, for people.
    pub by: String,
    /// When, by that one's clock: only decides what is read next.
    pub at: Timestamp,
    /// The first 16 bytes of each pack's id.
    pub packs: Vec<[u8; 16]>,
}

/// `aside/<n>`: these objects do not open, and whoever was asked decided that nothing waits for them any more.
///
/// Only verification, and listings of snapshots, ask for it: it says what is told of damage, and permits nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsideRecord {
    /// Who set them aside, for people.
    pub by: String,
    /// When, by that one's clock.
    pub at: Timestamp,
    /// What was set aside.
    pub objects: Vec<AsideObject>,
}

/// A damaged object that was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsideObject {
    /// Its name.
    pub name: String,
    /// What is wrong with it, and what became of what it told, for people.
    pub what: String,
}

record!(SessionRecord, "a session", Kind::Session);
record!(ClosedRecord, "a closed slot", Kind::Closed);
record!(ForgottenRecord, "a forgotten mark", Kind::Forgotten);
record!(DamagedRecord, "a damage mark", Kind::Damaged);
record!(MarkRecord, "a mark", Kind::Mark);
record!(RemovalsRecord, "a removal list", Kind::Removals);
record!(FinRecord, "a fin", Kind::Fin);
record!(ReadingRecord, "a record of reading", Kind::Reading);
record!(AsideRecord, "a record of what was set aside", Kind::Aside);
