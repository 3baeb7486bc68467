//! Column-wise evaluation of checked programs on units.

mod aggregate;
mod elementwise;
mod fetch;
mod keys;
mod meet;
mod members;
mod rank;
mod reduce;
mod sequence;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use arrow::array::{Array, StringArray};
use rand::Rng;

use super::check::Checked;
use super::column::{Column, Values};
use super::expression::{Expr, Node, Scope};
use super::level::{Level, ROLLOUT, TOKEN};
use super::program::IN_BASELINE;
use super::statistics::{BatchStatistics, Gathered, Partial};
use super::unit::Unit;
use crate::random::RandomKey;
use crate::{Error, Result};

/// Why a rollout without a trainable token is left out.
pub(super) const NO_TRAINABLE_TOKEN: &str = "no trainable token";

/// The named signals of a program on one unit.
pub struct Evaluated {
    /// Every named signal, in the program's order.
    pub signals: Vec<(String, Rc<Column>)>,
    /// Per rollout: true where it took part in statistics.
    pub in_baseline: Vec<bool>,
    /// Per rollout: why it did not, where it did not.
    pub reasons: Vec<Option<String>>,
}

impl Evaluated {
    /// A named signal.
    pub fn signal(&self, name: &str) -> Option<&Rc<Column>> {
        self.signals.iter().find(|(known, _)| known == name).map(|(_, column)| column)
    }
}

/// Evaluates a program on one unit. Batch statistics come from `statistics`.
///
/// # Errors
/// Data that breaks its level's lengths; a NaN that arises, as a fault of the recipe with its
/// place; a batch statistic that was not gathered.
pub fn evaluate(checked: &Checked, unit: &Unit, statistics: &BatchStatistics) -> Result<Evaluated> {
    let mut evaluator = Evaluator::new(checked, unit, statistics)?;
    for (name, expr) in checked.credit.expressions() {
        let column = evaluator.value(expr)?;
        evaluator.reject_infinite(&checked.recipe, name, &column)?;
        if name == IN_BASELINE {
            evaluator.restrict_baseline(&column)?;
        }
        evaluator.named.insert(name.to_owned(), column);
    }
    let signals = checked
        .credit
        .expressions()
        .filter_map(|(name, _)| evaluator.named.get(name).map(|column| (name.to_owned(), column.clone())));
    Ok(Evaluated {
        signals: signals.collect(),
        in_baseline: evaluator.in_baseline,
        reasons: evaluator.reasons,
    })
}

impl Partial {
    /// Adds a unit to the batch statistics whose inputs are known by now: one nesting depth more
    /// than `known` holds.
    pub fn observe(&mut self, checked: &Checked, unit: &Unit, known: &BatchStatistics) -> Result<()> {
        let mut evaluator = Evaluator::new(checked, unit, known)?;
        for (name, expr) in checked.credit.expressions() {
            evaluator.observe(expr, self)?;
            if evaluator.ready(expr) {
                let column = evaluator.value(expr)?;
                if name == IN_BASELINE {
                    evaluator.restrict_baseline(&column)?;
                }
                evaluator.named.insert(name.to_owned(), column);
            } else if name == IN_BASELINE {
                return Ok(());
            } else {
                evaluator.pending.insert(name.to_owned());
            }
        }
        Ok(())
    }
}

impl BatchStatistics {
    /// Adds the merged partials of one pass of a program.
    pub fn add(&mut self, checked: &Checked, merged: Partial) {
        let gathered = Gathered::of(&checked.credit);
        self.finish(merged, |name| gathered.get(name).copied());
    }
}

struct Evaluator<'a> {
    checked: &'a Checked,
    unit: &'a Unit,
    statistics: &'a BatchStatistics,
    named: HashMap<String, Rc<Column>>,
    loaded: HashMap<String, Rc<Column>>,
    memo: HashMap<usize, Rc<Column>>,
    /// Names that wait for a batch statistic, and statistics that this unit has been added to.
    pending: HashSet<String>,
    observed: HashSet<String>,
    in_baseline: Vec<bool>,
    reasons: Vec<Option<String>>,
}

