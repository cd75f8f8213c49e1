//! Bad memory is told: whatever verb meets something that is read wrongly once and rightly the second time says so, once for each object,
//! and does what it was asked to do.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use lbak::{
    Backend, Depth, DiffOptions, DiffSide, DumpForm, DumpOptions, Event, FindOptions, Finding, FindingKind,
    LineageKind, ListOptions, LocalSource, Manifest, MemoryBackend, ObjectName, Observer, ParityOptions, RepairOptions,
    Repository, RestoreOptions, Share, SnapshotOptions, StatsOptions, VerifyOptions, add_parity, backend::Folder, diff,
    diff_with_source, dump, find, history, list, repair_index, repair_packs, repair_records, repair_snapshots, restore,
    snapshot, stats, verify,
};
use lbak_core::{codec::Kind, error::Error};
use lbak_testkit::MisreadingBackend;

use crate::{
    house::{Tree, init, memory, open},
    objects::names,
};

/// What a verb says was misread: in its report, and to whoever listens.
type Said = (Vec<String>, Option<Vec<String>>);

#[derive(Default)]
struct Listening(Mutex<Vec<Finding>>);

impl Observer for Listening {
    fn event(&self, event: &Event<'_>) {
        if let Event::Finding(finding) = event {
            self.0.lock().unwrap().push((*finding).clone());
        }
    }
}

impl Listening {
    fn heard(&self) -> Vec<String> {
        misread(&self.0.lock().unwrap())
    }
}

/// The names of misread objects; nothing else was found.
fn misread(findings: &[Finding]) -> Vec<String> {
    assert!(findings.iter().all(|finding| finding.kind == FindingKind::Misread), "{findings:?}");
    findings.iter().map(|finding| String::from_utf8(finding.path.clone()).unwrap()).collect()
}

/// What the verbs work on.
struct Work<'a> {
    repository: &'a Repository,
    tree: &'a Tree,
    snapshots: [Manifest; 2],
    listening: Arc<Listening>,
}

impl Work<'_> {
    fn both(&self) -> [&Manifest; 2] {
        self.snapshots.each_ref()
    }

    fn heard(&self, findings: &[Finding]) -> Said {
        (misread(findings), Some(self.listening.heard()))
    }

    fn sides(&self) -> [DiffSide<'_>; 2] {
        self.both().map(|snapshot| DiffSide { snapshot, path: None })
    }

    fn repair_options(&self) -> RepairOptions {
        RepairOptions { observer: Arc::clone(&self.listening) as _, ..RepairOptions::default() }
    }
}

type Verb = (&'static str, fn(&Work<'_>) -> Said);

