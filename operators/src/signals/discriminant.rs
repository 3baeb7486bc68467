//! Which tokens tell good rollouts from bad ones: a linear discriminant between centroids of token vectors
//! over the iteration.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Float64Builder, ListArray, ListBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};

use super::{GatherSignals, Known, Rows, Told, whole_iteration};
use crate::columns::list_of;
use crate::credit::{Column, Credit, Evaluated, TOKEN, Unit};
use crate::{Error, Place, Result};

/// The name of the input that says on which side a rollout is, by its sign, and how much it counts.
const SIDE: &str = "group_advantage";
/// The name of the input that every token's vector is multiplied by.
const FACTOR: &str = "token_factors";

/// Adds `token_discriminant`, how far a token's vector lies on its own side of the plane between the centroids
/// of the two sides, and `discriminant_scale`, the deviation of these over the tokens of that side (DelTA).
///
/// The vector of a token is its list in the column times its `token_factors`; the side of a rollout is the sign
/// of its `group_advantage`, and `|group_advantage|` the weight of its tokens in the centroid. With
/// `d_t = (|v_t - mu-|^2 - |v_t - mu+|^2) / 2`, the discriminant is `d_t` on the positive side, `-d_t` on the
/// negative one, and 0 in rollouts on neither. Each refinement weighs the tokens of a side by the sigmoid of
/// their discriminant over its scale and takes the centroids anew; the scale that goes with the new centroids is
/// that of the discriminants before them, as in the authors' program. Tokens that are not trainable have null.
///
/// ```
/// use meed_operators::credit::{Credit, signal};
/// use meed_operators::signals::{Discriminant, GatherSignals};
/// let inputs = Credit::new()
///     .define("group_advantage", signal("reward") - 0.5)
///     .define("token_factors", 1.0 - signal("token_old_logprobs").exp());
/// let operator = Discriminant { vectors: "token_hidden_states".into(), inputs, refinements: 1, floor: 1e-8 };
/// assert_eq!(operator.passes(), 3);
/// ```
#[derive(Debug, Clone)]
pub struct Discriminant {
    /// The column with one vector per token.
    pub vectors: String,
    /// Defines `group_advantage` per rollout and `token_factors` per token.
    pub inputs: Credit,
    /// How often the centroids are refined.
    pub refinements: usize,
    /// Least total weight of a centroid, and least variance of `|v - mu-|^2 - |v - mu+|^2` on a side.
    pub floor: f64,
}

/// One of two: what has a positive advantage, and what has a negative one.
type Sides<T> = [T; 2];

/// Sums over the tokens of each side: of discriminants with their squares and number, and of weighted vectors
/// with the weights.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sums {
    margins: Sides<[f64; 3]>,
    weights: Sides<f64>,
    vectors: Sides<Vec<f64>>,
}

/// Centroids of the sides, and the scales of their discriminants.
#[derive(Debug, Clone, PartialEq)]
struct Centroids {
    scales: Sides<f64>,
    means: Sides<Vec<f64>>,
    direction: Vec<f64>,
    offset: f64,
}

impl Sums {
    /// Takes in a token of a side, with its weight before refinement.
    fn add(&mut self, side: usize, weight: f64, vector: &[f64], centroids: Option<&Centroids>) {
        let weight = match centroids {
            None => weight,
            Some(centroids) => {
                let margin = centroids.margin(side, vector);
                let [count, sum, squares] = &mut self.margins[side];
                (*count, *sum, *squares) = (*count + 1.0, *sum + margin, *squares + margin * margin);
                weight * sigmoid(margin / centroids.scales[side])
            }
        };
        self.weights[side] += weight;
        for sums in &mut self.vectors {
            sums.resize(vector.len(), 0.0);
        }
        self.vectors[side].iter_mut().zip(vector).for_each(|(sum, x)| *sum += weight * x);
    }

    fn merge(&mut self, other: &Sums) {
        for side in 0..2 {
            self.margins[side].iter_mut().zip(other.margins[side]).for_each(|(sum, x)| *sum += x);
            self.weights[side] += other.weights[side];
            let (own, others) = (&mut self.vectors[side], &other.vectors[side]);
            own.resize(own.len().max(others.len()), 0.0);
            own.iter_mut().zip(others).for_each(|(sum, x)| *sum += x);
        }
    }

    fn means(&self, floor: f64) -> Sides<Vec<f64>> {
        [0, 1].map(|side| {
            let weight = self.weights[side].max(floor);
            self.vectors[side].iter().map(|sum| sum / weight).collect()
        })
    }

