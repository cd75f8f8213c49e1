//! Packs, segments and trees that are damaged or gone cost space, and never a snapshot.

use lbak_core::{
    backend::{Backend, Folder, ObjectName},
    codec::Kind,
    id::PackId,
    metadata::Timestamp,
    observe::FindingKind,
    snapshot::{DamagedRecord, LineageKind},
};

use crate::{
    house::{Tree, init, memory},
    objects::{names, pack_ids, put},
};

#[test]
fn what_a_damaged_pack_held_is_stored_anew() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    for pack in pack_ids(&*backend) {
        let record = DamagedRecord { by: "test".into(), what: "a flipped bit".into(), at: Timestamp::default() };
        put(&repository, &ObjectName::Damaged(pack), Kind::Damaged, &record.encode().unwrap());
        backend.remove(&ObjectName::Pack(pack)).unwrap();
    }
    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(second.sizes.new > 3_000_000);
    tree.assert_restores(&repository, &second);
}

/// The parent's trees are sound, and nothing in the source has changed: what it refers to is looked up all the same.
#[test]
fn what_a_damaged_pack_of_data_held_is_stored_anew_though_no_file_changed() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    let is_data =
        |pack: &PackId| backend.get_range(&ObjectName::Pack(*pack), 0, 80).unwrap()[4] == Kind::DataPack as u8;
    let damaged: Vec<PackId> = pack_ids(&*backend).into_iter().filter(is_data).collect();
    for pack in &damaged {
        let record = DamagedRecord { by: "test".into(), what: "a flipped bit".into(), at: Timestamp::default() };
        put(&repository, &ObjectName::Damaged(*pack), Kind::Damaged, &record.encode().unwrap());
    }
    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(second.sizes.new > 3_000_000, "{:?}", second.sizes);
    for pack in damaged {
        backend.remove(&ObjectName::Pack(pack)).unwrap();
    }
    tree.assert_restores(&repository, &second);
}

/// A repository whose packs were all gone got a snapshot every night, each with exit code 0, none of which could be restored.
#[test]
fn packs_that_are_found_missing_or_damaged_are_told_and_stored_anew() {
    for case in ["missing", "damaged"] {
        let (tree, (memory, backend)) = (Tree::new(), memory());
        let repository = init(&backend);
        tree.snapshot(&repository, LineageKind::Full).unwrap();
        for pack in pack_ids(&*backend) {
            let name = ObjectName::Pack(pack);
            // What is damaged of data is not seen by a snapshot that reads no data; what is missing is.
            let is_data = backend.get_range(&name, 0, 80).unwrap()[4] == Kind::DataPack as u8;
            if case == "missing" || !is_data {
                let damaged = (case == "damaged").then(|| {
                    let mut bytes = memory.get(&name).unwrap().to_vec();
                    bytes[100] ^= 1;
                    bytes.into()
                });
                memory.tamper(&name.to_string(), damaged);
            }
        }
        let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
        assert!(!second.damage.is_empty(), "{case}");
        assert!(second.finding_counts.iter().any(|count| count.kind == FindingKind::ParentUnread), "{case}");
        tree.assert_restores(&repository, &second);
        let third = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
        assert_eq!(third.damage, [""; 0], "{case}: the parent is whole again");
        assert_eq!(third.sizes.new, 0, "{case}");
    }
}

#[test]
fn a_damaged_segment_costs_space_and_never_a_snapshot() {
    let (tree, (memory, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    for name in names(&*backend, Folder::Index) {
        let mut damaged = backend.get(&name).unwrap().to_vec();
        damaged[90] ^= 1;
        memory.tamper(&name.to_string(), Some(damaged.into()));
    }
    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(second.sizes.new > 3_000_000, "nothing that only the damaged segment knows is taken on trust");
    assert_eq!(second.damage.len(), 1);
    tree.assert_restores(&repository, &second);
}

/// The parent's trees open, and what they refer to is named by a damaged segment alone.
#[test]
fn what_only_a_damaged_segment_names_is_not_taken_over_unseen() {
    let (tree, (memory, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    let first = names(&*backend, Folder::Index);
    tree.write("more", 1000);
    tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    for name in first {
        let mut damaged = backend.get(&name).unwrap().to_vec();
        damaged[90] ^= 1;
        memory.tamper(&name.to_string(), Some(damaged.into()));
    }
    let third = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(third.sizes.new > 3_000_000, "{:?}", third.sizes);
    tree.assert_restores(&repository, &third);
}

#[test]
fn a_parent_tree_that_does_not_open_is_read_again_and_said() {
    let (tree, (memory, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    for (name, bytes) in memory.contents() {
        // The kind of a pack stands in the clear.
        if name.starts_with("packs/") && bytes[4] == Kind::TreePack as u8 {
            let mut damaged = bytes.to_vec();
            damaged[100] ^= 1;
            memory.tamper(&name, Some(damaged.into()));
        }
    }
    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(second.is_complete);
    let kinds: Vec<FindingKind> = second.finding_counts.iter().map(|count| count.kind).collect();
    assert_eq!(kinds, [FindingKind::ParentUnread]);
    assert_eq!(second.files.unchanged, 0, "everything is read again");
}
