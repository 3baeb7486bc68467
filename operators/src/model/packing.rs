//! Cuts a batch of rollouts into units that go through the network one by one, prompts packed once.

use std::sync::Arc;

use super::config::ModelConfig;
use super::forest::Forest;
use crate::policy::TokenBatch;
use crate::{Error, Result};

/// Tokens after which a unit ends: enough for fast products, few enough to stay in a core's cache.
const UNIT_TOKENS: usize = 512;

/// Rollouts that go through the network together, packed without padding. How a batch is cut depends on
/// the batch alone, so sums over units are always taken in the same order.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Packed token ids.
    pub tokens: Vec<u32>,
    /// How they continue each other.
    pub forest: Arc<Forest>,
    /// Packed token that predicts each wanted token.
    pub rows: Arc<[usize]>,
    /// The wanted tokens.
    pub targets: Arc<[u32]>,
    /// Their places in the batch's list of tokens.
    pub places: Vec<usize>,
    /// Packed token before every token of the unit's rollouts: where its value is estimated.
    pub before: Arc<[usize]>,
    /// Place in the batch's list of tokens of the first token of the unit's rollouts.
    pub first: usize,
}

/// Cuts a batch into units. Adjacent rollouts with equal prompts share the prompt's tokens; the last token
/// of a rollout predicts nothing and does not go through the network.
///
/// ```
/// use meed_operators::model::{config::ModelConfig, packing::pack};
/// use meed_operators::policy::TokenBatch;
/// let mut batch = TokenBatch::default();
/// batch.push(&[1, 2, 3], &[4, 5], &[true, true]);
/// batch.push(&[1, 2, 3], &[6, 7, 8], &[true, false, true]);
/// let units = pack(&batch, &ModelConfig::named("tiny", 10)?)?;
/// assert_eq!(units[0].tokens, [1, 2, 3, 4, 6, 7]);
/// assert_eq!(*units[0].rows, [2, 3, 2, 5]);
/// assert_eq!(*units[0].targets, [4, 5, 6, 8]);
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// A token outside the vocabulary, a rollout longer than the model can hold, a rollout without a prompt,
/// and lists of the batch that do not fit each other.
pub fn pack(batch: &TokenBatch, config: &ModelConfig) -> Result<Vec<Unit>> {
    check(batch, config)?;
    let mut units = Vec::new();
    let mut open = Open::default();
    for rollout in 0..batch.len() {
        let (prompt, response) = (batch.prompt(rollout), batch.response(rollout));
        let shared = open.root.is_some() && rollout > 0 && batch.prompt(rollout - 1) == prompt;
        // The prompt of the moment is not counted, so that its rollouts are not torn apart for its length.
        let size = if shared { open.tokens.len() - prompt.len() } else { open.tokens.len() };
        if !open.tokens.is_empty() && size + response.len() > UNIT_TOKENS {
            units.push(std::mem::take(&mut open).close());
        }
        let root = match open.root.filter(|_| shared) {
            Some(root) => root,
            None => open.extend(prompt, None),
        };
        open.root = Some(root);
        open.add(batch, rollout, root);
    }
    if !open.tokens.is_empty() {
        units.push(open.close());
    }
    Ok(units)
}

/// A unit that still grows.
#[derive(Default)]
struct Open {
    tokens: Vec<u32>,
    forest: Forest,
    rows: Vec<usize>,
    targets: Vec<u32>,
    places: Vec<usize>,
    before: Vec<usize>,
    first: Option<usize>,
    /// Segment of the current prompt.
    root: Option<usize>,
}

impl Open {
    fn extend(&mut self, tokens: &[i32], parent: Option<usize>) -> usize {
        self.tokens.extend(tokens.iter().map(|token| token.unsigned_abs()));
        self.forest.push(tokens.len(), parent)
    }

    fn add(&mut self, batch: &TokenBatch, rollout: usize, root: usize) {
        let response = batch.response(rollout);
        let start = batch.offsets[rollout];
        self.first.get_or_insert(start);
        let mut row = self.forest.segments()[root].tokens.end - 1;
        let run = &response[..response.len().saturating_sub(1)];
        let next = self.tokens.len();
        if !run.is_empty() {
            self.extend(run, Some(root));
        }
        for (i, token) in response.iter().enumerate() {
            self.before.push(row);
            if batch.mask[start + i] {
                self.rows.push(row);
                self.targets.push(token.unsigned_abs());
                self.places.push(start + i);
            }
            row = next + i;
        }
    }

    fn close(self) -> Unit {
        Unit {
            tokens: self.tokens,
            forest: Arc::new(self.forest),
            rows: self.rows.into(),
            targets: self.targets.into(),
            places: self.places,
            before: self.before.into(),
            first: self.first.unwrap_or(0),
        }
    }
}

