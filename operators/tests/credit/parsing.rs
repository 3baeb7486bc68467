//! Programs read from text: what is printed comes back, what users write means what it says, and no text
//! breaks the reader.

use meed_operators::credit::*;
use proptest::prelude::*;

use crate::any::{expression, program};
use crate::generator::Random;
use crate::recipes::{of_batches, of_groups};

/// Equality that also tells `-0` from `0` and knows that NaN is NaN.
fn same(a: &impl std::fmt::Debug, b: &impl std::fmt::Debug) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

fn parsed(text: &str) -> Expr {
    Expr::parse(text).unwrap_or_else(|error| panic!("{error}\n{}", error.hint()))
}

/// Text that is almost a program: a printed one with a few places changed.
fn damaged(random: &mut Random) -> String {
    let mut bytes = program(random).to_string().into_bytes();
    let pieces: [&[u8]; 14] = [
        b"(",
        b")",
        b"by(",
        b", ",
        b"\"",
        b"`",
        b"\\u{",
        b"-",
        b"= ",
        b"\n",
        b"where ",
        b"1e",
        b"\xc3\xa9",
        b"]",
    ];
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(3) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..(at + 1 + random.below(9)).min(bytes.len()))),
            _ => drop(bytes.splice(at..at, random.pick(&pieces).iter().copied())),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whatever the text is, reading it ends in a program that prints as itself or in a message.
