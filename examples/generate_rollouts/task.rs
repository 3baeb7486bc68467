//! Tasks, and what makes a group special.

use crate::random::Random;

pub const TASKS: u64 = 40;

const OPERATIONS: [char; 3] = ['*', '+', '-'];

pub fn calculate(a: i64, operation: char, b: i64) -> i64 {
    match operation {
        '*' => a * b,
        '+' => a + b,
        _ => a - b,
    }
}

/// A number and what to do with it, from left to right.
pub struct Task {
    pub start: i64,
    pub operations: Vec<(char, i64)>,
}

impl Task {
    pub fn new(task: u64) -> Self {
        let mut random = Random::new(task, u64::MAX);
        let start = 3 + random.below(47) as i64;
        let operations = (0..2 + random.below(2)).map(|_| {
            let operation = OPERATIONS[random.below(3) as usize];
            let largest = if operation == '*' { 9 } else { 90 };
            (operation, 2 + random.below(largest) as i64)
        });
        Task { start, operations: operations.collect() }
    }

    pub fn question(&self) -> String {
        let term = self
            .operations
            .iter()
            .fold(self.start.to_string(), |term, (operation, b)| format!("({term} {operation} {b})"));
        let term = &term[1..term.len() - 1];
        format!("What is {term}? Use the calculator, one operation at a time.")
    }

    pub fn solution(&self) -> i64 {
        self.operations.iter().fold(self.start, |a, (operation, b)| calculate(a, *operation, *b))
    }
}

/// What makes a group special, so that the dataset has every case that recipes must handle.
pub struct Circumstances {
    pub members: u64,
    /// Chance in a hundred of each kind of mistake, at each operation.
    pub slips: u64,
    pub always_wrong: bool,
    /// The rollout whose calculator does not answer.
    pub broken: Option<u64>,
}

impl Circumstances {
    pub fn of(task: u64) -> Self {
        let usual = Circumstances {
            members: 6,
            slips: if iteration(task) == 0 { 11 } else { 6 },
            always_wrong: false,
            broken: None,
        };
        match task {
            4 => Circumstances { members: 1, ..usual },
            6 => Circumstances { broken: Some(3), ..usual },
            9 => Circumstances { slips: 0, ..usual },
            14 => Circumstances { always_wrong: true, ..usual },
            17 => Circumstances { members: 3, ..usual },
            26 => Circumstances { members: 8, ..usual },
            33 => Circumstances { members: 2, ..usual },
            _ => usual,
        }
    }
}

/// The policy of the second half has been trained on the first.
pub fn iteration(task: u64) -> u64 {
    task * 2 / TASKS
}
