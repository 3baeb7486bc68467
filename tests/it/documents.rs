//! Documentation that is generated from the lists in the code must say what the code says.
//!
//! `MEED_REGENERATE=1 cargo test --test it documents` writes the files anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::Float32Type;
use meed_catalog::FUNCTIONS;
use meed_connectors::import::IMPORTERS;
use meed_operators::columns::{ColumnType, Table};
use meed_pipelines::presets::PRESETS;
use meed_pipelines::{JUDGES, find, recipes as all_recipes};

/// Compares a file of `docs` with what the code would write, or writes it where that is asked for.
fn generated(name: &str, wanted: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("MEED_REGENERATE").is_some() {
        std::fs::write(&path, wanted).expect("a writable file");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = wanted.lines().zip(found.lines()).find(|(wanted, found)| wanted != found);
    assert!(
        found == wanted,
        "docs/{name} is not what the code says; run MEED_REGENERATE=1 cargo test --test it documents. First difference: {differing:?}"
    );
}

/// Text inside a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The text with a capital letter at its begin.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn type_name(column_type: &ColumnType) -> String {
    match column_type {
        ColumnType::List(inner) => format!("List\\<{}\\>", type_name(inner)),
        plain => format!("{plain:?}"),
    }
}

#[test]
fn schema() {
    let mut text = String::from(
        "# Tables and their columns\n\n\
         Generated from the column definitions in `operators/src/columns/definitions.rs`.\n\n\
         One row of `rollouts` is one rollout. A list column `<level>_<name>` has one value per element of \
         that level; any further column that follows this rule is a signal that recipes use by name. Absent \
         is null: there are no fillers and no padding.\n",
    );
    for table in Table::ALL {
        writeln!(text, "\n## {}\n\n| column | type | null | meaning |\n|---|---|---|---|", table.name())
            .expect("text");
        for column in table.columns() {
            let null = if column.nullable { "may be" } else { "never" };
            let meaning = cell(column.meaning);
            writeln!(text, "| `{}` | {} | {null} | {meaning} |", column.name, type_name(&column.column_type))
                .expect("text");
        }
    }
    generated("schema.md", &text);
}

#[test]
fn recipes() {
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_meed"));
    let printed = { program }.args(["recipes", "--markdown"]).output().expect("the program runs");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let text = String::from_utf8(printed.stdout).expect("text");
    for recipe in all_recipes() {
        assert!(text.contains(&format!("\n### {}\n", recipe.name)), "{}", recipe.name);
    }
    generated("recipes.md", &text);
}

#[test]
fn objectives() {
    let mut text = String::from(
        "# Objectives\n\n\
         Generated from the list in `pipelines/src/objectives/mod.rs`. An objective is what update minimises, with its \
         gradient with respect to log-probabilities written out. `meed train --objective <name>` chooses one, \
         `--set objective.<parameter>=<value>` sets a parameter, and `--set objective.preset=<system>` the \
         conventions of a system. In formulas `r` is the importance ratio and `A` the advantage.\n\n\
         | objective | what it is | formula |\n|---|---|---|\n",
    );
    for objective in meed_pipelines::objectives::objectives() {
        let (title, formula) = (cell(objective.title), cell(objective.formula));
        writeln!(text, "| [`{0}`](#{0}) | {title} | `{formula}` |", objective.name).expect("text");
    }
    let mut meanings: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for objective in meed_pipelines::objectives::objectives() {
        writeln!(text, "\n## {}\n\n{}.\n", objective.name, sentence(objective.title)).expect("text");
        if !objective.citation.is_empty() {
            writeln!(text, "- Source: {}", objective.citation).expect("text");
        }
        if !objective.fidelity().is_empty() {
            writeln!(text, "- Against the reference: {}", objective.fidelity()).expect("text");
        }
        let declared = objective.declared();
        let defaults: Vec<String> =
            declared.iter().map(|parameter| format!("`{}={}`", parameter.name, parameter.default)).collect();
        writeln!(
            text,
            "- Parameters: {}",
            if defaults.is_empty() { "none".to_owned() } else { defaults.join(", ") }
        )
        .expect("text");
        for parameter in declared {
            meanings.entry((parameter.name, parameter.meaning)).or_default().insert(objective.name);
        }
    }
    text.push_str("\n# Parameters\n\n| parameter | meaning | objectives |\n|---|---|---|\n");
    for ((name, meaning), objectives) in meanings {
        let objectives: Vec<&str> = objectives.into_iter().collect();
        let users = match objectives.len() {
            1..=8 => objectives.join(", "),
            many => format!("{many} objectives"),
        };
        writeln!(text, "| `{name}` | {} | {users} |", cell(meaning)).expect("text");
    }
    generated("objectives.md", &text);
}

/// What `grpo` under a preset gives the rollouts of one group; `none` for those that it leaves out.
fn advantages(preset: &str, rewards: &[f64]) -> String {
    let ids: Vec<String> = (0..rewards.len()).map(|index| format!("r{index}")).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("group_id", Arc::new(StringArray::from(vec!["g"; rewards.len()]))),
        ("rollout_id", Arc::new(StringArray::from(ids))),
        ("reward", Arc::new(Float64Array::from(rewards.to_vec()))),
    ];
    let rollouts = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let settings = [("preset".to_owned(), serde_json::json!(preset))];
    let rows = find("grpo").expect("a recipe").in_memory(&settings, rollouts).expect("advantages").rows;
    let rows = rows.expect("grpo gives advantages");
    let (lists, in_loss) = (rows["token_advantages"].as_list::<i32>(), rows["in_loss"].as_boolean());
    let values = (0..rows.num_rows()).map(|row| match in_loss.value(row) {
        true => format!("{:.6}", lists.value(row).as_primitive::<Float32Type>().value(0)),
        false => "none".to_owned(),
    });
    let mut values: Vec<String> = values.collect();
    values.dedup();
    values.join(", ")
}

