//! An expression to evaluate with a calculator that knows one operation at a time.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::sample::{Environments, Prompt};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::simulation::{Answer, Simulation, Simulations, grade, step_scores};
use super::{Demonstration, Difficulty, Limits, Problem, Said, Task, foreign};

/// Using a calculator. The prompt is `2+3*4=`; a turn is a call, `<3*4>`, which the environment answers
/// with `12;`, or the answer, `14`, which ends the episode. A call that the calculator cannot read is
/// answered with `?;`.
///
/// The state is what is left of the expression: `2+12` after `<3*4>`. A call that is no part of it
/// changes nothing. The step oracle likes calls that shorten the expression, and the right answer.
///
/// Most of the solutions to warm up on stop after the first call; some go on to the end.
pub struct Calculator;

/// The task `calculator`.
pub const CALCULATOR: Calculator = Calculator;

/// Share of solutions that go on to the end.
const PATIENT: f64 = 0.25;

/// All results on the way are at most this, so that they are short.
const MOST: i64 = 99;

/// Digits of an operand that the calculator reads.
const DIGITS: usize = 9;

impl Task for Calculator {
    fn name(&self) -> &'static str {
        "calculator"
    }

    fn title(&self) -> &'static str {
        "calling a calculator until the expression is evaluated: 2+3*4= is <3*4>, <2+12>, 14"
    }

    fn difficulty(&self) -> Difficulty {
        Difficulty { meaning: "operations of the expression", least: 1, most: 6, default: 2 }
    }

    fn limits(&self, difficulty: u32) -> Limits {
        let calls = difficulty as usize + 1;
        Limits { max_tokens: 12 * calls + 4, max_turns: calls + 1 }
    }

    fn draw(&self, difficulty: u32, random: &mut ChaCha8Rng) -> Problem {
        loop {
            let numbers = (0..=difficulty).map(|_| random.random_range(1..=9)).collect();
            let signs = (0..difficulty).map(|_| ['+', '-', '*'][random.random_range(0..3_u32) as usize]);
            let expression = Expression { numbers, signs: signs.collect() };
            let small = expression.reductions().iter().all(|(_, value)| (0..=MOST).contains(value));
            if let Some(value) = expression.value().filter(|_| small) {
                let text = format!("{}=", expression.text());
                let reference = Some(value.to_string());
                return Problem { content: text.clone(), text, reference, metadata: None };
            }
        }
    }

    fn demonstrate(&self, prompt: Prompt, random: &mut ChaCha8Rng) -> Result<Demonstration> {
        let expression = Expression::parse(&prompt)?;
        let mut reductions = expression.reductions();
        if !random.random_bool(PATIENT) {
            reductions.truncate(1);
        }
        let mut said = Vec::new();
        for (call, value) in &reductions {
            said.push(Said { text: format!("<{call}>"), policy: true });
            said.push(Said { text: format!("{value};"), policy: false });
        }
        let last = reductions.last().map(|(_, value)| *value);
        let answer = last.unwrap_or(expression.numbers[0]);
        said.push(Said { text: answer.to_string(), policy: true });
        let right = Some(answer) == expression.value();
        Ok(Demonstration { prompt, said, right })
    }

    fn grade(&self, prompt: &Prompt, turns: &[&str]) -> Result<f64> {
        grade::<Episode>(prompt, turns)
    }

    fn has_oracle(&self) -> bool {
        true
    }

    fn step_scores(&self, prompt: &Prompt, turns: &[&str]) -> Result<Option<Vec<f64>>> {
        step_scores::<Episode>(prompt, turns).map(Some)
    }

    fn environments(&self, difficulty: u32) -> Option<Arc<dyn Environments>> {
        Some(Arc::new(Simulations::<Episode>::new(self.limits(difficulty).max_turns)))
    }
}

/// Numbers with signs between them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expression {
    numbers: Vec<i64>,
    signs: Vec<char>,
}

