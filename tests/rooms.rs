//! The rooms of core use only those above them: an upward arrow is found here, not in a review.

use std::path::{Path, PathBuf};

/// The lines of the house, from the top.
const LINES: [&[&str]; 12] = [
    &["id"],
    &["error"],
    &["observe"],
    &["metadata", "chunk", "wire", "backend", "cache", "patterns"],
    &["keys"],
    &["codec"],
    &["pack", "index", "parity"],
    &["store"],
    &["tree", "source"],
    &["snapshot"],
    &["repository"],
    &["capture", "amend", "browse"],
];

fn line_of(room: &str) -> Option<usize> {
    LINES.iter().position(|line| line.contains(&room))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the sources of core") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a file names behind `crate::`, also in groups: `use crate::{id::X, wire}`.
fn rooms_used(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            rooms.push(rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect());
            continue;
        };
        let (mut depth, mut word, mut is_first) = (1, String::new(), true);
        for character in group.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            match character {
                ',' if depth == 1 => (word, is_first) = (String::new(), true),
                c if depth == 1 && is_first && (c.is_ascii_lowercase() || c == '_') => word.push(c),
                c if depth == 1 && is_first && !c.is_whitespace() && !word.is_empty() => {
                    rooms.push(std::mem::take(&mut word));
                    is_first = false;
                }
                _ => {}
            }
        }
        if is_first && !word.is_empty() {
            rooms.push(word);
        }
    }
    rooms
}

#[test]
fn no_room_uses_a_room_below_or_beside_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut arrows, mut upward) = (0, Vec::new());
    for file in files {
        let relative = file.strip_prefix(&root).expect("below the root").to_owned();
        let first = relative.components().next().expect("a component").as_os_str().to_string_lossy();
        let room = first.trim_end_matches(".rs").to_owned();
        let Some(line) = line_of(&room) else {
            assert_eq!(room, "lib", "{room} has no line: add it here and in ARCHITECTURE.md");
            continue;
        };
        let text = std::fs::read_to_string(&file).expect("readable sources");
        // Tests may use anything.
        let is_test = relative.components().any(|part| part.as_os_str().to_string_lossy().contains("tests"));
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let code: String =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for used in rooms_used(if is_test { "" } else { &code }) {
            let Some(used_line) = line_of(&used) else { continue };
            arrows += 1;
            if used != room && used_line >= line {
                upward.push(format!("{}: {room} uses {used}", relative.display()));
            }
        }
    }
    assert!(arrows > 100, "only {arrows} arrows were found: this test no longer sees them");
    assert_eq!(upward, Vec::<String>::new());
}
