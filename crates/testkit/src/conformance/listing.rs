//! Rules about lists.

use lbak_core::backend::{Backend, BackendErrorKind, Folder, ObjectName};

use super::{Outcome, done, ensure, fails, listed, session, session_in_group};
use crate::objects::{noise, pack, segment, trailed};

/// More than any store gives in one page (S3: 1,000).
const MANY: u64 = 1_050;

pub(super) fn an_empty_store_lists_nothing(backend: &dyn Backend) -> Outcome {
    let folders = Folder::ALL.iter().map(|folder| folder.prefix());
    for prefix in folders.chain(["", "config", "sessions/3f2a", "packs/00/", "packs/00/12"]) {
        let found = listed(backend, prefix)?;
        ensure!(found.is_empty(), "an empty store lists {found:?} under {prefix:?}");
    }
    Ok(())
}

pub(super) fn a_list_has_names_and_true_sizes(backend: &dyn Backend) -> Outcome {
    let mut expected = Vec::new();
    for (seed, size) in [1, 4096, 100_000].into_iter().enumerate() {
        let (name, object) = pack(noise(seed as u64, size));
        done("put", &name, backend.put(&name, &object))?;
        expected.push((name.to_string(), size as u64));
    }
    expected.sort();
    let found = listed(backend, "packs/")?;
    ensure!(found == expected, "the store lists {found:?} and holds {expected:?}");
    Ok(())
}

pub(super) fn a_list_follows_its_prefix(backend: &dyn Backend) -> Outcome {
    let mut names = vec![
        ObjectName::Config,
        ObjectName::Mark(0x10),
        ObjectName::Mark(0x11),
        ObjectName::Mark(0x1 << 60),
        session_in_group([0x3f, 0x2a], 1),
        session_in_group([0x3f, 0x2a], 2),
        session_in_group([0x3f, 0x2b], 3),
        session_in_group([0x3e, 0x2a], 4),
    ];
    for name in &names {
        done("put", name, backend.put(name, &trailed(name, b"")))?;
    }
    for seed in 0..20 {
        let (name, object) = pack(noise(seed, 32));
        done("put", &name, backend.put(&name, &object))?;
        names.push(name);
    }
    let (name, object) = segment(noise(1, 32));
    if let ObjectName::Segment(id) = name {
        let merged = ObjectName::MergedSegment(id);
        done("put", &merged, backend.put(&merged, &object))?;
        names.push(merged);
    }
    done("put", &name, backend.put(&name, &object))?;
    names.push(name);

    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut prefixes: Vec<&str> =
        vec!["", "config", "index/m-", "marks/000000000000001", "sessions/3f2a", "sessions/3f"];
    prefixes.extend(["sessions/3f2a0", "packs/0", "snapshots/3f2a", "nothing/"]);
    prefixes.extend(Folder::ALL.iter().map(|folder| folder.prefix()));
    // Shelves, and beginnings of names on them.
    let packs: Vec<_> = names.iter().filter_map(|name| name.starts_with("packs/").then_some(name.as_str())).collect();
    prefixes.extend(packs.iter().take(3).flat_map(|name| [&name[.."packs/ab/".len()], &name[.."packs/ab/abcd".len()]]));
    for prefix in prefixes {
        let mut expected: Vec<_> =
            names.iter().filter(|name| name.starts_with(prefix)).map(|n| (n.clone(), 32)).collect();
        expected.sort();
        let found = listed(backend, prefix)?;
        ensure!(found == expected, "under {prefix:?} the store lists {found:?} and holds {expected:?}");
    }
    Ok(())
}

pub(super) fn a_list_of_many_objects_is_complete(backend: &dyn Backend) -> Outcome {
    // By several threads, for the sake of stores that are far away.
    let put = |part: u64| -> Outcome {
        for number in (part..MANY).step_by(8) {
            let name = session(number);
            done("put", &name, backend.put(&name, &trailed(&name, &number.to_le_bytes())))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8).map(|part| scope.spawn(move || put(part))).collect();
        writers.into_iter().try_for_each(|writer| writer.join().unwrap_or_else(|_| Err("put panicked".into())))
    })?;
    let mut expected: Vec<_> = (0..MANY).map(|number| (session(number).to_string(), 40)).collect();
    expected.sort();
    let found = listed(backend, "sessions/")?;
    ensure!(found == expected, "of {MANY} objects the store lists {}, or others", found.len());
    Ok(())
}

pub(super) fn an_error_of_the_listener_ends_the_list(backend: &dyn Backend) -> Outcome {
    for number in 0..5 {
        let name = session(number);
        done("put", &name, backend.put(&name, &trailed(&name, b"")))?;
    }
    let mut calls = 0;
    let result = backend.list("sessions/", &mut |_, _| {
        calls += 1;
        if calls == 2 { Err(BackendErrorKind::Unreachable.into()) } else { Ok(()) }
    });
    fails("a list whose listener fails, of", "sessions/", result, BackendErrorKind::Unreachable)?;
    ensure!(calls == 2, "the listener was called {calls} times and had failed at the second");
    Ok(())
}
