//! Checking expressions against a schema: types, levels, reach, and the columns that they read.

mod infer;
mod rules;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::credit::expression::{Expr, Node, Scope};
use crate::credit::level::{Level, ROLLOUT, STEP, TOKEN, TURN};
use crate::credit::program::Credit;
use crate::credit::schema::{SignalSchema, Type};
use crate::{Error, Result};

/// How far a program looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// One rollout.
    Row,
    /// One group.
    Group,
    /// One iteration, in so many nested passes.
    Batch {
        /// Depth of nested batch statistics.
        passes: usize,
    },
}

/// A program that fits a schema: with the types of its signals and what it needs.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The recipe that the program is of, for errors.
    pub recipe: String,
    /// The program, with `if_present` decided.
    pub credit: Credit,
    /// The schema that it was checked against.
    pub schema: SignalSchema,
    /// Type of every named signal.
    pub types: BTreeMap<String, Type>,
    /// Columns that it reads, the keys and the level-defining ones included.
    pub columns: Vec<String>,
    /// Signals without which a rollout cannot take part: read, and not guarded by `or_else`,
    /// `is_null` or `null_if`.
    pub required: Vec<String>,
    /// How far it looks.
    pub reach: Reach,
}

impl Checked {
    /// Checks a program against a schema.
    ///
    /// # Errors
    /// [`Error::MissingSignal`] for a column that the data lacks, [`Error::Expression`] for values
    /// of the wrong type or levels that do not fit.
    pub fn new(recipe: &str, credit: &Credit, schema: &SignalSchema) -> Result<Self> {
        let mut checker = Checker {
            recipe,
            schema,
            types: BTreeMap::new(),
            reads: BTreeSet::new(),
            required: BTreeSet::new(),
            levels: BTreeSet::new(),
            memo: HashMap::new(),
            depths: BTreeMap::new(),
            current: String::new(),
        };
        let credit = credit.try_map(|name, expr| {
            checker.current = name.to_owned();
            if checker.types.contains_key(name) {
                return Err(checker.fail("is defined twice", "give the second expression another name"));
            }
            let resolved = checker.resolve(expr)?;
            let (kind, passes) = checker.check(&resolved, false)?;
            checker.types.insert(name.to_owned(), kind);
            checker.depths.insert(name.to_owned(), passes);
            Ok::<_, Error>(resolved)
        })?;
        let passes = checker.depths.values().copied().max().unwrap_or(0);
        let reach = match passes {
            0 if credit.expressions().all(|(_, expr)| !looks_at_group(expr)) => Reach::Row,
            0 => Reach::Group,
            passes => Reach::Batch { passes },
        };
        Ok(Checked {
            recipe: recipe.to_owned(),
            columns: checker.columns(),
            required: checker.required.into_iter().collect(),
            types: checker.types,
            schema: schema.clone(),
            credit,
            reach,
        })
    }

    /// Number of batch passes before the main run.
    pub fn passes(&self) -> usize {
        match self.reach {
            Reach::Batch { passes } => passes,
            _ => 0,
        }
    }
}

fn looks_at_group(expr: &Expr) -> bool {
    let here = match expr.node() {
        Node::Aggregate { by, .. } | Node::Rank { by, .. } => by.scope != Scope::Rollout,
        Node::Fetch { .. } | Node::Send { .. } => true,
        _ => false,
    };
    here || expr.node().children().iter().any(looks_at_group)
}

struct Checker<'a> {
    recipe: &'a str,
    schema: &'a SignalSchema,
    types: BTreeMap<String, Type>,
    reads: BTreeSet<String>,
    required: BTreeSet<String>,
    levels: BTreeSet<Level>,
    memo: HashMap<(usize, bool), (Type, usize, Expr)>,
    depths: BTreeMap<String, usize>,
    current: String,
}

