//! A repository of so many small segments and snapshots, as years of small backups leave it before anything merges them: opened, listed,
//! and asked for a chunk for the first time.

use std::{error::Error, fs, path::Path, sync::Arc};

use lbak_core::{
    backend::{Backend, LocalBackend},
    codec::{Header, Kind, slot::Credential},
    id::{ChunkId, ChunkKind, ObjectHash, PackId, SessionId, SnapshotId},
    index::{ChunkRow, PackRow, SegmentBuilder},
    keys::KeyFile,
    metadata::Timestamp,
    repository::{InitOptions, NewSlot, OpenOptions, Outcome, Repository},
    snapshot::{Lineage, Manifest, Sizes, SourceKind, StoredFindings, Totals},
    store::put_object,
};

use crate::{
    content::Numbers,
    figures::{Watch, memory, show},
};

/// Chunks that a small backup adds.
const CHUNKS: u64 = 50;

/// The figures of a repository with so many of each.
pub(crate) fn measure(folder: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    fs::create_dir(folder)?;
    let outcome = steps(folder, count);
    fs::remove_dir_all(folder)?;
    outcome
}

fn steps(folder: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    let backend: Arc<dyn Backend> = Arc::new(LocalBackend::create(folder.join("repository"))?);
    let credential = Credential::KeyFile(KeyFile::generate()?);
    let slot = NewSlot::new(credential.clone(), "scale");
    let repository = Repository::init(Arc::clone(&backend), &[slot], &InitOptions::default())?;
    let watch = Watch::start();
    make(&repository, count)?;
    show(&format!("made {count} segments and snapshots"), &watch, "");
    drop(repository);
    let cache = folder.join("cache");
    for (round, cache) in [
        ("without copies", None),
        ("without, again", None),
        ("copies made", Some(cache.clone())),
        ("with copies", Some(cache.clone())),
        ("with, again", Some(cache)),
    ] {
        let watch = Watch::start();
        let options = OpenOptions { cache, ..OpenOptions::default() };
        let repository = Repository::open(Arc::clone(&backend), &credential, &options)?;
        show(&format!("{round}: opened with its key"), &watch, "");
        ask(round, &repository, count)?;
    }
    Ok(())
}

fn ask(round: &str, repository: &Repository, count: u64) -> Result<(), Box<dyn Error>> {
    let watch = Watch::start();
    let catalog = repository.catalog()?;
    show(&format!("{round}: snapshots read"), &watch, &format!("{} snapshots", catalog.snapshots.len()));
    let watch = Watch::start();
    let view = repository.view()?;
    show(&format!("{round}: index opened"), &watch, &format!("{} segments", view.index.segments().len()));
    for (what, number, expected) in [
        ("first lookup, not found", u64::MAX / 2, false),
        // Another copy, where there are two.
        ("second, not found", u64::MAX / 3, false),
        ("third, not found", u64::MAX / 5, false),
        ("fourth, not found", u64::MAX / 7, false),
        ("found", 7, true),
    ] {
        let watch = Watch::start();
        let found = view.index.find(&id(number), ChunkKind::Data, &mut |_| true)?;
        if found.is_some() != expected {
            return Err(format!("{what}: found is {} among {count} segments", found.is_some()).into());
        }
        show(&format!("{round}: {what}"), &watch, &format!("{} MiB", memory().now_mib));
    }
    Ok(())
}

fn id(number: u64) -> ChunkId {
    let mut numbers = Numbers(number.wrapping_mul(0xd134_2543_de82_ef95));
    let mut id = [0; 32];
    id.chunks_exact_mut(8).for_each(|bytes| bytes.copy_from_slice(&numbers.draw().to_le_bytes()));
    ChunkId(id)
}

/// Puts a segment and a snapshot for each of so many sessions.
fn make(repository: &Repository, count: u64) -> Result<(), Box<dyn Error>> {
    let (host, paths) = ("scale", vec![b"/srv/data".to_vec()]);
    let group = repository.codec().keys().session_group(host, &paths);
    let mut heads = Vec::new();
    for number in 0..count {
        let mut session = SessionId(*id(u64::MAX - number).0.first_chunk().ok_or("an id is longer")?);
        session.0[..2].copy_from_slice(&group);
        put_segment(repository, session, number)?;
        heads = vec![commit(repository, session, number, heads, &paths)?];
    }
    Ok(())
}

fn put_segment(repository: &Repository, session: SessionId, number: u64) -> Result<(), Box<dyn Error>> {
    let codec = repository.codec();
    let row = |place: u64| ChunkRow {
        id: id(number * CHUNKS + place),
        kind: ChunkKind::Data,
        has_base: false,
        block_offset: 80 + place as u32 * 50_000,
        sealed_length: 50_000,
        block_length: 100_000,
        offset: 0,
        length: 100_000,
    };
    let rows: Vec<ChunkRow> = (0..CHUNKS).map(row).collect();
    let header = Header::draw(Kind::DataPack, 0, codec.repository(), session)?;
    let pack = PackRow { id: PackId(id(u64::MAX / 2 - number).0), stored_length: 4 << 20, header };
    let mut builder = SegmentBuilder::new();
    builder.add_pack(pack, &rows)?;
    let (name, sealed) = builder.finish(codec, Kind::Segment, session)?;
    Ok(put_object(&**repository.backend(), &name, &sealed)?)
}

fn commit(
    repository: &Repository,
    session: SessionId,
    number: u64,
    heads: Vec<ObjectHash>,
    paths: &[Vec<u8>],
) -> Result<ObjectHash, Box<dyn Error>> {
    let time = Timestamp { seconds: 1_790_000_000 + 600 * number as i64, nanoseconds: 0 };
    let manifest = Manifest {
        id: SnapshotId(session.0),
        root: id(number),
        lineage: Lineage::Full,
        started_at: time,
        ended_at: time,
        point_in_time: None,
        host: "scale".into(),
        user: "user".into(),
        paths: paths.to_vec(),
        tags: vec!["hourly".into()],
        description: String::new(),
        program: "scale".into(),
        totals: Totals::default(),
        sizes: Sizes::default(),
        source: SourceKind::Files,
        findings: StoredFindings::default(),
        is_complete: true,
        origin: None,
        heads,
    };
    match repository.commit(session, &manifest)? {
        Outcome::Committed(head) => Ok(head),
        Outcome::Lost => Err("a session was closed, though nobody else is here".into()),
    }
}