    fn scales(&self, floor: f64) -> Sides<f64> {
        self.margins.map(|[count, sum, squares]| {
            let count = count.max(1.0);
            (squares / count - (sum / count) * (sum / count)).max(floor).sqrt()
        })
    }

    fn to_numbers(&self) -> Vec<f64> {
        [self.margins.as_flattened(), &self.weights, &self.vectors[0], &self.vectors[1]].concat()
    }

    fn of_numbers(numbers: &[f64]) -> Option<Self> {
        let (head, vectors) = numbers.split_at_checked(8)?;
        let (positive, negative) = vectors.split_at(vectors.len() / 2);
        Some(Sums {
            margins: [[head[0], head[1], head[2]], [head[3], head[4], head[5]]],
            weights: [head[6], head[7]],
            vectors: [positive.to_vec(), negative.to_vec()],
        })
    }
}

impl Centroids {
    fn new(scales: Sides<f64>, means: Sides<Vec<f64>>) -> Self {
        let squared = |mean: &[f64]| mean.iter().map(|x| x * x).sum::<f64>();
        let direction = means[0].iter().zip(&means[1]).map(|(right, wrong)| 2.0 * (right - wrong)).collect();
        Centroids { scales, direction, offset: squared(&means[1]) - squared(&means[0]), means }
    }

    /// `|v - mu_other|^2 - |v - mu_own|^2`.
    fn margin(&self, side: usize, vector: &[f64]) -> f64 {
        let margin = vector.iter().zip(&self.direction).map(|(x, d)| x * d).sum::<f64>() + self.offset;
        if side == 0 { margin } else { -margin }
    }

    fn to_numbers(&self) -> Vec<f64> {
        [&self.scales[..], &self.means[0], &self.means[1]].concat()
    }

    fn of_numbers(numbers: &[f64]) -> Option<Self> {
        let (scales, means) = numbers.split_at_checked(2)?;
        let (positive, negative) = means.split_at(means.len() / 2);
        Some(Centroids::new([scales[0], scales[1]], [positive.to_vec(), negative.to_vec()]))
    }
}

/// What a pass makes of the sums over an iteration: centroids first, then their scales, then refinements.
fn concluded(pass: usize, sums: &Sums, before: Option<Centroids>, floor: f64) -> Centroids {
    match (pass, before) {
        (0, _) | (_, None) => Centroids::new([1.0; 2], sums.means(floor)),
        (1, Some(before)) => Centroids { scales: sums.scales(floor), ..before },
        _ => Centroids::new(sums.scales(floor), sums.means(floor)),
    }
}

