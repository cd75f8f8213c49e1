//! Slots that do not open: what was in a snapshot is found by the list of roots that its session stored.
//!
//! A manifest says little that is nowhere else. Its root tree lies in a pack that names the session in its header, and its names are the
//! paths that were backed up; the announcement tells host, user and time; that host and these paths belong together, the first two bytes
//! of the session's id show. A new snapshot with all that comes first; then the slot is marked as forgotten, as nothing is only in it any
//! more; then it is set aside.

use std::collections::BTreeSet;

use lbak_core::{
    backend::ObjectName,
    codec::Kind,
    error::{Error, Result},
    id::{ChunkId, ChunkKind, ObjectHash, SessionId, SnapshotId},
    metadata::Timestamp,
    pack::read_directory,
    repository::{Repository, View},
    snapshot::{
        AsideObject, Catalog, Committed, ForgottenRecord, Lineage, Manifest, Purpose, SessionRecord, Sizes, SourceKind,
        StoredFindings, Totals,
    },
    store::{get_object, put_slot},
    tree::{NameRule, TreeNode, TreeReader, decode_tree},
};

use super::{DamagedSlot, FoundAgain, RepairOptions, asking::twice, records, salvage::stored_size};
use crate::VerifyOptions;

/// A damaged slot, and the snapshots that it may have held.
pub(super) struct LostSlot {
    pub(super) told: DamagedSlot,
    /// As far as they can be told, without totals.
    pub(super) held: Vec<Committed>,
}

/// Reads damaged slots again, and looks for what they held. Those that need a newer version are left alone.
pub(super) fn find(
    repository: &Repository,
    view: &View,
    catalog: &Catalog,
    looking: &VerifyOptions,
) -> Result<Vec<LostSlot>> {
    if let Some(error) = view.damage.first() {
        return Err(Error::damaged("the index", format!("repair it first ({error})")));
    }
    let mut lost = Vec::new();
    for (session, _) in &catalog.damaged {
        looking.cancellation.check()?;
        let name = ObjectName::Snapshot(*session);
        let what = match records::confirm(repository, &name, looking)? {
            None | Some(Error::Newer { .. }) => continue,
            Some(error) => error.to_string(),
        };
        let announced = announcement(repository, *session)?;
        let is_none =
            announced.as_ref().is_some_and(|record| matches!(record.purpose, Purpose::Restore | Purpose::Collect));
        let mut held = if is_none { Vec::new() } else { held_by(repository, view, *session, announced.as_ref())? };
        if held.is_empty() && !is_none {
            held = changed_by(repository, catalog, *session)?;
        }
        let found = if is_none { FoundAgain::WasNone } else { FoundAgain::Nowhere };
        lost.push(LostSlot { told: DamagedSlot { session: *session, what, announced, found }, held });
    }
    Ok(lost)
}

