//! `lbak version`.

use serde_json::json;

use crate::{exit::Exit, invocation::Invocation};

pub(crate) fn run(invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let (output, version) = (invocation.output, env!("CARGO_PKG_VERSION"));
    match output.is_json() {
        true => output.json(&json!({ "message_type": "version", "version": version }))?,
        false => output.line(&format!("lbak {version}"))?,
    }
    Ok(Exit::Done)
}
