//! Checking expressions against a schema: types, levels, reach, and the columns that they read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::column::ValueType;
use super::expression::{By, Expr, Function, Members, Node, Operator, Position, Scope, Statistic};
use super::level::{Level, ROLLOUT, STEP, TOKEN, TURN};
use super::program::Credit;
use super::schema::{SignalSchema, Type};
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
    fn fail(&self, message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::expression(format!("{}, signal `{}`", self.recipe, self.current), message, hint)
    }

    fn has(&self, name: &str) -> bool {
        self.types.contains_key(name) || self.schema.signal(name).is_some()
    }

    fn available(&self, expr: &Expr) -> bool {
        match expr.node() {
            Node::Signal { name } => self.has(name),
            Node::Mask => true,
            Node::Kind { level, .. } => self.has("step_kinds") && self.schema.has_level(level),
            Node::Index { level, .. } | Node::Count { level, .. } | Node::Policy { level } | Node::Values { level, .. } => {
                self.schema.has_level(level)
            }
            Node::IfPresent { x, otherwise } => self.available(x) || self.available(otherwise),
            node => node.children().iter().all(|child| self.available(child)),
        }
    }

    /// Decides every `if_present` by the schema.
    fn resolve(&self, expr: &Expr) -> Result<Expr> {
        fn inner(checker: &Checker, expr: &Expr, memo: &mut HashMap<usize, Expr>) -> Expr {
            if let Some(known) = memo.get(&expr.address()) {
                return known.clone();
            }
            let resolved = match expr.node() {
                Node::IfPresent { x, otherwise } => {
                    let chosen = if checker.available(x) { x } else { otherwise };
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

    fn columns(&self) -> Vec<String> {
        let mut columns: BTreeSet<String> = ["iteration", "group_id", "rollout_id", "token_mask"].map(str::to_owned).into();
        columns.extend(self.reads.iter().cloned());
        let mut levels = self.levels.clone();
        levels.extend(columns.iter().filter_map(|name| self.schema.signal(name)).filter_map(|kind| kind.level.clone()));
        let at = |level: &Level| -> Vec<String> {
            self.schema.names().filter(|name| self.schema.signal(name).is_some_and(|kind| kind.level.as_ref() == Some(level))).map(str::to_owned).collect()
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
                let measured = ["ends", "ids"].iter().any(|part| self.schema.signal(&format!("{level}_{part}")).is_some());
                if !measured {
                    columns.extend(at(&level));
                }
            }
        }
        let columns: Vec<String> = columns.into_iter().filter(|name| self.schema.signal(name).is_some()).collect();
        columns
    }

    /// Type and number of batch passes of an expression; `guarded` where a null is expected.
    fn check(&mut self, expr: &Expr, guarded: bool) -> Result<(Type, usize)> {
        if let Some((kind, passes, _)) = self.memo.get(&(expr.address(), guarded)) {
            return Ok((kind.clone(), *passes));
        }
        let (kind, passes) = self.infer(expr, guarded)?;
        self.memo.insert((expr.address(), guarded), (kind.clone(), passes, expr.clone()));
        Ok((kind, passes))
    }

    fn infer(&mut self, expr: &Expr, guarded: bool) -> Result<(Type, usize)> {
        let mut passes = 0;
        macro_rules! check {
            ($x:expr) => {{
                let (kind, depth) = self.check($x, guarded)?;
                passes = passes.max(depth);
                kind
            }};
        }
        let number = |level: Option<Level>| Type { level, value: ValueType::Number };
        let kind = match expr.node() {
            Node::Signal { name } => {
                if let Some(kind) = self.types.get(name) {
                    passes = self.depths.get(name).copied().unwrap_or(0);
                    kind.clone()
                } else {
                    let Some(kind) = self.schema.signal(name).cloned() else {
                        return Err(Error::MissingSignal {
                            recipe: self.recipe.to_owned(),
                            signal: name.clone(),
                            hint: super::providers::provider(name).to_owned(),
                        });
                    };
                    self.reads.insert(name.clone());
                    if !guarded {
                        self.required.insert(name.clone());
                    }
                    kind
                }
            }
            Node::Value { .. } => number(None),
            Node::Text { .. } => Type { level: None, value: ValueType::Text },
            Node::Values { level, .. } => number(Some(self.level(level)?)),
            Node::IfPresent { x, otherwise } => {
                let chosen = if self.available(x) { x } else { otherwise };
                check!(chosen)
            }
            Node::Index { level, within } => {
                self.nested(level, within)?;
                Type { level: Some(self.level(level)?), value: ValueType::Integer }
            }
            Node::Count { level, within } => {
                self.nested(level, within)?;
                self.level(level)?;
                Type { level: Some(self.level(within)?), value: ValueType::Integer }
            }
            Node::Mask => Type { level: Some(TOKEN), value: ValueType::Boolean },
            Node::Policy { level } => Type { level: Some(self.level(level)?), value: ValueType::Boolean },
            Node::Kind { level, .. } => {
                if self.schema.signal("step_kinds").is_none() {
                    return Err(Error::MissingSignal {
                        recipe: self.recipe.to_owned(),
                        signal: "step_kinds".into(),
                        hint: "import with steps".into(),
                    });
                }
                self.nested(&STEP, level)?;
                self.reads.insert("step_kinds".into());
                self.levels.insert(STEP);
                Type { level: Some(self.level(level)?), value: ValueType::Boolean }
            }
            Node::Progress { .. } => number(Some(ROLLOUT)),
            Node::Apply { function, x } => {
                let kind = check!(x);
                let wanted = if *function == Function::Not { ValueType::Boolean } else { ValueType::Number };
                self.expect(&kind, wanted, x)?;
                let value = match function {
                    Function::Floor | Function::Ceil | Function::Sign => ValueType::Integer,
                    Function::Negate | Function::Absolute | Function::Square if kind.value == ValueType::Integer => ValueType::Integer,
                    _ => wanted,
                };
                Type { level: kind.level, value }
            }
            Node::Combine { operator, a, b } => {
                let (left, right) = (check!(a), check!(b));
                self.combine(*operator, &left, &right, a, b)?
            }
            Node::When { condition, then, otherwise } => {
                let (condition_type, left, right) = (check!(condition), check!(then), check!(otherwise));
                self.expect(&condition_type, ValueType::Boolean, condition)?;
                let value = self.same(&left, &right, then, otherwise)?;
                let level = self.meet(&left.level, &right.level, expr)?;
                Type { level: self.meet(&level, &condition_type.level, expr)?, value }
            }
            Node::OrElse { x, otherwise } => {
                let (left, depth) = self.check(x, true)?;
                passes = passes.max(depth);
                let right = check!(otherwise);
                let value = self.same(&left, &right, x, otherwise)?;
                Type { level: self.meet(&left.level, &right.level, expr)?, value }
            }
            Node::NullIf { x, condition } => {
                let (left, depth) = self.check(x, true)?;
                passes = passes.max(depth);
                let (right, depth) = self.check(condition, true)?;
                passes = passes.max(depth);
                self.expect(&right, ValueType::Boolean, condition)?;
                Type { level: self.meet(&left.level, &right.level, expr)?, value: left.value }
            }
            Node::IsNull { x } => {
                let (kind, depth) = self.check(x, true)?;
                passes = passes.max(depth);
                Type { level: kind.level, value: ValueType::Boolean }
            }
            Node::Shift { x, initial, members, .. } => {
                let mut kind = check!(x);
                let level = self.elements(&kind, x)?;
                if let Some(initial) = initial {
                    let first = check!(initial);
                    kind.value = self.same(&kind, &first, x, initial)?;
                    self.coarser(&first.level, &level, initial)?;
                }
                passes = passes.max(self.members(members, &level, guarded)?);
                kind
            }
            Node::Scan { x, restart, members, running, .. } => {
                let kind = check!(x);
                let level = self.elements(&kind, x)?;
                if let Some(restart) = restart {
                    let condition = check!(restart);
                    self.expect(&condition, ValueType::Boolean, restart)?;
                    self.coarser(&condition.level, &level, restart)?;
                }
                passes = passes.max(self.members(members, &level, guarded)?);
                let value = if *running == super::Running::Count { ValueType::Integer } else { ValueType::Number };
                if value == ValueType::Number {
                    self.expect(&kind, ValueType::Number, x)?;
                }
                Type { level: Some(level), value }
            }
            Node::Recur { x, coefficient, members, .. } => {
                let kind = check!(x);
                self.expect(&kind, ValueType::Number, x)?;
                let level = self.elements(&kind, x)?;
                let factor = check!(coefficient);
                self.expect(&factor, ValueType::Number, coefficient)?;
                self.coarser(&factor.level, &level, coefficient)?;
                passes = passes.max(self.members(members, &level, guarded)?);
                number(Some(level))
            }
            Node::Reduce { x, level, reduction, weights, members, empty } => {
                let kind = check!(x);
                let from = self.elements(&kind, x)?;
                self.nested(&from, level)?;
                if let Some(weights) = weights {
                    let weight = check!(weights);
                    self.expect(&weight, ValueType::Number, weights)?;
                    self.coarser(&weight.level, &from, weights)?;
                }
                passes = passes.max(self.members(members, &from, guarded)?);
                let mut value = self.reduced(*reduction, &kind, x, weights.is_some())?;
                if empty.is_some() && matches!(reduction, super::Reduction::First | super::Reduction::Last) {
                    self.expect(&kind, ValueType::Number, x)?;
                    value = ValueType::Number;
                }
                Type { level: Some(self.level(level)?), value }
            }
            Node::Spread { x, level, position, members } => {
                let kind = check!(x);
                let fine = self.level(level)?;
                self.coarser(&kind.level, &fine, x)?;
                let mut value = kind.value;
                if *position != Position::All {
                    self.expect(&kind, ValueType::Number, x)?;
                    value = if value == ValueType::Integer { value } else { ValueType::Number };
                }
                passes = passes.max(self.members(members, level, guarded)?);
                Type { level: Some(level.clone()), value }
            }
            Node::Place { x, level, position, reduction } => {
                let (kind, at) = (check!(x), check!(position));
                self.expect(&at, ValueType::Integer, position)?;
                self.meet(&kind.level, &at.level, expr)?;
                self.expect(&kind, ValueType::Number, x)?;
                self.numeric(*reduction, expr)?;
                let whole = *reduction == super::Reduction::Count || kind.value == ValueType::Integer && *reduction != super::Reduction::Mean;
                Type { level: Some(self.level(level)?), value: if whole { ValueType::Integer } else { ValueType::Number } }
            }
            Node::Aggregate { x, statistic, by, members, weights, once_per, others } => {
                let kind = check!(x);
                let from = self.elements(&kind, x)?;
                let (keys, depth) = self.keys(by, &from)?;
                passes = passes.max(depth);
                for extra in weights.iter().chain(once_per) {
                    let extra_type = check!(extra);
                    if weights.as_ref().is_some_and(|weights| weights.address() == extra.address()) {
                        self.expect(&extra_type, ValueType::Number, extra)?;
                    }
                    self.coarser(&extra_type.level, &from, extra)?;
                }
                passes = passes.max(self.members(members, &from, guarded)?);
                let ordered = matches!(statistic, Statistic::MedianLower | Statistic::Median | Statistic::Quantile(_) | Statistic::Distinct);
                if ordered && (*others || weights.is_some()) {
                    return Err(self.fail(format!("`{expr}` is not defined"), "medians, quantiles and distinct counts have neither weights nor a form over the others"));
                }
                let value = match statistic {
                    Statistic::Count if weights.is_some() => ValueType::Number,
                    Statistic::Count | Statistic::Distinct => ValueType::Integer,
                    _ => {
                        self.expect(&kind, ValueType::Number, x)?;
                        ValueType::Number
                    }
                };
                if by.scope == Scope::Batch {
                    passes += 1;
                    if *others || once_per.is_some() {
                        return Err(self.fail(format!("`{expr}` is not defined over a batch"), "leave-one-out and once_per statistics need by(group) or by(rollout)"));
                    }
                }
                Type { level: Some(if *others { from } else { keys }), value }
            }
            Node::Rank { x, by, members, .. } => {
                let kind = check!(x);
                let level = self.elements(&kind, x)?;
                self.expect(&kind, ValueType::Number, x)?;
                passes = passes.max(self.keys(by, &level)?.1);
                passes = passes.max(self.members(members, &level, guarded)?);
                if by.scope == Scope::Batch {
                    passes += 1;
                }
                Type { level: Some(level), value: ValueType::Integer }
            }
            Node::Fetch { x, ids, key } => {
                let (kind, ids_type, key_type) = (check!(x), check!(ids), check!(key));
                self.same(&ids_type, &key_type, ids, key)?;
                self.coarser(&kind.level, &self.elements(&ids_type, ids)?, x)?;
                Type { level: Some(self.elements(&key_type, key)?), value: kind.value }
            }
            Node::Send { x, to, position, reduction } => {
                let (kind, to_type) = (check!(x), check!(to));
                self.numeric(*reduction, expr)?;
                self.expect(&kind, ValueType::Number, x)?;
                self.expect(&to_type, ValueType::Text, to)?;
                self.coarser(&kind.level, &ROLLOUT, x)?;
                self.coarser(&to_type.level, &ROLLOUT, to)?;
                self.reads.insert("rollout_id".into());
                if let Some(position) = position {
                    let at = check!(position);
                    self.expect(&at, ValueType::Integer, position)?;
                    self.coarser(&at.level, &ROLLOUT, position)?;
                }
                number(Some(if position.is_some() { TOKEN } else { ROLLOUT }))
            }
        };
        self.levels.extend(kind.level.clone());
        Ok((kind, passes))
    }

    fn level(&mut self, level: &Level) -> Result<Level> {
        if !self.schema.has_level(level) {
            return Err(Error::MissingSignal {
                recipe: self.recipe.to_owned(),
                signal: format!("{level}_…"),
                hint: format!("no list column belongs to level `{level}`; an importer or operator that makes {level}s provides it"),
            });
        }
        self.levels.insert(level.clone());
        Ok(level.clone())
    }

    fn elements(&self, kind: &Type, x: &Expr) -> Result<Level> {
        kind.level.clone().ok_or_else(|| self.fail(format!("`{x}` is a constant and has no positions"), "spread it to a level first"))
    }

    fn nested(&self, fine: &Level, coarse: &Level) -> Result<()> {
        if self.schema.levels.within(fine, coarse) {
            return Ok(());
        }
        Err(self.fail(format!("level {fine} does not lie inside level {coarse}"), "reduce goes along token < span < rollout and step < turn; `place` or `fetch` cross item levels"))
    }

    fn coarser(&self, level: &Option<Level>, fine: &Level, x: &Expr) -> Result<()> {
        match level {
            None => Ok(()),
            Some(level) if self.schema.levels.within(fine, level) => Ok(()),
            Some(level) => Err(self.fail(format!("`{x}` is at level {level}, which is not {fine} or coarser"), "reduce it first")),
        }
    }

    fn meet(&self, a: &Option<Level>, b: &Option<Level>, expr: &Expr) -> Result<Option<Level>> {
        match (a, b) {
            (None, level) | (level, None) => Ok(level.clone()),
            (Some(a), Some(b)) => self.schema.levels.meet(a, b).map(Some).ok_or_else(|| {
                self.fail(format!("`{expr}` combines levels {a} and {b}, which never meet"), "use `place` or `fetch` to bring items to spans")
            }),
        }
    }

    fn expect(&self, kind: &Type, wanted: ValueType, x: &Expr) -> Result<()> {
        let fits = kind.value == wanted || (wanted == ValueType::Number && matches!(kind.value, ValueType::Integer | ValueType::Boolean));
        if fits {
            return Ok(());
        }
        Err(self.fail(format!("`{x}` is {:?}, where {wanted:?} is needed", kind.value), "compare or convert it first"))
    }

    fn same(&self, a: &Type, b: &Type, left: &Expr, right: &Expr) -> Result<ValueType> {
        use ValueType::{Boolean, Integer, Number, Text};
        match (a.value, b.value) {
            (a, b) if a == b => Ok(a),
            (Number | Integer | Boolean, Number | Integer | Boolean) => Ok(Number),
            (Text, _) | (_, Text) => Err(self.fail(format!("`{left}` and `{right}` are of different types"), "compare text with text")),
        }
    }

    fn combine(&self, operator: Operator, a: &Type, b: &Type, left: &Expr, right: &Expr) -> Result<Type> {
        let level = self.meet(&a.level, &b.level, left)?;
        let value = match operator {
            Operator::And | Operator::Or => {
                self.expect(a, ValueType::Boolean, left)?;
                self.expect(b, ValueType::Boolean, right)?;
                ValueType::Boolean
            }
            Operator::Equals | Operator::Differs => {
                self.same(a, b, left, right)?;
                ValueType::Boolean
            }
            Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => {
                self.expect(a, ValueType::Number, left)?;
                self.expect(b, ValueType::Number, right)?;
                ValueType::Boolean
            }
            _ => {
                self.expect(a, ValueType::Number, left)?;
                self.expect(b, ValueType::Number, right)?;
                let whole = a.value == ValueType::Integer && b.value == ValueType::Integer;
                let closed = !matches!(operator, Operator::Divide | Operator::Power);
                if whole && closed { ValueType::Integer } else { ValueType::Number }
            }
        };
        Ok(Type { level, value })
    }

    fn numeric(&self, reduction: super::Reduction, expr: &Expr) -> Result<()> {
        match reduction {
            super::Reduction::Any | super::Reduction::All => Err(self.fail(format!("`{expr}` brings truth values together"), "use max for any and min for all")),
            _ => Ok(()),
        }
    }

    fn reduced(&self, reduction: super::Reduction, kind: &Type, x: &Expr, weighted: bool) -> Result<ValueType> {
        use super::Reduction::{All, Any, Count, First, Last};
        match reduction {
            Count if weighted => Ok(ValueType::Number),
            Count => Ok(ValueType::Integer),
            Any | All => self.expect(kind, ValueType::Boolean, x).map(|()| ValueType::Boolean),
            First | Last => Ok(kind.value),
            _ => self.expect(kind, ValueType::Number, x).map(|()| ValueType::Number),
        }
    }

    fn members(&mut self, members: &Members, level: &Level, guarded: bool) -> Result<usize> {
        self.levels.insert(level.clone());
        // Who is in the baseline must be known first.
        let baseline = self.depths.get(super::IN_BASELINE).copied().unwrap_or(0);
        let Some(condition) = &members.condition else { return Ok(baseline) };
        let (kind, passes) = self.check(condition, guarded)?;
        self.expect(&kind, ValueType::Boolean, condition)?;
        self.coarser(&kind.level, level, condition)?;
        Ok(passes.max(baseline))
    }

    /// Finest level of the keys (rollout without any), and their batch passes.
    fn keys(&mut self, by: &By, from: &Level) -> Result<(Level, usize)> {
        let (mut level, mut passes) = (ROLLOUT, 0);
        for key in &by.keys {
            let (kind, depth) = self.check(key, true)?;
            passes = passes.max(depth);
            if kind.value == ValueType::Number {
                return Err(self.fail(format!("key `{key}` is a real number"), "keys are text, integers or booleans"));
            }
            self.coarser(&kind.level, from, key)?;
            level = self.meet(&Some(level), &kind.level, key)?.unwrap_or(ROLLOUT);
        }
        Ok((level, passes))
    }
}
