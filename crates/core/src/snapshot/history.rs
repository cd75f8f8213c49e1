//! The versions of one snapshot: a changed tag or description is a new manifest in a new slot, with the same snapshot id.
//!
//! ```text
//! origin:   A ◄── B ◄── C      C is the snapshot, A and B have been replaced
//!           A ◄── B            both changed A at the same time: the one with the smaller session id is the snapshot,
//!           └◄─── D            and whoever comes second and sees both carries the other's change over
//! ```
//!
//! Which version counts follows from the slots alone: no clock, and no object that a crash could keep from being written.

use std::collections::{BTreeMap, HashSet};

use crate::id::{SessionId, SnapshotId};

/// What tells one version of a snapshot from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The session whose slot holds it.
    pub session: SessionId,
    /// The snapshot that it is a version of.
    pub id: SnapshotId,
    /// The session that it was made from.
    pub origin: Option<SessionId>,
    /// `forgotten/` names it.
    pub is_forgotten: bool,
}

/// The versions, in committed slots of one repository, that another version of the same snapshot has replaced.
///
/// Of each snapshot one is left: from the version that was made from none of the others, step by step, the one that was made
/// from it; where there are several, the one with the smallest session id. When several were made from none of the others
/// (what they were made from is damaged), those that are not forgotten come first, then those that were made from another.
#[must_use]
pub fn replaced(versions: &[Version]) -> HashSet<SessionId> {
    let mut snapshots: BTreeMap<SnapshotId, Vec<Version>> = BTreeMap::new();
    for version in versions {
        snapshots.entry(version.id).or_default().push(*version);
    }
    let mut replaced = HashSet::new();
    for versions in snapshots.into_values().filter(|versions| versions.len() > 1) {
        let current = current(&versions);
        replaced.extend(versions.iter().map(|version| version.session).filter(|session| Some(*session) != current));
    }
    replaced
}

fn current(versions: &[Version]) -> Option<SessionId> {
    let made_from = |origin: SessionId| {
        let made = versions.iter().filter(move |version| version.origin == Some(origin) && version.session != origin);
        made.map(|version| version.session).min()
    };
    let last_of = |first: &Version| {
        let mut last = first.session;
        // No honest writer makes a circle; one that is there ends the walk.
        for _ in versions {
            match made_from(last) {
                Some(next) => last = next,
                None => break,
            }
        }
        last
    };
    let is_first = |version: &&Version| !versions.iter().any(|other| version.origin == Some(other.session));
    let is_forgotten =
        |session: SessionId| versions.iter().any(|version| version.session == session && version.is_forgotten);
    let mut firsts: Vec<&Version> = versions.iter().filter(is_first).collect();
    if firsts.is_empty() {
        firsts = versions.iter().collect();
    }
    let ends = firsts
        .into_iter()
        .map(|first| (is_forgotten(last_of(first)), first.origin.is_none(), first.session, last_of(first)));
    ends.min().map(|(.., last)| last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u8) -> SessionId {
        SessionId([number; 16])
    }

    fn version(number: u8, origin: Option<u8>) -> Version {
        let (session, origin) = (session(number), origin.map(session));
        Version { session, id: SnapshotId([1; 16]), origin, is_forgotten: false }
    }

    /// The one that is left, whatever the order of the versions.
    fn left(versions: &[Version]) -> u8 {
        let mut versions = versions.to_vec();
        let mut found = HashSet::new();
        for _ in 0..versions.len() {
            versions.rotate_left(1);
            let replaced = replaced(&versions);
            let left: Vec<u8> =
                versions.iter().map(|v| v.session).filter(|s| !replaced.contains(s)).map(|s| s.0[0]).collect();
            assert_eq!(left.len(), 1, "exactly one is left of {versions:?}");
            found.extend(left);
        }
        assert_eq!(found.len(), 1, "the order does not count");
        found.into_iter().next().expect("one")
    }

    #[test]
    fn the_last_of_a_chain_is_the_snapshot() {
        assert_eq!(left(&[version(5, None)]), 5);
        assert_eq!(left(&[version(5, None), version(9, Some(5)), version(2, Some(9))]), 2);
        assert_eq!(left(&[version(5, Some(77)), version(9, Some(5))]), 9, "one that was copied from elsewhere");
    }

    #[test]
    fn of_two_that_replace_the_same_one_the_smaller_counts_with_all_that_follows_it() {
        let both = [version(5, None), version(9, Some(5)), version(2, Some(5))];
        assert_eq!(left(&both), 2);
        assert_eq!(left(&[&both[..], &[version(8, Some(2))]].concat()), 8);
        assert_eq!(left(&[&both[..], &[version(1, Some(9))]].concat()), 2);
    }

    #[test]
    fn a_version_whose_origin_can_not_be_read_is_not_lost_behind_a_forgotten_one() {
        let first = Version { is_forgotten: true, ..version(5, None) };
        assert_eq!(left(&[first, version(9, Some(7))]), 9);
        assert_eq!(left(&[version(5, None), version(9, Some(7))]), 9);
    }

    #[test]
    fn a_circle_leaves_one() {
        left(&[version(5, Some(9)), version(9, Some(5))]);
        left(&[version(5, Some(5)), version(9, Some(5))]);
        left(&[version(3, None), version(5, Some(9)), version(9, Some(5))]);
    }

    #[test]
    fn other_snapshots_are_not_touched() {
        let other = Version { id: SnapshotId([2; 16]), ..version(9, Some(5)) };
        assert!(replaced(&[version(5, None), other]).is_empty());
    }
}
