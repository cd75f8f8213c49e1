//! The first loss that a reader meets: what it costs to look for what no segment tells of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, BackendError, BackendErrorKind, Description, Folder, ObjectName, Sealed},
    browse::{Chunks, Findings},
    error::Error,
    id::{ChunkId, ChunkKind},
    index::Segment,
    observe::{Cancellation, FindingKind, Silent},
    repository::Repository,
    snapshot::LineageKind,
};
use lbak_testkit::{MeddlingBackend, MisreadingBackend, Operation, RecordingBackend};

use crate::{
    house::{Tree, init, memory, open},
    objects::names,
};

/// Longer than any machine is busy: only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A repository with snapshots, each with packs of its own.
fn filled(backend: &Arc<dyn Backend>) -> Repository {
    let (tree, repository) = (Tree::new(), init(backend));
    for length in [200_000, 300_000, 400_000] {
        tree.write("more", length);
        tree.snapshot(&repository, LineageKind::Full).unwrap();
    }
    repository
}

fn roots(repository: &Repository) -> Vec<ChunkId> {
    repository.catalog().unwrap().snapshots.iter().map(|snapshot| snapshot.manifest.root).collect()
}

fn chunks(repository: &Repository) -> (Chunks, Findings) {
    let findings = Findings::new(Arc::new(Silent));
    (Chunks::open(repository, &findings, &Cancellation::default()).unwrap(), findings)
}

const NOWHERE: ChunkId = ChunkId([9; 32]);

/// All packs were listed under the lock under which everybody asks for the index: one lost file of a large repository held a whole
/// restore up.
#[test]
fn while_one_looks_for_what_is_lost_the_others_read_on() {
    let (_, inner) = memory();
    let root = roots(&filled(&inner))[0];
    let backend = Arc::new(MeddlingBackend::new(inner));
    let (chunks, _) = chunks(&open(Arc::clone(&backend) as _));
    let chunks = Arc::new(chunks);
    let (others, (tell, told)) = (Arc::clone(&chunks), channel());
    backend.before(Operation::List, Folder::Packs.prefix(), move |_, _| {
        let (done, is_done) = channel();
        thread::spawn(move || done.send(others.read(ChunkKind::Tree, &root).is_ok()));
        tell.send(is_done.recv_timeout(PATIENCE)).unwrap();
    });
    assert!(chunks.read(ChunkKind::Tree, &NOWHERE).unwrap_err().is_damage());
    assert_eq!(told.recv().unwrap(), Ok(true), "what is where it always was is read meanwhile");
}

/// Each directory costs three small reads: one after another, millions of them are days.
#[test]
fn directories_of_packs_outside_of_the_index_are_read_several_at_a_time() {
    let (_, inner) = memory();
    let root = roots(&filled(&inner))[0];
    names(&*inner, Folder::Index).iter().for_each(|name| inner.remove(name).unwrap());
    let backend = Arc::new(MeddlingBackend::new(inner));
    let (chunks, _) = chunks(&open(Arc::clone(&backend) as _));
    let (tell, told) = channel();
    let (second, is_there) = channel();
    // The first does not go on before there is a second.
    backend.before(Operation::GetRange, Folder::Packs.prefix(), move |_, _| {
        tell.send(is_there.recv_timeout(PATIENCE)).unwrap();
    });
    backend.before(Operation::GetRange, Folder::Packs.prefix(), move |_, _| _ = second.send(()));
    chunks.read(ChunkKind::Tree, &root).unwrap();
    assert_eq!(told.recv().unwrap(), Ok(()));
}

/// A store with one connection: nothing is answered before a listing has ended, and who asks meanwhile is remembered.
#[derive(Debug)]
struct OneConnection {
    inner: Arc<dyn Backend>,
    is_listing: AtomicBool,
    was_asked: AtomicBool,
}

impl OneConnection {
    fn free(&self) -> Result<&dyn Backend, BackendError> {
        if self.is_listing.load(Ordering::SeqCst) {
            self.was_asked.store(true, Ordering::SeqCst);
            return Err(BackendErrorKind::Other.into());
        }
        Ok(&*self.inner)
    }
}

impl Backend for OneConnection {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        self.free()?.put(name, object)
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.free()?.get(name)
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        self.free()?.get_at_most(name, most)
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.free()?.get_range(name, offset, length)
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        self.is_listing.store(true, Ordering::SeqCst);
        let listed = self.inner.list(prefix, found);
        // Whoever asks while it lasts is to be caught.
        thread::sleep(Duration::from_millis(50));
        self.is_listing.store(false, Ordering::SeqCst);
        listed
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.free()?.remove(name)
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}

