//! Large files and files with holes, changed where they are.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use lbak_core::{backend::ObjectName, observe::FindingKind};
use lbak_restore::{Overwrite, RestoreOptions, restore};
use lbak_testkit::{not_run, objects::noise};

use crate::{
    in_place::{again, copy_of, differences, in_place},
    support::{blocks_of_files, damage_block, folders, found, shared, take},
};

#[test]
fn holes_come_back_where_there_was_something() {
    let (_, repository) = shared();
    let folders = folders();
    let sparse = folders.source.join("sparse");
    let mut file = File::create(&sparse).expect("create");
    file.write_all(&noise(1, 100_000)).expect("write");
    file.seek(SeekFrom::Start(20 << 20)).expect("seek");
    file.write_all(&noise(2, 100_000)).expect("write");
    file.set_len(40 << 20).expect("grow");
    drop(file);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let blocks = |path: &Path| fs::metadata(path).expect("metadata").blocks() * 512;
    if blocks(&sparse) > 2 << 20 {
        return not_run("the temporary directory has no holes");
    }
    for filling in [0u8, 7] {
        fs::create_dir(&folders.target).expect("target");
        let target = folders.target.join("sparse");
        fs::write(&target, vec![filling; 41 << 20]).expect("write");
        let report = again(&repository, &manifest, &folders, Overwrite::IfChanged);
        assert_eq!(report.findings, []);
        assert_eq!(differences(&folders), Vec::<String>::new());
        assert!(blocks(&target) < 2 << 20, "{filling}: {}", blocks(&target));
        fs::remove_dir_all(&folders.target).expect("remove");
    }
    // Of the right size, with zeros where holes should be: they read the same, and the file is left alone.
    copy_of(&folders);
    let target = folders.target.join("sparse");
    let mut whole = Vec::new();
    File::open(&target).expect("open").read_to_end(&mut whole).expect("read");
    fs::write(&target, &whole).expect("write");
    let number = fs::metadata(&target).expect("metadata").ino();
    let report = again(&repository, &manifest, &folders, Overwrite::IfChanged);
    assert_eq!((report.written_bytes, report.findings), (0, vec![]));
    assert!(blocks(&target) > 39 << 20, "{}", blocks(&target));
    assert_eq!(fs::metadata(&target).expect("metadata").ino(), number);
    assert!(differences(&folders).iter().all(|line| line.contains("hole is")), "{:?}", differences(&folders));
}

#[test]
fn a_large_file_is_changed_where_it_is() {
    let (_, repository) = shared();
    let folders = folders();
    let mut content = noise(5, 70_000_000);
    fs::write(folders.source.join("large"), &content).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    for has_link in [false, true] {
        fs::create_dir(&folders.target).expect("target");
        let target = folders.target.join("large");
        content[33_000_000] ^= 1;
        fs::write(&target, &content).expect("write");
        content[33_000_000] ^= 1;
        let outside = folders.folder.path().join("outside");
        if has_link {
            fs::hard_link(&target, &outside).expect("link");
        }
        let report = again(&repository, &manifest, &folders, Overwrite::Always);
        assert_eq!(report.findings, []);
        assert!(report.written_bytes < 10_000_000, "{}", report.written_bytes);
        assert_eq!(differences(&folders), Vec::<String>::new());
        if has_link {
            assert_ne!(fs::read(&outside).expect("read"), content, "what another name leads to is not changed");
        }
        fs::remove_dir_all(&folders.target).expect("remove");
    }
}

