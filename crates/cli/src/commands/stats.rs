//! `lbak stats`: how much the repository holds, folder by folder.

use lbak::{Backend, Error, Folder, ObjectName};

use super::usage;
use crate::{
    arguments::StatsArguments,
    exit::Exit,
    invocation::Invocation,
    json, opening, selecting, sizes,
    tables::{Align, Table},
};

/// Objects of one folder.
#[derive(Clone, Copy, Default)]
struct Held {
    objects: u64,
    bytes: u64,
}

pub(crate) fn run(arguments: &StatsArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    if usage::is_meant(arguments) {
        return usage::run(arguments, invocation);
    }
    let opened = opening::open(invocation, None)?;
    let repository = &opened.repository.as_stored();
    let folders = count(&*opened.backend)?;
    let catalog = repository.catalog()?;
    let view = repository.view()?;
    let segments = view.index.segments();
    let stats = json::Stats {
        message_type: "stats",
        repository_id: repository.id().to_string(),
        snapshots: catalog.snapshots.len() as u64,
        snapshots_damaged: catalog.damaged.len() as u64,
        chunks: segments.iter().map(|segment| u64::from(segment.summary().records)).sum(),
        segments: segments.len() as u64,
        objects: folders.iter().map(|(_, held)| held.objects).sum(),
        stored_bytes: folders.iter().map(|(_, held)| held.bytes).sum(),
        logical_bytes: catalog
            .snapshots
            .iter()
            .map(|snapshot| snapshot.manifest.sizes.logical)
            .fold(0, u64::saturating_add),
    };

    let output = invocation.output;
    if output.is_json() {
        for (folder, Held { objects, bytes }) in folders {
            output.json(&json::FolderStats { message_type: "folder", folder, objects, bytes })?;
        }
        output.json(&stats)?;
    } else {
        let mut table = Table::new([("Objects", Align::Left), ("Count", Align::Right), ("Stored", Align::Right)]);
        for (folder, held) in folders.iter().filter(|(_, held)| held.objects > 0) {
            table.row([(*folder).to_owned(), sizes::count(held.objects), sizes::bytes(held.bytes)]);
        }
        table.row(["all".to_owned(), sizes::count(stats.objects), sizes::bytes(stats.stored_bytes)]);
        table.lines().try_for_each(|line| output.line(&line))?;
        output.line(&format!(
            "repository {}: {} of {} in all, {}",
            repository.id().short(),
            sizes::counted(stats.snapshots, "snapshot", "snapshots"),
            sizes::bytes(stats.logical_bytes),
            sizes::counted(stats.chunks, "chunk", "chunks"),
        ))?;
    }
    view.damage.iter().for_each(|damage| output.warn(&damage.to_string()));
    let is_damaged = !view.damage.is_empty() || !repository.damage().is_empty();
    Ok(Exit::damage_if(is_damaged).or_worse(selecting::tell_damage(output, &catalog)))
}

/// Counts objects without reading any.
fn count(backend: &dyn Backend) -> anyhow::Result<Vec<(&'static str, Held)>> {
    let places = std::iter::once("config").chain(Folder::ALL.into_iter().map(Folder::prefix));
    let mut counted = Vec::new();
    for place in places {
        let mut held = Held::default();
        let listed = backend.list(place, &mut |name, size| {
            // What stands under a name that the format does not know is not the repository's.
            if ObjectName::parse(name).is_some() {
                held.objects += 1;
                held.bytes += size;
            }
            Ok(())
        });
        listed.map_err(|error| Error::store("list", place, error))?;
        counted.push((place, held));
    }
    Ok(counted)
}
