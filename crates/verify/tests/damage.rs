//! Damage of every kind of object is found, and what it costs is named exactly.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use common::*;
use lbak_core::{
    backend::{Backend, MemoryBackend, ObjectName},
    capture::{SnapshotOptions, snapshot},
    codec::{BlockEncoder, Compression, Kind},
    id::{ChunkKind, SessionId},
    index::Index,
    metadata::Timestamp,
    pack::ChunkEntry,
    repository::Repository,
    snapshot::{DamagedRecord, LineageKind},
    source::{MemoryNode, MemorySource},
    store::{ChunkWriter, WriterOptions},
};
use lbak_verify::{Share, VerifyOptions, verify, verify_without_key};

/// Three snapshots of one host (the last is forgotten), one of another, and an object of every other kind.
fn full() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    let first = take(&repository, "h", MemoryNode::directory(large_tree()));
    let mut more = large_tree();
    more.push(("z", MemoryNode::directory([("new", MemoryNode::file(noise_of(50, 200_000)))])));
    take(&repository, "h", MemoryNode::directory(more.clone()));
    take(&repository, "x", with_attributes());
    more.push(("zz", MemoryNode::file("forgotten")));
    let forgotten = take(&repository, "h", MemoryNode::directory(more));
    put_records(&repository, first.session, forgotten.session);
    (backend, repository)
}

fn noise_of(seed: u64, length: usize) -> Vec<u8> {
    lbak_testkit::objects::noise(seed, length)
}

fn without_key(backend: &MemoryBackend) -> Vec<String> {
    let report = verify_without_key(backend, &VerifyOptions::default()).unwrap();
    report.damage.into_iter().map(|damage| damage.object).collect()
}

#[test]
fn a_sound_repository_is_sound_at_every_depth() {
    let (backend, repository) = full();
    let report = structure(&repository);
    assert_eq!((report.damage.as_slice(), report.hurt.as_slice()), (&[][..], &[][..]));
    assert_eq!((report.snapshots, report.packs_read, report.unreferenced_packs), (3, 0, 0));
    assert!(report.trees >= 8 && report.chunks > report.trees, "{report:?}");
    let deep = read_data(&repository);
    assert_eq!(deep.damage, []);
    assert_eq!((deep.packs_read, deep.packs), (report.packs, report.packs));
    assert!(report.packs >= 4, "several packs of data and one of trees: {}", report.packs);
    let bytes: u64 = backend.contents().values().map(|bytes| bytes.len() as u64).sum();
    let keyless = verify_without_key(&*backend, &VerifyOptions::default()).unwrap();
    assert_eq!((keyless.damage.as_slice(), keyless.bytes_read), (&[][..], bytes));
    assert_eq!((keyless.objects, deep.objects), (backend.contents().len() as u64, keyless.objects));
    // Parts of the packs, taken in turn, are all of them.
    let parts = (1..=3).map(|part| verify(&repository, &common::deep(Share::Part { part, of: 3 })).unwrap().packs_read);
    assert_eq!(parts.sum::<u64>(), report.packs);
}

#[test]
fn a_flipped_byte_in_any_object_is_found_and_named() {
    let (backend, repository) = full();
    let contents = backend.contents();
    let folders: BTreeSet<&str> = contents.keys().map(|name| name.split('/').next().unwrap()).collect();
    let all = [
        "config",
        "damaged",
        "fin",
        "forgotten",
        "index",
        "keys",
        "marks",
        "packs",
        "removals",
        "sessions",
        "snapshots",
    ];
    assert!(folders.iter().eq(&all));
    for (name, bytes) in &contents {
        let last = bytes.len() - 1;
        let mut places = vec![0, 4, 7, 9, 20, 40, 79, 80, 100, last / 2, last - 40, last - 5, last - 1, last];
        if name.starts_with("index/") {
            places.extend([223, 224, 1247, 1248]); // summary, pages
            places.extend((0..20).map(|part| last * part / 20)); // … pack table, fences, filter
        }
        for place in places {
            spoiled(
                &backend,
                || flip(&backend, name, place),
                || {
                    let report = read_data(&repository);
                    assert!(damaged(&report).contains(&name.as_str()), "{name} at {place}: {:?}", report.damage);
                    assert_eq!(without_key(&backend), [name.as_str()]);
                },
            );
        }
    }
    assert!(read_data(&repository).is_sound());
}

