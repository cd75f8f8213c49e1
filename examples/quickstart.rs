//! The main job in one page: make a repository, take two snapshots, restore the older one, check everything.
//!
//!     cargo run --example quickstart

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::{fs, sync::Arc};

use lbak::{
    Credential, InitOptions, LocalBackend, LocalSource, NewSlot, Pick, Repository, RestoreOptions, Selection,
    SnapshotOptions, VerifyOptions, restore, snapshot, verify,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    fs::write(data.join("notes"), "first")?;

    let backend = Arc::new(LocalBackend::create(folder.path().join("repository"))?);
    let slot = NewSlot::new(Credential::password("correct horse"), "quickstart");
    let repository = Repository::init(backend, &[slot], &InitOptions::default())?;

    let source = LocalSource::new(&[&data])?;
    let first = snapshot(&repository, &source, &SnapshotOptions::default())?;
    fs::write(data.join("notes"), "second")?;
    let second = snapshot(&repository, &source, &SnapshotOptions::default())?;
    println!("{}: {}, {} bytes stored", first.snapshot.short(), first.lineage.name(), first.sizes.stored);
    println!("{}: {}, {} bytes stored", second.snapshot.short(), second.lineage.name(), second.sizes.stored);

    // `latest~1` is the one before the newest.
    let catalog = repository.catalog()?;
    let selection = Selection { pick: Pick::parse("latest~1")?, ..Selection::default() };
    let chosen = selection.choose(&catalog, repository.now())?.snapshot;
    let target = folder.path().join("restored");
    restore(&repository, &chosen.manifest, &target, &RestoreOptions::default())?;
    assert_eq!(fs::read_to_string(target.join("notes"))?, "first");

    let report = verify(&repository, &VerifyOptions::default())?;
    println!("sound: {}", report.is_sound());
    Ok(())
}
