//! Places of repositories: folders, and addresses that are none.

use crate::home::Home;

#[test]
fn an_address_of_a_store_does_not_become_a_folder() {
    let home = Home::empty();
    home.write("data/a", "a");
    for place in [
        "s3:bucket",
        "b2:x:y",
        "rclone:remote:x",
        "sftp:u@h:x",
        "rest:http://h/",
        "swift:c:/x",
        "azure:c:/x",
        "gs:b:/x",
        "user@host:path",
        "host:path",
        "ssh://u@h/x",
        "https://h/x",
        "s3://bucket/x",
        "file:///mnt/x",
    ] {
        let run = home.run(["init", "-r", place, "--key-file", "key"]).expect_code(2).expect_stderr("hint: ");
        assert!(place.starts_with("file") || run.stderr.contains("not supported yet"), "{run:?}");
        home.run(["snapshots", "-r", place, "--key-file", "key"]).expect_code(2);
        home.run(["snapshot", "data", "-r", place, "--key-file", "key"]).expect_code(2);
    }
    let left: Vec<_> =
        std::fs::read_dir(home.path("")).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["data"], "nothing is made");
    let home = home.with("LBAK_KEY_FILE", "key");
    let mut command = home.command(["snapshots"]);
    command.env("LBAK_REPOSITORY", "s3:bucket");
    crate::home::Run::of(&command.output().expect("the binary runs")).expect_code(2).expect_stderr("mount it");
}

#[test]
fn a_folder_may_have_any_name_when_it_is_written_as_one() {
    let home = Home::empty();
    home.run(["init", "-r", "./s3:x", "--key-file", "key"]).expect_code(0);
    home.run(["verify", "-r", "./s3:x", "--key-file", "key"]).expect_code(0);
    home.run(["verify", "-r", &home.text("s3:x"), "--key-file", "key"]).expect_code(0);
    home.run(["init", "-r", "local:plain", "--key-file", "key"]).expect_code(0);
    assert!(home.path("plain/config").is_file(), "restic's word for a folder");
}
