//! A dry run tells what the restore then does: the same actions on the same names, and the same trouble.

use std::{
    fs,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    path::Path,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use lbak_core::{
    observe::{Action, Event, FindingKind, Observer},
    patterns::Patterns,
};
use lbak_restore::{Delete, InPlace, Overwrite, RestoreOptions, RestoreReport, restore};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    in_place::with_delete,
    support::{Folders, folders, found, quick, restored, shared, take},
};

/// Keeps what is told of entries.
#[derive(Default)]
pub(crate) struct Listener(Mutex<Vec<(Action, String)>>);

impl Listener {
    /// What was told since the last time, in the order in which it was told.
    pub(crate) fn take(&self) -> Vec<(Action, String)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Listener {
    fn event(&self, event: &Event<'_>) {
        if let Event::Restored { action, path, .. } = event {
            let path = String::from_utf8_lossy(path).into_owned();
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((*action, path));
        }
    }

    fn wants_paths(&self) -> bool {
        true
    }
}

/// Something that is done to a tree; what can not be done is not.
#[derive(Clone, Debug)]
enum Step {
    Directory(String),
    File(String, u8),
    Link(String, String),
    Symlink(String, u8),
    Fifo(String),
    Remove(String),
    Age(String),
}

/// Few names, so that everything stands in the way of everything.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let path = || vec(select(&["a", "b", "c"][..]), 1..4).prop_map(|names| names.join("/"));
    let step = prop_oneof![
        3 => path().prop_map(Step::Directory),
        4 => (path(), 0..3u8).prop_map(|(path, content)| Step::File(path, content)),
        3 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
        1 => (path(), 0..2u8).prop_map(|(path, content)| Step::Symlink(path, content)),
        1 => path().prop_map(Step::Fifo),
        2 => path().prop_map(Step::Remove),
        1 => path().prop_map(Step::Age),
    ];
    vec(step, 0..25)
}

fn take_steps(folder: &Path, steps: &[Step]) {
    for step in steps {
        // Who opens a FIFO waits for somebody at its other end.
        if let Step::File(path, _) | Step::Age(path) = step
            && fs::metadata(folder.join(path)).is_ok_and(|found| found.file_type().is_fifo())
        {
            continue;
        }
        // Most do not fit; those that do are enough.
        let _ = match step {
            Step::Directory(path) => fs::create_dir_all(folder.join(path)),
            Step::File(path, content) => fs::write(folder.join(path), vec![*content; 3 + usize::from(*content)]),
            Step::Link(from, to) => fs::hard_link(folder.join(from), folder.join(to)),
            Step::Symlink(path, content) => symlink(format!("to {content}"), folder.join(path)),
            Step::Fifo(path) => {
                let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
                let kind = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, folder.join(path), kind, mode, 0).map_err(Into::into)
            }
            Step::Remove(path) => fs::remove_file(folder.join(path)).or_else(|_| fs::remove_dir_all(folder.join(path))),
            Step::Age(path) => fs::File::open(folder.join(path))
                .and_then(|file| file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1))),
        };
    }
}

/// What was told of the entries, and what went wrong with which, in an order of its own.
fn told(listener: &Listener, report: &RestoreReport) -> (Vec<String>, Vec<String>) {
    let mut actions: Vec<String> = listener.take().iter().map(|(action, path)| format!("{action:?} {path}")).collect();
    let finding = |finding: &lbak_core::observe::Finding| {
        format!("{:?} {} {}", finding.kind, String::from_utf8_lossy(&finding.path), finding.message)
    };
    let mut findings: Vec<String> = report.findings.iter().map(finding).collect();
    actions.sort();
    findings.sort();
    (actions, findings)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_dry_run_tells_what_a_restore_then_does(
        of_source in steps(),
        of_target in steps(),
        is_copied in any::<bool>(),
        overwrite in select(&[Overwrite::Always, Overwrite::IfChanged, Overwrite::IfNewer, Overwrite::Never][..]),
        delete in select(&[Delete::Nothing, Delete::Extra][..]),
        exclude in select(&["", "b", "/a/b", "c/"][..]),
        include in select(&["", "", "a", "b/c", "b/**/a"][..]),
        window_bytes in select(&[1, 64 << 20][..]),
    ) {
        let (_, repository) = shared();
        let folders = folders();
        take_steps(&folders.source, &of_source);
        let manifest = take(&repository, std::slice::from_ref(&folders.source));
        fs::create_dir(&folders.target).expect("target");
        if is_copied {
            restored(&repository, &manifest, &folders.target);
        }
        take_steps(&folders.target, &of_target);

        let listener = Arc::new(Listener::default());
        let of = |pattern: &'static str| -> Vec<&str> { (!pattern.is_empty()).then_some(pattern).into_iter().collect() };
        let options = RestoreOptions {
            in_place: Some(InPlace { overwrite, delete }),
            patterns: Patterns::new(&of(exclude), &of(include)).expect("patterns"),
            observer: listener.clone(),
            window_bytes,
            ..quick()
        };
        let dry = RestoreOptions { dry_run: true, ..options.clone() };
        let shown = restore(&repository, &manifest, &folders.target, &dry).expect("dry run");
        let shown_told = told(&listener, &shown);
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        prop_assert_eq!(shown_told, told(&listener, &report));
        prop_assert_eq!(shown.actions, report.actions);
        prop_assert_eq!(shown.totals, report.totals);
        let actions = report.actions;
        let totals = report.totals;
        let counted = totals.files + totals.directories + totals.links + totals.others;
        prop_assert_eq!(actions.created + actions.updated + actions.kept, counted, "each entry counts once");

        // Nothing is left to do, but for what was in the way and has to stay.
        if report.findings.is_empty() && overwrite == Overwrite::Always {
            let again = restore(&repository, &manifest, &folders.target, &options).expect("again");
            prop_assert_eq!((again.actions.created, again.actions.updated, again.actions.deleted), (0, 0, 0));
        }
    }
}

