//! Cross-checks what inner nodes of trees and lists say about their children (section 8). The reader itself reads all
//! children and does without it.

use std::collections::HashSet;

use crate::{
    outcomes::{Outcome, outcomes},
    reader::{
        fields::{Fields, Id, Result, ensure},
        repository::Repository,
        tree::{Piece, directory, items},
    },
};

/// Checks every inner node of a repository; gives the number of children that were looked at in trees and in lists.
pub(crate) fn check(repository: &Repository) -> Result<[usize; 2]> {
    let mut checked = [0; 2];
    // Chunks of findings have the kind of lists and are none.
    let manifests = outcomes(repository)?.into_iter().filter_map(|outcome| match outcome {
        Outcome::Snapshot(manifest) => Some(manifest),
        Outcome::Closed { .. } => None,
    });
    let findings: HashSet<Id> = manifests.flat_map(|manifest| manifest.finding_chunks).collect();
    for (id, places) in repository.chunks.iter().filter(|(id, _)| !findings.contains(*id)) {
        for kind in places.iter().map(|place| place.kind).filter(|kind| *kind > 0) {
            checked[usize::from(kind) - 1] += node(repository, kind, id)?;
        }
    }
    Ok(checked)
}

fn node(repository: &Repository, kind: u8, id: &Id) -> Result<usize> {
    let chunk = repository.chunk(kind, id)?;
    let mut fields = Fields(&chunk);
    let (_version, level, mut checked) = (fields.u8()?, fields.u8()?, 0);
    while level > 0 && !fields.0.is_empty() {
        let (child, count) = (fields.array()?, usize::try_from(fields.varint()?)?);
        if kind == 1 {
            let (entries, last) = (directory(repository, &child)?, fields.bytes()?);
            let is_last = entries.last().is_some_and(|entry| entry.name == last);
            ensure(entries.len() == count && is_last, "a child with another number of entries or last name")?;
        } else {
            let (bytes, items) = (fields.varint()?, items(repository, kind, &child, Some(level - 1))?);
            let (mut below, mut sum, mut pieces) = (Fields(&items), 0, 0);
            while !below.0.is_empty() {
                sum += Piece::read(&mut below)?.length;
                pieces += 1;
            }
            ensure((pieces, sum) == (count, bytes), "a child with another number of pieces or bytes")?;
        }
        checked += 1;
    }
    Ok(checked)
}