impl<'a> Evaluator<'a> {
    fn new(checked: &'a Checked, unit: &'a Unit, statistics: &'a BatchStatistics) -> Result<Self> {
        let mut reasons: Vec<Option<String>> = vec![None; unit.rows()];
        if checked.credit.get(IN_BASELINE).is_none() {
            for row in unit.without_trainable_token()? {
                reasons[row] = Some(NO_TRAINABLE_TOKEN.to_owned());
            }
        }
        for name in &checked.required {
            let Some(column) = unit.column(name) else {
                continue;
            };
            if column.null_count() > 0 {
                for (row, reason) in reasons.iter_mut().enumerate() {
                    if reason.is_none() && column.is_null(row) {
                        *reason = Some(format!("{name} is null"));
                    }
                }
            }
        }
        Ok(Evaluator {
            checked,
            unit,
            statistics,
            named: HashMap::new(),
            loaded: HashMap::new(),
            memo: HashMap::new(),
            pending: HashSet::new(),
            observed: HashSet::new(),
            in_baseline: reasons.iter().map(Option::is_none).collect(),
            reasons,
        })
    }

    /// Takes rollouts out of the baseline; what was evaluated before counted other members.
    fn restrict_baseline(&mut self, column: &Column) -> Result<()> {
        let column = self.spread_constant(&Rc::new(column.clone()), &ROLLOUT)?;
        for row in 0..self.unit.rows() {
            if self.in_baseline[row] && !(column.is_valid(row) && column.as_booleans()[row]) {
                self.in_baseline[row] = false;
                self.reasons[row] = Some("excluded by the recipe".to_owned());
            }
        }
        self.memo.clear();
        Ok(())
    }

    /// True if every batch statistic below has been gathered.
    fn ready(&self, expr: &Expr) -> bool {
        match expr.node() {
            Node::Aggregate { by, .. } | Node::Rank { by, .. } if by.scope.is_gathered() => {
                self.statistics.has(&expr.to_string())
            }
            Node::Signal { name } => !self.pending.contains(name),
            node => node.children().iter().all(|child| self.ready(child)),
        }
    }

    fn observe(&mut self, expr: &Expr, partial: &mut Partial) -> Result<()> {
        let children = expr.node().children();
        for child in &children {
            self.observe(child, partial)?;
        }
        let (Node::Aggregate { by, .. } | Node::Rank { by, .. }) = expr.node() else {
            return Ok(());
        };
        let printed = expr.to_string();
        if !by.scope.is_gathered()
            || self.statistics.has(&printed)
            || !children.iter().all(|child| self.ready(child))
        {
            return Ok(());
        }
        if !self.observed.insert(printed.clone()) {
            return Ok(());
        }
        match expr.node() {
            Node::Rank { x, by, members, .. } => self.observe_rank(x, by, members, printed, partial),
            _ => self.observe_batch(expr, printed, partial),
        }
    }

    fn value(&mut self, expr: &Expr) -> Result<Rc<Column>> {
        if let Node::Signal { name } = expr.node() {
            return self.signal(name);
        }
        if let Some(known) = self.memo.get(&expr.address()) {
            return Ok(known.clone());
        }
        let column = self.compute(expr)?;
        self.memo.insert(expr.address(), column.clone());
        Ok(column)
    }

    /// An earlier named signal, or a column of the data.
    fn signal(&mut self, name: &str) -> Result<Rc<Column>> {
        if let Some(column) = self.named.get(name).or_else(|| self.loaded.get(name)) {
            return Ok(column.clone());
        }
        let level = self.checked.schema.signal(name).and_then(|kind| kind.level.clone());
        let column = Rc::new(super::load::load(self.unit, name, &level.unwrap_or(ROLLOUT))?);
        self.loaded.insert(name.to_owned(), column.clone());
        Ok(column)
    }

