//! Backups with content-defined chunks, encrypted, without locks: the library behind the command `lbak`.
//!
#![doc = include_str!("../README.md")]

// The rooms, for whatever is not named below.
pub use lbak_core::{
    amend, backend, browse, cache, capture, chunk, codec, error, id, index, keys, metadata, observe, pack, parity,
    patterns, repository, snapshot, source, store, tree,
};

// Trouble, and what is told while a verb works.
pub use lbak_core::{
    error::{BackendError, BackendErrorKind, Error, Result, escape, is_hidden},
    observe::{
        Cancellation, Difference, Event, Exclusion, Finding, FindingKind, Observer, Progress, ReadReason, Silent, Stage,
    },
};

// Where objects lie.
pub use lbak_core::backend::{
    Backend, Description, Folder, Latency, LocalBackend, MemoryBackend, Misread, ObjectName, Parts, Promise, Sealed,
};

// A repository and its keys.
pub use lbak_core::{
    codec::slot::{Credential, SlotForm},
    id::{ObjectHash, PackId, RepositoryId, SessionId, SlotId, SnapshotId},
    keys::{KeyFile, PasswordCost},
    repository::{
        Clock, InitOptions, NewSlot, OpenOptions, OpenedSlot, Repository, SlotInfo, SlotState, SystemClock, View,
    },
};

// What can be backed up, and the verb.
pub use lbak_core::{
    capture::{FileCounts, SnapshotOptions, SnapshotReport, snapshot},
    codec::Compression,
    error::OutputFailure,
    source::{
        CommandSource, ExclusionCount, LocalSource, Marker, MemorySource, SelectedSource, SelectionRules, Source,
        StreamSource, words_for_people,
    },
    store::{ReadBack, WriterOptions},
};

// What was backed up.
pub use lbak_core::{
    metadata::{FileKind, Timestamp},
    snapshot::{
        Catalog, Chosen, Committed, FindingCount, Lineage, LineageKind, Manifest, Pick, Selection, Sizes, SourceKind,
        StoredFindings, Totals,
    },
    tree::{Entry, Node},
};

// Said otherwise afterwards.
pub use lbak_core::amend::{AmendOptions, AmendReport, Before, Changes, amend};

// Back again.
pub use lbak_core::observe::Action;
pub use lbak_restore::{
    ActionCounts, BeforeWriting, Delete, InPlace, ListOptions, ListReport, ListedEntry, Overwrite, Ownership, Place,
    RestoreOptions, RestoreReport, lies_in, list, restore,
};

// Back as a stream.
pub use lbak_restore::{DumpCheck, DumpForm, DumpOptions, DumpReport, dump, dump_to_command};

// Is it all there?
pub use lbak_verify::{
    Coverage, Damage, Depth, HurtSnapshot, Share, Steady, VerifyOptions, VerifyReport, verify, verify_without_key,
};

// And if not?
pub use lbak_verify::repair::{
    DamagedPack, DamagedSlot, FoundAgain, Healed, IndexRepairReport, Mended, MendedSnapshot, PacksRepairReport,
    ParityGroup, ParityOptions, ParityReport, RecordsRepairReport, RepairOptions, SnapshotsRepairReport, add_parity,
    repair_index, repair_packs, repair_records, repair_snapshots,
};

// Looking into snapshots.
pub use lbak_inspect::{
    Change, ChangeCounts, ChangeKind, DiffOptions, DiffReport, DiffSide, Differing, FindOptions, FindReport,
    HistoryReport, Hit, MetadataField, PathHistory, PathVersion, SnapshotWeight, StatsOptions, StatsReport, Weight,
    diff, diff_with_source, find, history, stats,
};
