//! Which way a metric is better, as its name tells: the one table of it.
//!
//! A name that is not known tells nothing, and nothing is called the best of it. The same rule stands here in Rust and
//! in SQL, which sorts by it; a test compares the two.

/// Words of which less is better.
const LESS: [&str; 29] = [
    "brier",
    "cer",
    "crossentropy",
    "duration",
    "eer",
    "entropy",
    "err",
    "error",
    "fid",
    "fnr",
    "fpr",
    "latency",
    "logloss",
    "loss",
    "mae",
    "mape",
    "memory",
    "ms",
    "mse",
    "msle",
    "nll",
    "perplexity",
    "ppl",
    "rmse",
    "rmsle",
    "seconds",
    "smape",
    "time",
    "wer",
];

/// Words of which more is better.
const MORE: [&str; 41] = [
    "acc",
    "accuracy",
    "ap",
    "auc",
    "auprc",
    "auroc",
    "bleu",
    "dice",
    "f1",
    "fbeta",
    "gini",
    "iou",
    "jaccard",
    "kappa",
    "map",
    "mcc",
    "meteor",
    "miou",
    "mrr",
    "ndcg",
    "pearson",
    "precision",
    "psnr",
    "r2",
    "recall",
    "reward",
    "rouge",
    "rouge1",
    "rouge2",
    "rougel",
    "score",
    "sensitivity",
    "spearman",
    "specificity",
    "ssim",
    "throughput",
    "tnr",
    "top1",
    "top5",
    "tpr",
    "win",
];

/// Ends of names of which less is better whatever else is in them: `hingeloss`, `mean_score_time`.
const ENDS: [&str; 3] = ["loss", "error", " time"];

/// Words that turn a name around: sklearn's `neg_log_loss` is the more the better.
const NEGATED: [&str; 2] = ["neg", "negative"];

/// What stands between the words of a name.
const BETWEEN: [char; 5] = ['_', '-', '.', '/', ':'];

/// Whether less of a metric is better; none where its name does not tell.
pub fn lower_is_better(name: &str) -> Option<bool> {
    let text = name.to_ascii_lowercase().replace(BETWEEN, " ");
    let has = |words: &[&str]| text.split(' ').any(|word| words.contains(&word));
    let ends = ENDS.iter().any(|end| format!(" {text}").ends_with(end));
    let less = ends || (has(&LESS) && !has(&MORE));
    match (less, has(&MORE) && !has(&LESS) && !ends) {
        (true, _) => Some(!has(&NEGATED)),
        (false, true) if !has(&NEGATED) => Some(false),
        _ => None,
    }
}

/// The conditions in SQL that less, and that more, is better of the metric whose name is the expression `name`.
pub fn conditions(name: &str) -> (String, String) {
    let between = BETWEEN.iter().fold(format!("LOWER({name})"), |text, character| {
        format!("REPLACE({text}, '{character}', ' ')")
    });
    let text = format!("' ' || {between} || ' '");
    let any = |patterns: Vec<String>| {
        let like = |pattern: String| format!("{text} LIKE '{pattern}'");
        patterns.into_iter().map(like).collect::<Vec<_>>().join(" OR ")
    };
    let has = |words: &[&str]| any(words.iter().map(|word| format!("% {word} %")).collect());
    let ends = any(ENDS.iter().map(|end| format!("%{end} ")).collect());
    let (has_less, has_more, negated) = (has(&LESS), has(&MORE), has(&NEGATED));
    let less = format!("({ends} OR (({has_less}) AND NOT ({has_more})))");
    let more = format!("(({has_more}) AND NOT ({has_less}) AND NOT ({ends}))");
    (
        format!("({less} AND NOT ({negated}))"),
        format!("(({less} AND ({negated})) OR ({more} AND NOT ({negated})))"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_which_way_is_better_or_it_does_not() {
        for name in [
            "loss",
            "val_loss",
            "hingeloss",
            "logloss",
            "log_loss",
            "nll",
            "Test/RMSE",
            "mae",
            "mape",
            "wer",
            "cer",
            "perplexity",
            "eval.entropy",
            "fpr",
            "eer",
            "mean_squared_error",
            "error rate",
            "max_error",
            "eval.latency.p99",
            "mean_score_time",
            "fit_time",
            "epoch-seconds",
            "accuracy_loss",
        ] {
            assert_eq!(lower_is_better(name), Some(true), "{name}");
        }
        for name in [
            "accuracy",
            "f1_macro",
            "val/roc_auc",
            "precision_at_10",
            "R2",
            "test_score",
            "neg_log_loss",
            "mean_test_neg_mean_squared_error",
        ] {
            assert_eq!(lower_is_better(name), Some(false), "{name}");
        }
        for name in [
            "",
            "foo",
            "lossless",
            "times_correct",
            "learning_rate",
            "uptime",
            "error_recall",
            "epoch",
            "neg_accuracy",
        ] {
            assert_eq!(lower_is_better(name), None, "{name}");
        }
    }
}