/// The other name of a file is gone when the file is looked at, but for in a dry run.
#[test]
fn a_file_that_loses_its_other_name_under_way_is_told_of_as_in_the_dry_run() {
    let (_, repository) = shared();
    let folders = folders();
    take_steps(&folders.source, &[Step::Directory("a".into()), Step::File("b".into(), 0)]);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::create_dir(&folders.target).expect("target");
    restored(&repository, &manifest, &folders.target);
    take_steps(&folders.target, &[Step::Remove("a".into()), Step::Link("b".into(), "a".into())]);
    let listener = Arc::new(Listener::default());
    let in_place = Some(InPlace { overwrite: Overwrite::Always, delete: Delete::Nothing });
    let options = RestoreOptions { in_place, observer: listener.clone(), ..quick() };
    let dry = RestoreOptions { dry_run: true, ..options.clone() };
    let shown = restore(&repository, &manifest, &folders.target, &dry).expect("dry run");
    let shown = told(&listener, &shown);
    let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert_eq!(shown, told(&listener, &report));
    assert!(folders.target.join("a").is_dir());
    assert_eq!(lbak_testkit::trees::compare(&folders.source, &folders.target), Vec::<String>::new());
}

fn fill_closed(folders: &Folders) {
    fs::create_dir_all(folders.source.join("closed")).expect("directory");
    fs::write(folders.source.join("closed/a"), "of the snapshot").expect("write");
}

/// Set for the process that a test starts as an ordinary user.
const AS_ORDINARY_USER: &str = "LBAK_TEST_AS_ORDINARY_USER";

/// Runs the test of that name as somebody who is not root. `false` for root, who has had it done.
fn is_ordinary_user(test: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        return true;
    }
    assert!(std::env::var_os(AS_ORDINARY_USER).is_none(), "it was not started as an ordinary user");
    let folder = tempfile::tempdir().expect("folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("mode");
    // Where the program lies others may not look: a copy of it does as well.
    let program = folder.path().join("test");
    fs::copy(std::env::current_exe().expect("this program"), &program).expect("copy");
    let output = Command::new(program)
        .args(["--exact", test])
        .current_dir("/")
        .env(AS_ORDINARY_USER, "1")
        .env("TMPDIR", folder.path())
        .uid(65534)
        .gid(65534)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// Directories that their owner had closed were trouble for a dry run, and none for the restore, which opens them.
#[test]
fn closed_directories_are_no_trouble_for_a_dry_run_of_their_owner() {
    if !is_ordinary_user("dry_runs::closed_directories_are_no_trouble_for_a_dry_run_of_their_owner") {
        return;
    }
    let (_, repository) = shared();
    let folders = folders();
    fill_closed(&folders);
    fs::write(folders.source.join("file"), "of the snapshot").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    restored(&repository, &manifest, &folders.target);
    fs::remove_file(folders.target.join("file")).expect("remove");
    let closed = ["closed", "extra", "file"].map(|name| folders.target.join(name));
    for path in &closed {
        fs::create_dir_all(path).expect("directory");
        fs::write(path.join("mine"), "mine").expect("write");
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("mode");
    }
    let listener = Arc::new(Listener::default());
    let options = RestoreOptions { observer: listener.clone(), ..with_delete(Overwrite::IfChanged) };
    let dry = RestoreOptions { dry_run: true, ..options.clone() };
    let shown = restore(&repository, &manifest, &folders.target, &dry).expect("dry run");
    let told = listener.take();
    assert_eq!(found(&shown, FindingKind::Unwritable), [].into(), "{:?}", shown.findings);
    let path = |name: &str| folders.source.join(name).to_str().expect("text").to_owned();
    assert_eq!(
        found(&shown, FindingKind::Skipped),
        [path("closed"), path("extra"), path("file")].into(),
        "what it could not look into"
    );
    for expected in
        [(Action::Updated, path("closed")), (Action::Deleted, path("extra")), (Action::Updated, path("file"))]
    {
        assert!(told.contains(&expected), "{expected:?}: {told:?}");
    }
    assert!(closed.iter().all(|path| fs::metadata(path).expect("it stays").permissions().mode() & 0o777 == 0));

    let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert_eq!(report.findings, []);
    assert_eq!(lbak_testkit::trees::compare(&folders.source, &folders.target), Vec::<String>::new());
}