const VERBS: [Verb; 14] = [
    ("snapshot", |work| {
        let options = SnapshotOptions { observer: Arc::clone(&work.listening) as _, ..SnapshotOptions::default() };
        let source = LocalSource::new(&[work.tree.path()]).unwrap();
        let report = snapshot(work.repository, &source, &options).unwrap();
        assert!(report.is_complete && report.damage.is_empty() && report.files.unchanged > 40, "{report:?}");
        let count = report.finding_counts.iter().map(|count| count.count).sum::<u64>();
        assert_eq!(count, report.findings.len() as u64);
        let recorded = work.repository.catalog().unwrap();
        let recorded = recorded.snapshots.iter().find(|taken| taken.manifest.id == report.snapshot).unwrap();
        assert!(recorded.manifest.findings.counts.is_empty(), "it belongs to the machine, not to the snapshot");
        work.heard(&report.findings)
    }),
    ("restore", |work| {
        let target = tempfile::tempdir().unwrap();
        let observer = Arc::clone(&work.listening) as _;
        let options = RestoreOptions { observer, sync: false, ..RestoreOptions::default() };
        let report = restore(work.repository, work.both()[1], &target.path().join("out"), &options).unwrap();
        assert_eq!(report.lost, 0);
        work.heard(&report.findings)
    }),
    ("dump", |work| {
        let observer = Arc::clone(&work.listening) as _;
        let options = DumpOptions { form: DumpForm::Tar, observer, ..DumpOptions::default() };
        let report = dump(work.repository, work.both()[1], &options, &mut Vec::new()).unwrap();
        work.heard(&report.findings)
    }),
    ("list", |work| {
        let everything = ListOptions { recursive: true, ..ListOptions::default() };
        let report = list(work.repository, work.both()[1], None, &everything, &mut |_| Ok(())).unwrap();
        (misread(&report.findings), None)
    }),
    ("find", |work| {
        let report = find(work.repository, work.both(), &FindOptions::default(), &mut |_| Ok(())).unwrap();
        assert_eq!((report.lost, report.snapshots), (0, 2));
        (misread(&report.findings), None)
    }),
    ("history", |work| {
        let report = history(work.repository, work.both(), &FindOptions::default(), &mut |_| Ok(())).unwrap();
        assert_eq!((report.lost, report.searched), (0, 2));
        (misread(&report.findings), None)
    }),
    ("diff", |work| {
        let [before, after] = work.sides();
        let report = diff(work.repository, before, after, &DiffOptions::default(), &mut |_| Ok(())).unwrap();
        assert!(report.lost == 0 && report.differing.is_any());
        (misread(&report.findings), None)
    }),
    ("diff with a source", |work| {
        let source = LocalSource::new(&[work.tree.path()]).unwrap();
        let options = DiffOptions { content: true, ..DiffOptions::default() };
        let report = diff_with_source(work.repository, work.sides()[1], &source, &options, &mut |_| Ok(())).unwrap();
        assert!(report.lost == 0 && !report.differing.is_any(), "{report:?}");
        (misread(&report.findings), None)
    }),
    ("stats", |work| {
        let ids = work.both().map(|snapshot| snapshot.id);
        let report = stats(work.repository, &ids, &StatsOptions::default()).unwrap();
        assert_eq!(report.lost, 0);
        (misread(&report.findings), None)
    }),
    ("verify", |work| {
        let depth = Depth::ReadData { share: Share::All };
        let options = VerifyOptions { depth, observer: Arc::clone(&work.listening) as _, ..VerifyOptions::default() };
        let report = verify(work.repository, &options).unwrap();
        assert!(report.is_sound(), "{report:?}");
        (report.misread, Some(work.listening.heard()))
    }),
    ("repair index", |work| {
        let report = repair_index(work.repository, &work.repair_options()).unwrap();
        assert!(!report.is_changed && report.damage.is_empty(), "{report:?}");
        (report.misread, None)
    }),
    ("repair packs", |work| {
        let report = repair_packs(work.repository, &work.repair_options()).unwrap();
        assert!(report.damaged.is_empty(), "{report:?}");
        (report.misread, None)
    }),
    ("repair snapshots", |work| {
        let depth = Depth::ReadData { share: Share::All };
        let report = repair_snapshots(work.repository, &RepairOptions { depth, ..work.repair_options() }).unwrap();
        assert!(report.hurt.is_empty(), "{report:?}");
        (report.misread, None)
    }),
    ("add parity", |work| {
        let observer = Arc::clone(&work.listening) as _;
        let report =
            add_parity(work.repository, &ParityOptions { observer, dry_run: true, ..ParityOptions::default() });
        (report.unwrap().misread, Some(work.listening.heard()))
    }),
];

/// What stands in a store.
fn copy_of(memory: &MemoryBackend) -> Arc<MemoryBackend> {
    let copy = MemoryBackend::new();
    memory.contents().into_iter().for_each(|(name, bytes)| copy.tamper(&name, Some(bytes)));
    Arc::new(copy)
}

