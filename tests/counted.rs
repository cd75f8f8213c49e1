//! A file of hundreds of thousands of chunks is never held as a list of them: what the verbs allocate is counted.
//!
//! The file is twice as long at the second time. If any verb held the ids of its chunks, nothing but the ids, it would need 24 MiB
//! more then; what it may need more is half of that, for packs are read by several threads at once, a few or a few more. Everything else that grows with a file is kept small: there are few
//! distinct chunks. The shorter one is long enough to fill every buffer and window that is there anyway.

#![expect(unsafe_code, reason = "an allocator that counts can not be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    io::{Read, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use lbak::{
    Backend, Credential, Depth, DumpOptions, InitOptions, KeyFile, LineageKind, LocalBackend, Manifest, NewSlot,
    Repository, RestoreOptions, Share, SnapshotOptions, StreamSource, VerifyOptions, chunk::ChunkSizes, dump, restore,
    snapshot, verify,
};

/// Many chunks; buffers, which are as long as two of the longest, as by default.
const SIZES: ChunkSizes = ChunkSizes { minimum: 64, average: 256, maximum: 4 << 20 };
/// Three quarters of a million chunks.
const SHORT: u64 = 192 << 20;
const LONG: u64 = 2 * SHORT;
/// An id has so many bytes.
const ID: u64 = 32;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn grow(bytes: usize) {
    let held = HELD.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(held, Relaxed);
}

// SAFETY: everything is passed on to the system's allocator; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grow(size);
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Most bytes that were held at once while `work` ran, beyond those from before.
fn counted<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = HELD.load(Relaxed);
    PEAK.store(before, Relaxed);
    let done = work();
    (done, (PEAK.load(Relaxed) - before) as u64)
}

/// Words of 8 KiB in an order without end: each is some thirty chunks, and the same ones wherever it stands.
struct Words {
    words: Vec<Vec<u8>>,
    state: u64,
    word: usize,
    at: usize,
    left: u64,
}

impl Words {
    fn new(length: u64) -> Self {
        let mut state = 1;
        let words = (0..64).map(|_| (0..1_024).flat_map(|_| draw(&mut state).to_le_bytes()).collect()).collect();
        Self { words, state, word: 0, at: 0, left: length }
    }
}

/// The next number (splitmix64).
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *state;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Read for Words {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.words[self.word].len() {
            self.word = usize::try_from(draw(&mut self.state) % 64).expect("below 64");
            self.at = 0;
        }
        let rest = &self.words[self.word][self.at..];
        let count = rest.len().min(buffer.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Compares what is written with the words.
struct Comparing(Words);

impl Write for Comparing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut expected = [0; 4_096];
        for part in bytes.chunks(expected.len()) {
            self.0.read_exact(&mut expected[..part.len()])?;
            assert!(expected[..part.len()] == *part, "other bytes come back");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn newest(repository: &Repository) -> Manifest {
    let catalog = repository.catalog().expect("a catalog");
    let newest = catalog.snapshots.into_iter().max_by_key(|committed| committed.manifest.ended_at);
    newest.expect("snapshots").manifest
}

/// What each verb held at most with a file of so many bytes.
fn verbs(folder: &Path, length: u64) -> Vec<(&'static str, u64)> {
    let backend: Arc<dyn Backend> = Arc::new(LocalBackend::create(folder.join("repository")).expect("create"));
    let credential = Credential::KeyFile(KeyFile::generate().expect("random bytes"));
    let options = InitOptions { chunk_sizes: SIZES, threads: Some(2), ..InitOptions::default() };
    let repository = Repository::init(backend, &[NewSlot::new(credential, "test")], &options).expect("init");
    let take = |lineage| {
        let source = StreamSource::new("words", Words::new(length)).expect("a name");
        let options = SnapshotOptions { lineage, ..SnapshotOptions::default() };
        snapshot(&repository, &source, &options).expect("a snapshot")
    };
    let check = |depth| {
        let options = VerifyOptions { depth, ..VerifyOptions::default() };
        assert!(verify(&repository, &options).expect("verify").is_sound());
    };
    let mut peaks = vec![
        ("first snapshot", counted(|| take(LineageKind::Full)).1),
        ("full snapshot again", counted(|| take(LineageKind::Full)).1),
        ("verify", counted(|| check(Depth::Structure)).1),
        ("verify all data", counted(|| check(Depth::ReadData { share: Share::default() })).1),
    ];
    let manifest = newest(&repository);
    let options = DumpOptions { path: Some(b"/words".to_vec()), ..DumpOptions::default() };
    let dumped = counted(|| dump(&repository, &manifest, &options, &mut Comparing(Words::new(length))).expect("dump"));
    assert_eq!(dumped.0.bytes, length);
    peaks.push(("dump", dumped.1));
    let target = folder.join("restored");
    let restored = counted(|| restore(&repository, &manifest, &target, &RestoreOptions::default()).expect("restore"));
    peaks.push(("restore", restored.1));
    let mut file = fs::File::open(target.join("words")).expect("it was restored");
    assert_eq!(std::io::copy(&mut file, &mut Comparing(Words::new(length))).expect("read"), length);
    peaks
}

#[test]
fn the_chunks_of_a_file_are_never_held_as_a_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let [short, long] = [SHORT, LONG].map(|length| {
        let folder = folder.path().join(length.to_string());
        fs::create_dir(&folder).expect("create");
        verbs(&folder, length)
    });
    let list = (LONG - SHORT) / u64::from(SIZES.average) * ID;
    for ((verb, short), (_, long)) in short.into_iter().zip(long) {
        let more = long.saturating_sub(short);
        println!(
            "{verb}: {} KiB, then {} KiB: {} KiB more; ids alone: {} KiB",
            short >> 10,
            long >> 10,
            more >> 10,
            list >> 10
        );
        assert!(more < list / 2, "{verb} holds {more} bytes more for a file that is twice as long");
    }
}
