//! The two passes over the rollouts, as observers of one worker.

use std::sync::Arc;

use arrow::array::RecordBatch;
use meed_operators::credit::Unit;
use meed_operators::engine::Observer;
use meed_operators::{Error, Result};
use serde::{Deserialize, Serialize};

use super::contested::{Contested, Most, contested, disagreement};
use super::credits::{RolloutCredit, UnitCredit};
use super::measures::Seen;
use super::pairs::{LevelRanks, Products};
use crate::ready::{Known, Ready};
use crate::stored::PIECE_TOKENS;

/// The recipes with what they know of the data.
#[derive(Clone)]
pub(super) struct Recipes {
    pub(super) ready: Arc<Vec<Ready>>,
    pub(super) known: Arc<Vec<Known>>,
}

impl Recipes {
    /// Rows of the advantages table, a batch per recipe; `assigned` hears why rollouts are left out.
    fn assign(
        &self,
        unit: &Unit,
        mut assigned: impl FnMut(usize, &RecordBatch, &[Option<String>]),
    ) -> Result<Vec<RecordBatch>> {
        let recipes = self.ready.iter().zip(self.known.iter()).enumerate();
        let rows = recipes.map(|(index, (ready, known))| {
            let widened;
            let unit = if ready.adds_nothing() {
                unit
            } else {
                widened = ready.unit(unit.batch(), known)?;
                &widened
            };
            let (evaluated, rows) = ready.assign(unit, known)?;
            let rows = rows.ok_or_else(|| Error::usage("a recipe gives no advantage", ""))?;
            assigned(index, &rows, &evaluated.reasons);
            Ok(rows)
        });
        rows.collect()
    }
}

/// The first pass.
pub(super) struct First {
    pub(super) recipes: Recipes,
    pub(super) seen: Seen,
}

impl Observer for First {
    fn observe(&mut self, unit: RecordBatch) -> Result<()> {
        for piece in Unit::new(unit)?.pieces(PIECE_TOKENS)? {
            let of_recipes = &mut self.seen.recipes;
            let rows = self.recipes.assign(&piece, |recipe, rows, reasons| {
                of_recipes[recipe].summary.add(&piece, rows, reasons);
            })?;
            let credit = UnitCredit::new(&piece, &rows)?;
            for group in credit.groups() {
                let rollouts: Vec<RolloutCredit> = group.map(|row| credit.rollout(row)).collect();
                self.seen.group(&rollouts);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        encode(&self.seen)
    }
}

/// All that workers have seen in the first pass.
pub(super) fn seen(parts: &[Vec<u8>], recipes: usize) -> Result<Seen> {
    let mut whole = Seen::new(recipes);
    for part in parts {
        whole.merge(decode(part)?);
    }
    Ok(whole)
}

/// What the second pass knows from the first.
pub(super) struct OfFirst {
    pub(super) seen: Seen,
    pub(super) scales: Vec<Option<f64>>,
    pub(super) ranks: Vec<LevelRanks>,
    /// Step signals to show with contested rollouts.
    pub(super) scores: Vec<String>,
}

/// The second pass.
pub(super) struct Second {
    pub(super) recipes: Recipes,
    pub(super) first: Arc<OfFirst>,
    pub(super) products: Products,
    pub(super) most: Most,
}

#[derive(Serialize, Deserialize)]
struct Found {
    products: Products,
    contested: Vec<Contested>,
}

impl Observer for Second {
    fn observe(&mut self, unit: RecordBatch) -> Result<()> {
        for piece in Unit::new(unit)?.pieces(PIECE_TOKENS)? {
            let rows = self.recipes.assign(&piece, |_, _, _| ())?;
            let credit = UnitCredit::new(&piece, &rows)?;
            for group in credit.groups() {
                self.group(&piece, &credit, group)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let products = std::mem::replace(&mut self.products, Products::new(0));
        encode(&Found { products, contested: std::mem::take(&mut self.most.rollouts) })
    }
}

impl Second {
    fn group(&mut self, unit: &Unit, credit: &UnitCredit<'_>, rows: std::ops::Range<usize>) -> Result<()> {
        let mut most: Option<(usize, f64)> = None;
        for row in rows {
            let rollout = credit.rollout(row);
            let pattern = self.first.seen.patterns.find(&rollout.in_loss).ok_or_else(|| {
                Error::usage("the rollouts changed while they were read", "compare a dataset at a version")
            })?;
            self.products.add(&self.first.ranks, &rollout, pattern);
            if let Some(more) = disagreement(&rollout, &self.first.scales)
                && more > most.map_or(0.0, |(_, known)| known)
            {
                most = Some((row, more));
            }
        }
        match most {
            Some((row, more)) => {
                let make = || Ok(contested(unit, credit, &self.first.scores, row, more));
                self.most.consider(more, make)
            }
            None => Ok(()),
        }
    }
}

/// All that workers have found in the second pass.
pub(super) fn found(parts: &[Vec<u8>], recipes: usize, limit: usize) -> Result<(Products, Vec<Contested>)> {
    let (mut products, mut most) = (Products::new(recipes), Most::new(limit));
    for part in parts {
        let found: Found = decode(part)?;
        products.merge(&found.products);
        found.contested.into_iter().for_each(|rollout| most.add(rollout));
    }
    Ok((products, most.rollouts))
}

fn encode(partial: &impl Serialize) -> Result<Vec<u8>> {
    postcard::to_stdvec(partial).map_err(|error| Error::external("encode a comparison", error, ""))
}

fn decode<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|error| Error::external("decode a comparison", error, ""))
}
