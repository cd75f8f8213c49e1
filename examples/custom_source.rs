//! A source of one's own: a table of records that is backed up as a directory of files, without touching a disk.
//!
//!     cargo run --example custom_source

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::{collections::BTreeMap, io::Read, sync::Arc};

use lbak::{
    Credential, FileKind, InitOptions, MemoryBackend, NewSlot, Repository, RestoreOptions, Selection, SnapshotOptions,
    Source, Timestamp,
    metadata::Metadata,
    restore, snapshot,
    source::{
        Directory, ExtendedAttributes, Found, Listing, Portion, SourceError, SourceErrorKind, SourceFile, SourceKind,
        UnreadAttributes,
    },
};

/// Records by name.
#[derive(Clone)]
struct Table(Arc<BTreeMap<&'static str, String>>);

/// The directory of roots: one name, the table.
struct Roots(Table);

fn metadata(kind: FileKind, size: usize) -> Metadata {
    let mtime = Timestamp { seconds: 1_700_000_000, nanoseconds: 0 };
    let mode = if kind == FileKind::Directory { 0o755 } else { 0o644 };
    Metadata {
        kind,
        mode,
        mtime,
        ctime: mtime,
        size: size as u64,
        allocated: size as u64,
        links: 1,
        ..Metadata::default()
    }
}

fn nothing_there() -> SourceError {
    SourceError::new(SourceErrorKind::Vanished, "no such record")
}

impl Source for Table {
    fn kind(&self) -> SourceKind {
        SourceKind::Files
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
        Ok(Arc::new(Roots(self.clone())))
    }
}

impl Directory for Roots {
    fn entries(&self) -> Result<Listing, SourceError> {
        let table = Found { name: b"/table".to_vec(), metadata: metadata(FileKind::Directory, 0) };
        Ok(Box::new(std::iter::once(Ok(table))))
    }

    fn directory(&self, _name: &[u8], _expected: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        Ok(Arc::new(self.0.clone()))
    }

    fn file(&self, _name: &[u8], _expected: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        Err(nothing_there())
    }

    fn link_target(&self, _name: &[u8]) -> Result<Vec<u8>, SourceError> {
        Err(nothing_there())
    }

    fn attributes(&self, _name: &[u8], _kind: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        Ok(Vec::new())
    }
}

impl Directory for Table {
    fn entries(&self) -> Result<Listing, SourceError> {
        let records = Arc::clone(&self.0);
        let found: Vec<_> = records
            .iter()
            .map(|(name, text)| {
                Ok(Found { name: name.as_bytes().to_vec(), metadata: metadata(FileKind::File, text.len()) })
            })
            .collect();
        Ok(Box::new(found.into_iter()))
    }

    fn directory(&self, _name: &[u8], _expected: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        Err(nothing_there())
    }

    fn file(&self, name: &[u8], _expected: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        let text = std::str::from_utf8(name).ok().and_then(|name| self.0.get(name)).ok_or_else(nothing_there)?;
        Ok(Box::new(Record { size: text.len(), rest: std::io::Cursor::new(text.clone().into_bytes()) }))
    }

    fn link_target(&self, _name: &[u8]) -> Result<Vec<u8>, SourceError> {
        Err(nothing_there())
    }

    fn attributes(&self, _name: &[u8], _kind: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        Ok(Vec::new())
    }
}

/// One record, read from front to end.
struct Record {
    size: usize,
    rest: std::io::Cursor<Vec<u8>>,
}

impl SourceFile for Record {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Portion, SourceError> {
        match self.rest.read(buffer)? {
            0 => Ok(Portion::End),
            length => Ok(Portion::Data(length)),
        }
    }

    fn metadata(&self) -> Result<Metadata, SourceError> {
        Ok(metadata(FileKind::File, self.size))
    }

    fn attributes(&self) -> Result<ExtendedAttributes, UnreadAttributes> {
        Ok(Vec::new())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = Table(Arc::new(BTreeMap::from([("ada", "countess".to_owned()), ("grace", "admiral".to_owned())])));
    let slot = NewSlot::new(Credential::password("correct horse"), "example");
    let repository = Repository::init(Arc::new(MemoryBackend::new()), &[slot], &InitOptions::default())?;
    let report = snapshot(&repository, &table, &SnapshotOptions::default())?;
    println!("{} files, complete: {}", report.totals.files, report.is_complete);

    let folder = tempfile::tempdir()?;
    let catalog = repository.catalog()?;
    let latest = Selection::default().choose(&catalog, repository.now())?.snapshot;
    restore(&repository, &latest.manifest, &folder.path().join("out"), &RestoreOptions::default())?;
    assert_eq!(std::fs::read_to_string(folder.path().join("out/grace"))?, "admiral");
    Ok(())
}
