//! Lineage: what a snapshot is compared with while it is taken.

use serde::{Deserialize, Serialize};

use super::catalog::Committed;
use crate::id::{ChunkId, SnapshotId};

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineageKind {
    /// Files that look unchanged since the snapshot before it are not read again.
    #[default]
    Incremental,
    /// Files that look unchanged since the last full snapshot are not read again.
    Differential,
    /// Every byte is read again; nothing is taken on trust.
    Full,
}

/// What was done; recorded in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lineage {
    /// Every byte was read.
    Full,
    /// Compared with the snapshot before it of the same host and paths.
    Incremental {
        /// That snapshot.
        parent: SnapshotId,
    },
    /// Compared with the last full snapshot of the same host and paths.
    Differential {
        /// That snapshot.
        base: SnapshotId,
    },
}

impl Lineage {
    /// The snapshot that it was compared with.
    #[must_use]
    pub fn compared_with(&self) -> Option<SnapshotId> {
        match self {
            Self::Full => None,
            Self::Incremental { parent } => Some(*parent),
            Self::Differential { base } => Some(*base),
        }
    }

    /// "full", "incremental" or "differential".
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental { .. } => "incremental",
            Self::Differential { .. } => "differential",
        }
    }
}

/// The lineage of a new snapshot and the root tree to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// What will be recorded.
    pub lineage: Lineage,
    /// The tree to compare with; `None` for a full snapshot.
    pub root: Option<ChunkId>,
}

/// Chooses what to compare with, among the committed, not forgotten snapshots of the same host and paths.
///
/// An incremental without a parent and a differential without a full become full. A parent dated in the future is as
/// good as any: it affects speed, never content.
#[must_use]
pub fn choose_base(kind: LineageKind, same_group: &[Committed]) -> Base {
    let newest = |is_wanted: &dyn Fn(&Committed) -> bool| {
        same_group.iter().filter(|snapshot| is_wanted(snapshot)).max_by_key(|snapshot| snapshot.order())
    };
    let found = match kind {
        LineageKind::Full => None,
        LineageKind::Incremental => {
            newest(&|_| true).map(|parent| (parent, Lineage::Incremental { parent: parent.manifest.id }))
        }
        LineageKind::Differential => newest(&|snapshot| snapshot.manifest.lineage == Lineage::Full)
            .map(|base| (base, Lineage::Differential { base: base.manifest.id })),
    };
    match found {
        Some((snapshot, lineage)) => Base { lineage, root: Some(snapshot.manifest.root) },
        None => Base { lineage: Lineage::Full, root: None },
    }
}
