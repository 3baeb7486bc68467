//! Rollouts as plain Rust values: what the naive reference reads.

/// A list cell: null, or a value or null per element.
pub type Cell<T> = Option<Vec<Option<T>>>;

/// Spans of tokens with a score each.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    pub starts: Vec<usize>,
    pub ends: Vec<usize>,
    pub scores: Cell<f64>,
}

/// One rollout.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub iteration: i64,
    pub group: String,
    pub id: String,
    pub reward: Option<f64>,
    pub cost: Option<f64>,
    pub seed: Option<i64>,
    pub label: Option<String>,
    pub parent: Option<String>,
    pub split: Option<i64>,
    pub mask: Vec<bool>,
    pub token_scores: Cell<f64>,
    pub token_marks: Cell<f64>,
    pub step_ends: Vec<usize>,
    pub step_kinds: Vec<String>,
    pub step_turns: Option<Vec<i64>>,
    pub step_rewards: Cell<f64>,
    pub step_states: Cell<String>,
    pub step_agents: Cell<String>,
    pub turn_scores: Cell<f64>,
    /// A list of tests per turn; inner lists may be null.
    pub passed: Cell<Vec<Option<f64>>>,
    pub test_weights: Cell<f64>,
    pub macros: Spans,
    pub slices: Spans,
    pub agent_ids: Cell<String>,
    pub agent_scores: Cell<f64>,
    /// The step that each agent's score belongs to.
    pub agent_spots: Cell<i64>,
}

/// Rollouts in canonical order.
#[derive(Debug, Clone)]
pub struct Data {
    pub rows: Vec<Row>,
    /// Whether rows carry `step_turns`.
    pub given_turns: bool,
}

impl Row {
    pub fn tokens(&self) -> usize {
        self.mask.len()
    }

    pub fn steps(&self) -> usize {
        self.step_ends.len()
    }

    pub fn acts(&self, step: usize) -> bool {
        !["environment", "observation", "user", "system"].contains(&self.step_kinds[step].as_str())
    }

    /// Turn of each step: a maximal run of policy steps and the environment steps after it, with
    /// leading environment steps in turn 0; or as given.
    pub fn turn_of_steps(&self) -> Vec<usize> {
        let mut turns: Vec<usize> = Vec::new();
        let mut acted = false;
        for step in 0..self.steps() {
            let next = match (&self.step_turns, step) {
                (_, 0) => 0,
                (Some(given), _) => turns[step - 1] + usize::from(given[step] != given[step - 1]),
                (None, _) => turns[step - 1] + usize::from(acted && self.acts(step) && !self.acts(step - 1)),
            };
            acted |= self.acts(step);
            turns.push(next);
        }
        turns
    }

    pub fn turns(&self) -> usize {
        self.turn_of_steps().last().map_or(0, |last| last + 1)
    }

    pub fn tests(&self) -> usize {
        self.test_weights.as_ref().map_or(0, Vec::len)
    }
}

impl Data {
    /// Rows of each group, in order.
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for row in 0..self.rows.len() {
            match groups.last_mut() {
                Some(group) if self.same_group(group[0], row) => group.push(row),
                _ => groups.push(vec![row]),
            }
        }
        groups
    }

    pub fn same_group(&self, a: usize, b: usize) -> bool {
        self.rows[a].iteration == self.rows[b].iteration && self.rows[a].group == self.rows[b].group
    }
}
