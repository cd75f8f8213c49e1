//! Repairs run beside backups, and beside one another: no lock, and nothing that was committed is lost.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use common::*;
use lbak_core::{backend::MemoryBackend, error::Error, source::MemoryNode};
use lbak_testkit::objects::noise;
use lbak_verify::{
    Depth, Share,
    repair::{RepairOptions, repair_index, repair_packs, repair_snapshots},
};

const NEW: [&str; 6] = ["n0", "n1", "n2", "n3", "n4", "n5"];

/// What one host backs up the `turn`-th time: something old, something new under a name of its own, for all times are the same.
fn tree(host: u64, turn: usize) -> MemoryNode {
    let old = MemoryNode::file(noise(host, 300_000));
    let shared = MemoryNode::file(noise(1000, 400_000));
    let new = MemoryNode::file(noise(host * 100 + turn as u64 + 10, 150_000));
    MemoryNode::directory([
        (NEW[turn], new),
        ("old", old),
        ("shared", shared),
        ("x", MemoryNode::directory([("y", MemoryNode::file("y"))])),
    ])
}

#[test]
fn snapshots_that_are_taken_while_everything_is_repaired_are_whole() {
    for round in 0..4 {
        let backend = Arc::new(MemoryBackend::new());
        let repository = new_repository(Arc::clone(&backend) as _);
        for host in 0..2 {
            take(&repository, &format!("h{host}"), tree(host, 0));
        }
        // A segment is gone, another damaged, and so is a pack.
        let segments = names(&backend, "index/");
        backend.tamper(&segments[0], None);
        flip(&backend, &segments[1], 300);
        let pack = names(&backend, "packs/").into_iter().max_by_key(|name| backend.contents()[name].len()).unwrap();
        flip(&backend, &pack, 200 + round);

        let is_over = AtomicBool::new(false);
        let mut repairs = 0;
        std::thread::scope(|threads| {
            let writers: Vec<_> = (0..2)
                .map(|host| {
                    let backend = Arc::clone(&backend);
                    threads.spawn(move || {
                        let repository = reopen(backend as _);
                        for turn in 1..6 {
                            take(&repository, &format!("h{host}"), tree(host, turn));
                        }
                    })
                })
                .collect();
            let repairers: Vec<_> = (0..3)
                .map(|which| {
                    let (backend, is_over) = (Arc::clone(&backend), &is_over);
                    threads.spawn(move || {
                        let repository = reopen(backend as _);
                        let mut times = 0;
                        while !is_over.load(Ordering::Relaxed) {
                            let options = RepairOptions {
                                depth: Depth::ReadData { share: Share::All },
                                ..RepairOptions::default()
                            };
                            let outcome = match which {
                                0 => repair_index(&repository, &options).map(|_| ()),
                                1 => repair_packs(&repository, &options).map(|_| ()),
                                _ => repair_snapshots(&repository, &options).map(|_| ()),
                            };
                            match outcome {
                                // The index has to be repaired first, or others are quicker all the time.
                                Ok(()) | Err(Error::Damaged { .. } | Error::SessionsLost { .. }) => times += 1,
                                Err(error) => panic!("{which}: {error}"),
                            }
                        }
                        times
                    })
                })
                .collect();
            for writer in writers {
                writer.join().unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
            for repairer in repairers {
                repairs += repairer.join().unwrap();
            }
        });
        repair_index(&repository, &RepairOptions::default()).unwrap();
        repair_packs(&repository, &RepairOptions::default()).unwrap();
        // What was lost of the first ones is healed by the same bytes; everything after is whole as it is.
        for host in 0..2 {
            take(&repository, &format!("h{host}"), tree(host, 0));
        }
        let verified = read_data(&repository);
        assert!(verified.is_sound(), "round {round}: {:?} {:?}", verified.damage, verified.hurt);
        let catalog = repository.catalog().unwrap();
        assert!(catalog.snapshots.len() >= 14 && catalog.damaged.is_empty());
        let lost =
            contents(&repository).values().flat_map(|files| files.values()).filter(|hash| hash.is_none()).count();
        assert_eq!(lost, 0);
        println!(
            "round {round}: {repairs} repairs beside 10 snapshots, {} segments, {} fins",
            names(&backend, "index/").len(),
            names(&backend, "fin/").len()
        );
    }
}
