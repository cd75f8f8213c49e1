//! Repositories that were made to exhaust whoever reads them: small objects that stand for more than there is room or time for.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lbak_core::{
    backend::{Backend, ObjectName},
    codec::{BlockEncoder, Compression, Encoded, Kind},
    error::Error,
    id::{ChunkId, ChunkKind},
    index::{PackRow, SegmentBuilder},
    observe::{Cancellation, Event, Observer},
    pack::{ChunkEntry, PackBuffers, PackBuilder},
    repository::Repository,
    snapshot::{Manifest, Sizes, Totals},
    store::chunk_rows,
    tree::{Content, Entry, ListChild, ListNode, Node, Piece, encode_list},
};
use lbak_restore::{ListOptions, RestoreOptions, list, restore};
use lbak_testkit::{not_run, objects};

use crate::{
    hostile::{directory, entry},
    support::{Forge, folders, quick, restored, shared, take},
};

/// A snapshot of one directory that holds what `make` has stored, and that says that it holds any number of things: one that says less is not
/// walked to its end.
fn forged(repository: &Repository, make: impl FnOnce(&mut Forge) -> Vec<Entry>) -> Manifest {
    let folders = folders();
    let honest = take(repository, std::slice::from_ref(&folders.source));
    let mut forge = Forge::new(repository, 5);
    let entries = make(&mut forge);
    let tree = forge.tree(entries);
    let root = forge.tree(vec![entry(b"/source", directory(tree))]);
    forge.finish();
    let totals = Totals { files: u64::MAX, directories: u64::MAX, ..honest.totals };
    let sizes = Sizes { logical: u64::MAX, ..honest.sizes };
    Manifest { root, paths: vec![b"/source".to_vec()], totals, sizes, ..honest }
}

/// Stops what it hears of after so many entries.
struct Stopping {
    entries: AtomicU64,
    cancellation: Cancellation,
}

const PATIENCE: u64 = 20_000;

impl Observer for Stopping {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Restored { .. }) && self.entries.fetch_add(1, Ordering::Relaxed) == PATIENCE {
            self.cancellation.cancel();
        }
    }

    fn wants_paths(&self) -> bool {
        true
    }
}

/// Three times what they need, which the figures that they print tell.
const MOST_KIB: u64 = 100 << 10;

/// Runs a test of this file again in a process of its own, where no other shares the peak, and gives its figures; nothing in that process.
fn alone(test: &str) -> Option<String> {
    if std::env::var_os("LBAK_TEST_ALONE").is_some() {
        return None;
    }
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    again.args(["--exact", &format!("bounded::{test}"), "--test-threads=1", "--nocapture"]).env("LBAK_TEST_ALONE", "1");
    let output = again.output().expect("it runs");
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}{complaint}");
    Some(said.lines().filter(|line| line.contains("more memory")).collect())
}

/// Most memory that this process has held so far; 0, and a word about it, where no system tells.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_ascii_whitespace().next()?.parse().ok());
    peak.unwrap_or_else(|| {
        not_run("how much memory it takes: there is no /proc, or it does not tell");
        0
    })
}

/// 40 directories, each of which holds the one below twice: 2^40 paths.
#[test]
fn directories_that_are_shared_without_end_are_walked_in_flat_memory_until_somebody_stops() {
    if let Some(figures) =
        alone("directories_that_are_shared_without_end_are_walked_in_flat_memory_until_somebody_stops")
    {
        println!("{figures}");
        return;
    }
    let (_, repository) = shared();
    let manifest = forged(&repository, |forge| {
        let mut below = forge.tree(Vec::new());
        for _ in 0..40 {
            below = forge.tree(vec![entry(b"a", directory(below)), entry(b"b", directory(below))]);
        }
        vec![entry(b"top", directory(below))]
    });

    let before = peak_kib();
    let mut listed = 0;
    let cancellation = Cancellation::default();
    let options = ListOptions { recursive: true, cancellation: cancellation.clone() };
    let outcome = list(&repository, &manifest, None, &options, &mut |_| {
        listed += 1;
        if listed == PATIENCE {
            cancellation.cancel();
        }
        Ok(())
    });
    assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
    assert_eq!(listed, PATIENCE);

    let folders = folders();
    for dry_run in [true, false] {
        let cancellation = Cancellation::default();
        let observer = Arc::new(Stopping { entries: AtomicU64::new(0), cancellation: cancellation.clone() });
        let options = RestoreOptions { dry_run, observer: observer.clone(), cancellation, ..quick() };
        let outcome = restore(&repository, &manifest, &folders.target, &options);
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
        assert!(observer.entries.load(Ordering::Relaxed) > PATIENCE);
    }
    let grown = peak_kib().saturating_sub(before);
    assert!(grown < MOST_KIB, "{grown} KiB for {PATIENCE} of 2^40 directories");
    println!("2^40 directories in 42 chunks: listed and restored until stopped, {grown} KiB more memory");
}