impl Expression {
    fn parse(prompt: &Prompt) -> Result<Self> {
        let parse = || {
            let text = prompt.text.strip_suffix('=')?;
            let numbers: Vec<i64> = text.split(['+', '-', '*']).map(number).collect::<Option<_>>()?;
            let signs: Vec<char> = text.chars().filter(|sign| "+-*".contains(*sign)).collect();
            (!signs.is_empty()).then_some(Expression { numbers, signs })
        };
        let found: Option<Self> = parse();
        found
            .filter(|expression| expression.value().is_some())
            .ok_or_else(|| foreign("calculator", "prompt", &prompt.text))
    }

    fn text(&self) -> String {
        let mut text = self.numbers[0].to_string();
        for (sign, number) in self.signs.iter().zip(&self.numbers[1..]) {
            text.push(*sign);
            text.push_str(&number.to_string());
        }
        text
    }

    /// Whether the operation at a place may be carried out before the others.
    fn allowed(&self, place: usize) -> bool {
        let sign = |place: Option<usize>| place.and_then(|place| self.signs.get(place)).copied();
        let (before, after) = (sign(place.checked_sub(1)), sign(Some(place + 1)));
        self.signs[place] == '*' || (before.is_none_or(|sign| sign == '+') && after != Some('*'))
    }

    /// Carries out the operation at a place.
    fn reduce(&mut self, place: usize, value: i64) {
        self.numbers.remove(place + 1);
        self.numbers[place] = value;
        self.signs.remove(place);
    }

    fn call(&self, place: usize) -> String {
        format!("{}{}{}", self.numbers[place], self.signs[place], self.numbers[place + 1])
    }

    /// The calls that evaluate it, each time the first one allowed, with their values. They end early
    /// where a number grows beyond bounds.
    fn reductions(&self) -> Vec<(String, i64)> {
        let mut rest = self.clone();
        let mut reductions = Vec::new();
        while let Some(place) = (0..rest.signs.len()).find(|&place| rest.allowed(place)) {
            let Some(value) = apply(rest.numbers[place], rest.signs[place], rest.numbers[place + 1]) else {
                break;
            };
            reductions.push((rest.call(place), value));
            rest.reduce(place, value);
        }
        reductions
    }

    /// Its value; `None` where a number grows beyond bounds.
    fn value(&self) -> Option<i64> {
        let reductions = self.reductions();
        let whole = reductions.len() == self.signs.len();
        whole.then(|| reductions.last().map_or(self.numbers[0], |(_, value)| *value))
    }
}

fn apply(a: i64, sign: char, b: i64) -> Option<i64> {
    match sign {
        '+' => a.checked_add(b),
        '-' => a.checked_sub(b),
        '*' => a.checked_mul(b),
        _ => None,
    }
}

/// A natural number as it is written: no sign, no leading zero.
fn number(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (text.len() <= DIGITS && number >= 0 && number.to_string() == text).then_some(number)
}

struct Episode {
    left: Expression,
    value: i64,
}

impl Simulation for Episode {
    const TURN_END: &'static str = ">";

    fn begin(prompt: &Prompt) -> Result<Self> {
        let left = Expression::parse(prompt)?;
        let value = left.value().ok_or_else(|| foreign("calculator", "prompt", &prompt.text))?;
        if let Some(reference) =
            prompt.reference.as_deref().filter(|reference| *reference != value.to_string())
        {
            return Err(foreign("calculator", "reference", reference));
        }
        Ok(Episode { left, value })
    }

    fn state(&self) -> String {
        self.left.text()
    }

    fn answer(&mut self, turn: &str) -> Answer {
        if let Some(call) = turn.strip_prefix('<') {
            return self.calculate(call.strip_suffix('>'));
        }
        let solved = turn == self.value.to_string();
        let answered = turn.parse::<i64>().is_ok_and(|number| number.to_string() == turn);
        Answer {
            observation: String::new(),
            action: answered.then(|| turn.to_owned()),
            solved: Some(solved),
            good: solved,
        }
    }
}