fn announcement(repository: &Repository, session: SessionId) -> Result<Option<SessionRecord>> {
    use lbak_core::repository::StoredObject;
    let name = ObjectName::Session(session);
    match twice(repository, &name, || repository.open_stored(&name, 0)) {
        Ok(StoredObject::Session(record)) => Ok(Some(record)),
        Ok(_) => Ok(None),
        Err(error) if error.is_of_one_object() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The version of a snapshot that was there before this session changed its tags or description, and forgot it for that.
fn changed_by(repository: &Repository, catalog: &Catalog, session: SessionId) -> Result<Vec<Committed>> {
    let mut changed = Vec::new();
    for old in &catalog.forgotten {
        let name = ObjectName::Forgotten(old.session);
        let open = || {
            let stored = get_object(&**repository.backend(), &name)?;
            repository.codec().open_object(&name, &[Kind::Forgotten], None, &stored)
        };
        if of_one_object(twice(repository, &name, open))?.is_some_and(|opened| opened.session == session) {
            changed.push(Committed { session, ..old.clone() });
        }
    }
    Ok(changed)
}

/// What its session may have committed: a snapshot for each list of roots that it stored.
fn held_by(
    repository: &Repository,
    view: &View,
    session: SessionId,
    announced: Option<&SessionRecord>,
) -> Result<Vec<Committed>> {
    let mut held = Vec::new();
    for root in roots_of(repository, view, session)? {
        let reader = repository.reader(view);
        let read = |kind: ChunkKind, id: &ChunkId| reader.read(kind, id);
        // Entries that are lost are told when what is left is written.
        let Some(entries) = of_one_object(TreeReader::open(NameRule::AbsolutePath, root, &read))? else {
            continue;
        };
        let mut paths: Vec<Vec<u8>> = entries.filter_map(|entry| entry.ok().map(|entry| entry.name)).collect();
        paths.sort_unstable();
        held.push(Committed {
            session,
            manifest: manifest(repository, session, root, paths, announced),
            head: ObjectHash([0; 32]),
        });
    }
    Ok(held)
}

fn manifest(
    repository: &Repository,
    session: SessionId,
    root: ChunkId,
    paths: Vec<Vec<u8>>,
    announced: Option<&SessionRecord>,
) -> Manifest {
    let author = announced.map(|record| record.author.as_str()).unwrap_or_default();
    let (user, host) = author.rsplit_once('@').unwrap_or(("", author));
    let group = repository.codec().keys().session_group(host, &paths);
    // A snapshot may be taken in the name of another host than the one that announces it; then its name is lost.
    let host = if session.0.starts_with(&group) { host } else { "" };
    // Without a time it must not pass for the latest.
    let at = announced.map_or(Timestamp { seconds: 0, nanoseconds: 0 }, |record| record.started_at);
    Manifest {
        id: SnapshotId([0; 16]),
        root,
        lineage: Lineage::Full,
        started_at: at,
        ended_at: at,
        point_in_time: None,
        host: host.to_owned(),
        user: user.to_owned(),
        paths,
        tags: Vec::new(),
        description: String::new(),
        program: String::new(),
        totals: Totals::default(),
        sizes: Sizes { logical: 0, new: 0, stored: 0 },
        source: SourceKind::Files,
        findings: StoredFindings::default(),
        is_complete: false,
        origin: None,
        heads: Vec::new(),
    }
}

/// The lists of roots in the packs of a session: trees whose names are absolute paths, and that are below no other such tree.
fn roots_of(repository: &Repository, view: &View, session: SessionId) -> Result<BTreeSet<ChunkId>> {
    let backend = &**repository.backend();
    let reader = repository.reader(view);
    let (mut roots, mut below) = (BTreeSet::new(), BTreeSet::new());
    let mut packs = BTreeSet::new();
    for segment in view.index.segments() {
        let rows = segment.pack_rows()?;
        let is_of_session = |kind: Kind, of: SessionId| kind == Kind::TreePack && of == session;
        packs.extend(rows.iter().filter(|row| is_of_session(row.header.kind, row.header.session)).map(|row| row.id));
    }
    for pack in packs {
        backend.forget_cached(&ObjectName::Pack(pack));
        let Some(size) = stored_size(backend, &pack)? else { continue };
        let read = || read_directory(backend, repository.codec(), pack, size);
        let Some((_, directory)) = of_one_object(twice(repository, &ObjectName::Pack(pack), read))? else { continue };
        for chunk in directory.blocks.iter().flat_map(|block| &block.chunks) {
            if chunk.kind != ChunkKind::Tree {
                continue;
            }
            let Some(bytes) = of_one_object(reader.read(ChunkKind::Tree, &chunk.id))? else { continue };
            match decode_tree("tree", NameRule::AbsolutePath, &bytes) {
                Ok(TreeNode::Run(entries)) if !entries.is_empty() => _ = roots.insert(chunk.id),
                Ok(TreeNode::Inner { children, .. }) => {
                    roots.insert(chunk.id);
                    below.extend(children.into_iter().map(|child| child.id));
                }
                _ => {}
            }
        }
    }
    Ok(roots.difference(&below).copied().collect())
}

fn of_one_object<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_of_one_object() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The snapshots that an earlier repair has written of what a slot held.
pub(super) fn written_before(catalog: &Catalog, session: SessionId, root: ChunkId) -> Option<SnapshotId> {
    let all = catalog.snapshots.iter().chain(&catalog.forgotten).chain(&catalog.replaced);
    let mut made = all.filter(|snapshot| snapshot.manifest.origin == Some(session));
    // One of which something was lost has another root, and stands for it all the same.
    let exact = made.clone().find(|snapshot| snapshot.manifest.root == root);
    exact.or_else(|| made.next()).map(|snapshot| snapshot.manifest.id)
}

/// Says that a slot is not waited for any more: nothing is only in it when its snapshot was found again.
pub(super) fn set_aside(repository: &Repository, options: &RepairOptions, slot: &DamagedSlot) -> Result<()> {
    let what = describe(slot);
    if matches!(slot.found, FoundAgain::Snapshots(_) | FoundAgain::WasNone) {
        let name = ObjectName::Forgotten(slot.session);
        let record = ForgottenRecord { by: options.who(), reason: what.clone(), at: repository.now() };
        let codec = repository.codec();
        let sealed = codec.seal_object(&name, ForgottenRecord::KIND, SessionId([0; 16]), &record.encode()?)?;
        // One that somebody else put says the same.
        put_slot(&**repository.backend(), &name, &sealed)?;
    }
    records::put(repository, options, vec![AsideObject { name: ObjectName::Snapshot(slot.session).to_string(), what }])
}

fn describe(slot: &DamagedSlot) -> String {
    let became = match &slot.found {
        FoundAgain::Snapshots(ids) => {
            let ids: Vec<String> = ids.iter().map(|id| id.short().to_string()).collect();
            format!("what it held is snapshot {}", ids.join(", "))
        }
        FoundAgain::WouldBe(_) => "what it held was found".into(),
        FoundAgain::Unmended(reason) => format!("what it held is lost: {reason}"),
        FoundAgain::WasNone => "it held no snapshot".into(),
        FoundAgain::Nowhere => "the record of a snapshot that held nothing new, or of none, is lost".into(),
    };
    format!("{}; {became}", slot.what)
}