impl Checker<'_> {
    pub(super) fn fail(&self, message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::expression(format!("{}, signal `{}`", self.recipe, self.current), message, hint)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.types.contains_key(name) || self.schema.signal(name).is_some()
    }

    pub(super) fn available(&self, expr: &Expr) -> bool {
        match expr.node() {
            Node::Signal { name } => self.has(name),
            Node::Mask => true,
            Node::Kind { level, .. } => self.has("step_kinds") && self.schema.has_level(level),
            Node::Index { level, .. }
            | Node::Random { level, .. }
            | Node::Count { level, .. }
            | Node::Policy { level }
            | Node::Values { level, .. } => self.schema.has_level(level),
            Node::IfPresent { x, otherwise } => self.available(x) || self.available(otherwise),
            node => node.children().iter().all(|child| self.available(child)),
        }
    }

    /// Decides every `if_present` by the schema.
    pub(super) fn resolve(&self, expr: &Expr) -> Result<Expr> {
        fn inner(checker: &Checker, expr: &Expr, memo: &mut HashMap<usize, Expr>) -> Expr {
            if let Some(known) = memo.get(&expr.address()) {
                return known.clone();
            }
            let resolved = match expr.node() {
                // Where the data has neither, the error is about what is looked for first.
                Node::IfPresent { x, otherwise } => {
                    let chosen =
                        if checker.available(x) || !checker.available(otherwise) { x } else { otherwise };
                    inner(checker, chosen, memo)
                }
                node => {
                    let before = node.children();
                    let after: Vec<Expr> = before.iter().map(|child| inner(checker, child, memo)).collect();
                    let same = before.iter().zip(&after).all(|(a, b)| a.address() == b.address());
                    if same { expr.clone() } else { node.with_children(after).into() }
                }
            };
            memo.insert(expr.address(), resolved.clone());
            resolved
        }
        Ok(inner(self, expr, &mut HashMap::new()))
    }

    pub(super) fn columns(&self) -> Vec<String> {
        let mut columns: BTreeSet<String> =
            ["iteration", "group_id", "rollout_id", "token_mask"].map(str::to_owned).into();
        columns.extend(self.reads.iter().cloned());
        let mut levels = self.levels.clone();
        levels.extend(
            columns.iter().filter_map(|name| self.schema.signal(name)).filter_map(|kind| kind.level.clone()),
        );
        let at = |level: &Level| -> Vec<String> {
            self.schema
                .names()
                .filter(|name| {
                    self.schema.signal(name).is_some_and(|kind| kind.level.as_ref() == Some(level))
                })
                .map(str::to_owned)
                .collect()
        };
        for level in levels {
            let level = match level.parts() {
                Some((outer, _)) => {
                    columns.extend(at(&level));
                    outer
                }
                None => level,
            };
            let names = if level == TURN && !at(&STEP).is_empty() { vec![STEP] } else { vec![level] };
            for level in names.into_iter().filter(|level| *level != TOKEN && *level != ROLLOUT) {
                for part in ["ends", "starts", "kinds", "turns", "ids"] {
                    columns.insert(format!("{level}_{part}"));
                }
                // Without ends or ids, any list of the level may be the one that tells its length.
                let measured = ["ends", "ids"]
                    .iter()
                    .any(|part| self.schema.signal(&format!("{level}_{part}")).is_some());
                if !measured {
                    columns.extend(at(&level));
                }
            }
        }
        let columns: Vec<String> =
            columns.into_iter().filter(|name| self.schema.signal(name).is_some()).collect();
        columns
    }

    /// Type and number of batch passes of an expression; `guarded` where a null is expected.
    pub(super) fn check(&mut self, expr: &Expr, guarded: bool) -> Result<(Type, usize)> {
        if let Some((kind, passes, _)) = self.memo.get(&(expr.address(), guarded)) {
            return Ok((kind.clone(), *passes));
        }
        let (kind, passes) = self.infer(expr, guarded)?;
        self.memo.insert((expr.address(), guarded), (kind.clone(), passes, expr.clone()));
        Ok((kind, passes))
    }
}