/// Four nodes of a list, each of which holds the one below 128 times: a file of 1 TiB, all of it one chunk of four bytes.
#[test]
fn a_file_of_shared_lists_can_be_stopped_and_is_not_held_in_memory() {
    if let Some(figures) = alone("a_file_of_shared_lists_can_be_stopped_and_is_not_held_in_memory") {
        println!("{figures}");
        return;
    }
    let (_, repository) = shared();
    let manifest = forged(&repository, |forge| {
        let evil = forge.store(ChunkKind::Data, b"evil".to_vec());
        let mut node = ListNode::Pieces(vec![Piece::data(4, evil); 1025]);
        let (mut pieces, mut level) = (1025_u64, 0_u8);
        let mut id = forge.store(ChunkKind::List, encode_list(&node));
        for _ in 0..4 {
            let child = ListChild { id, pieces, bytes: pieces * 4 };
            level += 1;
            node = ListNode::Inner { level, children: vec![child; 128] };
            id = forge.store(ChunkKind::List, encode_list(&node));
            pieces *= 128;
        }
        let mut file = entry(b"large", Node::File { content: Content::List { id, level, pieces } });
        file.size = pieces * 4;
        vec![file]
    });
    let before = peak_kib();
    let folders = folders();
    let cancellation = Cancellation::default();
    let stop = cancellation.clone();
    let stopper = std::thread::spawn(move || {
        // Long enough to be under way; whatever has been done by then, the restore must end.
        std::thread::sleep(std::time::Duration::from_millis(300));
        stop.cancel();
    });
    let options = RestoreOptions { cancellation, ..quick() };
    let outcome = restore(&repository, &manifest, &folders.target, &options);
    stopper.join().expect("it only waits");
    // Where the file system knows no file of that length, it is told instead; that it is lost would be another test.
    let is_told = outcome.as_ref().is_ok_and(|report| report.lost == 0 && !report.findings.is_empty());
    assert!(is_told || matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
    let grown = peak_kib().saturating_sub(before);
    assert!(grown < MOST_KIB, "{grown} KiB for a file that was never written");
    println!("a file of 1 TiB in 5 lists: ended when stopped, {grown} KiB more memory");
}

/// A block that unpacks to 128 MiB, whatever it claims.
#[test]
fn a_block_that_unpacks_to_more_than_it_claims_costs_its_own_files_and_no_memory() {
    if let Some(figures) = alone("a_block_that_unpacks_to_more_than_it_claims_costs_its_own_files_and_no_memory") {
        println!("{figures}");
        return;
    }
    const BOMB: usize = 128 << 20;
    let encoded =
        BlockEncoder::new(Compression::Fast).expect("memory").encode(&vec![0; BOMB], &mut Vec::new()).to_vec();
    assert!(encoded.len() < 1 << 20, "it is small: {}", encoded.len());
    let before = peak_kib();
    for claim in [4_u32, 1 << 20, 8 << 20] {
        let (backend, repository) = shared();
        let id = bomb(&*backend, &repository, &encoded, claim);
        let manifest = forged(&repository, |forge| {
            let good = forge.store(ChunkKind::Data, b"good".to_vec());
            let file = |length, id| Node::File { content: Content::Inline(vec![Piece::data(length, id)]) };
            let mut bad = entry(b"bad", file(u64::from(claim), id));
            bad.size = u64::from(claim);
            vec![bad, entry(b"good", file(4, good))]
        });
        let folders = folders();
        let report = restored(&repository, &manifest, &folders.target);
        assert_eq!(report.lost, 1, "{claim}: {:?}", report.findings);
        assert!(!folders.target.join("bad").exists());
        assert_eq!(std::fs::read(folders.target.join("good")).expect("it is there"), b"good");
    }
    let grown = peak_kib().saturating_sub(before);
    assert!(grown < MOST_KIB, "{grown} KiB for three blocks that would have been 384 MiB");
    println!("{} bytes that unpack to {BOMB}: refused at the claimed length, {grown} KiB more memory", encoded.len());
}

/// Stores a pack of one block, sealed as it should be, that claims so many plain bytes.
fn bomb(backend: &dyn Backend, repository: &Repository, encoded: &[u8], claim: u32) -> ChunkId {
    let id = repository.codec().keys().chunk_id(ChunkKind::Data, &vec![0; claim as usize]);
    put_falsely(backend, repository, encoded, ChunkEntry { kind: ChunkKind::Data, length: claim, id, base: None });
    id
}

/// Stores a pack of one block of one chunk, sealed as it should be, whatever is in it: a writer would find that it is not so.
pub(crate) fn put_falsely(backend: &dyn Backend, repository: &Repository, encoded: &[u8], chunk: ChunkEntry) {
    let (codec, session) = (repository.codec(), objects::session_id(6));
    let kind = if chunk.kind == ChunkKind::Data { Kind::DataPack } else { Kind::TreePack };
    let sealer = codec.sealer(kind, session).expect("random bytes");
    let builder = PackBuilder::new(sealer, 16 << 20, PackBuffers::new(1 << 20).lend());
    let place = builder.reserve(encoded.len(), chunk.length, vec![chunk]).expect("room");
    assert!(!builder.fill(place, Encoded(encoded, &[])) && builder.close());
    let pack = builder.finish().expect("it is as it was built");
    backend.put(&ObjectName::Pack(pack.id), &pack.sealed).expect("put");
    let stored_length = u32::try_from(pack.sealed.as_bytes().len()).expect("small");
    let mut segment = SegmentBuilder::new();
    let row = PackRow { id: pack.id, stored_length, header: pack.header };
    segment.add_pack(row, &chunk_rows(&pack.directory)).expect("it is as it should be");
    let (name, sealed) = segment.finish(codec, Kind::Segment, session).expect("a segment");
    backend.put(&name, &sealed).expect("put");
}
