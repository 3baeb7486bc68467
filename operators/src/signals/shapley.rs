//! Shapley values of players (agents, spans) from the stored rewards of their coalitions.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Float64Builder, Int64Array, ListArray, ListBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};

use super::AddSignals;
use super::texts::{column, wrong};
use crate::columns::list_of;
use crate::credit::Unit;
use crate::{Error, Result};

const MEMBERS: &str = "coalition_member_positions";
const REWARDS: &str = "coalition_rewards";

/// Most players of whom every coalition is looked at: 2^16 of them.
pub const MOST_PLAYERS: usize = 16;

/// What the stored coalitions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coalitions {
    /// Every set of players, in any order: exact values.
    Every,
    /// Orderings of the players, one after another: each begins with the empty coalition, and every next
    /// one has one player more. Values are the mean of what a player adds (sampled permutations).
    Orderings,
}

/// Adds the Shapley value of each player of a level, such as `agent_shapley_values`.
///
/// `coalition_rewards` has the reward of each coalition, `coalition_member_positions` a list of its players
/// by their positions in the player level's lists, from 0. The worth of a coalition that is stored several
/// times is the mean. A player's value is null where a reward that it needs is null or not stored.
///
/// ```
/// use meed_operators::signals::{AddSignals, Coalitions, Shapley};
/// let operator = Shapley { players: "agent_ids".into(), coalitions: Coalitions::Every };
/// assert_eq!(operator.adds()[0].name(), "agent_shapley_values");
/// ```
#[derive(Debug, Clone)]
pub struct Shapley {
    /// A list column of the players' level: it has one element per player.
    pub players: String,
    /// What the stored coalitions are.
    pub coalitions: Coalitions,
}

impl AddSignals for Shapley {
    fn name(&self) -> &str {
        "shapley"
    }

    fn reads(&self) -> Vec<String> {
        vec![self.players.clone(), MEMBERS.to_owned(), REWARDS.to_owned()]
    }

    fn adds(&self) -> Vec<Field> {
        let level = self.players.split('_').next().unwrap_or_default();
        vec![Field::new(format!("{level}_shapley_values"), list_of(DataType::Float64), true)]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let players = column(unit, self.name(), &self.players)?;
        let stored = Stored::new(unit, self.name())?;
        let element = Arc::new(Field::new("element", DataType::Float64, true));
        let mut added = ListBuilder::new(Float64Builder::new()).with_field(element);
        for row in 0..unit.rows() {
            let known = players.is_valid(row) && stored.is_valid(row);
            if known {
                let count = players.value_length(row) as usize;
                let values = match stored.row(row).map_err(|what| self.refused(unit, row, &what))? {
                    None => vec![None; count],
                    Some(coalitions) => match self.coalitions {
                        Coalitions::Every => exact_shapley_values(count, &coalitions),
                        Coalitions::Orderings => sampled_shapley_values(count, &coalitions),
                    }
                    .map_err(|error| self.refused(unit, row, &error.to_string()))?,
                };
                values.into_iter().for_each(|value| added.values().append_option(value));
            }
            added.append(known);
        }
        Ok(vec![Arc::new(added.finish())])
    }
}

impl Shapley {
    fn refused(&self, unit: &Unit, row: usize, what: &str) -> Error {
        let hint = format!(
            "every coalition has one reward and names players by their position in {}, from 0; of more than {MOST_PLAYERS} players store sampled orderings",
            self.players
        );
        Error::data(unit.place(row, MEMBERS), what, hint)
    }
}

/// The stored coalitions of a unit.
struct Stored<'a> {
    members: &'a ListArray,
    inner: &'a ListArray,
    positions: Int64Array,
    rewards: &'a ListArray,
    worth: Float64Array,
}

impl<'a> Stored<'a> {
    fn new(unit: &'a Unit, operator: &str) -> Result<Self> {
        let (members, rewards) = (column(unit, operator, MEMBERS)?, column(unit, operator, REWARDS)?);
        let inner = members.values().as_list_opt::<i32>().ok_or_else(|| wrong(MEMBERS, "hold lists"))?;
        let positions = cast(inner.values(), &DataType::Int64)?.as_primitive::<Int64Type>().clone();
        let worth = cast(rewards.values(), &DataType::Float64)?.as_primitive::<Float64Type>().clone();
        Ok(Stored { members, inner, positions, rewards, worth })
    }

    fn is_valid(&self, row: usize) -> bool {
        self.members.is_valid(row) && self.rewards.is_valid(row)
    }

