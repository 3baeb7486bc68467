//! What a scores table says already, so that nothing is asked twice.

use std::collections::HashMap;

use meed_operators::Result;
use meed_operators::engine::Batches;
use meed_operators::judge::{Answered, Judgement, Question};
use twox_hash::XxHash3_128;

use super::judgements::{Judgements, StoredJudgement};

/// The latest judgement of every rollout by every judge in a scores table.
///
/// Takes about 50 bytes a judgement, and its scores where they are to be written again.
#[derive(Debug, Default)]
pub struct AnsweredScores {
    latest: HashMap<u128, Latest>,
}

#[derive(Debug)]
struct Latest {
    /// Hash of the judge's version and of what the judgement depends on.
    question: u128,
    answered: Answered,
}

impl AnsweredScores {
    /// Reads a scores table in the order of its commits: the latest judgement counts. With `again`,
    /// answers are kept and come with the run's new ones, as a file needs that is written as a whole.
    ///
    /// # Errors
    /// The rows cannot be read, or are no scores.
    pub fn read(batches: Batches, again: bool) -> Result<Self> {
        let mut answered = AnsweredScores::default();
        let mut judgements = Judgements::default();
        for batch in batches {
            judgements.read(&batch?, |judgement| answered.add(judgement, again))?;
        }
        if let Some(judgement) = judgements.end() {
            answered.add(judgement, again);
        }
        Ok(answered)
    }

    fn add(&mut self, judgement: StoredJudgement, again: bool) {
        let of = key(judgement.iteration, &[&judgement.group_id, &judgement.rollout_id, &judgement.judge]);
        let question = key(0, &[&judgement.version, &judgement.input_hash]);
        let answered = match judgement.scores {
            None => Answered::No,
            Some(_) if !again => Answered::Stored,
            Some(scores) => Answered::Again(Judgement {
                scores: Ok(scores),
                latency_ms: judgement.latency_ms,
                input_hash: judgement.input_hash,
            }),
        };
        self.latest.insert(of, Latest { question, answered });
    }

    /// Whether the latest judgement answers the same question: by the same version of the judge, of the
    /// same content. A failed judgement is no answer.
    pub fn answered(&self, question: Question<'_>) -> Answered {
        let of = key(question.iteration, &[question.group_id, question.rollout_id, question.judge]);
        match self.latest.get(&of) {
            Some(latest) if latest.question == key(0, &[question.version, question.input_hash]) => {
                latest.answered.clone()
            }
            _ => Answered::No,
        }
    }
}

/// A hash that keeps `ab`, `c` apart from `a`, `bc`.
fn key(number: i64, texts: &[&str]) -> u128 {
    let mut hasher = XxHash3_128::new();
    hasher.write(&number.to_le_bytes());
    for text in texts {
        hasher.write(&(text.len() as u64).to_le_bytes());
        hasher.write(text.as_bytes());
    }
    hasher.finish_128()
}
