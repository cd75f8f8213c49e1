//! Chunks that do not lie where the index said first: in other packs beside damaged ones, or moved while a restore runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use lbak_core::{
    backend::{MemoryBackend, ObjectName},
    id::{ChunkId, ChunkKind},
    repository::Repository,
    snapshot::Manifest,
    tree::{ContentReader, Node},
};
use lbak_restore::{ListOptions, list};
use lbak_testkit::{MeddlingBackend, Operation};

use crate::{
    damage::{assert_only_missing, fill},
    support::{Forge, blocks_of_files, folders, opened, restored, shared, take},
};

#[test]
fn another_copy_of_a_chunk_is_as_good() {
    let (backend, repository) = shared();
    let folders = folders();
    fill(&folders.source);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let before = blocks_of_files(&repository, &manifest);
    store_again(&repository, &manifest);
    let after = blocks_of_files(&repository, &manifest);
    let packs = |files: &[(String, Vec<lbak_core::store::BlockPlace>)]| -> BTreeSet<_> {
        files.iter().flat_map(|(_, blocks)| blocks.iter().map(|block| block.pack.id)).collect()
    };
    let all: BTreeSet<_> = packs(&before).union(&packs(&after)).copied().collect();
    // Whichever copy the index gives first, all packs but those of the other copy are damaged in turn.
    for pack in &all {
        let name = ObjectName::Pack(*pack).to_string();
        let whole = backend.contents()[&name].clone();
        for damaged in [None, Some(Bytes::from(vec![7; whole.len()]))] {
            backend.tamper(&name, damaged);
            let report = restored(&repository, &manifest, &folders.target);
            assert_eq!(report.findings, []);
            assert_only_missing(&folders, &folders.target, &BTreeSet::new());
            fs::remove_dir_all(&folders.target).expect("remove");
        }
        backend.tamper(&name, Some(whole));
    }
}

/// Stores every chunk of a snapshot's files in new packs.
pub(crate) fn store_again(repository: &Repository, manifest: &Manifest) {
    let view = repository.view().expect("view");
    let reader = repository.reader(&view);
    let read = |kind: ChunkKind, id: &ChunkId| reader.read(kind, id);
    let mut forge = Forge::new(repository, 77);
    let mut store = |listed: lbak_restore::ListedEntry<'_>| {
        if let Node::File { content } = &listed.entry.node {
            for piece in ContentReader::new(content, Some(listed.entry.size), &read) {
                if let Some(id) = piece.expect("piece").piece.chunk {
                    forge.store(ChunkKind::Data, read(ChunkKind::Data, &id)?.to_vec());
                }
            }
        }
        Ok(())
    };
    list(repository, manifest, None, &ListOptions { recursive: true, ..ListOptions::default() }, &mut store)
        .expect("list");
    forge.finish();
}

/// What a store holds, by name.
type State = BTreeMap<String, Bytes>;

/// A store in one state until a pack is read that is gone in the next, and then in that one, as a collector would leave it.
fn moving(states: Vec<State>, gone: Vec<BTreeSet<String>>) -> MeddlingBackend<MemoryBackend> {
    let (backend, current) = (MeddlingBackend::new(MemoryBackend::new()), Arc::new(AtomicUsize::new(0)));
    let enter = |inner: &MemoryBackend, state: &State| {
        state.iter().for_each(|(name, bytes)| inner.tamper(name, Some(bytes.clone())));
        inner.contents().keys().filter(|name| !state.contains_key(*name)).for_each(|name| inner.tamper(name, None));
    };
    let states: Vec<Arc<State>> = states.into_iter().map(Arc::new).collect();
    enter(backend.inner(), &states[0]);
    for (number, packs) in gone.iter().enumerate() {
        for pack in packs {
            let (current, next) = (Arc::clone(&current), Arc::clone(&states[number + 1]));
            backend.before(Operation::GetRange, pack, move |inner, _| {
                let moved = current.compare_exchange(number, number + 1, Ordering::SeqCst, Ordering::SeqCst);
                if moved.is_ok() {
                    enter(inner, &next);
                }
            });
        }
    }
    backend
}

#[test]
fn chunks_that_moved_again_and_again_while_it_ran_are_found() {
    for moves in 1..=3 {
        let (backend, repository) = shared();
        let folders = folders();
        fill(&folders.source);
        let manifest = take(&repository, std::slice::from_ref(&folders.source));
        let packs = |backend: &MemoryBackend| -> BTreeSet<String> {
            backend.contents().into_keys().filter(|name| name.starts_with("packs/")).collect()
        };
        let data: BTreeSet<String> = blocks_of_files(&repository, &manifest)
            .into_iter()
            .flat_map(|(_, blocks)| blocks.into_iter().map(|block| ObjectName::Pack(block.pack.id).to_string()))
            .collect();
        // Each generation of packs holds all data, and is gone when the next is there.
        let (mut states, mut gone, mut old, mut seen) = (vec![backend.contents()], Vec::new(), data, packs(&backend));
        for _ in 0..moves {
            store_again(&repository, &manifest);
            gone.push(old);
            let is_left = |name: &String| !gone.iter().flatten().any(|gone| gone == name);
            states.push(backend.contents().into_iter().filter(|(name, _)| is_left(name)).collect());
            let now = packs(&backend);
            old = now.difference(&seen).cloned().collect();
            seen = now;
        }
        let repository = opened(moving(states, gone));
        let report = restored(&repository, &manifest, &folders.target);
        assert_eq!(report.findings, [], "{moves} moves");
        assert_only_missing(&folders, &folders.target, &BTreeSet::new());
    }
}
