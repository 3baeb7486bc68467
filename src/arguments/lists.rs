//! Help that lists tasks, judges and formats, from the lists in the code.

use meed::connectors::import::IMPORTERS;
use meed::pipelines::JUDGES;
use meed::pipelines::tasks::TASKS;

pub fn tasks() -> String {
    let mut text = "Tasks:".to_owned();
    for task in TASKS {
        let difficulty = task.difficulty();
        let range = format!("{} to {}", difficulty.least, difficulty.most);
        text.push_str(&format!(
            "\n  {:<11} {}; difficulty: {}, {range}",
            task.name(),
            task.title(),
            difficulty.meaning
        ));
    }
    text
}

pub fn judges() -> String {
    let mut text = "Judges:".to_owned();
    for judge in JUDGES {
        text.push_str(&format!("\n  {:<18} {}", judge.name, judge.title));
    }
    text
}

pub fn importers() -> String {
    let mut text = "Formats:".to_owned();
    for importer in IMPORTERS {
        text.push_str(&format!("\n  {:<11} {}", importer.name(), importer.reads()));
    }
    text
}

/// What each format maps, and what it does not.
pub fn importers_in_full() -> String {
    let mut text = "Formats:".to_owned();
    for importer in IMPORTERS {
        text.push_str(&format!("\n  {:<11} {}\n", importer.name(), importer.reads()));
        let tables: Vec<&str> = importer.tables().iter().map(|table| table.name()).collect();
        let beside = match tables.is_empty() {
            true => String::new(),
            false => format!(" Writes {} beside the rollouts.", tables.join(" and ")),
        };
        for paragraph in
            [format!("{}{beside}", importer.describe()), format!("Not mapped: {}", importer.leaves_out())]
        {
            for line in wrapped(&paragraph, 84) {
                text.push_str(&format!("\n              {line}"));
            }
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// A text in lines of at most this many characters, where its words allow it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| line.is_empty() || line.len() + 1 + word.len() <= width);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
