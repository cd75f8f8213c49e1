//! Makes a tree with everything that is hard to keep, and says what of it could not be made here.
//!
//! ```text
//! cargo run -p lbak-testkit --example awkward_tree -- FOLDER [--crowd N] [--levels N]   make FOLDER/tree and FOLDER/outside
//! cargo run -p lbak-testkit --example awkward_tree -- --compare LEFT RIGHT              list the differences of two trees
//! cargo run -p lbak-testkit --example awkward_tree -- --remove FOLDER                   remove it, however deep it is
//! ```
//!
//! As root it makes more than an ordinary user can. FOLDER must not be there yet.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::{
    error::Error,
    ffi::{OsStr, OsString},
    path::Path,
    process::ExitCode,
};

#[cfg(target_os = "linux")]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    match arguments.as_slice() {
        [option, left, right] if *option == "--compare" => Ok(compare(Path::new(left), Path::new(right))),
        [option, folder] if *option == "--remove" => {
            lbak_testkit::awkward::remove_tree(Path::new(folder))?;
            Ok(ExitCode::SUCCESS)
        }
        [folder, options @ ..] if !folder.as_encoded_bytes().starts_with(b"--") => make(Path::new(folder), options),
        _ => Err("name the folder to make, or --compare LEFT RIGHT, or --remove FOLDER".into()),
    }
}

#[cfg(target_os = "linux")]
fn make(folder: &Path, arguments: &[&OsStr]) -> Result<ExitCode, Box<dyn Error>> {
    use lbak_testkit::awkward::{AwkwardOptions, Outcome};

    let mut options = AwkwardOptions::default();
    for pair in arguments.chunks(2) {
        let [option, number] = pair else { return Err("an option needs a number".into()) };
        let number = number.to_str().ok_or("not a number")?.parse()?;
        match option.to_str() {
            Some("--crowd") => options.crowd = number,
            Some("--levels") => options.levels = number,
            _ => return Err("the options are --crowd and --levels".into()),
        }
    }
    std::fs::create_dir(folder)?;
    let cases = lbak_testkit::awkward::make(folder, &options)?;
    let refused = cases.iter().filter(|case| case.outcome != Outcome::Made).count();
    for case in &cases {
        println!("{case}");
    }
    println!("{} cases made, {refused} not", cases.len() - refused);
    Ok(ExitCode::SUCCESS)
}

#[cfg(target_os = "linux")]
fn compare(left: &Path, right: &Path) -> ExitCode {
    let comparison = lbak_testkit::compare::compare_trees(left, right);
    for difference in &comparison.differences {
        println!("{difference}");
    }
    let [left, right] = comparison.allocated;
    let count = comparison.differences.len();
    println!("{count} differences in {} entries; {left} and {right} bytes allocated", comparison.entries);
    if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this tree can be made on Linux only");
}
