//! What a snapshot says that it was made from, in JSON.

use lbak::SourceKind;
use serde::Serialize;

use super::path;

/// Part of a `snapshot` line.
#[derive(Serialize)]
pub(crate) struct Origin {
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_status: Option<i32>,
}

impl Origin {
    pub(crate) fn of(source: &SourceKind) -> Self {
        let (source, command, command_status) = match source {
            SourceKind::Files => ("files", None, None),
            SourceKind::Stream => ("stream", None, None),
            SourceKind::Command { words, status } => {
                ("command", Some(words.iter().map(|word| path(word)).collect()), Some(*status))
            }
        };
        Self { source, command, command_status }
    }
}
