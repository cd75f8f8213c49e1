//! Records: manifests, and those of the protocol.

use lbak_core::{
    chunk::ChunkSizes,
    codec::slot::SlotRecord,
    error::Result,
    id::{ChunkId, ObjectHash, PackId, SegmentId, SnapshotId},
    metadata::Timestamp,
    observe::{Finding, FindingKind},
    repository::Config,
    snapshot::{
        AsideObject, AsideRecord, ClosedRecord, DamagedRecord, FinRecord, FindingCount, ForgottenRecord, Lineage,
        Manifest, MarkRecord, Purpose, ReadingRecord, RemovalsRecord, SessionRecord, Sizes, SourceKind, StoredFindings,
        Totals,
    },
    wire,
};

use crate::{REPOSITORY, SESSION, hash, seed};

const AT: Timestamp = Timestamp { seconds: 1_790_000_000, nanoseconds: 5 };

pub(crate) fn encoded(record: Result<Vec<u8>>) -> Vec<u8> {
    record.expect("a small record")
}

fn finding() -> Finding {
    Finding { kind: FindingKind::Unreadable, path: b"/etc/shadow".to_vec(), message: "permission denied".into() }
}

/// One that has everything.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        id: SnapshotId([1; 16]),
        root: ChunkId(hash(1)),
        lineage: Lineage::Incremental { parent: SnapshotId([2; 16]) },
        started_at: AT,
        ended_at: AT,
        point_in_time: Some(AT),
        host: "gpu-1".into(),
        user: "root".into(),
        paths: vec![b"/etc".to_vec(), b"/srv/models".to_vec()],
        tags: vec!["nightly".into()],
        description: String::new(),
        program: "lbak 0.1.0".into(),
        totals: Totals { files: 3, directories: 2, links: 1, others: 0 },
        sizes: Sizes { logical: 3000, new: 2000, stored: 1000 },
        source: SourceKind::Command { words: vec![b"pg_dump".to_vec(), b"-Fc".to_vec()], status: 0 },
        findings: StoredFindings {
            counts: vec![FindingCount { kind: FindingKind::Unreadable, count: 1 }],
            first: vec![finding()],
            all: vec![ChunkId(hash(2))],
        },
        is_complete: false,
        origin: Some(SESSION),
        heads: vec![ObjectHash(hash(3))],
    }
}

/// Writes them.
pub(crate) fn seeds() {
    let (at, manifest) = (AT, manifest());
    let full = Manifest {
        lineage: Lineage::Full,
        point_in_time: None,
        source: SourceKind::Files,
        findings: StoredFindings::default(),
        is_complete: true,
        origin: None,
        ..manifest.clone()
    };
    let session = SessionRecord {
        author: "root@gpu-1".into(),
        purpose: Purpose::Collect,
        program: "lbak 0.1.0".into(),
        started_at: at,
        pinned: vec![SESSION],
    };
    let segments = vec![SegmentId(hash(4)), SegmentId(hash(5))];
    let packs = vec![PackId(hash(6)), PackId(hash(7))];
    let fin = FinRecord {
        merged: segments.clone(),
        replaced: segments.clone(),
        live: vec![SESSION],
        buried: vec![],
        removals: ObjectHash(hash(8)),
        previous: Some(ObjectHash(hash(9))),
    };
    let removals = RemovalsRecord { packs: packs.clone(), segments, merged: vec![] };
    let aside = vec![
        AsideObject {
            name: format!("snapshots/{SESSION}"),
            what: "its seal does not fit; nothing of it was found".into(),
        },
        AsideObject { name: "fin/0000000000000003".into(), what: "it is missing".into() },
    ];
    let config =
        Config { repository: REPOSITORY, chunk_sizes: ChunkSizes::default(), cutter: 0, created_seconds: at.seconds };
    let (by, reason) = ("gpu-2".to_owned(), "silent for a week".to_owned());
    let records = [
        ("manifest", 0, manifest.encode()),
        ("manifest-full", 0, full.encode()),
        ("session", 1, session.encode()),
        ("closed", 2, ClosedRecord { by: by.clone(), reason: reason.clone(), at }.encode()),
        ("forgotten", 3, ForgottenRecord { by: by.clone(), reason: reason.clone(), at }.encode()),
        ("damaged", 4, DamagedRecord { by, what: reason, at }.encode()),
        ("mark", 5, MarkRecord { condemned: packs }.encode()),
        ("removals", 6, removals.encode()),
        ("fin", 7, fin.encode()),
        ("config", 8, wire::encode("a config", 1, &config)),
        ("reading", 10, ReadingRecord { by: "gpu-1".into(), at, packs: vec![[1; 16], [2; 16]] }.encode()),
        ("aside", 11, AsideRecord { by: "gpu-1".into(), at, objects: aside }.encode()),
        ("findings", 9, wire::encode("findings", 1, &vec![finding()])),
    ];
    seed("manifest", "lying-string", &[&[4, 1], &(32_u64 << 20).to_le_bytes(), b"short"]);
    for (name, which, record) in records {
        seed("manifest", name, &[&[which], &encoded(record)]);
    }
    seed("config", "both", &[&[0], &encoded(wire::encode("a config", 1, &config))]);
    seed("config", "slot", &[&[1], &encoded(wire::encode("a config", 1, &config))]);
    seed("config", "beside", &[&[2], &encoded(wire::encode("a config", 1, &config))]);
    seed("config", "unsealed", &[&[3], b"anything"]);
    let slot = SlotRecord { masters: vec![(0, [9; 32])], label: "a".into(), created_seconds: 1, config: vec![8; 20] };
    seed("config", "record", &[&[4], &encoded(wire::encode("a slot", 1, &slot))]);
}
