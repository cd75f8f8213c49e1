//! An ordinary user makes what he can, and gets it back; what he has closed to himself is told.
//!
//! Root runs these tests again as such a user.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::Command,
};

use lbak_testkit::awkward::AwkwardOptions;

use crate::ground::{Ground, compared, is_root, repository, restored, take, told};

/// `nobody`.
const ORDINARY: u32 = 65_534;

/// Runs one test of this binary as an ordinary user, with this folder for its temporary files, after `prepare`.
pub(crate) fn run_again(test: &str, folder: &Path, prepare: impl FnOnce()) {
    prepare();
    chown(folder, Some(ORDINARY), Some(ORDINARY)).expect("root gives files away");
    // Where the binary lies others may have no way to; and what lies in memory may not be run.
    let disk = Ground::on_disk();
    let (home, program) = (disk.folder(), disk.path("test"));
    fs::copy(std::env::current_exe().expect("a path"), &program).expect("a copy");
    for path in [home, &program] {
        chown(path, Some(ORDINARY), Some(ORDINARY)).expect("root gives files away");
    }
    let mut command = Command::new(&program);
    command.args(["--exact", test, "--nocapture"]).uid(ORDINARY).gid(ORDINARY);
    let output = command.env("TMPDIR", folder).current_dir(home).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    eprintln!("{said}");
    assert!(output.status.success() && said.contains("test result: ok. 1 passed"), "as an ordinary user");
}

#[test]
fn an_ordinary_user_gets_back_what_he_made() {
    if is_root() {
        let test = "ordinary::an_ordinary_user_gets_back_what_he_made";
        run_again(test, Ground::on_disk().folder(), || {});
        if let Some(ground) = Ground::in_memory() {
            run_again(test, ground.folder(), || {});
        }
        return;
    }
    let ground = Ground::on_disk();
    ground.make(&AwkwardOptions { levels: 1000, ..AwkwardOptions::default() });
    let repository = repository();
    let (report, manifest) = take(&repository, &ground.tree());
    let back = restored(&repository, &manifest, &ground.path("back"));

    let denied = |path: &String| format!("unreadable {path}: Permission denied (os error 13)");
    let sockets = SOCKETS.map(|path| format!("skipped {path}: sockets are not backed up"));
    let unread = unreadable_files().chain(closed_directories());
    assert_eq!(
        told(&report.findings, &ground.tree()),
        unread.collect::<Vec<_>>().iter().map(denied).chain(sockets).collect()
    );
    assert!(!report.is_complete);
    assert_eq!(told(&back.findings, &ground.tree()), BTreeSet::new());
    assert_eq!((back.totals, back.bytes), (report.totals, report.sizes.logical));

    let missing = unreadable_files().chain(SOCKETS.map(str::to_owned));
    let missing = missing.map(|path| format!("{path}: missing on the right"));
    // They are there, and nobody but root can look into either.
    let closed =
        closed_directories().map(|path| format!("{path}: can not be compared: Permission denied (os error 13)"));
    assert_eq!(compared(&ground.tree(), &ground.path("back")), missing.chain(closed).collect());
}

const SOCKETS: [&str; 2] = ["/sockets/only a socket/socket", "/sockets/socket"];

/// Files that their owner may not read, and one in a directory that he may list and not enter.
fn unreadable_files() -> impl Iterator<Item = String> {
    let modes = ["0000", "0044", "0077", "0100", "0200", "0300", "0377"];
    let files = modes.map(|mode| format!("/modes-unreadable/{mode}"));
    files.into_iter().chain(["/directories-closed/0444/file".to_owned()])
}

fn closed_directories() -> impl Iterator<Item = String> {
    ["0000", "0111", "0300", "empty"].into_iter().map(|name| format!("/directories-closed/{name}"))
}