#[test]
fn truncated_emptied_and_swapped_objects_are_found() {
    let (backend, repository) = full();
    let contents = backend.contents();
    for (name, bytes) in &contents {
        for length in [0, 1, 79, bytes.len() / 2, bytes.len() - 1] {
            spoiled(
                &backend,
                || backend.tamper(name, Some(bytes.slice(..length))),
                || {
                    assert!(damaged(&read_data(&repository)).contains(&name.as_str()), "{name} cut to {length}");
                    assert_eq!(without_key(&backend), [name.as_str()]);
                },
            );
        }
        let longer = [bytes.as_ref(), &[0]].concat();
        spoiled(
            &backend,
            || backend.tamper(name, Some(Bytes::from(longer))),
            || {
                assert!(damaged(&read_data(&repository)).contains(&name.as_str()), "{name} made longer");
            },
        );
    }
    for folder in ["sessions/", "snapshots/", "packs/", "index/"] {
        let names = names(&backend, folder);
        let [one, other, ..] = names.as_slice() else { panic!("two of {folder}") };
        let swap = || {
            backend.tamper(one, Some(contents[other].clone()));
            backend.tamper(other, Some(contents[one].clone()));
        };
        spoiled(&backend, swap, || {
            let report = read_data(&repository);
            assert!(damaged(&report).contains(&one.as_str()) && damaged(&report).contains(&other.as_str()), "{folder}");
        });
    }
}

/// All that is sealed in each opens, and nothing but its checksum says that it is not the pack of its name.
#[test]
fn packs_that_are_swapped_are_found_without_an_index() {
    let (backend, _) = full();
    let contents = backend.contents();
    let packs = names(&backend, "packs/");
    let [one, other, ..] = packs.as_slice() else { panic!("two packs") };
    let swap = || {
        backend.tamper(one, Some(contents[other].clone()));
        backend.tamper(other, Some(contents[one].clone()));
        names(&backend, "index/").iter().for_each(|name| backend.tamper(name, None));
    };
    spoiled(&backend, swap, || {
        let report = read_data(&common::reopen(Arc::clone(&backend) as _));
        assert!(damaged(&report).contains(&one.as_str()) && damaged(&report).contains(&other.as_str()), "{report:?}");
    });
}

#[test]
fn what_is_missing_is_found_without_reading_data() {
    let (backend, repository) = full();
    let mut found = 0;
    for name in backend.contents().keys() {
        spoiled(
            &backend,
            || backend.tamper(name, None),
            || {
                let report = structure(&repository);
                assert_eq!(report.packs_read, 0);
                let damaged = damaged(&report);
                match name.split('/').next().unwrap() {
                    "config" => assert_eq!(damaged, ["config"]),
                    "keys" => assert_eq!(damaged, ["keys/"]),
                    "index" => {
                        assert!(damaged.contains(&"index") || only_forgotten(&report), "{name}: {:?}", report.damage);
                    }
                    "packs" => {
                        assert!(damaged == [name.as_str()] || only_forgotten(&report), "{name}: {:?}", report.damage);
                    }
                    "snapshots" => found += u32::from(!damaged.is_empty()),
                    // Nothing tells that these ever were; nothing depends on them.
                    _ => {}
                }
            },
        );
    }
    // The first by the second's history and by `fin`, the second by the third's; the third is the newest, and one is closed.
    assert_eq!(found, 2);
}

/// A pack of files is not called needless while the trees that name what is in it can not be read.
#[test]
fn what_needs_a_missing_pack_is_not_guessed() {
    let (backend, repository) = full();
    let kind = |name: &String| common::directory(&repository, name).0;
    let (trees, data): (Vec<String>, Vec<String>) =
        names(&backend, "packs/").into_iter().partition(|name| kind(name) == Kind::TreePack);
    assert!(!trees.is_empty() && data.len() > 1);
    let lose = || trees.iter().chain(&data[..1]).for_each(|name| backend.tamper(name, None));
    spoiled(&backend, lose, || {
        let report = structure(&repository);
        assert!(damaged(&report).contains(&data[0].as_str()), "{report:?}");
        assert!(!report.notes.iter().any(|note| note.contains("no snapshot needs")), "{:?}", report.notes);
    });
}

