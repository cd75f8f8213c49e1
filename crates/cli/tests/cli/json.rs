//! JSON: every line of every command parses and says what it is.

use crate::home::Home;

#[test]
fn every_command_prints_typed_json_lines_and_nothing_else() {
    let home = Home::with_repository();
    let id = home.snapshot();
    let expectations: [(&[&str], &[&str]); 11] = [
        (&["init", "-r", "second"], &["initialized"]),
        (&["snapshot", "data"], &["summary"]),
        (&["snapshot", "data", "--dry-run"], &["summary"]),
        (&["snapshots"], &["snapshot"]),
        (&["ls", &id], &["snapshot", "node"]),
        (&["restore", &id, "out"], &["snapshot", "summary"]),
        (&["verify", "--read-data"], &["summary"]),
        (&["verify", "--no-key"], &["summary"]),
        (&["stats"], &["folder", "stats"]),
        (&["key", "list"], &["key"]),
        (&["key", "add", "--new-key-file", "new"], &["key_added"]),
    ];
    for (arguments, types) in expectations {
        let run = home.run(arguments.iter().copied().chain(["--json"])).expect_code(0);
        let messages = run.messages();
        for message_type in types {
            run.message(message_type);
        }
        assert!(messages.iter().all(|message| message["message_type"].is_string()), "{arguments:?}: {run:?}");
        let notes = run.stderr.lines().map(serde_json::from_str::<serde_json::Value>);
        assert!(notes.into_iter().all(|note| note.is_ok()), "{arguments:?}: {run:?}");
    }
}

#[test]
fn a_summary_has_the_names_that_wrappers_know() {
    let home = Home::with_repository();
    let full = home.run(["snapshot", "data", "--json"]).expect_code(0).message("summary");
    assert_eq!(full["lineage_asked"], "incremental");
    assert_eq!(full["lineage"], "full");
    assert_eq!(full["files_new"], 2);
    assert_eq!(full["total_files_processed"], 2);
    assert_eq!(full["total_bytes_processed"], 29);
    assert_eq!(full["data_added"], 29);
    assert_eq!(full["complete"], true);
    assert!(full["data_added_packed"].as_u64().is_some_and(|bytes| bytes > 0));

    let second = home.run(["snapshot", "data", "--json"]).expect_code(0).message("summary");
    assert_eq!(second["lineage"], "incremental");
    assert_eq!(second["compared_with"], full["snapshot_id"]);
    assert_eq!(second["data_added"], 0);

    let dry = home.run(["snapshot", "data", "--json", "--dry-run"]).expect_code(0).message("summary");
    assert_eq!(dry["dry_run"], true);
    assert!(dry.get("snapshot_id").is_none());
    assert_eq!(home.run(["snapshots", "--json"]).messages().len(), 2, "a dry run commits nothing");
}

#[test]
fn an_error_is_one_line_on_standard_error() {
    let home = Home::with_repository();
    let run = home.run(["restore", "latest", "out", "--json"]).expect_code(22);
    assert_eq!(run.stdout, "");
    let error: serde_json::Value = serde_json::from_str(run.stderr.trim_end()).expect("one JSON line");
    assert_eq!(error["message_type"], "exit_error");
    assert_eq!(error["code"], 22);
    assert_eq!(error["message"], "no snapshot matches latest");
    assert!(error["hint"].is_string());
}

#[test]
fn strange_names_are_escaped_and_told_apart() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::with_repository();
    for name in [&b"bad\xff"[..], b"back\\slash", b"new\nline"] {
        std::fs::write(home.path("data").join(std::ffi::OsStr::from_bytes(name)), "x").expect("a file");
    }
    home.snapshot();
    let run = home.run(["ls", "latest", "--json"]).expect_code(0);
    let messages = run.messages();
    let names: Vec<&str> = messages.iter().filter_map(|message| message["name"].as_str()).collect();
    assert_eq!(names, ["a", "back\\\\slash", "bad\\xff", "new\\x0aline", "sub"]);
}

#[test]
fn what_is_no_json_is_refused_with_it() {
    let home = Home::empty();
    home.run(["man", "--json"]).expect_code(2).expect_stderr("exit_error");
    home.run(["completions", "bash", "--json"]).expect_code(2).expect_stderr("exit_error");
    let written = home.run(["man", "pages", "--json"]).expect_code(0).message("manual_pages");
    assert!(written["pages"].as_u64() > Some(10) && written["directory"] == "pages", "{written}");
}