fn side_of(advantage: f64) -> Option<usize> {
    (advantage != 0.0).then_some(usize::from(advantage < 0.0))
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl GatherSignals for Discriminant {
    fn name(&self) -> &str {
        "discriminant"
    }

    fn reads(&self) -> Vec<String> {
        vec![self.vectors.clone()]
    }

    fn inputs(&self) -> Credit {
        self.inputs.clone()
    }

    fn adds(&self) -> Vec<Field> {
        vec![
            Field::new("token_discriminant", list_of(DataType::Float64), true),
            Field::new("discriminant_scale", DataType::Float64, true),
        ]
    }

    fn passes(&self) -> usize {
        2 + self.refinements
    }

    fn observe(&self, unit: &Unit, inputs: &Evaluated, known: &Known, told: &mut Told) -> Result<()> {
        let tokens = Tokens::new(self, unit, inputs)?;
        let mut known_of = ByIteration::new(known, known.passes());
        for group in unit.groups().windows(2).filter(|group| group[0] < group[1]) {
            let iteration = unit.iteration(group[0]);
            let mut sums = Sums::default();
            for row in group[0]..group[1] {
                let Some((side, weight)) = tokens.side(row).and_then(|a| Some((side_of(a)?, a.abs()))) else {
                    continue;
                };
                tokens.each(row, |_, vector| sums.add(side, weight, vector, known_of.get(iteration)))?;
            }
            told.tell(iteration, unit.group_id(group[0]), "", sums.to_numbers());
        }
        Ok(())
    }

    fn conclude(&self, iteration: i64, rows: Rows, known: &Known) -> Result<Rows> {
        let mut whole = Sums::default();
        for ((group, _), numbers) in &rows {
            let sums = Sums::of_numbers(numbers).unwrap_or_default();
            let (got, length) = (sums.vectors[0].len(), whole.vectors[0].len());
            if got != length && got != 0 && length != 0 {
                return Err(Error::data(
                    Place::default().column(&self.vectors),
                    format!("vectors of group {group} have {got} numbers, those of others {length}"),
                    "every vector comes from the same layer",
                ));
            }
            whole.merge(&sums);
        }
        let pass = known.passes();
        let before = pass.checked_sub(1).and_then(|pass| Centroids::of_numbers(known.whole(pass, iteration)));
        let centroids = concluded(pass, &whole, before, self.floor);
        Ok(BTreeMap::from([(whole_iteration(), centroids.to_numbers())]))
    }

    fn apply(&self, unit: &Unit, inputs: &Evaluated, known: &Known) -> Result<Vec<ArrayRef>> {
        let tokens = Tokens::new(self, unit, inputs)?;
        let mut known_of = ByIteration::new(known, known.passes());
        let field = Arc::new(Field::new("element", DataType::Float64, true));
        let mut margins = ListBuilder::new(Float64Builder::new()).with_field(field);
        let mut scales = Float64Builder::new();
        for row in 0..unit.rows() {
            let known = known_of.get(unit.iteration(row));
            let (Some(advantage), Some(centroids), true) = (tokens.side(row), known, tokens.has(row)) else {
                margins.append(false);
                scales.append_null();
                continue;
            };
            let side = side_of(advantage);
            let mut own: Vec<Option<f64>> = vec![None; tokens.length(row)];
            tokens.each(row, |at, vector| {
                own[at] = Some(side.map_or(0.0, |side| centroids.margin(side, vector) / 2.0));
            })?;
            margins.values().extend(own);
            margins.append(true);
            scales.append_value(side.map_or(1.0, |side| centroids.scales[side] / 2.0));
        }
        Ok(vec![Arc::new(margins.finish()), Arc::new(scales.finish())])
    }
}

/// The centroids of the iteration at hand: units come in the order of iterations.
struct ByIteration<'a> {
    known: &'a Known,
    pass: Option<usize>,
    last: Option<(i64, Option<Centroids>)>,
}

impl<'a> ByIteration<'a> {
    fn new(known: &'a Known, passes: usize) -> Self {
        ByIteration { known, pass: passes.checked_sub(1), last: None }
    }

    fn get(&mut self, iteration: i64) -> Option<&Centroids> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != iteration) {
            let numbers = self.pass.map_or(&[][..], |pass| self.known.whole(pass, iteration));
            self.last = Some((iteration, Centroids::of_numbers(numbers)));
        }
        self.last.as_ref().and_then(|(_, centroids)| centroids.as_ref())
    }
}

/// The trainable tokens of a unit with their vectors.
struct Tokens<'a> {
    unit: &'a Unit,
    name: &'a str,
    rows: Vec<usize>,
    mask: arrow::array::BooleanArray,
    side: &'a Column,
    factor: &'a Column,
    in_baseline: &'a [bool],
    lists: &'a ListArray,
    vectors: ListArray,
    numbers: Float64Array,
}

impl<'a> Tokens<'a> {
    fn new(operator: &'a Discriminant, unit: &'a Unit, inputs: &'a Evaluated) -> Result<Self> {
        let name = operator.vectors.as_str();
        let input = |name: &str| {
            inputs.signal(name).map(std::rc::Rc::as_ref).ok_or_else(|| {
                Error::usage(
                    format!("discriminant: its inputs define no {name}"),
                    "define it as an expression",
                )
            })
        };
        let shape = || {
            Error::data(
                Place::default().column(name),
                "is not one list of numbers per token",
                "store the last hidden state that predicts each token",
            )
        };
        let lists = unit.list(name).ok_or_else(shape)?;
        let vectors = lists.values().as_list_opt::<i32>().ok_or_else(shape)?.clone();
        if !vectors.values().data_type().is_numeric() {
            return Err(shape());
        }
        let numbers = cast(vectors.values(), &DataType::Float64)?.as_primitive::<Float64Type>().clone();
        Ok(Tokens {
            unit,
            name,
            rows: unit.extent(&TOKEN)?.rows.clone(),
            mask: unit.mask()?,
            side: input(SIDE)?,
            factor: input(FACTOR)?,
            in_baseline: &inputs.in_baseline,
            lists,
            vectors,
            numbers,
        })
    }

    /// The advantage of a rollout that takes part.
    fn side(&self, row: usize) -> Option<f64> {
        let advantage = if self.side.level.is_none() { 0 } else { row };
        self.side.number(advantage).filter(|_| self.in_baseline[row])
    }

