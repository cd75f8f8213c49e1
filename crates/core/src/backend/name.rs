//! Names of objects: a closed grammar, so that nothing outside it is ever touched.

use std::fmt;

use crate::id::{PackId, ParityId, SegmentId, SessionId, SlotId};

/// The name of an object. Can only be one that the format knows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectName {
    /// Format version, repository id, chunk sizes: fixed at birth.
    Config,
    /// A feature in use: `r-…`, `w-…` or `c-…`.
    Feature(String),
    /// A password or key-file slot.
    Slot(SlotId),
    /// A writer's announcement.
    Session(SessionId),
    /// A pack.
    Pack(PackId),
    /// A session's own index segment.
    Segment(SegmentId),
    /// A merged index segment.
    MergedSegment(SegmentId),
    /// The outcome of a session: a manifest, or `closed`.
    Snapshot(SessionId),
    /// That snapshot was forgotten.
    Forgotten(SessionId),
    /// That pack was found damaged.
    Damaged(PackId),
    /// What a reclaiming round may remove.
    Mark(u64),
    /// What a reclaiming round does remove.
    Removals(u64),
    /// A finished reclaiming round.
    Fin(u64),
    /// Which packs were read, and when.
    Reading(u64),
    /// Damaged records that were set aside.
    Aside(u64),
    /// Recovery sectors of a group of packs.
    Parity(ParityId),
}

/// The folders of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named for the objects in it, see ObjectName")]
pub enum Folder {
    Features,
    Keys,
    Sessions,
    Packs,
    Index,
    Snapshots,
    Forgotten,
    Damaged,
    Marks,
    Removals,
    Fin,
    Readings,
    Aside,
    Parity,
}

impl Folder {
    /// Every folder.
    pub const ALL: [Self; 14] = [
        Self::Features,
        Self::Keys,
        Self::Sessions,
        Self::Packs,
        Self::Index,
        Self::Snapshots,
        Self::Forgotten,
        Self::Damaged,
        Self::Marks,
        Self::Removals,
        Self::Fin,
        Self::Readings,
        Self::Aside,
        Self::Parity,
    ];

    /// The prefix of the names in it.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Features => "features/",
            Self::Keys => "keys/",
            Self::Sessions => "sessions/",
            Self::Packs => "packs/",
            Self::Index => "index/",
            Self::Snapshots => "snapshots/",
            Self::Forgotten => "forgotten/",
            Self::Damaged => "damaged/",
            Self::Marks => "marks/",
            Self::Removals => "removals/",
            Self::Fin => "fin/",
            Self::Readings => "readings/",
            Self::Aside => "aside/",
            Self::Parity => "parity/",
        }
    }
}

impl ObjectName {
    /// Reads a name; `None` for one that the format does not know, which is never touched.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "config" {
            return Some(Self::Config);
        }
        let (folder, rest) = text.split_once('/')?;
        match folder {
            "features" => is_feature(rest).then(|| Self::Feature(rest.to_owned())),
            "keys" => SlotId::from_hex(rest).map(Self::Slot),
            "sessions" => SessionId::from_hex(rest).map(Self::Session),
            "packs" => {
                let (shelf, id) = rest.split_once('/')?;
                PackId::from_hex(id).filter(|_| shelf.len() == 2 && id.starts_with(shelf)).map(Self::Pack)
            }
            "index" => match rest.strip_prefix("m-") {
                Some(id) => SegmentId::from_hex(id).map(Self::MergedSegment),
                None => SegmentId::from_hex(rest).map(Self::Segment),
            },
            "snapshots" => SessionId::from_hex(rest).map(Self::Snapshot),
            "forgotten" => SessionId::from_hex(rest).map(Self::Forgotten),
            "damaged" => PackId::from_hex(rest).map(Self::Damaged),
            "marks" => parse_number(rest).map(Self::Mark),
            "removals" => parse_number(rest).map(Self::Removals),
            "fin" => parse_number(rest).map(Self::Fin),
            "readings" => parse_number(rest).map(Self::Reading),
            "aside" => parse_number(rest).map(Self::Aside),
            "parity" => ParityId::from_hex(rest).map(Self::Parity),
            _ => None,
        }
    }
}

/// `r-`, `w-` or `c-` and a word.
fn is_feature(text: &str) -> bool {
    let word = text.strip_prefix("r-").or_else(|| text.strip_prefix("w-")).or_else(|| text.strip_prefix("c-"));
    word.is_some_and(|word| {
        (1..=64).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    })
}

/// Sixteen hex digits, so that names sort like numbers.
fn parse_number(text: &str) -> Option<u64> {
    let is_canonical = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_canonical.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("config"),
            Self::Feature(word) => write!(f, "features/{word}"),
            Self::Slot(id) => write!(f, "keys/{id}"),
            Self::Session(id) => write!(f, "sessions/{id}"),
            Self::Pack(id) => write!(f, "packs/{:02x}/{id}", id.0[0]),
            Self::Segment(id) => write!(f, "index/{id}"),
            Self::MergedSegment(id) => write!(f, "index/m-{id}"),
            Self::Snapshot(id) => write!(f, "snapshots/{id}"),
            Self::Forgotten(id) => write!(f, "forgotten/{id}"),
            Self::Damaged(id) => write!(f, "damaged/{id}"),
            Self::Mark(round) => write!(f, "marks/{round:016x}"),
            Self::Removals(round) => write!(f, "removals/{round:016x}"),
            Self::Fin(round) => write!(f, "fin/{round:016x}"),
            Self::Reading(number) => write!(f, "readings/{number:016x}"),
            Self::Aside(number) => write!(f, "aside/{number:016x}"),
            Self::Parity(id) => write!(f, "parity/{id}"),
        }
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_round_trips() {
        let (session, pack, segment) = (SessionId([1; 16]), PackId([0xfe; 32]), SegmentId([3; 32]));
        for name in [
            ObjectName::Config,
            ObjectName::Feature("r-element-planes".into()),
            ObjectName::Slot(SlotId([9; 16])),
            ObjectName::Session(session),
            ObjectName::Pack(pack),
            ObjectName::Segment(segment),
            ObjectName::MergedSegment(segment),
            ObjectName::Snapshot(session),
            ObjectName::Forgotten(session),
            ObjectName::Damaged(pack),
            ObjectName::Mark(0),
            ObjectName::Removals(u64::MAX),
            ObjectName::Fin(17),
            ObjectName::Reading(18),
            ObjectName::Aside(19),
            ObjectName::Parity(ParityId([4; 32])),
        ] {
            assert_eq!(ObjectName::parse(&name.to_string()), Some(name));
        }
    }

    #[test]
    fn unknown_names_are_nobodys() {
        let pack = PackId([0xfe; 32]);
        for text in [
            "",
            "config2",
            "config/",
            "packs/",
            "packs/fe",
            "keys/..",
            "features/x-a",
            "features/r-",
            "features/r-A",
            "fin/1",
            "fin/+000000000000001",
            "fin/000000000000000G",
            "mended/00",
            "parity/00",
            "index/m-",
            "../config",
            &format!("packs/ff/{pack}"),
            &format!("packs/{pack}"),
            &format!("index/x-{pack}"),
        ] {
            assert_eq!(ObjectName::parse(text), None, "{text}");
        }
    }
}
