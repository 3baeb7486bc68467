//! The tree that the levels of a search make.

use std::collections::HashMap;

use super::super::imported::ReportHandle;
use super::super::nodes::Node;
use super::Level;

/// The candidates so far.
pub(super) struct Tree {
    pub nodes: Vec<Node>,
    /// What the last level kept, in the order of the log.
    pub kept: Vec<Kept>,
    levels: usize,
}

/// A candidate that was kept, or the beginning of the search, which is no candidate.
pub(super) struct Kept {
    pub node: Option<usize>,
    /// All that it says: its own line after those of its ancestors.
    pub text: String,
}

impl Tree {
    /// A search that has proposed nothing.
    pub fn new() -> Self {
        Tree { nodes: Vec::new(), kept: vec![Kept { node: None, text: String::new() }], levels: 0 }
    }

    /// Adds the candidates of a level.
    ///
    /// # Errors
    /// In words: a level that does not go on from what the one before kept.
    pub fn grow(&mut self, level: Level, report: &ReportHandle) -> Result<(), String> {
        let number = self.levels;
        if self.kept.iter().map(|kept| &kept.text).ne(&level.ys) {
            return Err(format!("level {number}: `ys` are not the candidates that were kept before"));
        }
        if level.values.len() != level.new_ys.len() {
            let (candidates, values) = (level.new_ys.len(), level.values.len());
            return Err(format!("level {number}: {candidates} candidates have {values} values"));
        }
        let first = self.nodes.len();
        let parents = self
            .parents(&level.new_ys, report)
            .map_err(|text| format!("level {number}: `{text}` goes on from no candidate that was kept"))?;
        let mut known: HashMap<&str, usize> = HashMap::new();
        for (position, (text, parent)) in level.new_ys.iter().zip(parents).enumerate() {
            let parent = &self.kept[parent];
            let mut node = Node::below(parent.node, &self.nodes);
            node.kind = "dropped".to_owned();
            node.value = level.values[position];
            node.text = text[parent.text.len()..].to_owned();
            node.metadata.insert("step".to_owned(), number.into());
            node.metadata.insert("position".to_owned(), position.into());
            let same = *known.entry(text).or_insert(first + position);
            if same < first + position {
                node.metadata.insert("duplicate_of".to_owned(), same.into());
            }
            self.nodes.push(node);
        }
        self.kept = Vec::with_capacity(level.select_new_ys.len());
        for text in level.select_new_ys {
            let node = self
                .best(first, &level.new_ys, &text)
                .ok_or_else(|| format!("level {number}: `{text}` was kept and is no candidate"))?;
            self.nodes[node].kind = "kept".to_owned();
            self.kept.push(Kept { node: Some(node), text });
        }
        self.levels += 1;
        Ok(())
    }

    /// The candidate of a text that is not kept yet: the search takes those of the highest value first.
    fn best(&self, first: usize, candidates: &[String], text: &str) -> Option<usize> {
        let free = |&node: &usize| candidates[node - first] == text && self.nodes[node].kind != "kept";
        let better = |a: &usize, b: &usize| {
            let value = |node: &usize| self.nodes[*node].value.unwrap_or(f64::NEG_INFINITY);
            value(a).total_cmp(&value(b)).then(b.cmp(a))
        };
        (first..self.nodes.len()).filter(free).max_by(better)
    }

    /// Which of those kept each candidate goes on from: the one whose text it begins with.
    ///
    /// # Errors
    /// A candidate that goes on from none.
    fn parents(&self, candidates: &[String], report: &ReportHandle) -> Result<Vec<usize>, String> {
        let mut parents: Vec<usize> = Vec::with_capacity(candidates.len());
        for (position, text) in candidates.iter().enumerate() {
            let begins = |index: &usize| text.starts_with(&self.kept[*index].text);
            let longest = (0..self.kept.len())
                .filter(begins)
                .map(|index| self.kept[index].text.len())
                .max()
                .ok_or_else(|| text.clone())?;
            let same: Vec<usize> =
                (0..self.kept.len()).filter(begins).filter(|&i| self.kept[i].text.len() == longest).collect();
            if same.len() > 1 {
                report
                    .unmapped("which of several candidates with the same text another goes on from, guessed");
            }
            // The log has the candidates of each parent together, in the order of parents.
            let open = parents.last().copied().filter(|last| same.contains(last)).unwrap_or(same[0]);
            let repeats = (0..position).any(|at| parents[at] == open && candidates[at] == *text);
            let next = same.iter().copied().find(|&index| index > open);
            parents.push(if repeats { next.unwrap_or(open) } else { open });
        }
        Ok(parents)
    }
}
