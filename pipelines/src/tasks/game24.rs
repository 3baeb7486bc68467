//! The Game of 24: combine four numbers into 24, one operation a turn.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::sample::{Environments, Prompt};
use num_rational::Ratio;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::simulation::{Answer, Simulation, Simulations, grade, step_scores};
use super::{Demonstration, Difficulty, Limits, Problem, Said, Task, foreign};

/// The Game of 24. The prompt is `1 2 4 6` and a line feed; a turn takes two of the numbers and puts
/// their result in their place, `4*6` and a line feed; the environment answers what is left, `1 2 24`.
/// After three turns, 24 must be left. Every prompt can be solved.
///
/// Numbers are exact; fractions and negative numbers stand in parentheses, `(8/3)`. A turn that is no
/// operation on the numbers ends the game. The step oracle knows whether 24 can still be reached.
pub struct Game24;

/// The task `game24`.
pub const GAME24: Game24 = Game24;

type Number = Ratio<i64>;
type Operation = fn(Number, Number) -> Option<Number>;

/// How many numbers there are, and what they should make.
const NUMBERS: usize = 4;
const GOAL: i64 = 24;

/// The operations, with what they give; `None` where they divide by zero.
const OPERATIONS: &[(char, Operation)] = &[
    ('+', |a, b| Some(a + b)),
    ('-', |a, b| Some(a - b)),
    ('*', |a, b| Some(a * b)),
    ('/', |a, b| (b != Number::from(0)).then(|| a / b)),
];

impl Task for Game24 {
    fn name(&self) -> &'static str {
        "game24"
    }

    fn title(&self) -> &'static str {
        "the Game of 24, one operation a turn: 1 2 4 6 is 4*6, 2-1, 24*1"
    }

    fn difficulty(&self) -> Difficulty {
        Difficulty { meaning: "the largest number", least: 4, most: 13, default: 6 }
    }

    fn limits(&self, _difficulty: u32) -> Limits {
        Limits { max_tokens: 96, max_turns: NUMBERS - 1 }
    }

    fn draw(&self, difficulty: u32, random: &mut ChaCha8Rng) -> Problem {
        loop {
            let numbers: Vec<Number> =
                (0..NUMBERS).map(|_| Number::from(i64::from(random.random_range(1..=difficulty)))).collect();
            let game = Game::new(numbers);
            if solvable(&game.left) {
                let text = game.text();
                return Problem { content: text.clone(), text, reference: None, metadata: None };
            }
        }
    }

    fn demonstrate(&self, prompt: Prompt, random: &mut ChaCha8Rng) -> Result<Demonstration> {
        let mut game = Game::begin(&prompt)?;
        let mut said = Vec::new();
        let mut right = solvable(&game.left);
        while right && game.left.len() > 1 {
            let mut moves = moves(&game.left);
            moves.shuffle(random);
            // Whole numbers first: they are what a person would write.
            moves.sort_by_key(|step| !step.left.iter().all(|number| natural(*number)));
            let Some(step) = moves.into_iter().find(|step| solvable(&step.left)) else {
                right = false;
                break;
            };
            game = Game::new(step.left);
            said.push(Said { text: format!("{}\n", step.text), policy: true });
            if game.left.len() > 1 {
                said.push(Said { text: game.text(), policy: false });
            }
        }
        Ok(Demonstration { prompt, said, right })
    }

    fn grade(&self, prompt: &Prompt, turns: &[&str]) -> Result<f64> {
        grade::<Game>(prompt, turns)
    }

    fn has_oracle(&self) -> bool {
        true
    }

    fn step_scores(&self, prompt: &Prompt, turns: &[&str]) -> Result<Option<Vec<f64>>> {
        step_scores::<Game>(prompt, turns).map(Some)
    }

    fn environments(&self, difficulty: u32) -> Option<Arc<dyn Environments>> {
        Some(Arc::new(Simulations::<Game>::new(self.limits(difficulty).max_turns)))
    }
}

/// The numbers that are left, from small to large.
struct Game {
    left: Vec<Number>,
}

/// What a turn may be, with the numbers that it leaves.
struct Step {
    text: String,
    left: Vec<Number>,
}

impl Game {
    fn new(mut left: Vec<Number>) -> Self {
        left.sort_unstable();
        Game { left }
    }

    fn text(&self) -> String {
        let numbers: Vec<String> = self.left.iter().map(|number| written(*number)).collect();
        format!("{}\n", numbers.join(" "))
    }
}

impl Simulation for Game {
    const TURN_END: &'static str = "\n";

    fn begin(prompt: &Prompt) -> Result<Self> {
        let parse = || {
            let line = prompt.text.strip_suffix('\n')?;
            let numbers: Vec<i64> =
                line.split(' ').map(|number| number.parse().ok()).collect::<Option<_>>()?;
            let fits = numbers.len() == NUMBERS && numbers.iter().all(|number| (1..=99).contains(number));
            fits.then(|| Game::new(numbers.into_iter().map(Number::from).collect()))
        };
        parse().ok_or_else(|| foreign("game24", "prompt", &prompt.text))
    }

