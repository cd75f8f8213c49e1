//! What is stored about a repository and its sessions that a restore does not need (sections 5 and 9).

use std::collections::BTreeMap;

use crate::reader::{
    fields::{Fields, Id, Result, ensure, hex},
    repository::{Repository, names},
};

/// What came of a session.
pub(crate) enum Outcome {
    Snapshot(Box<Manifest>),
    Closed { by: String, reason: String },
}

pub(crate) struct Manifest {
    pub id: [u8; 16],
    /// The session that it was changed or copied from.
    pub origin: Option<[u8; 16]>,
    pub root: Id,
    pub started: (i64, u32),
    /// 0 full, 1 incremental, 2 differential; the latter with the snapshot that it was compared with.
    pub lineage: (usize, Option<[u8; 16]>),
    pub paths: Vec<Vec<u8>>,
    pub tags: Vec<String>,
    pub description: String,
    /// Kind and path of each.
    pub findings: Vec<(u32, Vec<u8>)>,
    /// The chunks that hold all findings, when there are many.
    pub finding_chunks: Vec<Id>,
    pub is_complete: bool,
}

/// What came of every session, in the order in which they began; what was forgotten or replaced is left out.
pub(crate) fn outcomes(repository: &Repository) -> Result<Vec<Outcome>> {
    let mut outcomes = BTreeMap::new();
    for name in names(&repository.folder, "snapshots")? {
        let outcome = outcome(repository, &name).map_err(|error| format!("{name}: {error}"))?;
        outcomes.insert(name.trim_start_matches("snapshots/").to_owned(), outcome);
    }
    let is_forgotten = |session: &String| repository.folder.join("forgotten").join(session).exists();
    let counts: Vec<String> =
        outcomes.keys().filter(|session| counts(session, &outcomes) && !is_forgotten(session)).cloned().collect();
    outcomes.retain(|session, _| counts.contains(session));
    let mut ordered = Vec::new();
    for (session, outcome) in outcomes {
        // A changed snapshot keeps its place among the others.
        let started = match &outcome {
            Outcome::Snapshot(manifest) => manifest.started,
            Outcome::Closed { .. } => started(repository, &session)?,
        };
        ordered.push((started, outcome));
    }
    ordered.sort_by_key(|(started, _)| *started);
    Ok(ordered.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Tells whether a slot holds the version that counts of its snapshot. Written for repositories without damaged slots.
fn counts(session: &str, outcomes: &BTreeMap<String, Outcome>) -> bool {
    let manifest = |session: &str| match outcomes.get(session) {
        Some(Outcome::Snapshot(manifest)) => Some(manifest),
        _ => None,
    };
    let Some(this) = manifest(session) else { return true };
    let origin_of = |session: &str| manifest(session).and_then(|version| version.origin).map(|origin| hex(&origin));
    let versions = || outcomes.keys().filter(|other| manifest(other).is_some_and(|version| version.id == this.id));
    let first = versions().find(|version| versions().all(|other| origin_of(version).as_ref() != Some(other)));
    let mut last = first.cloned().unwrap_or_default();
    while let Some(next) = versions().find(|version| origin_of(version).as_ref() == Some(&last)) {
        last.clone_from(next); // a map is in the order of the sessions: the smallest is found first
    }
    last == session
}

/// When a session announced itself.
fn started(repository: &Repository, session: &str) -> Result<(i64, u32)> {
    let (_, record) = repository.open_one(&format!("sessions/{session}"), &[3])?;
    whole(&record, |record| {
        let (_author, _purpose, _program) = (string(record)?, record.u32()?, string(record)?);
        let (started, _pinned) = (time(record)?, list(record, Fields::array::<16>)?);
        Ok(started)
    })
}

fn outcome(repository: &Repository, name: &str) -> Result<Outcome> {
    let (opener, record) = repository.open_one(name, &[8, 9])?;
    whole(&record, |record| {
        if opener.header[4] == 8 {
            return manifest(repository, record).map(|manifest| Outcome::Snapshot(Box::new(manifest)));
        }
        let (by, reason, _at) = (string(record)?, string(record)?, time(record)?);
        Ok(Outcome::Closed { by, reason })
    })
}

fn manifest(repository: &Repository, record: &mut Fields) -> Result<Manifest> {
    let (id, root, kind) = (record.array()?, record.array()?, record.count(4)?);
    ensure(kind < 3, "an unknown lineage")?;
    let lineage = (kind, if kind == 0 { None } else { Some(record.array()?) });
    let (started, _ended, _point_in_time) = (time(record)?, time(record)?, option(record, time)?);
    let (_host, _user) = (string(record)?, string(record)?);
    let (paths, tags) = (list(record, Fields::octets)?, list(record, string)?);
    let (description, _program, _totals_and_sizes) = (string(record)?, string(record)?, record.take(7 * 8)?);
    let source = record.u32()?;
    ensure(source < 3, "an unknown source")?;
    if source == 2 {
        let (_words, _exit_status) = (list(record, Fields::octets)?, record.u32()?);
    }
    let counts = list(record, |fields| Ok((fields.u32()?, fields.count(8)?)))?;
    let mut findings = list(record, finding)?;
    let finding_chunks: Vec<Id> = list(record, Fields::array)?;
    if !finding_chunks.is_empty() {
        findings.clear(); // the chunks hold all of them
    }
    for id in &finding_chunks {
        findings.extend(whole(&repository.chunk(2, id)?, |record| list(record, finding))?);
    }
    ensure(counts.iter().map(|(_, count)| count).sum::<usize>() == findings.len(), "findings are missing")?;
    let is_complete = bool(record)?;
    let (origin, _heads) = (option(record, Fields::array)?, list(record, Fields::array::<32>)?);
    Ok(Manifest { id, origin, root, started, lineage, paths, tags, description, findings, finding_chunks, is_complete })
}

fn finding(fields: &mut Fields) -> Result<(u32, Vec<u8>)> {
    let (kind, path, _message) = (fields.u32()?, fields.octets()?, string(fields)?);
    Ok((kind, path))
}

/// Checks that `config` is of this repository and of the form that the format gives it.
pub(crate) fn check_config(repository: &Repository) -> Result<()> {
    let (opener, record) = repository.open_one("config", &[1])?;
    let id = whole(&record, |record| {
        let (id, _created) = (record.array::<16>()?, (record.take(12)?, record.u8()?, record.integer(8)?));
        Ok(id)
    })?;
    ensure(opener.header[16..32] == id, "config of another repository")
}

fn list<'a, T>(fields: &mut Fields<'a>, element: impl Fn(&mut Fields<'a>) -> Result<T>) -> Result<Vec<T>> {
    (0..fields.integer(8)?).map(|_| element(fields)).collect()
}

fn bool(fields: &mut Fields) -> Result<bool> {
    let value = fields.u8()?;
    ensure(value < 2, "neither true nor false")?;
    Ok(value == 1)
}

fn option<'a, T>(fields: &mut Fields<'a>, value: impl Fn(&mut Fields<'a>) -> Result<T>) -> Result<Option<T>> {
    if bool(fields)? { value(fields).map(Some) } else { Ok(None) }
}

fn time(fields: &mut Fields) -> Result<(i64, u32)> {
    Ok((fields.integer(8)?.cast_signed(), fields.u32()?))
}

fn string(fields: &mut Fields) -> Result<String> {
    Ok(String::from_utf8(fields.octets()?)?)
}

/// Reads a record to its end.
fn whole<T>(bytes: &[u8], fields: impl FnOnce(&mut Fields) -> Result<T>) -> Result<T> {
    let mut record = Fields::of_record(bytes)?;
    let value = fields(&mut record)?;
    ensure(record.0.is_empty(), "bytes are left over")?;
    Ok(value)
}
