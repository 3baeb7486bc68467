//! Random rollouts of every shape that the columns allow.

use crate::data::{Cell, Data, Row, Spans};

/// A small counter-based generator (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Less than `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// A number; every second one is a quarter, so that ties occur.
    pub fn number(&mut self) -> f64 {
        let quarter = self.below(17) as f64 / 4.0 - 2.0;
        if self.chance(60) { quarter } else { quarter + (self.next() >> 11) as f64 / (1u64 << 53) as f64 }
    }

    fn numbers(&mut self, length: usize) -> Cell<f64> {
        (!self.chance(8)).then(|| (0..length).map(|_| (!self.chance(12)).then(|| self.number())).collect())
    }

    fn texts(&mut self, length: usize, from: &[&str]) -> Cell<String> {
        (!self.chance(6))
            .then(|| (0..length).map(|_| (!self.chance(12)).then(|| self.pick(from).to_owned())).collect())
    }

    pub fn shuffled(&mut self, length: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..length).collect();
        for i in (1..length).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

/// Rollouts of a few iterations and uneven groups, some without tokens or trainable tokens.
pub fn dataset(seed: u64) -> Data {
    let random = &mut Random::new(seed);
    let mut rows = Vec::new();
    let given_turns = random.chance(30);
    for iteration in 0..1 + random.below(3) as i64 {
        for group in 0..1 + random.below(3) {
            let size = random.pick(&[1, 1, 2, 3, 5, 7]);
            for id in 0..size {
                let mut row = rollout(random, given_turns);
                row.iteration = iteration;
                row.group = format!("g{}", 7 * group);
                row.id = format!("r{}", 3 * id + 1);
                row.parent = random.chance(50).then(|| format!("r{}", 3 * random.below(size + 1) + 1));
                rows.push(row);
            }
        }
    }
    send_positions(random, &mut rows);
    Data { rows, given_turns }
}

fn rollout(random: &mut Random, given_turns: bool) -> Row {
    let tokens = if random.chance(7) { 0 } else { 1 + random.below(12) };
    let mut row = Row {
        mask: mask(random, tokens),
        reward: (!random.chance(10)).then(|| random.number()),
        cost: (!random.chance(10)).then(|| random.number()),
        seed: (!random.chance(15)).then(|| random.below(3) as i64 - 1),
        label: (!random.chance(15)).then(|| random.pick(&["", "a", "b", "ab"]).to_owned()),
        token_scores: random.numbers(tokens),
        token_marks: random.numbers(tokens),
        ..Row::default()
    };
    let kinds = ["policy", "policy", "think", "environment", "user", "observation", "tool_call"];
    let steps = if tokens == 0 { random.below(2) } else { 1 + random.below(6) };
    let mut ends: Vec<usize> = (0..steps).map(|_| random.below(tokens + 1)).collect();
    ends.sort_unstable();
    if let Some(last) = ends.last_mut() {
        *last = tokens;
    }
    row.step_ends = ends;
    row.step_kinds = (0..steps).map(|_| random.pick(&kinds).to_owned()).collect();
    if given_turns && !random.chance(15) {
        let mut turn = 0;
        row.step_turns = Some(
            (0..steps)
                .map(|_| {
                    turn += random.below(3) as i64 / 2;
                    turn
                })
                .collect(),
        );
    }
    row.step_rewards = random.numbers(steps);
    row.step_states = random.texts(steps, &["s1", "s2", "s3", "south"]);
    row.step_agents = random.texts(steps, &["x", "y", "z"]);
    let turns = row.turns();
    row.turn_scores = random.numbers(turns);
    let tests = random.below(4);
    row.test_weights = Some((0..tests).map(|_| (!random.chance(12)).then(|| random.number())).collect());
    row.passed = (!random.chance(10)).then(|| {
        (0..turns)
            .map(|_| {
                (!random.chance(10))
                    .then(|| (0..tests).map(|_| (!random.chance(12)).then(|| random.number())).collect())
            })
            .collect()
    });
    row.macros = spans(random, tokens, false);
    row.slices = spans(random, tokens, true);
    let agents = random.below(4);
    row.agent_ids = Some(
        ["x", "y", "w"][..agents].iter().map(|&id| (!random.chance(10)).then(|| id.to_owned())).collect(),
    );
    row.agent_scores = random.numbers(agents);
    row.agent_spots = Some(
        (0..agents)
            .map(|_| (steps > 0 && !random.chance(15)).then(|| random.below(steps.max(1)) as i64))
            .collect(),
    );
    row
}

fn mask(random: &mut Random, tokens: usize) -> Vec<bool> {
    if random.chance(8) {
        return vec![false; tokens];
    }
    let (lead, trail) = (random.below(3), random.below(3));
    (0..tokens).map(|t| t >= lead && t + trail < tokens && !random.chance(15)).collect()
}

/// Spans in order, possibly empty; with gaps between them where asked.
fn spans(random: &mut Random, tokens: usize, gaps: bool) -> Spans {
    let count = random.below(5);
    let mut cuts: Vec<usize> =
        (0..if gaps { 2 * count } else { count }).map(|_| random.below(tokens + 1)).collect();
    cuts.sort_unstable();
    let (starts, ends): (Vec<usize>, Vec<usize>) = if gaps {
        cuts.chunks(2).map(|pair| (pair[0], pair[1])).unzip()
    } else {
        (0..count).map(|i| (if i == 0 { 0 } else { cuts[i - 1] }, cuts[i])).unzip()
    };
    Spans { starts, ends, scores: random.numbers(count) }
}

/// A token of the parent where each rollout has one.
fn send_positions(random: &mut Random, rows: &mut [Row]) {
    for row in 0..rows.len() {
        let parent = rows.iter().find(|other| {
            other.iteration == rows[row].iteration
                && other.group == rows[row].group
                && Some(&other.id) == rows[row].parent.as_ref()
        });
        let tokens = parent.map_or(0, Row::tokens);
        if tokens > 0 && !random.chance(10) {
            rows[row].split = Some(random.below(tokens) as i64);
        } else if tokens == 0 && parent.is_some() {
            rows[row].parent = None;
        }
    }
}
