//! What programs and people say to the command, and what is said to programs: a command line is understood or refused in words, and a line
//! of JSON is one line.
//!
//! Input: which u8 · words that end in NUL · for JSON, a manifest.

use std::{ffi::OsString, os::unix::ffi::OsStringExt};

use lbak_cli::parsers;
use lbak_core::{metadata::Timestamp, snapshot::Manifest};

/// Runs the target.
pub fn arguments(input: &[u8]) {
    let Some((&which, bytes)) = input.split_first() else { return };
    match which {
        0 => command_line(bytes),
        1 => environment(bytes),
        2 => json(bytes),
        _ => {}
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = OsString> {
    // No system passes a NUL inside a word.
    bytes.split(|&byte| byte == 0).map(|word| OsString::from_vec(word.to_vec()))
}

fn command_line(bytes: &[u8]) {
    let words: Vec<OsString> = std::iter::once(OsString::from("lbak")).chain(words(bytes)).collect();
    match parsers::arguments(&words) {
        Ok(told) => assert!(told.starts_with("Arguments {"), "{told}"),
        Err(told) => assert!(!told.trim().is_empty(), "refused without a word: {words:?}"),
    }
}

fn environment(bytes: &[u8]) {
    let all: Vec<OsString> = words(bytes).collect();
    let variables: Vec<(OsString, OsString)> =
        all.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    let is_ours = variables.iter().any(|(name, _)| name.as_encoded_bytes().starts_with(b"LBAK_"));
    if let Err(told) = parsers::environment(variables) {
        assert!(is_ours && !told.trim().is_empty(), "refused for nothing: {told:?}");
    }
}

/// Whatever stands in a manifest, its line can be read again and is one; and what is shown of it drives no terminal.
fn json(bytes: &[u8]) {
    let Ok(manifest) = Manifest::decode("fuzz", bytes) else { return };
    let line = parsers::json_line(&manifest, Timestamp::default());
    assert!(!line.bytes().any(|byte| byte < b' '), "it is more than one line: {line:?}");
    let read: serde_json::Value = serde_json::from_str(&line).expect("what is written can be read");
    let texts = [("hostname", &manifest.host), ("username", &manifest.user), ("description", &manifest.description)];
    for (key, text) in texts {
        assert_eq!(read[key], text.as_str(), "{key} is written as it is");
        let shown = parsers::visible(text);
        assert!(!shown.chars().any(char::is_control), "it would drive a terminal: {shown:?}");
    }
    assert_eq!(read["tags"], serde_json::json!(manifest.tags));
    assert_eq!(read["logical_bytes"], manifest.sizes.logical);
}
