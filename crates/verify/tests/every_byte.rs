//! Every byte of a tiny repository, one after another.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::*;
use lbak_core::{backend::MemoryBackend, source::MemoryNode};
use lbak_verify::{VerifyOptions, verify_without_key};

#[test]
fn no_byte_can_decay_unnoticed() {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    let report = take(
        &repository,
        "h",
        MemoryNode::directory([
            ("a", MemoryNode::file("some text")),
            ("d", MemoryNode::directory([("b", MemoryNode::file("more text"))])),
        ]),
    );
    let mut flipped = 0;
    for (name, bytes) in backend.contents() {
        // Padding is most of a small pack: every 256th byte of it stands for the others.
        let padding = if name.starts_with("packs/") {
            let padding = directory(&repository, &name).1.blocks.pop().unwrap();
            assert!(padding.is_padding);
            padding.offset as usize + 64..(padding.offset + padding.sealed_length) as usize - 64
        } else {
            0..0
        };
        for place in (0..bytes.len()).filter(|place| !padding.contains(place) || place % 256 == 0) {
            flip(&backend, &name, place);
            let found = read_data(&repository);
            let keyless = verify_without_key(&*backend, &VerifyOptions::default()).unwrap();
            flip(&backend, &name, place);
            assert_eq!(damaged(&keyless), [name.as_str()], "byte {place}");
            assert!(damaged(&found).contains(&name.as_str()), "byte {place} of {name}: {:?}", found.damage);
            for hurt in &found.hurt {
                assert_eq!(hurt.snapshot, report.snapshot);
                assert!(name.starts_with("packs/") || name.starts_with("index/"));
            }
            flipped += 1;
        }
    }
    assert!(flipped > 5_000, "{flipped}");
    assert!(read_data(&repository).is_sound());
}
