//! Backups of AI infrastructure: content-defined, encrypted, deduplicated snapshots that always restore alone.
//!
//! An embedder needs this crate and no other. The verbs are free functions of one shape,
//! `verb(&Repository, subject, &Options) -> Result<Report>`; the nouns stand beside them, and what is rarely named is in the modules.
//!
//! ```
//! use std::sync::Arc;
//! use lbak::{
//!     Credential, InitOptions, LocalBackend, LocalSource, NewSlot, Repository, RestoreOptions, Selection, SnapshotOptions,
//!     restore, snapshot,
//! };
//!
//! # let folder = tempfile::tempdir()?;
//! # let (data, place, target) = (folder.path().join("data"), folder.path().join("repository"), folder.path().join("target"));
//! # std::fs::create_dir(&data)?;
//! # std::fs::write(data.join("weights"), "0.5 0.25")?;
//! let slot = NewSlot::new(Credential::password("correct horse"), "me");
//! let repository = Repository::init(Arc::new(LocalBackend::create(&place)?), &[slot], &InitOptions::default())?;
//! let report = snapshot(&repository, &LocalSource::new(&[&data])?, &SnapshotOptions::default())?;
//! println!("{} bytes stored", report.sizes.stored);
//!
//! let catalog = repository.catalog()?;
//! let latest = Selection::default().choose(&catalog, repository.now())?;
//! restore(&repository, &latest.snapshot.manifest, &target, &RestoreOptions::default())?;
//! # assert_eq!(std::fs::read(target.join("weights"))?, b"0.5 0.25");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The rooms, for whatever is not named below.
pub use lbak_core::{
    backend, capture, chunk, codec, error, id, index, keys, metadata, observe, pack, repository, snapshot, source,
    store, tree,
};

// Trouble, and what is told while a verb works.
pub use lbak_core::{
    error::{BackendError, BackendErrorKind, Error, Result, escape},
    observe::{Cancellation, Event, Finding, FindingKind, Observer, Progress, Silent, Stage},
};

// Where objects lie.
pub use lbak_core::backend::{Backend, Description, Folder, LocalBackend, MemoryBackend, ObjectName, Promise, Sealed};

// A repository and its keys.
pub use lbak_core::{
    codec::slot::{Credential, SlotForm},
    id::{ObjectHash, PackId, RepositoryId, SessionId, SlotId, SnapshotId},
    keys::{KeyFile, PasswordCost},
    repository::{Clock, InitOptions, NewSlot, OpenOptions, Repository, SlotInfo, SlotState, SystemClock, View},
};

// What can be backed up, and the verb.
pub use lbak_core::{
    capture::{FileCounts, SnapshotOptions, SnapshotReport, snapshot},
    codec::Compression,
    source::{LocalSource, MemorySource, Source},
    store::WriterOptions,
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

// Back again.
pub use lbak_restore::{ListReport, ListedEntry, Place, RestoreOptions, RestoreReport, list, restore};

// Is it all there?
pub use lbak_verify::{Damage, Depth, HurtSnapshot, Share, VerifyOptions, VerifyReport, verify, verify_without_key};
