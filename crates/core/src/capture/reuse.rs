//! Which files are taken over from the tree that is compared with.

use super::{
    compare::{Ignored, reason_to_read},
    path::Path,
};
use crate::{
    error::{Error, Result, escape},
    metadata::Metadata,
    observe::{Difference, ReadReason},
    tree::Entry,
};

/// Which files are not read, because an earlier tree has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reuse {
    /// What looks unchanged.
    Unchanged,
    /// None: a stream says nothing of itself before it is read.
    Nothing,
    /// All: they were read under a session that was lost, and can not be read a second time.
    Everything,
}

impl Reuse {
    pub(super) fn of(is_repeatable: bool, is_lost: bool) -> Self {
        match (is_repeatable, is_lost) {
            (true, _) => Self::Unchanged,
            (false, false) => Self::Nothing,
            (false, true) => Self::Everything,
        }
    }

    /// Why a file is read although there is an entry of its name; `None` when that may be taken over, if all that it refers
    /// to is stored.
    pub(super) fn reason_to_read(
        self,
        known: &Entry,
        found: &Metadata,
        link_group: u64,
        ignored: Ignored,
    ) -> Option<ReadReason> {
        match self {
            Self::Unchanged => reason_to_read(known, found, link_group, ignored),
            Self::Everything if known.kind() == found.kind => None,
            Self::Everything => Some(ReadReason::Changed(Difference::Kind)),
            Self::Nothing => Some(ReadReason::ReadOnce),
        }
    }

    /// Passes when a file that was not taken over can be read.
    pub(super) fn check_readable(self, path: &Path, name: &[u8]) -> Result<()> {
        match self {
            Self::Everything => Err(Error::ReadOnce { path: escape(&path.of(name)) }),
            Self::Unchanged | Self::Nothing => Ok(()),
        }
    }
}
