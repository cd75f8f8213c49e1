//! Where each of the selected things goes, as names below the target.

use std::collections::HashSet;

use lbak_core::{
    browse::{Findings, Selected, components},
    error::escape,
    observe::FindingKind,
    tree::Node,
};

use crate::options::Place;

/// Something that is to be restored, and where.
#[derive(Clone)]
pub(crate) struct Root {
    /// From the target down, its own name last; none when it is the target itself.
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) selected: Selected,
}

/// Everything that is to be restored.
#[derive(Clone)]
pub(crate) struct Roots {
    /// The path in the snapshot that the target stands for.
    pub(crate) shown: Vec<u8>,
    pub(crate) roots: Vec<Root>,
}

/// Places what was selected. With `is_single`, a directory's contents go into the target and a file goes under its name.
pub(crate) fn place(selected: Vec<Selected>, is_single: bool, place: Place, findings: &Findings) -> Roots {
    let mut shown = b"/".to_vec();
    let mut roots = Vec::with_capacity(selected.len());
    let paths: HashSet<Vec<u8>> = selected.iter().map(|selected| selected.path.clone()).collect();
    for selected in selected {
        // No source has such roots. The one above could be a link that this restore makes itself.
        if lies_below_another(&selected.path, &paths) {
            findings.note(FindingKind::Unwritable, selected.path, "it is a root below another root");
            continue;
        }
        let names = components(&selected.path).map(|names| names.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
        let Some(mut names) = names else {
            findings.note(FindingKind::Unwritable, selected.path, "its path can not be one");
            continue;
        };
        let is_directory = matches!(selected.entry.node, Node::Directory { .. });
        if place == Place::Contents && is_single {
            shown.clone_from(&selected.path);
            if is_directory {
                names.clear();
            } else {
                names.drain(..names.len().saturating_sub(1));
                shown.truncate(shown.len().saturating_sub(names.first().map_or(0, Vec::len) + 1));
                if shown.is_empty() {
                    shown.push(b'/');
                }
            }
        }
        if names.is_empty() && !is_directory {
            let message = format!("something that is no directory can not stand for \"{}\"", escape(&selected.path));
            findings.note(FindingKind::Unwritable, selected.path, message);
            continue;
        }
        roots.push(Root { names, selected });
    }
    Roots { shown, roots }
}

fn lies_below_another(path: &[u8], roots: &HashSet<Vec<u8>>) -> bool {
    let slashes = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
    let mut above = slashes.map(|(place, _)| if place == 0 { &b"/"[..] } else { &path[..place] });
    path != b"/" && above.any(|above| roots.contains(above))
}
