//! The commands, one file each.

mod assign;
mod compare;
mod datasets;
mod explain;
mod history;
mod import;
mod judge;
mod recipes;
mod sql;
mod train;

use meed::Result;

use crate::arguments::{Arguments, Command};

/// Runs the command of the command line.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Import(own) => import::run(arguments, own),
        Command::Assign(own) => assign::run(arguments, own),
        Command::Judge(own) => judge::run(arguments, own),
        Command::Recipes(own) => recipes::run(own),
        Command::Explain(own) => explain::run(arguments, own),
        Command::Compare(own) => compare::run(arguments, own),
        Command::Train(own) => train::run(arguments, own),
        Command::Sql(own) => sql::run(arguments, own),
        Command::Datasets { json } => datasets::run(arguments, *json),
        Command::History { dataset, json } => history::run(arguments, dataset, *json),
    }
}

/// The command as it was given, for lineage, with quotes where a shell needs them.
fn command_line() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    let quoted = std::env::args().skip(1).map(|part| match !part.is_empty() && part.chars().all(plain) {
        true => part,
        false => format!("'{}'", part.replace('\'', r"'\''")),
    });
    let parts: Vec<String> = std::iter::once("meed".to_owned()).chain(quoted).collect();
    parts.join(" ")
}