/// A large file that was moved away to be changed, and of which something was lost then, could not be found again.
#[test]
fn of_a_large_file_that_lost_something_the_report_tells_where_it_is() {
    let folders = folders();
    let content = noise(5, 70_000_000);
    fs::write(folders.source.join("large"), &content).expect("write");
    let mut there = noise(6, 35_000_000);
    there.extend_from_slice(&content[35_000_000..]);
    for is_index_gone in [false, true] {
        let (backend, repository) = shared();
        let manifest = take(&repository, std::slice::from_ref(&folders.source));
        fs::create_dir(&folders.target).expect("target");
        let target = folders.target.join("large");
        fs::write(&target, &there).expect("write");
        let block = &blocks_of_files(&repository, &manifest)[0].1[0];
        if is_index_gone {
            backend.tamper(&ObjectName::Pack(block.pack.id).to_string(), None);
            let index: Vec<String> = backend.contents().into_keys().filter(|name| name.starts_with("index/")).collect();
            index.iter().for_each(|name| backend.tamper(name, None));
        } else {
            damage_block(&backend, block);
        }
        let report = again(&repository, &manifest, &folders, Overwrite::Always);
        assert_eq!(found(&report, FindingKind::Lost).len(), 1, "{:?}", report.findings);
        let finding = report.findings.iter().find(|finding| finding.kind == FindingKind::Lost).expect("counted");
        let left = fs::read_dir(&folders.target).expect("list").map(|entry| entry.expect("entry").file_name());
        let left: Vec<String> = left.map(|name| name.into_string().expect("text")).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        if is_index_gone || left[0] == "large" {
            assert!(fs::read(&target).expect("read") == there, "what is known to be lost costs nothing that is there");
        } else {
            let path = folders.source.join(&left[0]);
            assert!(finding.message.contains(&format!("lies at \"{}\"", path.display())), "{finding:?}");
        }
        fs::remove_dir_all(&folders.target).expect("remove");
    }
}

/// The names of a large file: a dry run said that the second one stays, for it leads to the file that is there now.
#[test]
fn a_dry_run_counts_every_name_of_a_large_file_that_changes() {
    let (_, repository) = shared();
    let folders = folders();
    let content = noise(5, 70_000_000);
    fs::write(folders.source.join("a"), &content).expect("write");
    fs::hard_link(folders.source.join("a"), folders.source.join("b")).expect("link");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    copy_of(&folders);
    let mut changed = content;
    changed[33_000_000] ^= 1;
    fs::write(folders.target.join("a"), &changed).expect("write");
    let dry = RestoreOptions { dry_run: true, ..in_place(Overwrite::Always) };
    let shown = restore(&repository, &manifest, &folders.target, &dry).expect("dry run");
    assert_eq!((shown.actions.updated, shown.actions.kept), (2, 1));
    let report = again(&repository, &manifest, &folders, Overwrite::Always);
    assert_eq!(report.actions, shown.actions);
    assert_eq!(differences(&folders), Vec::<String>::new());
}

/// Leftovers under a name that somebody else has found out were gone on with, and he could still write to them.
#[test]
fn what_others_can_write_to_is_not_gone_on_with() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("large"), noise(5, 70_000_000)).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    for prefix in [".lbak-restore-", ".lbak-update-"] {
        for (mode, owner, is_gone_on_with) in [(0o600, None, true), (0o622, None, false), (0o600, Some(65534), false)] {
            if owner.is_some() && !rustix::process::geteuid().is_root() {
                not_run("only root can make files of others");
                continue;
            }
            fs::create_dir(&folders.target).expect("target");
            let left = folders.target.join(format!("{prefix}{}", hash_of(&repository, b"large")));
            fs::copy(folders.source.join("large"), &left).expect("copy");
            std::os::unix::fs::chown(&left, owner, None).expect("chown");
            fs::set_permissions(&left, fs::Permissions::from_mode(mode)).expect("mode");
            let report = again(&repository, &manifest, &folders, Overwrite::IfChanged);
            assert_eq!(report.findings, []);
            assert_eq!(report.written_bytes == 0, is_gone_on_with, "{prefix} {mode:o} {owner:?}");
            let path = folders.target.join("large");
            assert!(fs::read(&path).expect("read") == fs::read(folders.source.join("large")).expect("read"));
            // What is not known to be a restore's own is nobody's to remove.
            assert_eq!(left.exists(), !is_gone_on_with && prefix == ".lbak-update-", "{prefix} {mode:o} {owner:?}");
            fs::remove_dir_all(&folders.target).expect("remove");
        }
    }
}

/// The digits of a temporary name.
fn hash_of(repository: &lbak_core::repository::Repository, name: &[u8]) -> String {
    let id = repository.codec().keys().chunk_id(lbak_core::id::ChunkKind::Data, name);
    id.0.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}