    fn state(&self) -> String {
        self.text().trim_end().to_owned()
    }

    fn answer(&mut self, turn: &str) -> Answer {
        let turn = turn.strip_suffix('\n').unwrap_or(turn);
        let Some(step) = moves(&self.left).into_iter().find(|step| step.text == turn) else {
            return Answer::malformed();
        };
        *self = Game::new(step.left);
        let solved = match self.left[..] {
            [last] => Some(last == Number::from(GOAL)),
            _ => None,
        };
        let observation = if solved.is_some() { String::new() } else { self.text() };
        Answer { observation, action: Some(step.text), solved, good: solvable(&self.left) }
    }
}

/// All operations on two of the numbers, those that divide by zero left out.
fn moves(left: &[Number]) -> Vec<Step> {
    let mut moves = Vec::new();
    for i in 0..left.len() {
        for j in (0..left.len()).filter(|&j| j != i) {
            for (sign, operation) in OPERATIONS {
                let Some(result) = operation(left[i], left[j]) else { continue };
                let others = (0..left.len()).filter(|&k| k != i && k != j).map(|k| left[k]);
                moves.push(Step {
                    text: format!("{}{sign}{}", written(left[i]), written(left[j])),
                    left: others.chain([result]).collect(),
                });
            }
        }
    }
    moves
}

/// Whether the goal can be reached.
fn solvable(left: &[Number]) -> bool {
    let fractions: Vec<(i64, i64)> = left.iter().map(|number| (*number.numer(), *number.denom())).collect();
    reachable(&fractions)
}

/// The same for numerators and denominators, which need not be reduced: drawing problems and asking
/// the oracle search thousands of combinations.
fn reachable(left: &[(i64, i64)]) -> bool {
    if let [(numerator, denominator)] = left {
        return *numerator == GOAL * denominator;
    }
    for i in 0..left.len() {
        for j in 0..i {
            let ((a, b), (c, d)) = (left[i], left[j]);
            let mut rest: Vec<(i64, i64)> =
                (0..left.len()).filter(|&k| k != i && k != j).map(|k| left[k]).collect();
            let place = rest.len();
            rest.push((0, 1));
            for result in [
                (a * d + c * b, b * d),
                (a * d - c * b, b * d),
                (c * b - a * d, b * d),
                (a * c, b * d),
                (a * d, b * c),
                (c * b, d * a),
            ] {
                rest[place] = result;
                if result.1 != 0 && reachable(&rest) {
                    return true;
                }
            }
        }
    }
    false
}

fn natural(number: Number) -> bool {
    number.is_integer() && number >= Number::from(0)
}

fn written(number: Number) -> String {
    if natural(number) { number.to_string() } else { format!("({number})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(text: &str) -> Prompt {
        Prompt { group_id: "g".into(), text: text.into(), reference: None, metadata: None }
    }

    #[test]
    fn fractions_are_exact() {
        let hard = prompt("3 3 8 8\n");
        let turns = ["8/3\n", "3-(8/3)\n", "8/(1/3)\n"];
        assert_eq!(GAME24.grade(&hard, &turns).unwrap(), 1.0);
        assert_eq!(GAME24.step_scores(&hard, &turns).unwrap().unwrap(), [1.0; 3]);
        let negative = prompt("1 2 4 6\n");
        assert_eq!(GAME24.grade(&negative, &["1-2", "4*6", "24/(-1)"]).unwrap(), 0.0);
        assert_eq!(GAME24.grade(&negative, &["2-1", "4*6", "24/1"]).unwrap(), 1.0);
    }

    #[test]
    fn the_oracle_knows_the_turn_that_loses() {
        let scores = |turns: &[&str]| GAME24.step_scores(&prompt("1 2 4 6\n"), turns).unwrap().unwrap();
        assert_eq!(scores(&["4*6\n", "2-1\n", "24+1\n"]), [1.0, 1.0, 0.0]);
        assert_eq!(scores(&["4*6\n", "24*2\n", "48*1\n"]), [1.0, 0.0, 0.0]);
        assert_eq!(scores(&["4*7\n", "1+2\n"]), [0.0, 0.0]);
        assert!(!solvable(&[1, 1, 1, 1].map(Number::from)));
    }

    #[test]
    fn wrong_turns_are_wrong() {
        let asked = prompt("1 2 4 6\n");
        for turns in [
            &["4*6", "2-1"][..],
            &["4*6", "2-1", "24*1", "24*1"],
            &["4*6 ", "2-1", "24*1"],
            &["4*6*1"],
            &["2*2", "4*6", "24*1"],
            &["1-1"],
            &["6*4\n\n", "2-1", "24*1"],
        ] {
            assert_eq!(GAME24.grade(&asked, turns).unwrap(), 0.0, "{turns:?}");
        }
    }

    #[test]
    fn refuses_other_prompts() {
        for text in ["1 2 4 6", "1 2 4\n", "1 2 4 x\n", "0 2 4 6\n", "1  2 4 6\n", "1 2 4 6 6\n"] {
            assert!(GAME24.grade(&prompt(text), &["4*6"]).is_err(), "{text}");
        }
    }
}