/// Directories were read while packs were listed: a store that can not do both would have been waited for without end.
#[test]
fn packs_outside_of_the_index_are_asked_when_all_were_listed() {
    let (_, inner) = memory();
    let root = roots(&filled(&inner))[0];
    names(&*inner, Folder::Index).iter().for_each(|name| inner.remove(name).unwrap());
    let (is_listing, was_asked) = (AtomicBool::new(false), AtomicBool::new(false));
    let backend = Arc::new(OneConnection { inner, is_listing, was_asked });
    let (chunks, _) = chunks(&open(Arc::clone(&backend) as _));
    chunks.read(ChunkKind::Tree, &root).unwrap();
    assert!(!backend.was_asked.load(Ordering::SeqCst), "it was asked for packs while it listed them");
}

/// With an index that is gone there may be millions of packs to ask: whoever asks to stop is heard between two of them.
#[test]
fn looking_for_what_is_lost_stops_when_it_is_asked_to() {
    let (_, inner) = memory();
    drop(filled(&inner));
    names(&*inner, Folder::Index).iter().for_each(|name| inner.remove(name).unwrap());
    let backend = Arc::new(MeddlingBackend::new(inner));
    let cancellation = Cancellation::default();
    let asked = cancellation.clone();
    backend.after(Operation::List, Folder::Packs.prefix(), move |_, _| asked.cancel());
    let repository = open(Arc::clone(&backend) as _);
    let view = repository.view().unwrap();
    assert!(matches!(repository.index_loose_packs(&view, &cancellation), Err(Error::Cancelled)));
    assert!(backend.is_done());
}

/// What a merged segment named that does not open nobody knows; the tables of all others, gigabytes of them, were read all the same.
#[test]
fn where_every_pack_is_asked_no_table_of_the_index_is_read() {
    let (_, inner) = memory();
    drop(filled(&inner));
    let backend = Arc::new(RecordingBackend::new(inner));
    let repository = open(Arc::clone(&backend) as _);
    let packs = names(&**repository.backend(), Folder::Packs).len() as u64;
    let mut view = repository.view().unwrap();
    view.lacks_merged = true;
    drop(backend.take());
    assert_eq!(repository.index_loose_packs(&view, &Cancellation::default()).unwrap(), packs, "all of them were asked");
    assert_eq!(backend.count(Operation::GetRange, Folder::Index.prefix()), 0);
    assert_eq!(backend.count(Operation::List, Folder::Packs.prefix()), 1);
}

/// Merged segments all name some chunks of nearly every pack: most of their tables tell nothing new.
#[test]
fn tables_of_the_index_are_read_only_until_every_pack_was_named() {
    const SEGMENTS: usize = 200;
    let (_, inner) = memory();
    let repository = filled(&inner);
    let view = repository.view().unwrap();
    let originals = view.index.segments();
    let backend = Arc::new(RecordingBackend::new(inner));
    let shared: Arc<dyn Backend> = Arc::clone(&backend) as _;
    for segment in originals.iter().cycle().take(SEGMENTS) {
        let size = segment.summary().stored_length();
        view.index.add(Segment::open(&shared, repository.codec(), segment.name(), size).unwrap());
    }
    drop(backend.take());
    assert_eq!(repository.index_loose_packs(&view, &Cancellation::default()).unwrap(), 0);
    let read = backend.count(Operation::GetRange, Folder::Index.prefix());
    assert!((1..SEGMENTS / 4).contains(&read), "{read} tables");
}

/// A directory that was spoiled on its way cost all chunks of its pack.
#[test]
fn a_directory_of_a_pack_outside_of_the_index_that_is_misread_costs_nothing_and_is_told() {
    let (memory, inner) = memory();
    let all = roots(&filled(&inner));
    names(&*inner, Folder::Index).iter().for_each(|name| inner.remove(name).unwrap());
    let backend = Arc::new(MisreadingBackend::new(inner));
    let repository = open(Arc::clone(&backend) as _);
    let packs = names(&*memory, Folder::Packs);
    // Behind the sealed directory there are six bytes.
    packs.iter().for_each(|pack| backend.spoil(pack, memory.get(pack).unwrap().len() as u64 - 30));
    let (chunks, findings) = chunks(&repository);
    for root in &all {
        chunks.read(ChunkKind::Tree, root).unwrap();
    }
    chunks.tell_misread(&findings);
    let (_, told) = findings.take();
    let expected: Vec<String> = packs.iter().map(ObjectName::to_string).collect();
    let misread = told.iter().filter(|finding| finding.kind == FindingKind::Misread);
    let mut misread: Vec<String> = misread.map(|finding| String::from_utf8(finding.path.clone()).unwrap()).collect();
    misread.sort_unstable();
    assert_eq!((misread, told.len()), (expected.clone(), expected.len()));
    drop(chunks);
    assert!(repository.misread().take().is_empty(), "once");
}
