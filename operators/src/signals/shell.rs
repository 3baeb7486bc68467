//! What a shell command intends: the parts of its syntax tree that say so, in the order of the text.

use std::collections::HashMap;

use tree_sitter::{Node, Parser};

use crate::{Error, Result};

/// Kinds of syntax that shape how commands run, beside all statements (`if_statement`, `for_statement`, ...).
const STRUCTURES: [&str; 10] = [
    "case_item",
    "compound_statement",
    "do_group",
    "elif_clause",
    "else_clause",
    "function_definition",
    "list",
    "negated_command",
    "pipeline",
    "subshell",
];
const LITERALS: [&str; 4] = ["number", "string_content", "variable_name", "word"];
const LONGEST: usize = 96;

/// Intent tokens of shell commands, each as a number: equal tokens have equal numbers.
///
/// A command is parsed as bash. Its tokens are `K:<kind>` for each control structure, `V:<verb>` for each simple
/// command, and `W:<literal>` for each of its literals but the verb itself; quotes and case are dropped, what is
/// longer than 96 characters is cut, and commands that do nothing (`true`, `false`, `:`) have the verb `:noop`.
/// What stands in single quotes or is computed inside `$((...))` is no literal, as in A3's released code, and a
/// command inside another has tokens of its own after those.
pub(super) struct ShellIntents {
    parser: Parser,
    numbers: HashMap<String, usize>,
}

impl ShellIntents {
    /// A parser of bash that has seen nothing yet.
    ///
    /// # Errors
    /// A grammar that the parser cannot read.
    pub fn new() -> Result<Self> {
        let mut parser = Parser::new();
        parser
            .set_language(&tree_sitter_bash::LANGUAGE.into())
            .map_err(|error| Error::external("the parser of shell commands", error.to_string(), GRAMMAR))?;
        Ok(ShellIntents { parser, numbers: HashMap::new() })
    }

    /// The numbers of a command's tokens.
    pub fn of(&mut self, command: &str) -> Result<Vec<usize>> {
        let tokens = self.tokens(command)?;
        let number = |token: String| {
            let next = self.numbers.len();
            *self.numbers.entry(token).or_insert(next)
        };
        Ok(tokens.into_iter().map(number).collect())
    }

    fn tokens(&mut self, command: &str) -> Result<Vec<String>> {
        let tree = self.parser.parse(command, None).ok_or_else(|| {
            Error::external("the parser of shell commands", "gave no syntax tree".to_owned(), GRAMMAR)
        })?;
        let mut tokens = Vec::new();
        let mut open = vec![tree.root_node()];
        while let Some(node) = open.pop() {
            let kind = node.kind();
            if kind.ends_with("_statement") || STRUCTURES.contains(&kind) {
                tokens.push(format!("K:{kind}"));
            }
            if kind == "command" {
                let name = named(node).into_iter().find(|child| child.kind() == "command_name");
                let verb = name.and_then(|name| named(name).into_iter().next());
                tokens.push(format!("V:{}", spoken_verb(verb, command)));
                let literals = literals(node).into_iter().filter(|literal| Some(*literal) != verb);
                tokens.extend(literals.map(|literal| format!("W:{}", surface(literal, command))));
            }
            open.extend(named(node).into_iter().rev());
        }
        Ok(tokens)
    }
}

const GRAMMAR: &str = "build with the versions of tree-sitter and tree-sitter-bash that Cargo.lock names";

fn named(node: Node<'_>) -> Vec<Node<'_>> {
    node.named_children(&mut node.walk()).collect()
}

/// The literals of a command, without those of commands inside it.
fn literals(command: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut open: Vec<Node<'_>> = named(command).into_iter().rev().collect();
    while let Some(node) = open.pop() {
        match node.kind() {
            "command" | "arithmetic_expansion" => {}
            kind if LITERALS.contains(&kind) => found.push(node),
            _ => open.extend(named(node).into_iter().rev()),
        }
    }
    found
}

/// The verb of a command: `?` where it is computed.
fn spoken_verb(verb: Option<Node<'_>>, command: &str) -> String {
    match verb.filter(|verb| matches!(verb.kind(), "word" | "string_content")) {
        None => "?".to_owned(),
        Some(verb) => match surface(verb, command).trim() {
            "" | "true" | "false" | ":" => ":noop".to_owned(),
            verb => verb.to_owned(),
        },
    }
}

/// The text of a node, in lower case, without quotes around it.
fn surface(node: Node<'_>, command: &str) -> String {
    let text = command.get(node.byte_range()).unwrap_or_default();
    let bare = text.trim().trim_matches(['\'', '"']);
    bare.to_lowercase().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_follow_the_text() {
        let mut intents = ShellIntents::new().unwrap();
        for (command, wanted) in [
            ("", ""),
            ("cat \"Data.CSV\" 'b.csv'", "V:cat W:data.csv"),
            ("true && ls -la", "K:list V::noop V:ls W:-la"),
            ("find . -name \"*.csv\" | wc -l", "K:pipeline V:find W:. W:-name W:*.csv V:wc W:-l"),
            ("for f in *.txt; do cat $f; done", "K:for_statement K:do_group V:cat W:f"),
            ("echo $(wc -l a.txt) $((1 + 2)) b", "V:echo W:b V:wc W:-l W:a.txt"),
            ("$cmd now", "V:? W:cmd W:now"),
        ] {
            assert_eq!(intents.tokens(command).unwrap().join(" "), wanted, "{command}");
        }
    }

    #[test]
    fn any_text_has_tokens() {
        let mut intents = ShellIntents::new().unwrap();
        for text in ["(((", "if then", "'", "\u{e9} | \u{0} <<", &"(".repeat(10_000)] {
            assert!(intents.of(text).is_ok());
        }
        assert_eq!(intents.of("ls ls").unwrap(), intents.of("LS \"ls\"").unwrap());
    }
}
