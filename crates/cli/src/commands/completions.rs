//! `lbak completions` and `lbak man`: what shells and `man` read, made from the arguments themselves.

use std::{fs, io::Write, os::unix::ffi::OsStrExt};

use anyhow::Context;
use clap_complete::env::Shells;
use clap_mangen::Man;
use serde_json::json;

use crate::{
    arguments::{CompletionsArguments, ManArguments},
    command_line, completing,
    exit::{Exit, Trouble},
    invocation::Invocation,
    json,
};

pub(crate) fn completions(arguments: &CompletionsArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    refuse_json(invocation, "a script is printed as it is, not as JSON")?;
    let shells = Shells::builtins();
    let shell = shells.completer(arguments.shell.name()).context("this shell is not known")?;
    let mut script = Vec::new();
    shell.write_registration(completing::VARIABLE, "lbak", "lbak", "lbak", &mut script)?;
    let script = String::from_utf8(script).context("a script is text")?;
    invocation.output.raw(completing::adapted(arguments.shell.name(), script).as_bytes())?;
    Ok(Exit::Done)
}

pub(crate) fn man(arguments: &ManArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let command = command_line::command().disable_help_subcommand(true);
    let Some(folder) = &arguments.directory else {
        refuse_json(invocation, "a manual page is printed as it is, not as JSON")?;
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        invocation.output.raw(&page)?;
        return Ok(Exit::Done);
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut pages = 0;
    write_pages(command, &mut |name, page| {
        let path = folder.join(name);
        let written = fs::File::create(&path).and_then(|mut file| file.write_all(page));
        pages += 1;
        written.with_context(|| format!("cannot write {}", path.display()))
    })?;
    let output = invocation.output;
    if output.is_json() {
        let directory = json::path(folder.as_os_str().as_bytes());
        output.json(&json!({ "message_type": "manual_pages", "directory": directory, "pages": pages }))?;
    } else {
        output.report(&format!("wrote {pages} manual pages to {}", folder.display()))?;
    }
    Ok(Exit::Done)
}

fn refuse_json(invocation: &Invocation<'_>, why: &str) -> anyhow::Result<()> {
    if invocation.output.is_json() { Err(Trouble::usage(why).into()) } else { Ok(()) }
}

/// A page for a command and for each below it: `lbak.1`, `lbak-key.1`, `lbak-key-add.1`.
fn write_pages(
    mut command: clap::Command,
    write: &mut dyn FnMut(String, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    command.build();
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().filter(|below| !below.is_hide_set()).cloned());
        let man = Man::new(command);
        let mut page = Vec::new();
        man.render(&mut page)?;
        write(man.get_filename(), &page)?;
    }
    Ok(())
}