/// What only the forgotten snapshot needs is no loss.
fn only_forgotten(report: &lbak_verify::VerifyReport) -> bool {
    report.is_sound()
        && report.notes.iter().any(|note| note.contains("no snapshot needs") || note.contains("in no segment"))
}

#[test]
fn a_damaged_block_costs_only_the_files_and_directories_in_it() {
    // A lost run of entries costs the directory that it is a part of, and what this test expects knows of whole directories alone.
    let mut made = full();
    while !common::has_single_runs(&made.1) {
        made = full();
    }
    let (backend, repository) = made;
    let places = places(&repository);
    let mut blocks = 0;
    for name in names(&backend, "packs/") {
        let pack = pack_id(&name);
        let (kind, directory) = directory(&repository, &name);
        // The file of many holes has hundreds of blocks: some of each pack stand for all.
        let step = directory.blocks.len().div_ceil(12);
        for block in directory.blocks.iter().rev().step_by(step) {
            blocks += 1;
            let place = block.offset as usize + block.sealed_length as usize / 2;
            let report = spoiled(&backend, || flip(&backend, &name, place), || read_data(&repository));
            assert_eq!(damaged(&report).iter().filter(|object| object.starts_with("packs/")).count(), 1);
            let mut expected: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
            for (snapshot, paths) in &places {
                let is_hit = |needs: &BTreeSet<_>| needs.contains(&(pack, block.offset));
                let mut hurt: Vec<Vec<u8>> =
                    paths.iter().filter(|(_, needs)| is_hit(needs)).map(|(path, _)| path.clone()).collect();
                if kind == Kind::TreePack {
                    // What lies below a lost directory can not even be named.
                    let all = hurt.clone();
                    hurt.retain(|path| !all.iter().any(|above| is_below(path, above)));
                }
                if !hurt.is_empty() {
                    expected.insert(snapshot.clone(), hurt);
                }
            }
            let mut found = common::hurt(&report);
            found.values_mut().for_each(|paths| paths.sort());
            if kind == Kind::TreePack {
                // The root tree of a snapshot is in no entry: all its roots are lost with it.
                for paths in found.iter_mut().filter(|(_, paths)| paths.as_slice() == [b"/r"]) {
                    expected.insert(paths.0.clone(), paths.1.clone());
                }
            }
            assert_eq!(found, expected, "block at {} of {name}", block.offset);
        }
        // Header, directory and trailer are in no one's way: the index knows where the blocks are, and their header.
        let last = backend.contents()[&name].len() - 1;
        for place in [0, 50, last, last - 300] {
            let report = spoiled(&backend, || flip(&backend, &name, place), || read_data(&repository));
            assert_eq!(damaged(&report), [name.as_str()]);
            assert_eq!(report.hurt, []);
        }
    }
    assert!(blocks > 8, "{blocks}");
}

fn is_below(path: &[u8], above: &[u8]) -> bool {
    path.len() > above.len() && path.starts_with(above) && path[above.len()] == b'/'
}