    /// The coalitions of a row; `None` where it is not known who is in one of them.
    fn row(&self, row: usize) -> Result<Option<Vec<StoredCoalition>>, String> {
        let range = |list: &ListArray, i: usize| {
            let offsets = list.value_offsets();
            offsets[i] as usize..offsets[i + 1] as usize
        };
        let (sets, rewards) = (range(self.members, row), range(self.rewards, row));
        if sets.len() != rewards.len() {
            return Err(format!("has {} coalitions, but {} rewards", sets.len(), rewards.len()));
        }
        let mut coalitions = Vec::with_capacity(sets.len());
        for (set, reward) in sets.zip(rewards) {
            let members = range(self.inner, set);
            if self.inner.is_null(set) || members.clone().any(|i| self.positions.is_null(i)) {
                return Ok(None);
            }
            let place = |i: usize| {
                let place = self.positions.value(i);
                usize::try_from(place).map_err(|_| format!("names player {place}"))
            };
            let mut set: Vec<usize> = members.map(place).collect::<Result<_, _>>()?;
            set.sort_unstable();
            set.dedup();
            coalitions.push((set, self.worth.is_valid(reward).then(|| self.worth.value(reward))));
        }
        Ok(Some(coalitions))
    }
}

/// A coalition, its players in order, and its reward.
pub type StoredCoalition = (Vec<usize>, Option<f64>);

/// `phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S))`; null for all where the worth of
/// a coalition is not known.
///
/// ```
/// use meed_operators::signals::exact_shapley_values;
/// let worth = [0.0, 0.1, 0.2, 0.6, 0.0, 0.3, 0.2, 1.0];
/// let sets = (0..8).map(|set: usize| (0..3).filter(|i| set >> i & 1 == 1).collect());
/// let stored: Vec<(Vec<usize>, Option<f64>)> = sets.zip(worth.map(Some)).collect();
/// let values = exact_shapley_values(3, &stored)?;
/// assert!((values[0].unwrap() - 5.0 / 12.0).abs() < 1e-12);
/// assert!((values.iter().flatten().sum::<f64>() - 1.0).abs() < 1e-12);
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// More than [`MOST_PLAYERS`] players, and coalitions of players that do not exist.
pub fn exact_shapley_values(players: usize, stored: &[StoredCoalition]) -> Result<Vec<Option<f64>>> {
    if players > MOST_PLAYERS {
        return Err(Error::usage(
            format!("{players} players have too many coalitions to look at every one"),
            "store sampled orderings of the players instead",
        ));
    }
    only_known(players, stored)?;
    let mut sums = vec![(Some(0.0), 0.0); 1 << players];
    for (set, reward) in stored {
        let (sum, count): &mut (Option<f64>, f64) =
            &mut sums[set.iter().fold(0usize, |mask, player| mask | 1 << player)];
        *sum = sum.zip(*reward).map(|(sum, reward)| sum + reward);
        *count += 1.0;
    }
    let worth: Option<Vec<f64>> =
        sums.into_iter().map(|(sum, count)| sum.filter(|_| count > 0.0).map(|sum| sum / count)).collect();
    let Some(worth) = worth else {
        return Ok(vec![None; players]);
    };
    let mut weights = vec![1.0 / players.max(1) as f64];
    for size in 1..players {
        weights.push(weights[size - 1] * size as f64 / (players - size) as f64);
    }
    let of = |player: usize| {
        let without = (0..worth.len()).filter(|set| set >> player & 1 == 0);
        without
            .map(|set| weights[set.count_ones() as usize] * (worth[set | 1 << player] - worth[set]))
            .sum::<f64>()
    };
    Ok((0..players).map(|player| Some(of(player))).collect())
}

/// The mean of what each player adds where it joins: a coalition that has exactly one player more than the one
/// stored before it is a step of an ordering. Null for a player that never joins, or where a reward is null.
///
/// ```
/// use meed_operators::signals::sampled_shapley_values;
/// let stored = [(vec![], Some(0.0)), (vec![1], Some(0.25)), (vec![0, 1], Some(1.0))];
/// assert_eq!(sampled_shapley_values(2, &stored)?, [Some(0.75), Some(0.25)]);
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// Coalitions of players that do not exist.
pub fn sampled_shapley_values(players: usize, stored: &[StoredCoalition]) -> Result<Vec<Option<f64>>> {
    only_known(players, stored)?;
    let mut sums = vec![(Some(0.0), 0.0); players];
    for pair in stored.windows(2) {
        let ((before, low), (after, high)) = (&pair[0], &pair[1]);
        let mut joined = after.iter().filter(|player| !before.contains(player));
        let (Some(&player), None) = (joined.next(), joined.next()) else {
            continue;
        };
        if after.len() == before.len() + 1 {
            let (sum, count): &mut (Option<f64>, f64) = &mut sums[player];
            *sum = sum.zip(high.zip(*low)).map(|(sum, (high, low))| sum + high - low);
            *count += 1.0;
        }
    }
    Ok(sums.into_iter().map(|(sum, count)| sum.filter(|_| count > 0.0).map(|sum| sum / count)).collect())
}