fn check(batch: &TokenBatch, config: &ModelConfig) -> Result<()> {
    let ends = |offsets: &[usize], tokens: usize| {
        offsets.first().is_none_or(|first| *first == 0)
            && offsets.last().is_none_or(|last| *last == tokens)
            && offsets.windows(2).all(|pair| pair[0] <= pair[1])
    };
    if batch.prompt_offsets.len() != batch.offsets.len()
        || !ends(&batch.prompt_offsets, batch.prompts.len())
        || !ends(&batch.offsets, batch.tokens.len())
        || batch.mask.len() != batch.tokens.len()
    {
        return Err(Error::usage(
            "the lists of a token batch do not fit each other",
            "add rollouts with TokenBatch::push, a mask value for every token",
        ));
    }
    let known = 0..config.vocabulary as i64;
    for rollout in 0..batch.len() {
        let (prompt, response) = (batch.prompt(rollout), batch.response(rollout));
        if let Some(token) = prompt.iter().chain(response).find(|token| !known.contains(&i64::from(**token)))
        {
            return Err(Error::usage(
                format!(
                    "rollout {rollout}: token {token} is outside the vocabulary of {}",
                    config.vocabulary
                ),
                "the tokens were made by another tokenizer than the model's",
            ));
        }
        if prompt.is_empty() {
            return Err(Error::usage(
                format!("rollout {rollout} has no prompt, so that nothing predicts its first token"),
                "give at least one token, as the tokenizer's start or end token",
            ));
        }
        let length = prompt.len() + response.len();
        if length > config.max_positions {
            return Err(Error::usage(
                format!(
                    "rollout {rollout} has {length} tokens, and the model holds {}",
                    config.max_positions
                ),
                "shorten prompts or responses, or use a model with more positions",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ModelConfig {
        ModelConfig::named("16x1x2x32", 11).unwrap()
    }

    #[test]
    fn every_wanted_token_is_in_one_unit_with_its_predecessor() {
        let mut batch = TokenBatch::default();
        for i in 0..60 {
            let prompt: Vec<i32> = (0..5 + i / 8).map(|k| (k + i / 8) % 11).collect();
            let response: Vec<i32> = (0..(i * 7) % 40).map(|k| (k * 3 + i) % 11).collect();
            let mask: Vec<bool> = (0..response.len()).map(|k| k % 3 != 1).collect();
            batch.push(&prompt, &response, &mask);
        }
        let units = pack(&batch, &config()).unwrap();
        assert!(units.len() > 1);
        let places: Vec<usize> = units.iter().flat_map(|unit| unit.places.clone()).collect();
        let wanted: Vec<usize> = (0..batch.tokens.len()).filter(|place| batch.mask[*place]).collect();
        assert_eq!(places, wanted);
        assert_eq!(units.iter().map(|unit| unit.before.len()).sum::<usize>(), batch.tokens.len());
        for unit in &units {
            assert_eq!(unit.forest.tokens(), unit.tokens.len());
            let rows = unit.rows.iter().zip(unit.targets.iter()).zip(&unit.places);
            for ((row, target), place) in rows {
                assert_eq!(*target as i32, batch.tokens[*place]);
                assert_eq!(*row, unit.before[place - unit.first]);
                let rollout = batch.offsets.partition_point(|offset| offset <= place) - 1;
                let sequence = [batch.prompt(rollout), batch.response(rollout)].concat();
                let at = batch.prompt(rollout).len() + place - batch.offsets[rollout];
                assert_eq!(unit.tokens[*row] as i32, sequence[at - 1]);
                assert_eq!(unit.forest.positions()[*row], at - 1);
            }
        }
    }

    #[test]
    fn long_prompts_stay_with_their_rollouts() {
        let config = ModelConfig { max_positions: 2048, ..config() };
        let mut batch = TokenBatch::default();
        for _ in 0..8 {
            batch.push(&[3; 1500], &[4; 16], &[true; 16]);
        }
        batch.push(&[5; 10], &[], &[]);
        let units = pack(&batch, &config).unwrap();
        assert_eq!(units.iter().map(|unit| unit.tokens.len()).collect::<Vec<_>>(), [1500 + 8 * 15, 10]);
        assert!(pack(&TokenBatch::default(), &config).unwrap().is_empty());
    }

    #[test]
    fn what_the_model_cannot_take_is_refused_by_rollout() {
        let refused = |prompt: &[i32], response: &[i32], reason: &str| {
            let mut batch = TokenBatch::default();
            batch.push(&[1], &[2], &[true]);
            batch.push(prompt, response, &vec![true; response.len()]);
            let message = pack(&batch, &config()).unwrap_err().to_string();
            assert!(message.contains(reason) && message.contains("rollout 1"), "{message}");
        };
        refused(&[1, 11], &[2], "token 11 is outside the vocabulary of 11");
        refused(&[1], &[-2], "token -2");
        refused(&[], &[2], "no prompt");
        refused(&[1; 2000], &[2; 49], "2049 tokens");
        let mut batch = TokenBatch::default();
        batch.push(&[1], &[2, 3], &[true]);
        assert!(pack(&batch, &config()).unwrap_err().to_string().contains("do not fit"));
    }
}
