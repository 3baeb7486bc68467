//! A grid with a key and a door: long episodes with a single reward at the end.

use std::collections::VecDeque;
use std::sync::Arc;

use meed_operators::Result;
use meed_operators::sample::{Environments, Prompt};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::simulation::{Answer, Simulation, Simulations, grade, step_scores};
use super::{Demonstration, Difficulty, Limits, Problem, Said, Task, foreign};

/// Fetching the key and leaving through the door. The prompt is a grid with the agent `A`, the key `K`,
/// the door `D`, walls `#` and free cells `.`; a turn is a step north, south, east or west: `n`, `s`,
/// `e` or `w` and a line feed. The environment answers with row, column and `k` once the agent has the
/// key: `02-` or `13k`. Steps into walls, and into the door without the key, leave the agent where it
/// is; a turn that is no step ends the episode.
///
/// The step oracle likes steps that bring the agent nearer to its goal.
///
/// Half of the solutions to warm up on are shortest ways; the others wander, and some never arrive.
pub struct KeyDoor;

/// The task `key_door`.
pub const KEY_DOOR: KeyDoor = KeyDoor;

/// Share of solutions that wander, and how often they do.
const WANDERERS: f64 = 0.5;
const WANDERS: f64 = 0.3;

type Cell = (usize, usize);

/// The steps: their letter, rows down and columns to the right.
const STEPS: &[(char, isize, isize)] = &[('n', -1, 0), ('s', 1, 0), ('e', 0, 1), ('w', 0, -1)];

