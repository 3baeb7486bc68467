//! What the checker rejects, with its words, and what it says about programs that fit.

use meed_operators::Error;
use meed_operators::credit::*;

use crate::arrays::batch;
use crate::generator::dataset;
use crate::program::{RESULT, checked};

fn check(credit: &Credit) -> Result<Checked, Error> {
    let data = dataset(1);
    let order: Vec<usize> = (0..data.rows.len()).collect();
    checked(credit, &batch(&data, &order))
}

/// Message and hint of the error of one expression.
fn rejected(expr: Expr) -> (String, String) {
    let printed = expr.to_string();
    let error =
        check(&Credit::new().define(RESULT, expr)).err().unwrap_or_else(|| panic!("`{printed}` passes"));
    (error.to_string(), error.hint().to_owned())
}

fn type_of(expr: Expr) -> Type {
    check(&Credit::new().define(RESULT, expr)).unwrap().types[RESULT].clone()
}

#[test]
fn wrong_types() {
    let cases = [
        (signal("label") + 1.0, "test, signal `result`: `label` is Text, where Number is needed"),
        (signal("reward").negated(), "test, signal `result`: `reward` is Number, where Boolean is needed"),
        (
            when(signal("reward"), 1.0, 0.0),
            "test, signal `result`: `reward` is Number, where Boolean is needed",
        ),
        (signal("label").equals(1.0), "test, signal `result`: `label` and `1` are of different types"),
        (signal("label").or_else(0.0), "test, signal `result`: `label` and `0` are of different types"),
        (signal("label").less(text("b")), "test, signal `result`: `label` is Text, where Number is needed"),
        (mean(signal("label"), group()), "test, signal `result`: `label` is Text, where Number is needed"),
        (
            rank(signal("label"), group(), true),
            "test, signal `result`: `label` is Text, where Number is needed",
        ),
        (
            signal("step_states").recur(1.0),
            "test, signal `result`: `step_states` is Text, where Number is needed",
        ),
        (
            signal("agent_scores").place(STEP, signal("agent_scores"), Reduction::Sum),
            "test, signal `result`: `agent_scores` is Number, where Integer is needed",
        ),
        (
            signal("agent_ids").place(STEP, signal("agent_spots"), Reduction::First),
            "test, signal `result`: `agent_ids` is Text, where Number is needed",
        ),
        (
            fetch(signal("reward"), signal("rollout_id"), signal("seed")),
            "test, signal `result`: `rollout_id` and `seed` are of different types",
        ),
        (
            send(signal("reward"), signal("seed"), None, Reduction::Sum),
            "test, signal `result`: `seed` is Integer, where Text is needed",
        ),
        (
            signal("step_states").reduce(ROLLOUT, Reduction::First).empty(0.0),
            "test, signal `result`: `step_states` is Text, where Number is needed",
        ),
        (
            mean(signal("reward"), group()).over(all().only(signal("reward"))),
            "test, signal `result`: `reward` is Number, where Boolean is needed",
        ),
    ];
    for (expr, wanted) in cases {
        assert_eq!(rejected(expr).0, wanted);
    }
}

#[test]
fn levels_that_do_not_fit() {
    let (message, hint) = rejected(signal("agent_scores") + signal("step_rewards"));
    assert_eq!(
        message,
        "test, signal `result`: `agent_scores` combines levels agent and step, which never meet"
    );
    assert_eq!(hint, "use `place` or `fetch` to bring items to spans");
    let (message, hint) = rejected(signal("step_rewards").reduce("macro".into(), Reduction::Sum));
    assert_eq!(message, "test, signal `result`: level step does not lie inside level macro");
    assert_eq!(
        hint,
        "reduce goes along token < span < rollout and step < turn; `place` or `fetch` cross item levels"
    );
    assert_eq!(
        rejected(count_within(TURN, STEP)).0,
        "test, signal `result`: level turn does not lie inside level step"
    );
    assert_eq!(
        rejected(signal("token_scores").spread(STEP)).0,
        "test, signal `result`: `token_scores` is at level token, which is not step or coarser"
    );
    assert_eq!(
        rejected(mean(signal("turn_scores"), group().and(signal("step_states")))).0,
        "test, signal `result`: `step_states` is at level step, which is not turn or coarser"
    );
    assert_eq!(
        rejected(value(1.0).scan(Running::Sum)).0,
        "test, signal `result`: `1` is a constant and has no positions"
    );
    assert_eq!(
        rejected(kind(TOKEN, &["think"])).0,
        "test, signal `result`: level step does not lie inside level token"
    );
    let (message, hint) = rejected(signal("reward").spread("thought".into()));
    assert_eq!(message, "test: the data has no column `thought_…`");
    assert!(hint.contains("no list column belongs to level `thought`"), "{hint}");
}

#[test]
fn missing_signals_name_who_provides_them() {
    let (message, hint) = rejected(signal("token_values"));
    assert_eq!(message, "test: the data has no column `token_values`");
    assert_eq!(
        hint,
        "a critic provides values: train with a value model, or import rollouts that carry them"
    );
    assert_eq!(
        rejected(signal("novelty")).1,
        "bind another column with --set <input>=<signal>, or join scores with --scores"
    );
    assert!(
        check(&Credit::new().define("a", signal("b")).define("b", value(1.0))).is_err(),
        "later names are not known yet"
    );
}