    fn compute(&mut self, expr: &Expr) -> Result<Rc<Column>> {
        let unit = self.unit;
        Ok(Rc::new(match expr.node() {
            Node::Signal { name } => return self.signal(name),
            Node::Value { value } => Column::numbers(None, vec![*value]),
            Node::Text { text } => Column {
                level: None,
                values: Values::Text(StringArray::from(vec![text.as_str()])),
                valid: None,
            },
            Node::Values { level, values } => self.item_values(level, values)?,
            Node::IfPresent { .. } => {
                return Err(Error::expression(
                    expr.to_string(),
                    "was not decided by a schema",
                    "check the program first",
                ));
            }
            Node::Index { level, within } => {
                let mut positions = vec![0.0; unit.extent(level)?.len()];
                for (first, past) in unit.ranges(within, level)? {
                    (first..past).for_each(|i| positions[i] = (i - first) as f64);
                }
                Column::numbers(Some(level.clone()), positions)
            }
            Node::Count { level, within } => {
                let counts =
                    unit.ranges(within, level)?.into_iter().map(|(first, past)| (past - first) as f64);
                Column::numbers(Some(within.clone()), counts.collect())
            }
            Node::Mask => Column::booleans(Some(TOKEN), unit.trainable()?.as_ref().clone()),
            Node::Policy { level } => {
                let policy = self.policy(level)?;
                let policy =
                    policy.map_or_else(|| Ok(vec![true; unit.extent(level)?.len()]), Ok::<_, Error>)?;
                Column::booleans(Some(level.clone()), policy)
            }
            Node::Kind { level, kinds } => self.of_kind(level, kinds)?,
            Node::Progress { start, end } => {
                let progress = |row| match unit.iteration(row) as f64 - start {
                    passed if start == end => f64::from(u8::from(passed >= 0.0)),
                    passed => (passed / (end - start)).clamp(0.0, 1.0),
                };
                Column::numbers(Some(ROLLOUT), (0..unit.rows()).map(progress).collect())
            }
            Node::Random { level, seed } => self.random(level, *seed)?,
            Node::Apply { function, x } => elementwise::apply(*function, self.value(x)?.as_ref()),
            Node::Combine { operator, a, b } => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                let (level, a, b) = self.together(&a, &b)?;
                elementwise::combine(*operator, level, &a, &b)
            }
            Node::When { condition, then, otherwise } => self.when(condition, then, otherwise)?,
            Node::OrElse { x, otherwise } => {
                let (a, b) = (self.value(x)?, self.value(otherwise)?);
                let (level, a, b) = self.together(&a, &b)?;
                elementwise::or_else(level, &a, &b)
            }
            Node::NullIf { x, condition } => {
                let (a, b) = (self.value(x)?, self.value(condition)?);
                let (level, a, b) = self.together(&a, &b)?;
                elementwise::null_if(level, &a, &b)
            }
            Node::IsNull { x } => {
                let x = self.value(x)?;
                Column::booleans(x.level.clone(), (0..x.len()).map(|i| !x.is_valid(i)).collect())
            }
            Node::Shift { x, by, initial, members } => self.shift(x, *by, initial.as_ref(), members)?,
            Node::Scan { x, running, backward, exclusive, restart, members } => {
                self.scan(x, *running, (*backward, *exclusive), restart.as_ref(), members)?
            }
            Node::Recur { x, coefficient, forward, members } => {
                self.recur(x, coefficient, *forward, members)?
            }
            Node::Reduce { x, level, reduction, weights, members, empty } => {
                self.reduce(x, level, *reduction, weights.as_ref(), members, *empty)?
            }
            Node::Spread { x, level, position, members } => return self.spread(x, level, *position, members),
            Node::Place { x, level, position, reduction } => self.place(x, level, position, *reduction)?,
            Node::Aggregate { by, .. } if by.scope.is_gathered() => self.look_up_batch(expr)?,
            Node::Aggregate { .. } => self.aggregate(expr)?,
            Node::Rank { x, by, ascending, members } if by.scope == Scope::Batch => {
                self.rank_in_batch(expr, x, by, *ascending, members)?
            }
            Node::Rank { x, by, ascending, members } => self.rank(x, by, *ascending, members)?,
            Node::Fetch { x, ids, key } => self.fetch(x, ids, key)?,
            Node::Send { x, to, position, reduction } => self.send(x, to, position.as_ref(), *reduction)?,
        }))
    }

    fn when(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr) -> Result<Column> {
        let (condition, then, otherwise) =
            (self.value(condition)?, self.value(then)?, self.value(otherwise)?);
        let (values, then, otherwise) = self.together(&then, &otherwise)?;
        let anchor = Rc::new(Column::booleans(values, Vec::new()));
        let level = match (&condition.level, &anchor.level) {
            (None, level) | (level, None) => level.clone(),
            (Some(x), Some(y)) => self.checked.schema.levels.meet(x, y),
        };
        let bring = |column: &Rc<Column>| match &level {
            Some(level) => self.at(column, level),
            None => Ok(column.clone()),
        };
        let (condition, then, otherwise) = (bring(&condition)?, bring(&then)?, bring(&otherwise)?);
        let length = match &level {
            Some(level) => self.unit.extent(level)?.len(),
            None => 1,
        };
        Ok(elementwise::when(level, length, &condition, &then, &otherwise))
    }

    fn item_values(&self, level: &Level, values: &[f64]) -> Result<Column> {
        let extent = self.unit.extent(level)?;
        let mut column = Vec::with_capacity(extent.len());
        for row in 0..self.unit.rows() {
            let length = extent.rows[row + 1] - extent.rows[row];
            if length != 0 && length != values.len() {
                return Err(Error::data(
                    self.unit.place(row, level.name()),
                    format!("the rollout has {length} {level}s, but {} constants are given", values.len()),
                    "give one constant per item",
                ));
            }
            column.extend_from_slice(&values[..length]);
        }
        Ok(Column::numbers(Some(level.clone()), column))
    }

    /// One stream per rollout, so that a draw depends on its position and on nothing drawn elsewhere.
    fn random(&self, level: &Level, seed: u64) -> Result<Column> {
        let extent = self.unit.extent(level)?;
        let mut draws = Vec::with_capacity(extent.len());
        for row in 0..self.unit.rows() {
            let (group, rollout) = (self.unit.group_id(row), self.unit.rollout_id(row));
            let key = RandomKey::new(seed, self.unit.iteration(row) as u64, group, rollout);
            let mut stream = key.within("credit").at(0);
            draws.extend((extent.rows[row]..extent.rows[row + 1]).map(|_| stream.random::<f64>()));
        }
        Ok(Column::numbers(Some(level.clone()), draws))
    }

    fn reject_infinite(&self, recipe: &str, name: &str, column: &Column) -> Result<()> {
        let Values::Number(values) = &column.values else {
            return Ok(());
        };
        let Some(i) = (0..values.len()).find(|&i| !values[i].is_finite() && column.is_valid(i)) else {
            return Ok(());
        };
        let row = match &column.level {
            Some(level) => {
                self.unit.extent(level)?.rows.partition_point(|&first| first <= i).saturating_sub(1)
            }
            None => 0,
        };
        let level = column.level.as_ref().map_or("constant", Level::name);
        Err(Error::data(
            self.unit.place(row, name),
            format!("{recipe} produced {} in signal `{name}` ({level} {i} of its unit)", values[i]),
            "a division by zero, a logarithm or root of a negative value, or the exponential of a large one: give the recipe an epsilon, a zero rule or a bound",
        ))
    }
}
