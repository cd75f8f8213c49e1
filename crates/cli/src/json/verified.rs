//! What `lbak verify` found.

use serde::Serialize;

/// An object that is damaged.
#[derive(Serialize)]
pub(crate) struct Damage {
    pub(crate) message_type: &'static str,
    pub(crate) object: String,
    pub(crate) message: String,
    /// How often more was found wrong with it.
    pub(crate) more: u64,
}

/// A snapshot that damage hurts.
#[derive(Serialize)]
pub(crate) struct HurtSnapshot {
    pub(crate) message_type: &'static str,
    pub(crate) snapshot_id: String,
    pub(crate) path_count: u64,
    pub(crate) paths: Vec<String>,
}

/// What came of `lbak verify`.
#[derive(Serialize)]
pub(crate) struct VerifySummary {
    pub(crate) message_type: &'static str,
    pub(crate) sound: bool,
    pub(crate) num_errors: usize,
    pub(crate) snapshots_hurt: usize,
    pub(crate) set_aside: usize,
    pub(crate) packs_healable: usize,
    pub(crate) objects: u64,
    pub(crate) packs: u64,
    pub(crate) packs_read: u64,
    pub(crate) parity_objects: u64,
    pub(crate) unreferenced_packs: u64,
    pub(crate) unreferenced_bytes: u64,
    pub(crate) snapshots: u64,
    pub(crate) trees: u64,
    pub(crate) chunks: u64,
    pub(crate) bytes_read: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) coverage: Option<super::repair::Coverage>,
    pub(crate) total_duration: f64,
}
