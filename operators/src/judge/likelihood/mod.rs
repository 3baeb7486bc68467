//! Judges that ask the policy how likely an answer is: gold-answer log-probabilities, information gain,
//! likelihood rewards and probes.

mod answer_likelihood;
mod contexts;
mod gold;
mod information_gain;
mod probe;
mod references;

pub use answer_likelihood::{AnswerLikelihood, LikelihoodForm};
pub use contexts::Bridge;
pub use gold::{GoldLogprobs, PromptGoldLogprob};
pub use information_gain::{Gain, InformationGains};
pub use probe::{Probe, ProbeOf};
pub use references::{PromptReferenceLogprobs, ReferenceLogprobs};