impl Task for KeyDoor {
    fn name(&self) -> &'static str {
        "key_door"
    }

    fn title(&self) -> &'static str {
        "a grid with a key and a door, one step north, south, east or west a turn"
    }

    fn difficulty(&self) -> Difficulty {
        Difficulty { meaning: "rows and columns of the grid", least: 3, most: 9, default: 4 }
    }

    fn limits(&self, difficulty: u32) -> Limits {
        let max_turns = 5 * difficulty as usize;
        Limits { max_tokens: 6 * max_turns + 5, max_turns }
    }

    fn draw(&self, difficulty: u32, random: &mut ChaCha8Rng) -> Problem {
        let size = difficulty as usize;
        loop {
            let mut cells: Vec<Cell> = (0..size * size).map(|cell| (cell / size, cell % size)).collect();
            cells.shuffle(random);
            let (agent, key, door) = (cells[0], cells[1], cells[2]);
            let mut walls = cells[3..size + 1].to_vec();
            walls.sort_unstable();
            let grid = Grid { size, walls, agent, key: Some(key), door };
            if grid.distance().is_some_and(|steps| steps <= 4 * size) {
                let text = grid.text();
                return Problem { content: text.clone(), text, reference: None, metadata: None };
            }
        }
    }

    fn demonstrate(&self, prompt: Prompt, random: &mut ChaCha8Rng) -> Result<Demonstration> {
        let mut grid = Grid::begin(&prompt)?;
        let max_turns = self.limits(grid.size as u32).max_turns;
        let wanders = random.random_bool(WANDERERS);
        let mut said = vec![Said { text: grid.opening(), policy: false }];
        for _ in 0..max_turns {
            let mut steps: Vec<char> = STEPS.iter().map(|step| step.0).collect();
            steps.shuffle(random);
            if !(wanders && random.random_bool(WANDERS)) {
                steps.sort_by_key(|step| grid.after(*step).distance());
            }
            let text = format!("{}\n", steps[0]);
            let answer = grid.answer(&text);
            said.push(Said { text, policy: true });
            if answer.solved.is_some() {
                return Ok(Demonstration { prompt, said, right: answer.solved == Some(true) });
            }
            said.push(Said { text: answer.observation, policy: false });
        }
        Ok(Demonstration { prompt, said, right: false })
    }

    fn grade(&self, prompt: &Prompt, turns: &[&str]) -> Result<f64> {
        grade::<Grid>(prompt, turns)
    }

    fn has_oracle(&self) -> bool {
        true
    }

    fn step_scores(&self, prompt: &Prompt, turns: &[&str]) -> Result<Option<Vec<f64>>> {
        step_scores::<Grid>(prompt, turns).map(Some)
    }

    fn environments(&self, difficulty: u32) -> Option<Arc<dyn Environments>> {
        Some(Arc::new(Simulations::<Grid>::new(self.limits(difficulty).max_turns)))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Grid {
    size: usize,
    walls: Vec<Cell>,
    agent: Cell,
    /// Where the key lies; `None` once the agent has it.
    key: Option<Cell>,
    door: Cell,
}

impl Grid {
    fn text(&self) -> String {
        let mut text = String::new();
        for row in 0..self.size {
            for column in 0..self.size {
                let cell = (row, column);
                text.push(match cell {
                    _ if cell == self.agent => 'A',
                    _ if Some(cell) == self.key => 'K',
                    _ if cell == self.door => 'D',
                    _ if self.walls.contains(&cell) => '#',
                    _ => '.',
                });
            }
            text.push('\n');
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
        let size = lines.len();
        if !(2..=9).contains(&size) || lines.iter().any(|line| line.len() != size) {
            return None;
        }
        let all = |letter: u8| -> Vec<Cell> {
            let cells = (0..size * size).map(|cell| (cell / size, cell % size));
            cells.filter(|(row, column)| lines[*row].as_bytes()[*column] == letter).collect()
        };
        let (walls, free) = (all(b'#'), all(b'.'));
        match (&all(b'A')[..], &all(b'K')[..], &all(b'D')[..]) {
            (&[agent], &[key], &[door]) if walls.len() + free.len() + 3 == size * size => {
                Some(Grid { size, walls, agent, key: Some(key), door })
            }
            _ => None,
        }
    }

    /// The cell of a step, where the agent may go there.
    fn neighbour(&self, (row, column): Cell, letter: char) -> Option<Cell> {
        let (_, down, right) = STEPS.iter().find(|step| step.0 == letter)?;
        let cell = (row.checked_add_signed(*down)?, column.checked_add_signed(*right)?);
        let inside = cell.0 < self.size && cell.1 < self.size;
        let closed = self.key.is_some() && cell == self.door;
        (inside && !closed && !self.walls.contains(&cell)).then_some(cell)
    }

    /// The grid after a step.
    fn after(&self, letter: char) -> Grid {
        let mut grid = self.clone();
        if let Some(cell) = self.neighbour(self.agent, letter) {
            grid.agent = cell;
            grid.key = self.key.filter(|key| *key != cell);
        }
        grid
    }

    /// The fewest steps to the door by way of the key; `None` where there is no way.
    fn distance(&self) -> Option<usize> {
        let Some(key) = self.key else {
            return self.way(self.agent, self.door);
        };
        let with_key = Grid { agent: key, key: None, ..self.clone() };
        Some(self.way(self.agent, key)? + with_key.distance()?)
    }

    fn way(&self, from: Cell, to: Cell) -> Option<usize> {
        let mut steps = vec![None; self.size * self.size];
        let place = |(row, column): Cell| row * self.size + column;
        steps[place(from)] = Some(0);
        let mut open = VecDeque::from([from]);
        while let Some(cell) = open.pop_front() {
            let so_far = steps[place(cell)]?;
            if cell == to {
                return Some(so_far);
            }
            for next in STEPS.iter().filter_map(|step| self.neighbour(cell, step.0)) {
                if steps[place(next)].is_none() {
                    steps[place(next)] = Some(so_far + 1);
                    open.push_back(next);
                }
            }
        }
        None
    }
}

impl Simulation for Grid {
    const TURN_END: &'static str = "\n";

    fn begin(prompt: &Prompt) -> Result<Self> {
        Grid::parse(&prompt.text).ok_or_else(|| foreign("key_door", "prompt", &prompt.text))
    }

    fn opening(&self) -> String {
        format!("{}\n", self.state())
    }

    fn state(&self) -> String {
        let key = if self.key.is_none() { 'k' } else { '-' };
        format!("{}{}{key}", self.agent.0, self.agent.1)
    }

    fn answer(&mut self, turn: &str) -> Answer {
        let mut letters = turn.strip_suffix('\n').unwrap_or(turn).chars();
        let step = match (letters.next(), letters.next()) {
            (Some(letter), None) if STEPS.iter().any(|step| step.0 == letter) => letter,
            _ => return Answer::malformed(),
        };
        let before = self.distance();
        *self = self.after(step);
        let solved = (self.key.is_none() && self.agent == self.door).then_some(true);
        let observation = if solved.is_some() { String::new() } else { self.opening() };
        let good = self.distance().is_some_and(|after| before.is_none_or(|before| after < before));
        Answer { observation, action: Some(step.to_string()), solved, good }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    fn prompt(text: &str) -> Prompt {
        Prompt { group_id: "g".into(), text: text.into(), reference: None, metadata: None }
    }

    const SMALL: &str = "A.D\n#..\nK..\n";

    #[test]
    fn an_episode_goes_by_way_of_the_key() {
        let environments = KEY_DOOR.environments(3).unwrap();
        let mut environment = environments.make(&prompt(SMALL)).unwrap();
        let reset = block_on(environment.reset()).unwrap();
        assert_eq!((reset.observation.as_str(), reset.state.as_deref()), ("00-\n", Some("00-")));
        let walk = [
            ("s", "00-"), // a wall
            ("n", "00-"), // the edge
            ("e", "01-"),
            ("e", "01-"), // the door is locked
            ("s", "11-"),
            ("s", "21-"),
            ("w", "20k"),
            ("e", "21k"),
            ("n", "11k"),
            ("n", "01k"),
        ];
        for (turn, state) in walk {
            let given = block_on(environment.step(&format!("{turn}\n"))).unwrap();
            assert_eq!((given.state.as_deref(), given.reward, given.done), (Some(state), Some(0.0), false));
            assert_eq!(given.observation, format!("{state}\n"));
            assert_eq!(given.action.as_deref(), Some(turn));
        }
        let given = block_on(environment.step("e\n")).unwrap();
        assert_eq!((given.observation.as_str(), given.reward, given.done), ("", Some(1.0), true));
        let mut turns: Vec<&str> = walk.iter().map(|step| step.0).collect();
        assert_eq!(KEY_DOOR.grade(&prompt(SMALL), &turns).unwrap(), 0.0);
        turns.push("e");
        assert_eq!(KEY_DOOR.grade(&prompt(SMALL), &turns).unwrap(), 1.0);
        assert_eq!(
            KEY_DOOR.step_scores(&prompt(SMALL), &turns).unwrap().unwrap(),
            [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
        );
    }

    #[test]
    fn what_is_no_step_ends_the_episode() {
        let mut environment = KEY_DOOR.environments(3).unwrap().make(&prompt(SMALL)).unwrap();
        block_on(environment.reset()).unwrap();
        let given = block_on(environment.step("east\n")).unwrap();
        assert_eq!((given.reward, given.done, given.action), (Some(0.0), true, None));
        for turns in [&["x"][..], &["e", ""], &["E"], &["e e"], &["n\n\n"]] {
            assert_eq!(KEY_DOOR.grade(&prompt(SMALL), turns).unwrap(), 0.0, "{turns:?}");
        }
    }

    #[test]
    fn refuses_grids_that_are_none() {
        for text in
            ["A.D\n#..\nK..", "A.D\n#..\nK.\n", "A.D\n#..\n...\n", "AAD\n#..\nK..\n", "A.D\n#.x\nK..\n", "\n"]
        {
            assert!(KEY_DOOR.grade(&prompt(text), &["n"]).is_err(), "{text}");
        }
    }
}
