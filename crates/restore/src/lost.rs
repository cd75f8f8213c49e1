//! Files of which a repair has found only a part: nobody may take them for whole.

use std::collections::BTreeSet;

use lbak_core::tree::{Entry, EntryFlags, Node};

use crate::{directory::Directory, target::Target};

/// Behind the name of a file that has holes where its bytes were lost.
const PARTIAL: &[u8] = b".lbak-partial";

/// Longest name that file systems take.
const LONGEST_NAME: usize = 255;

/// Tells whether an entry is a file that lost bytes.
pub(crate) fn is_partial(entry: &Entry) -> bool {
    matches!(entry.node, Node::File { .. }) && entry.flags.contains(EntryFlags::CONTENT_LOST)
}

/// Tells whether a name may be one that [`set_apart`] would give.
pub(crate) fn is_partial_name(name: &[u8]) -> bool {
    name.windows(PARTIAL.len()).any(|part| part == PARTIAL)
}

/// Gives a file that lost bytes another name, one that is not taken, and tells of it. What stands under its own name stays.
pub(crate) fn set_apart(target: &Target, directory: &Directory, entry: &mut Entry, taken: &mut BTreeSet<Vec<u8>>) {
    let path = directory.path_of(&entry.name);
    entry.name = free_name(&entry.name, taken);
    taken.insert(entry.name.clone());
    directory.miss();
    if !target.is_reading_back {
        let partial = lbak_core::error::escape(&entry.name);
        let message = format!(
            "a part of it was lost before this snapshot was made of the rest, and reads as zeros in \"{partial}\"; the snapshot's findings name the bytes"
        );
        target.findings.lose(1, path, message);
    }
}

/// `NAME.lbak-partial`, or with a number behind it; a long name is cut between two characters.
fn free_name(name: &[u8], taken: &BTreeSet<Vec<u8>>) -> Vec<u8> {
    let mut ending = PARTIAL.to_vec();
    let mut number = 1;
    loop {
        let mut kept = name.len().min(LONGEST_NAME - ending.len());
        while kept < name.len() && name.get(kept).is_some_and(|byte| byte & 0xc0 == 0x80) && kept > 1 {
            kept -= 1;
        }
        let free = [name.get(..kept).unwrap_or_default(), &ending].concat();
        if !taken.contains(&free) {
            return free;
        }
        number += 1;
        ending = [PARTIAL, format!("-{number}").as_bytes()].concat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_free_and_never_too_long() {
        let mut taken = BTreeSet::new();
        assert_eq!(free_name(b"m", &taken), b"m.lbak-partial");
        taken.insert(b"m.lbak-partial".to_vec());
        assert_eq!(free_name(b"m", &taken), b"m.lbak-partial-2");
        for length in [241, 242, 243, 254, 255] {
            let name = vec![b'n'; length];
            let mut taken = BTreeSet::new();
            for _ in 0..12 {
                let free = free_name(&name, &taken);
                assert!(free.len() <= LONGEST_NAME && is_partial_name(&free));
                assert!(taken.insert(free));
            }
        }
        // Not within a character.
        let umlauts = "ä".repeat(127);
        assert!(String::from_utf8(free_name(umlauts.as_bytes(), &BTreeSet::new())).is_ok());
    }
}
