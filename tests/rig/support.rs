//! A small repository with an object of every kind, and what each of its snapshots must restore to.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use lbak::{
    Backend, Credential, Finding, FindingKind, InitOptions, KeyFile, LineageKind, Manifest, MemoryBackend,
    MemorySource, NewSlot, OpenOptions, PasswordCost, Repository, RestoreOptions, Result, SnapshotOptions,
    SnapshotReport, Timestamp, VerifyOptions, VerifyReport, restore, snapshot, source::MemoryNode, verify,
};
use lbak_testkit::objects::noise;

/// Whether all of it is wanted, not a slice.
pub(crate) fn is_long() -> bool {
    std::env::var_os("RIG").is_some_and(|value| value == "long")
}

pub(crate) fn seed() -> u64 {
    std::env::var("RIG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// SplitMix64: random enough to choose by, the same ones for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// The files of one moment: path below the root to a version of its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model(pub(crate) BTreeMap<String, Version>);

/// A file's content, and when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) seed: u64,
    pub(crate) length: usize,
    pub(crate) at: i64,
}

impl Version {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        noise(self.seed, self.length)
    }
}

impl Model {
    pub(crate) fn of(files: &[(&str, u64, usize)]) -> Self {
        Self(files.iter().map(|&(path, seed, length)| (path.to_owned(), Version { seed, length, at: 0 })).collect())
    }

    /// The same as a source. Every file was changed long ago, so that none is unsettled.
    pub(crate) fn source(&self) -> MemorySource {
        MemorySource::new([(
            "/r",
            directory(self.0.iter().map(|(path, version)| (path.as_str(), *version)).collect(), ""),
        )])
    }

    /// Reads what was restored; says how it differs from the model.
    pub(crate) fn differences(&self, restored: &Path) -> Vec<String> {
        let mut found = BTreeMap::new();
        read(restored, "", &mut found);
        let mut differences = Vec::new();
        for (path, version) in &self.0 {
            match found.remove(path) {
                None => differences.push(format!("{path} is missing")),
                Some(bytes) if bytes != version.bytes() => differences.push(format!("{path} is WRONG")),
                Some(_) => {}
            }
        }
        differences.extend(found.into_keys().map(|path| format!("{path} is WRONG: it was not there")));
        differences
    }
}

fn directory(files: BTreeMap<&str, Version>, above: &str) -> MemoryNode {
    let mut entries: BTreeMap<String, MemoryNode> = BTreeMap::new();
    let mut below: BTreeMap<&str, BTreeMap<&str, Version>> = BTreeMap::new();
    for (path, version) in files {
        match path.split_once('/') {
            Some((first, rest)) => _ = below.entry(first).or_default().insert(rest, version),
            None => {
                let mut node = MemoryNode::file(version.bytes());
                node.metadata.mtime = Timestamp { seconds: 1_600_000_000 + version.at, nanoseconds: 0 };
                node.metadata.ctime = node.metadata.mtime;
                node.metadata.inode = inode(&format!("{above}/{path}"));
                entries.insert(path.to_owned(), node);
            }
        }
    }
    for (name, files) in below {
        let path = format!("{above}/{name}");
        let mut node = directory(files, &path);
        node.metadata.inode = inode(&path);
        entries.insert(name.to_owned(), node);
    }
    MemoryNode::directory(entries)
}

fn inode(path: &str) -> u64 {
    u64::from_le_bytes(blake3::hash(path.as_bytes()).as_bytes()[..8].try_into().unwrap()) | 1
}

fn read(folder: &Path, above: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let path = format!("{above}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{path}/"), found);
        } else {
            found.insert(path, std::fs::read(entry.path()).unwrap());
        }
    }
}

/// Two key files and a password, the same for every repository here.
pub(crate) fn credentials() -> &'static [Credential; 3] {
    static CREDENTIALS: OnceLock<[Credential; 3]> = OnceLock::new();
    CREDENTIALS.get_or_init(|| {
        let key = || Credential::KeyFile(KeyFile::generate().unwrap());
        [key(), key(), Credential::password("p")]
    })
}

pub(crate) fn init(backend: Arc<dyn Backend>) -> Repository {
    let slots = credentials().clone().map(|credential| NewSlot {
        credential,
        cost: PasswordCost::CHEAPEST,
        label: String::new(),
    });
    Repository::init(backend, &slots, &InitOptions { threads: Some(2), ..InitOptions::default() }).unwrap()
}

pub(crate) fn open_with(backend: Arc<dyn Backend>, credential: &Credential) -> Result<Repository> {
    Repository::open(backend, credential, &OpenOptions { threads: Some(2), ..OpenOptions::default() })
}

pub(crate) fn open(backend: Arc<dyn Backend>) -> Repository {
    open_with(backend, &credentials()[0]).unwrap()
}

pub(crate) fn filled(contents: &BTreeMap<String, Bytes>) -> Arc<MemoryBackend> {
    let backend = MemoryBackend::new();
    contents.iter().for_each(|(name, bytes)| backend.tamper(name, Some(bytes.clone())));
    Arc::new(backend)
}

/// Small packs and several threads that put them, so that much is under way at once.
pub(crate) fn options(host: &str, lineage: LineageKind) -> SnapshotOptions {
    let mut options = SnapshotOptions { host: host.into(), lineage, ..SnapshotOptions::default() };
    options.writer.data_pack_bytes = 1 << 20;
    options
}

pub(crate) fn take(repository: &Repository, host: &str, lineage: LineageKind, model: &Model) -> Result<SnapshotReport> {
    snapshot(repository, &model.source(), &options(host, lineage))
}

pub(crate) fn verify_all(repository: &Repository) -> VerifyReport {
    let depth = lbak::Depth::ReadData { share: lbak::Share::All };
    verify(repository, &VerifyOptions { depth, ..VerifyOptions::default() }).unwrap()
}

/// What came of a restore.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything, as it was.
    Identical,
    /// Something is missing, and that was said.
    Said,
}

/// Restores a snapshot and compares it: what is there is right, and what is not there was said.
///
/// # Panics
/// When anything wrong was restored, or anything is missing without a word.
pub(crate) fn restore_and_compare(repository: &Repository, manifest: &Manifest, model: &Model, what: &str) -> Outcome {
    static FOLDER: OnceLock<Option<&'static Path>> = OnceLock::new();
    let memory = FOLDER.get_or_init(|| Some(Path::new("/dev/shm")).filter(|path| tempfile::tempdir_in(path).is_ok()));
    let folder = memory.map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap();
    let target = folder.path().join("target");
    let options = RestoreOptions { sync: false, ..RestoreOptions::default() };
    let Ok(report) = restore(repository, manifest, &target, &options) else { return Outcome::Said };
    let differences = model.differences(&target);
    assert!(!differences.iter().any(|difference| difference.contains("WRONG")), "{what}: {differences:?}");
    // A damaged index is said, and costs nothing.
    let lost = |finding: &&Finding| finding.kind != FindingKind::DamagedObject;
    if report.lost == 0 && report.findings.iter().filter(lost).count() == 0 {
        assert_eq!(differences, Vec::<String>::new(), "{what}: nothing was said");
        return Outcome::Identical;
    }
    Outcome::Said
}