fn only_known(players: usize, stored: &[StoredCoalition]) -> Result<()> {
    match stored.iter().flat_map(|(set, _)| set).find(|player| **player >= players) {
        None => Ok(()),
        Some(player) => Err(Error::usage(
            format!("a coalition names player {player}, but there are {players}"),
            "players are numbered from 0",
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every ordering of the players, walked one by one: the definition.
    fn by_orderings(players: usize, worth: &[f64]) -> Vec<f64> {
        // A step is on as many orderings as there are ways to go on after it.
        fn walk(set: usize, players: usize, worth: &[f64], sums: &mut [f64]) {
            for player in (0..players).filter(|player| set >> player & 1 == 0) {
                let next = set | 1 << player;
                let after = (1..=players - next.count_ones() as usize).product::<usize>() as f64;
                sums[player] += after * (worth[next] - worth[set]);
                walk(next, players, worth, sums);
            }
        }
        let mut sums = vec![0.0; players];
        walk(0, players, worth, &mut sums);
        let orderings = (1..=players).product::<usize>() as f64;
        sums.into_iter().map(|sum| sum / orderings).collect()
    }

    fn sets(worth: &[f64]) -> Vec<StoredCoalition> {
        let set = |mask: usize| (0..8).filter(|player| mask >> player & 1 == 1).collect();
        worth.iter().enumerate().map(|(mask, &worth)| (set(mask), Some(worth))).collect()
    }

    proptest! {
        #[test]
        fn exact_values_are_means_over_all_orderings(
            (players, worth) in (0usize..5).prop_flat_map(|n| (Just(n), prop::collection::vec(-1.0..1.0f64, 1 << n)))
        ) {
            let got = exact_shapley_values(players, &sets(&worth)).unwrap();
            for (got, wanted) in got.iter().zip(by_orderings(players, &worth)) {
                prop_assert!((got.unwrap() - wanted).abs() < 1e-12);
            }
            let sum: f64 = got.iter().flatten().sum();
            prop_assert!((sum - (worth[worth.len() - 1] - worth[0])).abs() < 1e-12);
        }

        /// All orderings stored one after another give the exact values.
        #[test]
        fn sampled_values_of_all_orderings_are_exact(worth in prop::collection::vec(-1.0..1.0f64, 8)) {
            let mut stored: Vec<StoredCoalition> = Vec::new();
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                for size in 0..=3 {
                    let mut set = order[..size].to_vec();
                    set.sort_unstable();
                    let mask: usize = set.iter().map(|player| 1 << player).sum();
                    stored.push((set, Some(worth[mask])));
                }
            }
            let exact = exact_shapley_values(3, &sets(&worth)).unwrap();
            for (got, wanted) in sampled_shapley_values(3, &stored).unwrap().iter().zip(exact) {
                prop_assert!((got.unwrap() - wanted.unwrap()).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn what_is_not_known_is_null() {
        let mut stored = sets(&[0.0, 0.5, 0.25, 1.0]);
        stored[1].1 = None;
        assert_eq!(exact_shapley_values(2, &stored).unwrap(), [None, None]);
        assert_eq!(exact_shapley_values(2, &stored[2..]).unwrap(), [None, None]);
        assert_eq!(sampled_shapley_values(2, &stored[2..]).unwrap(), [Some(0.75), None]);
        assert!(exact_shapley_values(1, &stored).is_err() && sampled_shapley_values(1, &stored).is_err());
        assert!(exact_shapley_values(17, &[]).unwrap_err().hint().contains("orderings"));
        assert!(exact_shapley_values(0, &[]).unwrap().is_empty());
    }

    #[test]
    fn several_rewards_of_a_coalition_are_averaged() {
        let mut stored = sets(&[0.0, 1.0]);
        stored.push((vec![0], Some(0.5)));
        assert_eq!(exact_shapley_values(1, &stored).unwrap(), [Some(0.75)]);
    }
}