#[test]
fn presets() {
    let mut text = String::from(
        "# Presets\n\n\
         Generated from the list in `pipelines/src/presets.rs`; the numbers are computed. The same method has other numbers in \
         every system, because the conventions of its statistics differ. `--set preset=<name>` chooses those of a \
         system; single parameters override it. `docs/conventions.md` says what the conventions mean.\n\n\
         The last columns are what `grpo` gives to a group with rewards 1, 0, 0, 0 (the first, then each of the \
         others), and to a group of one rollout with reward 1.\n\n\
         | preset | conventions | of 1, 0, 0, 0 | of 1 alone |\n|---|---|---|---|\n",
    );
    for preset in PRESETS {
        let (group, alone) =
            (advantages(preset.name, &[1.0, 0.0, 0.0, 0.0]), advantages(preset.name, &[1.0]));
        writeln!(text, "| `{}` | {} | {group} | {alone} |", preset.name, cell(preset.meaning)).expect("text");
    }
    text.push_str("\n| preset | parameters |\n|---|---|\n");
    for preset in PRESETS {
        let settings: Vec<String> =
            preset.settings.iter().map(|(name, value)| format!("`{name}={value}`")).collect();
        writeln!(text, "| `{}` | {} |", preset.name, settings.join(", ")).expect("text");
    }
    generated("presets.md", &text);
}

#[test]
fn sql_functions() {
    let mut text = String::from(
        "# Functions of SQL\n\n\
         Generated from the list in `catalog/src/functions/mod.rs`. These come on top of DataFusion's functions.\n",
    );
    for function in FUNCTIONS {
        writeln!(
            text,
            "\n## {}\n\n`{}` ({})\n\n{}\n\n```sql\n{}\n```",
            function.name, function.syntax, function.kind, function.meaning, function.example
        )
        .expect("text");
    }
    generated("sql.md", &text);
}

#[test]
fn judges() {
    let mut text = String::from(
        "# Judges\n\n\
         Generated from the list in `pipelines/src/judges/mod.rs`.\n\n\
         `meed judge --judge <name>[,<name>...] --from <dataset|file> --to <dataset|file>` scores stored rollouts into \
         `<dataset>_scores`, one row per element of the judge's level. `--set judge.parameter=value` sets a parameter. \
         Only what is missing or has changed is asked: a score stays where its judge has the same version and \
         parameters, and the columns that it reads have the same content; judgements that failed are asked for \
         again, and `--new-run` asks everything.\n\n\
         `meed assign --scores <dataset|file>` joins the latest scores onto the rollouts, as the signal `<judge>` at \
         rollout level and `<level>_<judge>` elsewhere, for `--set <input>=<signal>`.\n\n\
         A judge may be slow or fail: at most `--concurrency` calls run at a time, each has `--deadline` seconds, and \
         one that hangs (`timeout`), errs or panics (`error`), answers something that is no score (`invalid`) or \
         lacks what it reads (`missing`) leaves a null score with that status and a reason, never a 0. A null with \
         status `ok` is an answer: the judge has no opinion. Judges that ask a model need a policy.\n\n\
         | judge | what it says | asks a model |\n|---|---|---|\n",
    );
    for judge in JUDGES {
        let (name, asks) = (judge.name, if judge.asks_policy { "yes" } else { "no" });
        writeln!(text, "| [`{name}`](#{name}) | {} | {asks} |", cell(judge.title)).expect("text");
    }
    for judge in JUDGES {
        writeln!(text, "\n## {}\n\n{}", judge.name, judge.meaning).expect("text");
        if !judge.parameters.is_empty() {
            text.push_str("\n| parameter | default | meaning |\n|---|---|---|\n");
        }
        for parameter in judge.parameters {
            let default = cell(parameter.default);
            writeln!(text, "| `{}` | `{default}` | {} |", parameter.name, cell(parameter.meaning))
                .expect("text");
        }
    }
    generated("judges.md", &text);
}

#[test]
fn importers() {
    let mut text = String::from(
        "# Importers\n\nGenerated from the list in `connectors/src/import/mod.rs`. `meed import <format> <path>... --to <dataset>` uses them.\n\n\
         What a format has beside rollouts is written beside them: nodes of trees to the dataset `<to>_nodes`, or for a file\n\
         `x.parquet` to `x_nodes.parquet`. An import says what it met and could not map, with counts. A failure becomes a status\n\
         with a reason and no reward; it never becomes a reward of 0.\n",
    );
    for importer in IMPORTERS {
        writeln!(
            text,
            "\n## {}\n\nReads {}.\n\n{}",
            importer.name(),
            importer.reads().trim_end_matches('.'),
            importer.describe()
        )
        .expect("text");
        for table in importer.tables() {
            writeln!(text, "\nWrites `{}` beside the rollouts.", table.name()).expect("text");
        }
        writeln!(text, "\nNot mapped: {}", importer.leaves_out()).expect("text");
    }
    generated("importers.md", &text);
}