#[test]
fn keys_are_not_real_numbers() {
    let (message, hint) = rejected(mean(signal("reward"), group().and(signal("cost"))));
    assert_eq!(message, "test, signal `result`: key `cost` is a real number");
    assert_eq!(hint, "keys are text, integers or booleans");
    assert_eq!(
        rejected(rank(signal("reward"), group().and(signal("seed") / 2.0), true)).0,
        "test, signal `result`: key `seed / 2` is a real number"
    );
    assert!(
        rejected(mean(
            signal("reward"),
            group().and(members(signal("reward"), group()).weighted(signal("cost")))
        ))
        .0
        .contains("is a real number")
    );
    check(&Credit::new().define(RESULT, mean(signal("reward"), group().and((signal("cost") * 4.0).floor()))))
        .unwrap();
}

#[test]
fn statistics_that_do_not_exist() {
    let reward = || signal("reward");
    let undefined = [
        aggregate(Statistic::Median, reward(), group()).of_others(),
        aggregate(Statistic::Distinct, reward(), group()).of_others(),
        aggregate(Statistic::Quantile(0.5), reward(), group()).weighted(signal("cost")),
    ];
    for expr in undefined {
        let printed = expr.to_string();
        let (message, hint) = rejected(expr);
        assert_eq!(message, format!("test, signal `result`: `{printed}` is not defined"));
        assert_eq!(
            hint,
            "medians, quantiles and distinct counts have neither weights nor a form over the others"
        );
    }
    assert!(
        rejected(mean(reward(), batch_scope()).of_others())
            .0
            .ends_with("is not defined over a batch or history")
    );
    assert!(
        rejected(mean(reward(), batch_scope()).once_per(signal("label")))
            .0
            .ends_with("is not defined over a batch or history")
    );
    for reduction in [Reduction::Any, Reduction::All] {
        let truth = signal("agent_scores").greater(0.0);
        assert!(
            rejected(truth.clone().place(STEP, signal("agent_spots"), reduction))
                .0
                .ends_with("brings truth values together")
        );
        assert!(
            rejected(send(reward(), signal("parent"), None, reduction))
                .0
                .ends_with("brings truth values together")
        );
    }
    let twice = Credit::new().define("a", reward()).define("a", reward() * 2.0);
    assert_eq!(check(&twice).unwrap_err().to_string(), "test, signal `a`: is defined twice");
}

fn batch_scope() -> By {
    meed_operators::credit::batch()
}

#[test]
fn types_tell_what_the_values_are() {
    let at = |level: Level, value: ValueType| Type { level: Some(level), value };
    assert_eq!(type_of(-mask()), at(TOKEN, ValueType::Number));
    assert_eq!(type_of(mask().shift(1, Some(value(0.0)))), at(TOKEN, ValueType::Number));
    assert_eq!(
        type_of(policy(STEP).reduce(ROLLOUT, Reduction::First).empty(0.0)),
        at(ROLLOUT, ValueType::Number)
    );
    assert_eq!(type_of(policy(STEP).reduce(ROLLOUT, Reduction::First)), at(ROLLOUT, ValueType::Boolean));
    assert_eq!(
        type_of(signal("agent_scores").greater(0.0).place(STEP, signal("agent_spots"), Reduction::Last)),
        at(STEP, ValueType::Number)
    );
    assert_eq!(type_of(signal("seed") * 2.0), at(ROLLOUT, ValueType::Number));
    assert_eq!(type_of(count(TOKEN) - index(TOKEN)), at(TOKEN, ValueType::Integer));
    assert_eq!(type_of(signal("step_rewards") * signal("macro_scores")), at(TOKEN, ValueType::Number));
    assert_eq!(
        type_of(signal("test_weights") * signal("turn_test_passed")),
        at(Level::pair(&TURN, "test"), ValueType::Number)
    );
    let tests = || signal("turn_test_passed");
    for along in [tests().recur(signal("test_weights")), tests().shift(1, Some(signal("test_weights")))] {
        assert_eq!(type_of(along), at(Level::pair(&TURN, "test"), ValueType::Number));
    }
    assert_eq!(
        type_of(signal("test_weights").spread(Level::pair(&TURN, "test"))),
        at(Level::pair(&TURN, "test"), ValueType::Number)
    );
    assert_eq!(
        type_of(mean(signal("step_rewards"), group().and(signal("step_states")))),
        at(STEP, ValueType::Number)
    );
    assert_eq!(type_of(mean(signal("step_rewards"), group())), at(ROLLOUT, ValueType::Number));
}

#[test]
fn reach_and_columns() {
    let checked = |expr: Expr| check(&Credit::new().advantage(expr)).unwrap();
    let reward = || signal("reward");
    assert_eq!(checked(reward() - mean(reward(), rollout())).reach, Reach::Row);
    assert_eq!(checked(reward() - mean(reward(), group())).reach, Reach::Group);
    assert_eq!(checked(send(reward(), signal("parent"), None, Reduction::Sum)).reach, Reach::Group);
    let nested = reward() / maximum((reward() - mean(reward(), batch_scope())).abs(), batch_scope());
    assert_eq!(checked(nested).reach, Reach::Batch { passes: 2 });
    let kept = Credit::new()
        .in_baseline(reward().greater(mean(reward(), batch_scope())))
        .advantage(mean(reward(), batch_scope()));
    assert_eq!(check(&kept).unwrap().reach, Reach::Batch { passes: 2 });
    assert_eq!(checked(reward()).columns, ["group_id", "iteration", "reward", "rollout_id", "token_mask"]);
    assert_eq!(
        checked(kind(ROLLOUT, &["think"]).or(value(1.0).equals(0.0))).columns,
        ["group_id", "iteration", "rollout_id", "step_ends", "step_kinds", "token_mask"]
    );
    let guarded = checked(reward().or_else(0.0) + signal("cost"));
    assert_eq!(guarded.required, ["cost"]);
    let present = checked(if_present(signal("novelty"), reward()));
    assert_eq!(present.credit.to_string(), "advantage = reward\n");
}