fn survives(text: &str) {
    match Credit::parse(text) {
        Ok(credit) => {
            let again =
                Credit::parse(&credit.to_string()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert!(same(&again, &credit), "{text:?}: {credit} and {again}");
        }
        Err(error) => assert!(error.to_string().starts_with("line "), "{error}"),
    }
    let _ = Expr::parse(text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printed_expressions_come_back(seed in any::<u64>()) {
        let expr = expression(&mut Random::new(seed), 5);
        let text = expr.to_string();
        let back = Expr::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        prop_assert!(same(&back, &expr), "{text}\n{back}");
    }

    #[test]
    fn printed_programs_come_back(seed in any::<u64>()) {
        let credit = program(&mut Random::new(seed));
        let text = credit.to_string();
        let back = Credit::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        prop_assert!(same(&back, &credit), "{text}\n{back}");
        let one_line: String = text.trim_end().replace('\n', "; ");
        prop_assert!(same(&one_line.parse::<Credit>().unwrap(), &credit), "{one_line}");
    }

    #[test]
    fn random_text_is_read_or_refused(text in "\\PC*", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&text);
        survives(&format!("a = {text}"));
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn damaged_programs_are_read_or_refused(seed in any::<u64>()) {
        survives(&damaged(&mut Random::new(seed)));
    }
}

#[test]
fn programs_of_methods_come_back() {
    for (name, credit) in of_groups().into_iter().chain(of_batches()) {
        assert_eq!(Credit::parse(&credit.to_string()).unwrap(), credit, "{name}");
    }
}

#[test]
fn operators_bind_as_in_mathematics() {
    let (a, b, c) = (|| signal("a"), || signal("b"), || signal("c"));
    let cases = [
        ("a + b * c", a() + b() * c()),
        ("a - b - c", (a() - b()) - c()),
        ("-a * b", (-a()) * b()),
        ("-(a * b)", -(a() * b())),
        ("-a ^ 2", -(a().power(2.0))),
        ("(-a) ^ 2", (-a()).power(2.0)),
        ("-2 ^ a", -(value(2.0).power(a()))),
        ("-2", value(-2.0)),
        ("-(2)", -value(2.0)),
        ("a - 2", a() - 2.0),
        ("a - -2", a() - -2.0),
        ("--a", -(-a())),
        ("a ^ -2", a().power(-2.0)),
        ("a or b and c", a().or(b().and(c()))),
        ("a == b and b < c", a().equals(b()).and(b().less(c()))),
        ("a + 1 <= b", (a() + 1.0).at_most(b())),
        ("(a < b) == (b >= c)", a().less(b()).equals(b().at_least(c()))),
        ("a != \"x\"", a().differs(text("x"))),
        ("1e-6 + 2.5E+3", value(1e-6) + 2500.0),
        ("min(a, by) > inf", a().min(signal("by")).greater(f64::INFINITY)),
        ("weights * where", signal("weights") * signal("where")),
        ("`and` + `x-y`", signal("and") + signal("x-y")),
    ];
    for (text, wanted) in cases {
        assert_eq!(parsed(text), wanted, "{text}");
    }
}

#[test]
fn derived_functions_are_those_of_rust() {
    let (x, w) = (|| signal("reward"), || signal("w"));
    let grpo = || Norm::group_std(1e-6);
    let cases = [
        ("normalize(reward, by(group))", normalize(x(), &grpo())),
        (
            "normalize(reward, by(group, seed), ddof 0, eps 1e-4, singleton raw)",
            normalize(
                x(),
                &Norm {
                    center: Center::Mean(group().and(signal("seed"))),
                    scale: Scale::Std(group().and(signal("seed"))),
                    ddof: 0,
                    singleton: Singleton::Raw,
                    ..Norm::group_std(1e-4)
                },
            ),
        ),
        (
            "normalize(reward, by(group), center none, scale std_about_center by(batch), zero_std skip)",
            normalize(
                x(),
                &Norm {
                    center: Center::None,
                    scale: Scale::StdAboutCenter(batch()),
                    zero_std: ZeroStd::Skip,
                    ..grpo()
                },
            ),
        ),
        (
            "normalize(reward, by(group), center leave_one_out, scale leave_one_out_std, zero_below 0.1, singleton null by(rollout))",
            normalize(
                x(),
                &Norm {
                    center: Center::LeaveOneOut(group()),
                    scale: Scale::LeaveOneOutStd(group()),
                    zero_std: ZeroStd::ZeroBelow(0.1),
                    singleton: Singleton::Null,
                    singleton_by: Some(rollout()),
                    ..grpo()
                },
            ),
        ),
        (
            "normalize(reward, by(group), center mean(reward, by(history)), scale w + 1, singleton formula)",
            normalize(
                x(),
                &Norm {
                    center: Center::Given(mean(x(), history())),
                    scale: Scale::Given(w() + 1.0),
                    singleton: Singleton::Formula,
                    ..grpo()
                },
            ),
        ),
        (
            "normalize(reward, by(group), center mean by(batch), scale std_of_centered, variance_eps 1e-8, variance_floor 0.5, counted_at token, once per w, zero_std divide, singleton raw_over_one_plus_eps)",
            normalize(
                x(),
                &Norm {
                    center: Center::Mean(batch()),
                    scale: Scale::StdOfCentered(group()),
                    variance_eps: 1e-8,
                    variance_floor: 0.5,
                    counted_at: Some(TOKEN),
                    once_per: Some(w()),
                    singleton: Singleton::RawOverOnePlusEps,
                    ..grpo()
                },
            ),
        ),
        (
            "normalize(reward, by(group), scale mean)",
            normalize(x(), &Norm { scale: Scale::Mean(group()), ..grpo() }),
        ),
        ("normalize(reward, by(group), scale none)", normalize(x(), &Norm { scale: Scale::None, ..grpo() })),
        (
            "normalize(reward, by(group), center `mean`)",
            normalize(x(), &Norm { center: Center::Given(signal("mean")), ..grpo() }),
        ),
        ("whiten(reward)", whiten(x(), 1e-8)),
        ("whiten(reward, variance_eps 0.001)", whiten(x(), 1e-3)),
        (
            "whiten(reward, counted_at token)",
            normalize(x(), &Norm { counted_at: Some(TOKEN), ..Norm::whitening(1e-8) }),
        ),
        ("std(reward, by(batch))", std(x(), batch(), 1)),
        ("std(reward, by(group), ddof 0)", std(x(), group(), 0)),
        ("leave_one_out(reward, by(group))", leave_one_out(x(), group())),
        ("min_max(reward, by(group))", min_max(x(), group())),
        ("softmax(reward, by(rollout))", softmax(x(), rollout())),
        ("softmin(reward, by(rollout))", softmin(x(), rollout())),
        ("top(reward, 0.4, by(group))", top(x(), 0.4, group())),
        ("difference(w)", difference(w(), None)),
        ("difference(w, initial 0)", difference(w(), Some(value(0.0)))),
        ("return_to_go(w, 0.9)", return_to_go(w(), 0.9)),
        ("min_to_go(w)", min_to_go(w())),
        ("gae(w, token_values, 0.99, 0.95)", gae(w(), signal("token_values"), 0.99, 0.95, trainable())),
        (
            "gae(w, token_values, 1, 1 - 1 / w, over all, where mask())",
            gae(w(), signal("token_values"), 1.0, 1.0 - 1.0 / w(), all().only(mask())),
        ),
        ("clamp(w, -0.2, 5)", w().clamp(-0.2, 5.0)),
    ];
    for (text, wanted) in cases {
        assert_eq!(parsed(text), wanted, "{text}");
    }
}

#[test]
fn programs_may_be_laid_out() {
    let wanted = Credit::new()
        .define("centred", signal("reward") - mean(signal("reward"), group()))
        .advantage(2.0 * signal("centred"));
    let text = "
        # the advantage of Dr. GRPO, twice
        centred = reward
            - mean(reward,   # of all
                   by(group));
        advantage = 2 * centred;";
    assert_eq!(Credit::parse(text).unwrap(), wanted);
    assert_eq!(Credit::parse("").unwrap(), Credit::new());
}

#[test]
fn names_that_are_no_words_stand_in_backticks() {
    let credit = Credit::new().define("my signal", signal("and") + signal("step-x`\n") + signal("é"));
    assert_eq!(credit.to_string(), "`my signal` = `and` + `step-x\\`\\n` + é\n");
    let odd = Node::Kind { level: TURN, kinds: vec!["tool_call".into(), "tool-call".into()] };
    assert_eq!(Expr::from(odd).to_string(), "kind(turn, {tool_call, \"tool-call\"})");
    assert_eq!(policy(Level::named("a b")).to_string(), "policy(`a b`)");
    assert_eq!(policy(Level::pair(&TURN, "test")).to_string(), "policy(turn.test)");
}

/// The place is that of the carets: the text under which they stand.
fn refused(text: &str) -> (String, String, String) {
    let error = Credit::parse(text).unwrap_err();
    let message = error.to_string();
    let lines: Vec<&str> = message.lines().collect();
    let (line, carets) = (lines[lines.len() - 2], lines[lines.len() - 1]);
    let under = line.chars().zip(carets.chars().chain(std::iter::repeat(' ')));
    let mut pointed: String = under.filter(|(_, caret)| *caret == '^').map(|(c, _)| c).collect();
    if carets.chars().filter(|c| *c == '^').count() > pointed.chars().count() {
        pointed.push_str("<end>");
    }
    (lines[0].to_owned(), pointed, error.hint().to_owned())
}

#[test]
fn errors_point_at_the_place_and_say_what_was_expected() {
    let cases = [
        (
            "a = rewrd +",
            "line 1, column 12: expected a signal, a number, a text or a function, found the end",
            "<end>",
            "",
        ),
        ("a = mean(reward)", "line 1, column 16: expected `,`, found `)`", ")", "mean(x, by(...)"),
        (
            "a = mean(reward, group)",
            "line 1, column 18: expected `by(...)`, found `group`",
            "group",
            "mean(x, by(...)",
        ),
        (
            "a = 1;\nb = é + sum(x, by(grop))",
            "line 2, column 19: expected one of `rollout`, `group`, `batch`, `history`, `earlier`, found `grop`",
            "grop",
            "sum(",
        ),
        (
            "a = sum(x, by(group), wehre x > 0)",
            "line 1, column 23: expected one of `over all`, `where`, `weights`, `once per`, `of others`, found `wehre`",
            "wehre",
            "sum(",
        ),
        (
            "a = sum(x, by(group), over all, over all)",
            "line 1, column 33: `over all` is given twice",
            "over",
            "once",
        ),
        (
            "a = normalise(x, by(group))",
            "line 1, column 5: no function is called `normalise`",
            "normalise",
            "did you mean normalize?",
        ),
        ("a = log(x)", "line 1, column 5: no function is called `log`", "log", "did you mean ln?"),
        (
            "a = normalize(x, by(group), ddof 1.5)",
            "line 1, column 34: this number is not whole, or too large",
            "1.5",
            "",
        ),
        (
            "a = normalize(x, by(group), singleton keep)",
            "line 1, column 39: expected one of `zero`, `raw`, `raw_over_one_plus_eps`, `null`, `formula`, found `keep`",
            "keep",
            "normalize(x",
        ),
        (
            "a = reduce(x, token)",
            "line 1, column 20: expected `,`, found `)`",
            ")",
            "reduce(x, level, sum|mean",
        ),
        (
            "reward - 1",
            "line 1, column 8: expected `=` after the name of a definition",
            "-",
            "advantage = reward",
        ),
        ("a = b c = d", "line 1, column 7: expected an operator, `;` or a new line, found `c`", "c", ""),
        (
            "a = b = c",
            "line 1, column 7: expected an operator, `;` or a new line, found `=`",
            "=",
            "equality is `==`",
        ),
        (
            "a = 0 < x < 1",
            "line 1, column 11: it is not clear which of two operators comes first",
            "<",
            "a < b and b < c",
        ),
        (
            "a = x ^ y ^ z",
            "line 1, column 11: it is not clear which of two operators comes first",
            "^",
            "parentheses",
        ),
        ("a = x && y", "line 1, column 7: `&` is no part of an expression", "&", "`and`"),
        ("a = label == 'x'", "line 1, column 14: `'` is no part of an expression", "'", "double quotes"),
        ("a = label == \"x", "line 1, column 14: no \" ends this", "\"", ""),
        ("a = \"\\q\"", "line 1, column 6: unknown escape", "\\", "backslash"),
        ("a = 1e999", "line 1, column 5: this number is too large", "1e999", "inf"),
        (
            "a = spread(x, token, first, last)",
            "line 1, column 20: `first` and `last` exclude each other",
            ",",
            "",
        ),
        ("a = (x", "line 1, column 7: expected `)`, found the end", "<end>", ""),
    ];
    for (text, message, place, hint) in cases {
        let (got, pointed, advice) = refused(text);
        assert_eq!((got.as_str(), pointed.as_str()), (message, place), "{text}");
        assert!(advice.contains(hint), "{text}: {advice}");
    }
}

#[test]
fn long_lines_are_shown_around_the_place() {
    let text = format!("a = {}oops(x) + {}", "reward + ".repeat(40), "reward + ".repeat(40));
    let (message, pointed, _) = refused(&text);
    assert_eq!(message, "line 1, column 365: no function is called `oops`");
    assert_eq!(pointed, "oops");
    assert!(Credit::parse(&text).unwrap_err().to_string().lines().all(|line| line.chars().count() < 120));
}

#[test]
fn no_text_is_too_deep_or_too_large() {
    let too = |text: String| {
        let error = Credit::parse(&format!("a = {text}")).unwrap_err();
        assert!(error.to_string().contains("too large, or nested too deep"), "{error}");
        assert!(error.hint().contains("a name of its own"));
    };
    let many = 100_000;
    too("(".repeat(many));
    too("-".repeat(many));
    too(format!("{}x", "abs(".repeat(many)));
    too(format!("x{}", " + x".repeat(many)));
    too(format!("{}x", "min(x, ".repeat(many)));
    too(format!("{}x{}", "whiten(".repeat(40), ")".repeat(40)));
    too(format!("{}x{}", "softmax(".repeat(20), ", by(group))".repeat(20)));
    parsed(&format!("x{}", " + x".repeat(100)));
    parsed(&format!("{}x{}", "(".repeat(100), ")".repeat(100)));
}

#[test]
fn every_function_is_documented_and_known() {
    let page = include_str!("../../../docs/expressions.md");
    for (name, form) in Expr::FUNCTIONS {
        let error = Expr::parse(&format!("{name}(")).unwrap_err();
        assert!(!error.to_string().contains("no function"), "{name}: {error}");
        assert!(error.hint().contains(form), "{name}: {}", error.hint());
        assert!(page.contains(&format!("`{name}")), "docs/expressions.md lacks {name}");
    }
}

#[test]
fn an_error_about_a_name_points_at_it() {
    let program = "a = reward_x + 1\nadvantage = rewrd * reward";
    let error = Credit::failure_at_name(program, "rewrd", "no column `rewrd`", "did you mean reward?");
    assert_eq!(
        error.to_string(),
        "line 2, column 13: no column `rewrd`\n  |\n2 | advantage = rewrd * reward\n  |             ^^^^^"
    );
    assert_eq!(Credit::failure_at_name(program, "x", "no `x`", "").to_string(), "no `x`");
}