#[test]
fn a_missing_pack_costs_what_has_no_other_copy() {
    let (backend, repository) = full();
    let places = places(&repository);
    for name in names(&backend, "packs/") {
        let (kind, _) = directory(&repository, &name);
        if kind == Kind::TreePack {
            continue;
        }
        for spoil in [None, Some(backend.contents()[&name].slice(..5000))] {
            let is_short = spoil.is_some();
            let report = spoiled(&backend, || backend.tamper(&name, spoil), || structure(&repository));
            assert!(damaged(&report) == [name.as_str()] || report.is_sound() && !is_short, "{:?}", report.damage);
            let expected: BTreeMap<String, Vec<Vec<u8>>> = places
                .iter()
                .map(|(snapshot, paths)| {
                    let hit = paths.iter().filter(|(_, needs)| needs.iter().any(|(pack, _)| *pack == pack_id(&name)));
                    (snapshot.clone(), hit.map(|(path, _)| path.clone()).collect::<Vec<_>>())
                })
                .filter(|(_, paths)| !paths.is_empty())
                .collect();
            assert_eq!(hurt(&report), expected);
        }
    }

    // The chunks of a pack that is listed as damaged are stored anew: then nobody misses it.
    let name =
        names(&backend, "packs/").into_iter().find(|name| directory(&repository, name).0 == Kind::DataPack).unwrap();
    let mark = ObjectName::Damaged(pack_id(&name));
    let record = DamagedRecord { by: String::new(), what: String::new(), at: Timestamp::default() };
    let sealed =
        repository.codec().seal_object(&mark, Kind::Damaged, SessionId([1; 16]), &record.encode().unwrap()).unwrap();
    backend.put(&mark, &sealed).unwrap();
    let mut all = large_tree();
    all.push(("z", MemoryNode::directory([("new", MemoryNode::file(noise_of(50, 200_000)))])));
    all.push(("zz", MemoryNode::file("forgotten")));
    for (host, tree) in [("h", MemoryNode::directory(all)), ("x", with_attributes())] {
        let source = MemorySource::new([("/r", tree)]);
        snapshot(&repository, &source, &SnapshotOptions { lineage: LineageKind::Full, ..options(host) }).unwrap();
    }
    backend.tamper(&name, Some(Bytes::new()));
    let report = read_data(&repository);
    assert!(report.is_sound() && report.hurt.is_empty(), "{:?}", report.damage);
    assert_eq!(report.set_aside.iter().map(|damage| damage.object.as_str()).collect::<Vec<_>>(), [name.as_str()]);
    backend.tamper(&name, None);
    let report = read_data(&repository);
    assert!(report.is_sound(), "{:?}", report.damage);
    assert!(report.notes.iter().any(|note| note.contains("no snapshot needs")));
}

#[test]
fn orphans_and_strangers_are_notes() {
    let (backend, repository) = full();
    let (name, orphan) = lbak_testkit::objects::pack(vec![1; 5000]);
    let index = names(&backend, "index/");
    spoiled(
        &backend,
        || backend.tamper("mended/00", Some(Bytes::new())),
        || {
            assert!(structure(&repository).is_sound() && without_key(&backend).is_empty());
            assert!(structure(&repository).notes.iter().any(|note| note.contains("1 names are not lbak's")));
        },
    );
    // A real pack that lost its segment: interrupted before the segment was put.
    let newest = index
        .iter()
        .find(|name| spoiled(&backend, || backend.tamper(name, None), || structure(&repository).is_sound()));
    let newest = newest.expect("the forgotten snapshot's own segment");
    spoiled(
        &backend,
        || backend.tamper(newest, None),
        || {
            let report = read_data(&repository);
            assert!(report.is_sound() && report.unreferenced_packs == 2 && report.unreferenced_bytes >= 32 << 10);
            assert_eq!(report.packs_read, report.packs);
        },
    );
    // Something under a pack's name that is none proves itself, but does not open.
    spoiled(
        &backend,
        || backend.put(&name, &orphan).unwrap(),
        || {
            assert_eq!(damaged(&read_data(&repository)), [name.to_string()]);
            assert!(structure(&repository).is_sound() && without_key(&backend).is_empty());
        },
    );
}

/// Bad memory between hashing and sealing: the seal is right, and so is the name of the pack.
#[test]
fn what_was_sealed_under_a_wrong_id_is_found() {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    let writer = ChunkWriter::start(
        Arc::clone(repository.backend()),
        repository.codec().clone(),
        Arc::new(Index::new()),
        SessionId([4; 16]),
        Arc::new(|_| true),
        false,
        WriterOptions::default(),
    )
    .unwrap();
    let mut encoder = BlockEncoder::new(Compression::Auto).unwrap();
    // The first block is opened again before it is stored, the second is not.
    for (stored, read) in [(b"what is first", b"what is first"), (b"what was rEad", b"what was read")] {
        let id = repository.codec().keys().chunk_id(ChunkKind::Data, read);
        let chunk = ChunkEntry { kind: ChunkKind::Data, length: 13, id, base: None };
        writer.store_block(&mut encoder, stored, vec![chunk], &mut Vec::new()).unwrap();
    }
    writer.finish().unwrap();
    assert!(structure(&repository).is_sound(), "that takes no reading");
    assert_eq!(damaged(&read_data(&repository)), names(&backend, "packs/"));
}
