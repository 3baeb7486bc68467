//! The steps of an agent as they come, each with its turn and with what the agent has seen before it.

use twox_hash::XxHash3_128;

use super::Step;

/// Collects steps. A turn begins with the first policy step after environment steps.
///
/// The state before a step is a hash of all that the agent was shown so far: agents that have seen the
/// same are in the same state, whatever they said. An empty text shows nothing, so it leaves the state as
/// it is.
#[derive(Default)]
pub(super) struct Course {
    /// The steps so far.
    pub steps: Vec<Step>,
    state: u128,
    turn: i32,
    /// True once the policy has taken a step.
    acted: bool,
}

impl Course {
    /// Shows the agent something that is no step, such as its prompt.
    pub fn show(&mut self, kind: &str, text: &str) {
        if !text.is_empty() {
            let state = self.state.to_be_bytes();
            let seen = [&state[..], kind.as_bytes(), b"\0", text.as_bytes()];
            self.state = XxHash3_128::oneshot(&seen.concat());
        }
    }

    /// Adds a step, with its turn and state. The agent sees what the environment says.
    pub fn push(&mut self, mut step: Step) {
        let after_environment = self.steps.last().is_some_and(Step::is_environment);
        if !step.is_environment() {
            self.turn += i32::from(self.acted && after_environment);
            self.acted = true;
        }
        step.turn = Some(self.turn);
        step.state = Some(format!("{:032x}", self.state));
        if step.is_environment() {
            self.show(step.kind, &step.text);
        }
        self.steps.push(step);
    }
}