/// A repository with two snapshots of a tree.
fn filled() -> (Arc<MemoryBackend>, Tree) {
    let (tree, (memory, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    tree.write("more", 200_000);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    (memory, tree)
}

fn snapshots(repository: &Repository) -> [Manifest; 2] {
    let mut taken = repository.catalog().unwrap().snapshots;
    taken.sort_by_key(|snapshot| snapshot.manifest.ended_at);
    let taken: Vec<Manifest> = taken.into_iter().map(|snapshot| snapshot.manifest).collect();
    taken.try_into().expect("two of them")
}

/// Objects and the byte of each that is read wrongly once: in the first block of packs of trees, in the first page of segments, in what
/// leads to their pages, in what tells what is not in them, in what names their packs.
fn places(memory: &MemoryBackend) -> Vec<(ObjectName, u64)> {
    let mut places = Vec::new();
    for name in [names(memory, Folder::Packs), names(memory, Folder::Index)].concat() {
        let bytes = memory.get(&name).unwrap();
        let length = bytes.len() as u64;
        match name {
            ObjectName::Pack(_) if bytes[4] != Kind::TreePack as u8 => {}
            ObjectName::Pack(_) => places.push((name, 300)),
            _ => places.extend([100, 300, length - 3, length - 30].map(|place| (name.clone(), place))),
        }
    }
    places
}

#[test]
fn every_verb_tells_what_it_read_wrongly_once_and_each_object_once() {
    let (memory, tree) = filled();
    let places = places(&memory);
    for (verb, run) in VERBS {
        let mut met = BTreeSet::new();
        for (object, place) in &places {
            let what = format!("{verb}, byte {place} of {object}");
            let misreading = Arc::new(MisreadingBackend::new(copy_of(&memory)));
            let repository = open(Arc::clone(&misreading) as _);
            let listening = Arc::new(Listening::default());
            let work = Work { repository: &repository, tree: &tree, snapshots: snapshots(&repository), listening };
            misreading.spoil(object, *place);
            let (told, heard) = run(&work);
            let doubted: Vec<String> = misreading.forgotten().into_keys().collect();
            assert_eq!(told, doubted, "{what}");
            assert!(heard.is_none_or(|heard| heard == told), "{what}");
            assert!(repository.misread().take().is_empty(), "{what}: it was told already");
            met.extend(doubted);
        }
        let (packs, segments): (Vec<&String>, Vec<&String>) = met.iter().partition(|name| name.starts_with("packs/"));
        let reads_trees = verb != "repair index" && verb != "add parity";
        assert!(!segments.is_empty() && packs.is_empty() != reads_trees, "{verb} met only {met:?}");
    }
}

/// A record that is to be set aside is read once more; that it opened then nobody was told but by a note of one verb.
#[test]
fn records_that_are_read_wrongly_once_are_told_and_stay() {
    let (memory, _) = filled();
    for record in names(&*memory, Folder::Sessions) {
        let misreading = Arc::new(MisreadingBackend::new(copy_of(&memory)));
        let repository = open(Arc::clone(&misreading) as _);
        misreading.spoil(&record, 100);
        let report = repair_records(&repository, &RepairOptions::default()).unwrap();
        assert_eq!((report.misread, report.set_aside.len(), report.left.len()), (vec![record.to_string()], 0, 0));
    }
}

/// A report that never comes tells nothing: what it would have told is left to whoever opened the repository.
#[test]
fn what_a_run_that_failed_has_met_is_left_to_be_told() {
    let (memory, _) = filled();
    let misreading = Arc::new(MisreadingBackend::new(memory));
    let repository = open(Arc::clone(&misreading) as _);
    let [_, snapshot] = snapshots(&repository);
    for segment in names(&*misreading, Folder::Index) {
        misreading.spoil(segment, 300);
    }
    let error = find(&repository, [&snapshot], &FindOptions::default(), &mut |_| Err(Error::Cancelled)).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    let untold = repository.misread().take();
    let doubted: BTreeSet<String> = misreading.forgotten().into_keys().collect();
    assert_eq!(untold.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), doubted);
    assert!(!doubted.is_empty() && repository.misread().take().is_empty());
}
