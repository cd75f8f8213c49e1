//! Whoever takes a stream: writers that refuse it, commands that get all of it or are killed.

use std::{
    fs,
    io::{self, Write},
    process::Command,
};

use lbak_core::{error::Error, observe::Cancellation};
use lbak_restore::{DumpOptions, dump, dump_to_command};
use lbak_testkit::objects::noise;

use crate::{
    dump::{damage_middle, of},
    support::{folders, shared, take},
};

#[test]
fn who_refuses_a_stream_ends_it() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("large"), noise(3, 9_000_000)).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let options = DumpOptions { window_bytes: 1 << 20, ..of("large") };
    let error = dump(&repository, &manifest, &options, &mut Full(5_000_000)).expect_err("it is full");
    let Error::Target { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), io::ErrorKind::StorageFull);

    let cancellation = Cancellation::default();
    cancellation.cancel();
    let options = DumpOptions { cancellation, ..of("large") };
    let error = dump(&repository, &manifest, &options, &mut io::sink()).expect_err("it is cancelled");
    assert!(matches!(error, Error::Cancelled), "{error}");
}

#[test]
fn a_command_gets_everything_or_is_killed_before_its_input_ends() {
    let (backend, repository) = shared();
    let folders = folders();
    let content = noise(7, 12_000_000);
    fs::write(folders.source.join("large"), &content).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let (out, finished) = (folders.folder.path().join("out"), folders.folder.path().join("finished"));
    let mut command = Command::new("sh");
    command.args(["-c", "cat > out; echo done > finished"]).current_dir(folders.folder.path());
    let report = dump_to_command(&repository, &manifest, &of("large"), &mut command).expect("dump");
    assert_eq!(report.bytes, content.len() as u64);
    assert!(finished.exists() && fs::read(&out).expect("read") == content);

    fs::remove_file(&finished).expect("it is there");
    damage_middle(&backend, &repository, &manifest);
    let error = dump_to_command(&repository, &manifest, &of("large"), &mut command).expect_err("it is damaged");
    assert!(error.is_damage(), "{error}");
    assert!(!finished.exists());
    let written = fs::read(&out).expect("read");
    assert!(written.len() < content.len() && content.starts_with(&written));
}
