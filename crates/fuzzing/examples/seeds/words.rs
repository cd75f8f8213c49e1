//! What people write: times, command lines, patterns, paths; and the encoding below all records.

use lbak_core::wire;

use crate::{
    records::{encoded, manifest},
    seed,
};

/// Writes them.
pub(crate) fn seeds() {
    times();
    arguments();
    patterns();
    paths();
    wires();
}

fn times() {
    let now = 1_795_348_800_i64.to_le_bytes();
    for (name, zone, text) in [
        ("rfc3339", 0, "2026-11-22T10:00:00.25+01:00"),
        ("date", 1, "2026-11-22"),
        ("minutes", 1, "2026-03-29 02:30"),
        ("ago", 2, "1 day 6h 5m ago"),
        ("months-ago", 2, "3 months 2 weeks ago"),
        ("seconds", 3, "@-9223372036854775808"),
        ("yesterday", 4, "yesterday 18:00:30"),
        ("today", 5, "today 00:00"),
        ("duration", 0, "1h 30m"),
        ("iso", 0, "P1Y2M3DT4H5M6.789S"),
        ("size", 0, "16777215.125TiB"),
    ] {
        seed("time", name, &[&[zone], &now, text.as_bytes()]);
    }
}

fn arguments() {
    let line = |words: &str| words.replace(' ', "\0");
    for (name, words) in [
        ("snapshot", "snapshot a --tag x --lineage full --exclude *.tmp --host h -v --threads 2"),
        ("restore", "restore latest~2:/a/b t --at 2h --in-place --overwrite always --delete --dry-run"),
        ("stream", "snapshot --from-command --timeout 10m --min-bytes 1.5G -- pg_dump -Fc"),
        ("verify", "verify --read-data=3/7 --max-age 30d --max-time 20m --max-bytes 200G --json"),
        ("find", "find --larger 10M --newer yesterday -i *.PT"),
        ("key", "key add --new-password-file f --label l -r /srv/r"),
        ("habit", "backup /srv --skip-if-unchanged"),
        ("foreign", "forget --keep-daily 7 --prune"),
        ("help", "help repair packs"),
        ("version", "--version"),
    ] {
        seed("arguments", name, &[&[0], line(words).as_bytes()]);
    }
    seed("arguments", "option-with-value", &[&[0], b"restore\0--owner=\xff:\x1b[2J\0a\0b"]);
    seed("arguments", "variables", &[&[1], b"LBAK_REPOSITORY\0/srv/r\0LBAK_KEY_FILE\0k\0HOME\0/root"]);
    seed("arguments", "two-passwords", &[&[1], b"LBAK_PASSWORD\0a\0LBAK_PASSWORD_FILE\0b"]);
    seed("arguments", "misspelt", &[&[1], b"LBAK_PASWORD_FILE\0b\0A\0"]);
    let mut odd = manifest();
    odd.description = "two\nlines, \u{1b}[2J, \u{202e}back, \u{61c} and \u{9b}1m".into();
    seed("arguments", "json", &[&[2], &encoded(odd.encode())]);
}

fn paths() {
    for (name, path) in [
        ("plain", &b"/srv//models/./small.bin"[..]),
        ("up", b"a/../b"),
        ("strange", b"a\x1b[2J\\x41\xff/\xe2\x80\xae\n"),
        ("object", b"snapshots/03030303030303030303030303030303"),
        ("round", b"fin/12"),
    ] {
        seed("path", name, &[path]);
    }
}

fn wires() {
    let words = || vec!["one".to_owned(), String::new(), "three".to_owned()];
    let mixed = (7_u16, Some(-9_i64), vec![Ok::<_, [u8; 3]>("so".to_owned()), Err([1, 2, 3])], true, 'g');
    seed("wire", "text", &[&[0, 1], &encoded(wire::encode("a seed", 1, &"text"))]);
    seed("wire", "lying", &[&[0, 1, 1], &u64::MAX.to_le_bytes(), b"short"]);
    seed("wire", "words", &[&[1, 1], &encoded(wire::encode("a seed", 1, &words()))]);
    seed("wire", "nested", &[&[2, 1], &encoded(wire::encode("a seed", 1, &vec![vec![vec![1_u8, 2]], vec![]]))]);
    seed("wire", "mixed", &[&[3, 1], &encoded(wire::encode("a seed", 1, &mixed))]);
    seed("wire", "newer", &[&[3, 1], &encoded(wire::encode("a seed", 2, &mixed))]);
}

fn patterns() {
    for (name, how, file, path) in [
        ("stars", 0, &b"a/**/b\n*.tmp\n!keep.tmp\n**/x*y/\n/srv/*"[..], &b"a/x/y/b"[..]),
        ("brackets", 2, b"[!0-9]*\n[[:alpha:]-z]\n[]a]\n[a\n\\[b]", b"[b]/a"),
        ("any-case", 1, b"# comment\r\nCAF\xc3\x89*\r\nA/b/\r\n\\#x \\ ", b"caf\xc3\xa9/\xff"),
    ] {
        seed("patterns", name, &[&[how], file, &[0], path]);
    }
}