    fn length(&self, row: usize) -> usize {
        self.rows[row + 1] - self.rows[row]
    }

    fn has(&self, row: usize) -> bool {
        self.lists.is_valid(row)
    }

    /// Every trainable token of a rollout with its vector, by its position; none where one of them is null.
    fn each(&self, row: usize, mut token: impl FnMut(usize, &[f64])) -> Result<()> {
        if !self.has(row) {
            return Ok(());
        }
        let bad = |message: String| {
            Error::data(self.unit.place(row, self.name), message, "give every token a vector of one length")
        };
        let (first, length) = (self.lists.value_offsets()[row] as usize, self.length(row));
        if self.lists.value_length(row) as usize != length {
            return Err(bad(format!("has {} vectors for {length} tokens", self.lists.value_length(row))));
        }
        let mut vector: Vec<f64> = Vec::new();
        let mut width = None;
        for at in (0..length).filter(|at| self.mask.value(self.rows[row] + at)) {
            let Some(factor) = self.factor.number(self.rows[row] + at) else {
                continue;
            };
            let element = first + at;
            if self.vectors.is_null(element) {
                continue;
            }
            let range = self.vectors.value_offsets()[element] as usize
                ..self.vectors.value_offsets()[element + 1] as usize;
            if self.numbers.nulls().is_some_and(|nulls| range.clone().any(|i| nulls.is_null(i))) {
                return Err(bad(format!("the vector of token {at} has a null")));
            }
            if *width.get_or_insert(range.len()) != range.len() {
                return Err(bad(format!("the vector of token {at} has {} numbers", range.len())));
            }
            vector.clear();
            vector.extend(self.numbers.values()[range].iter().map(|x| factor * x));
            token(at, &vector);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len());
        got.iter().zip(want).for_each(|(got, want)| assert!((got - want).abs() < 1e-8, "{got:?} {want:?}"));
    }

    /// The numeric check of the section, from `v` on: tokens 0 and 1 are right, 2 and 3 wrong.
    fn after(passes: usize) -> Centroids {
        let tokens = [(0, [0.5, 0.0]), (0, [0.0, 0.2]), (1, [0.8, 0.8]), (1, [0.0, -0.4])];
        let mut centroids = None;
        for pass in 0..passes {
            let mut sums = Sums::default();
            tokens.iter().for_each(|(side, vector)| sums.add(*side, 1.0, vector, centroids.as_ref()));
            centroids = Some(concluded(pass, &sums, centroids, 1e-8));
        }
        centroids.unwrap()
    }

    #[test]
    fn four_tokens_of_two_sides() {
        near(&after(2).scales, &[0.055, 0.24]);
        let refined = after(3);
        near(&refined.scales, &[0.055, 0.24]);
        near(&refined.means[0], &[0.16226463, 0.13509415]);
        near(&refined.means[1], &[0.57487499, 0.46231248]);
        let margins = [[0.5, 0.0], [0.0, 0.2], [0.8, 0.8], [0.0, -0.4]].map(|v| refined.margin(0, &v));
        near(&margins, &[0.08702348, 0.36874651, -0.68409206, 0.76140851]);
        assert_ne!(
            after(4).scales,
            refined.scales,
            "the second refinement has the scales of the first centroids"
        );
    }

    #[test]
    fn what_is_told_comes_back() {
        let mut sums = Sums::default();
        sums.add(1, 0.5, &[1.0, 2.0, 3.0], None);
        sums.add(0, 2.0, &[0.5, 0.0, 1.0], Some(&Centroids::new([1.0; 2], [vec![1.0; 3], vec![0.0; 3]])));
        assert_eq!(Sums::of_numbers(&sums.to_numbers()), Some(sums.clone()));
        let mut twice = Sums::default();
        twice.merge(&sums);
        twice.merge(&Sums::default());
        assert_eq!(twice, sums);
        let centroids = Centroids::new([0.5, 2.0], [vec![1.0, 2.0], vec![3.0, -1.0]]);
        assert_eq!(Centroids::of_numbers(&centroids.to_numbers()), Some(centroids));
        assert_eq!(Centroids::of_numbers(&[]), None);
    }

    #[test]
    fn without_tokens_of_a_side_its_centroid_is_zero() {
        let mut sums = Sums::default();
        sums.add(0, 1.0, &[1.0, 1.0], None);
        assert_eq!(sums.means(1e-8)[1], [0.0, 0.0]);
        near(&sums.scales(1e-8), &[1e-4, 1e-4]);
    }
}
