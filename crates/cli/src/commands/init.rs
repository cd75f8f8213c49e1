//! `lbak init`: makes a repository with a slot for each key that was given.

use anyhow::Context;

use crate::{
    arguments::InitArguments,
    exit::{Exit, Trouble},
    invocation::Invocation,
    json,
    opening::{self, Place},
    secrets::{self, NewKeyFile, Offered},
};

pub(crate) fn run(arguments: &InitArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let Place::Named(folder) = Place::meant(invocation)? else {
        let trouble = Trouble::usage("where should the repository be?");
        return Err(trouble.hint("give -r PLACE or set LBAK_REPOSITORY").into());
    };
    opening::refuse_used(&folder)?;
    let offered = Offered::by_options(invocation.global).and(Offered::by_variables(&invocation.environment));
    let label = arguments.label.as_deref();
    let mut slots = Vec::new();
    if let Some(password) = &offered.password {
        slots.push(opening::slot(password.read()?, label));
    }
    if offered.is_empty() {
        slots.push(opening::slot(secrets::ask_for_new()?, label));
    }
    let slot_count = slots.len() + usize::from(offered.key_file.is_some());
    let key = offered.key_file.as_deref().map(NewKeyFile::read_or_make).transpose()?;
    let is_new_key = key.as_ref().is_some_and(NewKeyFile::is_new);
    invocation.signals.listen().context("cannot listen for signals")?;
    let opened = match key {
        Some(key) => opening::make_with_key(&folder, key, slots, label)?,
        None => opening::make(&folder, &slots, None)?,
    };

    let output = invocation.output;
    let (id, place) = (opened.repository.id(), folder.display().to_string());
    if output.is_json() {
        let id = id.to_string();
        output.json(&json::Initialized { message_type: "initialized", id, repository: &place, slots: slot_count })?;
        return Ok(Exit::Done);
    }
    output.report(&format!("made repository {} at {place}", id.short()))?;
    if let Some(file) = offered.key_file.as_ref().filter(|_| is_new_key) {
        let file = file.display();
        output
            .report(&format!("its new key is {file}: keep a copy elsewhere, without a key nothing can be restored"))?;
    }
    Ok(Exit::Done)
}