impl Episode {
    fn calculate(&mut self, call: Option<&str>) -> Answer {
        let read = |call: &str| {
            // The first number may be negative: its sign is not the operation's.
            let place = call.char_indices().skip(1).find(|(_, letter)| "+-*".contains(*letter))?.0;
            let (first, rest) = call.split_at(place);
            let a = match first.strip_prefix('-') {
                Some(digits) => -number(digits).filter(|digits| *digits > 0)?,
                None => number(first)?,
            };
            apply(a, rest.chars().next()?, number(&rest[1..])?)
        };
        let Some((call, value)) = call.and_then(|call| Some((call, read(call)?))) else {
            return Answer { observation: "?;".to_owned(), action: None, solved: None, good: false };
        };
        let places = 0..self.left.signs.len();
        let place =
            places.into_iter().find(|&place| self.left.allowed(place) && self.left.call(place) == call);
        if let Some(place) = place {
            self.left.reduce(place, value);
        }
        let action = Some(format!("<{call}>"));
        Answer { observation: format!("{value};"), action, solved: None, good: place.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    fn prompt(text: &str) -> Prompt {
        Prompt { group_id: "g".into(), text: text.into(), reference: None, metadata: None }
    }

    #[test]
    fn an_episode_goes_from_call_to_call() {
        let environments = CALCULATOR.environments(2).unwrap();
        assert_eq!(environments.turn_end(), Some(">"));
        let mut environment = environments.make(&prompt("2+3*4=")).unwrap();
        let reset = block_on(environment.reset()).unwrap();
        assert_eq!((reset.observation.as_str(), reset.state.as_deref()), ("", Some("2+3*4")));
        // In order: the turn, what comes back, the state after it, the reward, whether it is the end.
        for (turn, observation, state, reward, done) in [
            ("<2+3>", "5;", "2+3*4", 0.0, false),
            ("<3*", "?;", "2+3*4", 0.0, false),
            ("<3*4>", "12;", "2+12", 0.0, false),
            ("<2+12>", "14;", "14", 0.0, false),
            ("14", "", "14", 1.0, true),
            ("14", "", "14", 0.0, true),
        ] {
            let given = block_on(environment.step(turn)).unwrap();
            assert_eq!(given.observation, observation, "{turn}");
            assert_eq!(given.state.as_deref(), Some(state), "{turn}");
            assert_eq!((given.reward, given.done), (Some(reward), done), "{turn}");
            assert_eq!(given.action.is_none(), observation == "?;" || (turn == "14" && reward == 0.0));
        }
    }

    #[test]
    fn precedence_and_order_hold() {
        for (text, value) in [("2+3*4=", "14"), ("9-3-2=", "4"), ("9-3+2=", "8"), ("2*3*4-5=", "19")] {
            assert_eq!(CALCULATOR.grade(&prompt(text), &[value]).unwrap(), 1.0, "{text}");
        }
        let scores =
            |text: &str, turns: &[&str]| CALCULATOR.step_scores(&prompt(text), turns).unwrap().unwrap();
        assert_eq!(scores("9-3-2=", &["<3-2>", "<9-1>", "8"]), [0.0, 0.0, 0.0]);
        assert_eq!(scores("9-3-2=", &["<9-3>", "<6-2>", "4", "4"]), [1.0, 1.0, 1.0, 0.0]);
        assert_eq!(scores("2+3-9=", &["<3-9>"]), [1.0]);
        assert_eq!(scores("3-9*1+9=", &["<9*1>", "<3-9>", "<-6+9>", "3"]), [1.0; 4]);
    }

    #[test]
    fn what_the_calculator_cannot_read_is_no_call() {
        for call in [
            "<>", "<3>", "<3*>", "<*3>", "<3/1>", "<3*4", "<03*4>", "<3*-4>", "<--3*4>", "<3*4>>", "<-0*4>",
            "< 3*4>",
        ] {
            let mut episode = Episode::begin(&prompt("2+3*4=")).unwrap();
            assert_eq!(episode.answer(call).observation, "?;", "{call}");
            assert_eq!(episode.state(), "2+3*4");
        }
    }

    #[test]
    fn refuses_other_prompts_and_references() {
        for text in ["2+3*4", "2=", "2++3=", "2+3*=", "-2+3=", "2/1=", "02+3=", "999999999*999999999*999="] {
            assert!(CALCULATOR.grade(&prompt(text), &["1"]).is_err(), "{text}");
        }
        let other = Prompt { reference: Some("15".into()), ..prompt("2+3*4=") };
        assert!(CALCULATOR.grade(&other, &["14"]).is_err());
    }
}
