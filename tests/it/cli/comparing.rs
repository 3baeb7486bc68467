//! `meed compare`: numbers in every format, and a page that stands alone.

use std::collections::BTreeMap;

use html5gum::{DefaultEmitter, Token, Tokenizer};
use serde_json::{Value, json};

use super::{Place, rollout, rollouts};

/// The example dataset: characters as tokens, steps of text, tool calls and observations.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/rollouts/arithmetic.parquet");
const RECIPES: [&str; 4] = ["grpo", "gigpo", "tempo", "step_reinforce"];

fn filled() -> Place {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    place
}

fn document(place: &Place, arguments: &[&str]) -> Value {
    let text = place.tells(&[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&text).expect("a JSON document")
}

#[test]
fn tables_have_each_recipe_and_each_pair() {
    let place = filled();
    for from in ["rows", "rows.jsonl"] {
        let text = place.tells(&["compare", "--recipe", "dr_grpo,rloo,grpo", "--from", from]);
        let line = |begin: &[&str]| {
            let cells = |line: &str| -> Vec<String> {
                line.split('|').skip(1).map(|cell| cell.trim().to_owned()).collect()
            };
            let found = text
                .lines()
                .map(cells)
                .find(|cells| cells.len() > begin.len() && cells.iter().zip(begin).all(|(a, b)| a == b));
            found.unwrap_or_else(|| panic!("no line {begin:?} in {text}"))
        };
        // Group a: 0.5 and -0.5; b: 2/3 and twice -1/3; c: nothing. Three tokens each, of which 21 in all; two
        // tenths of them hold 2/3, and then there is 0.5.
        let number = |text: &str| text.parse::<f64>().expect("a number");
        let recipe = line(&["dr_grpo", "7"]);
        assert_eq!(number(&recipe[2]), 0.3333, "group c is without signal: {recipe:?}");
        assert_eq!(number(&recipe[3]), 0.3333, "mean of 0.5, 0.5, 2/3, 1/3, 1/3, 0, 0: {recipe:?}");
        assert_eq!(
            (recipe[4].as_str(), number(&recipe[5]), number(&recipe[7])),
            ("", 0.3333, 0.0),
            "{recipe:?}"
        );
        assert_eq!(number(&recipe[6]), 0.2, "2.1 of 21 tokens hold 1.4 of 7: {recipe:?}");
        let pair = line(&["dr_grpo", "rloo"]);
        assert_eq!(number(&pair[2]), 1.0, "{pair:?}");
        // rloo ties the best of both groups: 2862 / sqrt(2916 * 2862) in doubled ranks less their mean.
        assert_eq!(number(&pair[3]), 0.9907, "{pair:?}");
    }
    assert!(place.tells(&["datasets"]).lines().count() == 5, "comparing stores nothing");
}

#[test]
fn csv_has_a_line_for_every_number() {
    let place = filled();
    let text = place.tells(&["compare", "--recipe", "grpo,rloo", "--from", "rows", "--format", "csv"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "recipe,other,level,measure,value");
    assert_eq!(lines.len(), 1 + 2 * 8 + 3 * 4);
    for line in ["grpo,,,in_loss,7.0", "grpo,rloo,token,elements,21.0", "grpo,rloo,step,spearman,"] {
        assert!(lines.contains(&line), "no line `{line}` in {text}");
    }
}

#[test]
fn numbers_and_page_do_not_depend_on_workers() {
    let place = Place::new();
    let compare = |workers: &str, out: &str| {
        let recipes = RECIPES.join(",");
        let arguments =
            ["compare", "--recipe", &recipes, "--from", EXAMPLE, "--out", out, "--workers", workers];
        let document = document(&place, &arguments);
        (document, std::fs::read_to_string(place.path(out)).expect("a page"))
    };
    let one = compare("1", "one.html");
    assert_eq!(one, compare("3", "three.html"));
    assert_eq!(one.0["recipes"].as_array().map(Vec::len), Some(RECIPES.len()));
    assert_eq!(one.0["pairs"].as_array().map(Vec::len), Some(6));
    let contested = one.0["contested"].as_array().expect("an array");
    let mut groups: Vec<&Value> = contested.iter().map(|rollout| &rollout["group_id"]).collect();
    groups.dedup();
    assert_eq!(groups.len(), 5, "at most one of a group");
}

#[test]
fn judges_are_asked_on_the_way() {
    let place = Place::new();
    let row = |group: &str, id: &str, response: &str| {
        let mut row = rollout(group, id, Value::Null);
        row["response"] = json!(response);
        row["reference"] = json!("18");
        row
    };
    place.write_lines(
        "rows.jsonl",
        &[
            row("a", "a0", "A: 18"),
            row("a", "a1", "18? A: 17"),
            row("b", "b0", "B: 18"),
            row("b", "b1", "A: 1"),
        ],
    );
    let set = ["--set", "numeric.answer=after", "--set", "numeric.marker=A:"];
    let compare = ["compare", "--recipe", "dr_grpo,rloo", "--set", "reward=numeric", "--from", "rows.jsonl"];
    let asked = document(&place, &[&compare[..], &["--judge", "numeric"], &set].concat());
    let judge = &asked["judges"][0];
    assert_eq!(
        (&judge["judge"], &judge["scores"], &judge["failed"]),
        (&json!("numeric"), &json!(4), &json!(0))
    );
    place.does(
        &[&["judge", "--judge", "numeric", "--from", "rows.jsonl", "--to", "judged"], &set[..]].concat(),
    );
    let stored = document(&place, &[&compare[..], &["--scores", "judged"]].concat());
    assert_eq!((&asked["recipes"], &asked["pairs"]), (&stored["recipes"], &stored["pairs"]));
    assert!(asked["recipes"][0]["mean_absolute"]["token"].as_f64().is_some_and(|x| x > 0.0), "{asked}");
    assert!(!place.tells(&["datasets"]).contains("numeric"), "the scores are not stored");
    place.refuses(2, &[&compare[..], &["--judge", "nummeric"]].concat(), &["no judge is called `nummeric`"]);
    place.refuses(2, &[&compare[..], &["--judge", "gold_logprobs"]].concat(), &["asks a model", "--model"]);
    place.refuses(1, &[&compare[..], &["--judge", "exact"]].concat(), &["the data has no column"]);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let place = filled();
    let compare = |more: &[&'static str]| [&["compare", "--from", "rows"], more].concat();
    place.refuses(2, &compare(&["--recipe", "grop"]), &["no recipe is called `grop`"]);
    place.refuses(2, &compare(&["--recipe", "kl_in_reward"]), &["gives a reward, not an advantage"]);
    place.refuses(1, &compare(&["--recipe", "grpo,gae"]), &["gae", "token_values"]);
    place.refuses(
        1,
        &compare(&["--recipe", "grpo", "--out", "absent/page.html"]),
        &["writing absent/page.html"],
    );
}

/// What a page is made of: its elements with their attributes, and the text in the elements of each kind.
#[derive(Default)]
struct Page {
    elements: Vec<(String, BTreeMap<String, String>)>,
    /// Text by the path of element names that it stands in.
    texts: Vec<(Vec<String>, String)>,
}

/// Elements that have no end.
const VOID: &[&str] = &["br", "meta", "wbr"];

/// Reads a page by the rules of HTML, and fails at what they call an error and where tags do not match.
fn read(text: &str) -> Page {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let (mut page, mut open) = (Page::default(), Vec::<String>::new());
    let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    for Ok(token) in Tokenizer::new_with_emitter(text, emitter) {
        match token {
            Token::StartTag(tag) => {
                let name = string(&tag.name);
                let attributes = tag.attributes.iter();
                let attributes = attributes.map(|(name, value)| (string(name), string(value)));
                page.elements.push((name.clone(), attributes.collect()));
                if !tag.self_closing && !VOID.contains(&name.as_str()) {
                    open.push(name);
                }
            }
            Token::EndTag(tag) => {
                assert_eq!(open.pop(), Some(string(&tag.name)), "inside {open:?}");
            }
            Token::String(text) => page.texts.push((open.clone(), string(&text))),
            Token::Doctype(doctype) => assert_eq!(string(&doctype.name), "html"),
            Token::Comment(_) => {}
            Token::Error(error) => panic!("{error:?} inside {open:?}"),
        }
    }
    assert!(open.is_empty(), "{open:?} have no end");
    page
}

#[test]
fn the_page_stands_alone_and_has_every_recipe() {
    let place = Place::new();
    let recipes = RECIPES.join(",");
    place.tells(&[
        "compare",
        "--recipe",
        &recipes,
        "--from",
        EXAMPLE,
        "--set",
        "grpo.eps=0.5",
        "--out",
        "page.html",
    ]);
    let text = std::fs::read_to_string(place.path("page.html")).expect("a page");
    let page = read(&text);
    let with = |name: &str, attribute: &str| -> Vec<String> {
        let named = page.elements.iter().filter(|(element, _)| element == name);
        named.filter_map(|(_, attributes)| attributes.get(attribute).cloned()).collect()
    };
    assert_eq!(with("section", "id"), ["what", "recipes", "pairs", "contested"]);
    assert_eq!(with("tr", "data-recipe"), RECIPES);
    assert_eq!(with("article", "id").len(), 5);
    assert_eq!(with("div", "data-recipe"), RECIPES.repeat(5), "recipe under recipe");
    let plots = page.elements.iter().filter(|(name, _)| name == "svg").count();
    assert_eq!(plots, 4 + 2 * 3, "bars and dots, and two matrices a level");

    for (name, attributes) in &page.elements {
        for attribute in ["src", "href", "xlink:href", "action"] {
            let target = attributes.get(attribute);
            assert!(target.is_none_or(|target| target.starts_with('#')), "{name} {attribute}={target:?}");
        }
        assert!(!["link", "iframe", "img", "object"].contains(&name.as_str()), "{name}");
    }
    assert!(
        !text.contains("http") && !text.contains("url(") && !text.contains("@import"),
        "nothing from outside"
    );

    let holds = |wanted: &str| page.texts.iter().any(|(_, text)| text.contains(wanted));
    for wanted in
        ["How 4 recipes credit arithmetic.parquet", "eps=0.5", "disagreement = mean", "arXiv 2505.10978"]
    {
        assert!(holds(wanted), "the page does not say `{wanted}`");
    }
    // Every recipe of the first rollout shows all its tokens, once.
    let is_heading = |path: &[String]| path.ends_with(&["article".to_owned(), "h3".to_owned()]);
    let (_, id) = page.texts.iter().find(|(path, _)| is_heading(path)).expect("a heading");
    let response = place.query(&format!("select response from '{EXAMPLE}' where rollout_id = '{id}'"));
    let response = response[0]["response"].as_str().expect("text").replace('\n', "↵");
    for row in text.split("<p class=\"tokens\">").skip(1).take(RECIPES.len()) {
        let row = read(row.split("</p>").next().expect("the tokens of a row"));
        let steps = row.elements.iter().filter(|(_, attributes)| attributes.contains_key("data-step"));
        assert!(steps.count() > 1, "steps have borders");
        let tokens: String = spans(&row);
        assert_eq!(tokens, response);
    }
}

/// The text of the tokens of a row, without the numbers of its steps.
fn spans(row: &Page) -> String {
    let (spans, texts) = (row.elements.iter(), row.texts.iter());
    spans
        .zip(texts)
        .filter(|((_, of), _)| of.contains_key("data-i"))
        .map(|(_, (_, text))| text.as_str())
        .collect()
}
