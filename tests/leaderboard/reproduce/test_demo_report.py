"""Every number of the demo's report once more: from the logged samples, ratings and comparisons by
pandas, sacrebleu, rouge_score, statsmodels and scipy, and nothing of ours.
"""

import json
import re

import numpy as np
import pandas as pd
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from scipy.stats import t
from statsmodels.stats.inter_rater import fleiss_kappa

from tests.support.report_example import ALPHA, BETA

pytestmark = pytest.mark.xdist_group("demo_report")

NAMES = {"alpha": ALPHA, "beta": BETA}
CONTEXTS = {"csc_conv_ref": "Reference context", "csc_conv_gen": "Generated context"}
SHOWN = {
    "csc_conv_ref": "Predict",
    "cscx_conv_ref_vanilla": "Vanilla",
    "cscx_conv_ref_oracle": "Oracle",
    "csc_qa": "Summary",
    "cscx_qa_full": "Whole history",
    "cscx_qa_none": "No history",
}
ENGLISH = RougeScorer(["rougeL"], use_stemmer=False)


def table(report, name):
    return pd.read_csv(report.out / f"{name}.csv", keep_default_na=False, na_values=[""])


def row_of(frame, **wanted):
    own = frame[np.logical_and.reduce([frame[name] == value for name, value in wanted.items()])]
    assert len(own) == 1
    return own.iloc[0]


def replies(report, model, task):
    """The logged replies of a model in a task, a row each."""
    (file,) = (report.runs / model).rglob(f"samples_{task}_2*.jsonl")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [record | {"doc": line["doc"]} for line in lines for record in _records(line)]
    return pd.DataFrame(rows)


def _records(line):
    return line["turns"] if "turns" in line else line["answers"]


def bleu(frame, order, language):
    """Corpus BLEU of the replies in one language."""
    own = frame[frame.language == language]
    metric = sacrebleu.BLEU(max_ngram_order=order, tokenize={"zh": "zh", "en": "13a"}[language])
    return metric.corpus_score(list(own.reply), [list(own.reference)]).score


def rouge(frame, language):
    """Mean ROUGE-L in percent: of words in English, of Chinese characters and other words."""
    own = frame[frame.language == language]
    if language == "en":
        scores = [
            ENGLISH.score(gold, reply)["rougeL"].fmeasure
            for gold, reply in zip(own.reference, own.reply, strict=True)
        ]
    else:
        scores = [
            _lcs_f1(_characters(gold), _characters(reply))
            for gold, reply in zip(own.reference, own.reply, strict=True)
        ]
    return 100 * float(np.mean(scores))


def _characters(text):
    """Chinese characters and marks one by one, other words whole."""
    return re.findall(r"[a-z0-9]+|\S", text.lower())


def _lcs_f1(gold, reply):
    best = np.zeros((len(gold) + 1, len(reply) + 1), dtype=int)
    for i, one in enumerate(gold):
        for j, other in enumerate(reply):
            best[i + 1, j + 1] = (
                best[i, j] + 1 if one == other else max(best[i, j + 1], best[i + 1, j])
            )
    common = best[-1, -1]
    return 2 * common / (len(gold) + len(reply)) if common else 0.0


def test_table_6_holds_what_the_replies_say(demo_report):
    ours = table(demo_report, "table-6")
    for model, name in NAMES.items():
        row = row_of(ours, Model=name)
        for task, context in CONTEXTS.items():
            own = replies(demo_report, model, task)
            assert row[f"{context}: Strategy accuracy"] == pytest.approx(
                100 * (own.strategy == own.gold_strategy).mean()
            )
            for language in ("zh", "en"):
                for order in (2, 4):
                    assert row[f"{context}: BLEU-{order} {language}"] == pytest.approx(
                        bleu(own, order, language), abs=1e-9
                    )
                assert row[f"{context}: ROUGE-L {language}"] == pytest.approx(rouge(own, language))
            english = rouge(own, "en")
            assert row[f"{context}: ROUGE-L (default tokenizer) en"] == pytest.approx(english)


def test_an_interval_is_that_of_a_clustered_mean_on_the_logit_scale(demo_report):
    row = row_of(table(demo_report, "table-6"), Model=ALPHA)
    own = replies(demo_report, "alpha", "csc_conv_ref")
    right = (own.strategy == own.gold_strategy).astype(float)
    mean = right.mean()
    sums = (right - mean).groupby(own.conversation_id).sum()
    count = len(sums)
    error = np.sqrt(count / (count - 1) * (sums**2).sum()) / len(right)
    half = t.ppf(0.975, count - 1) * error / (mean * (1 - mean))
    middle = np.log(mean / (1 - mean))
    bounds = [100 / (1 + np.exp(-middle + sign * half)) for sign in (1, -1)]
    name = "Reference context: Strategy accuracy"
    assert [row[f"{name} (low)"], row[f"{name} (high)"]] == pytest.approx(bounds)


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("table-8", ("csc_conv_ref", "cscx_conv_ref_vanilla", "cscx_conv_ref_oracle")),
        ("qa-context", ("csc_qa", "cscx_qa_full", "cscx_qa_none")),
    ],
)
def test_variants_and_their_differences(demo_report, name, tasks):
    ours, apart = table(demo_report, name), table(demo_report, f"{name}-contrasts")
    assert set(ours.Model) == {ALPHA}, "the other model has one variant alone"
    values = {}
    for task in tasks:
        own = replies(demo_report, "alpha", task)
        row = row_of(ours, Model=ALPHA, Shown=SHOWN[task])
        for language in ("zh", "en"):
            values[task, language] = bleu(own, 4, language)
            assert row[f"BLEU-4 {language}"] == pytest.approx(values[task, language], abs=1e-9)
    pairs = {f"{SHOWN[one]} − {SHOWN[other]}": (one, other) for one in tasks for other in tasks}
    assert len(apart) == len(tasks) * (len(tasks) - 1) / 2
    for _, row in apart.iterrows():
        one, other = pairs[row["Contrast"]]
        for language in ("zh", "en"):
            assert row[f"BLEU-4 {language}: difference"] == pytest.approx(
                values[one, language] - values[other, language], abs=1e-9
            )


def test_answers_and_their_parts_come_from_one_run(demo_report):
    results, parts = table(demo_report, "qa-results"), table(demo_report, "qa-stages")
    for model, name in NAMES.items():
        own = replies(demo_report, model, "csc_qa")
        stages = [doc["stage"] for doc in own.doc]
        assert sorted(parts[parts.Model == name].Part) == sorted(set(stages))
        groups = [(row_of(results, Model=name), own)]
        for stage in set(stages):
            row = row_of(parts, Model=name, Part=stage)
            assert row["Questions"] == stages.count(stage)
            groups.append((row, own[np.array(stages) == stage]))
        for row, group in groups:
            for language in set(group.language):
                assert row[f"Answers: BLEU-4 {language}"] == pytest.approx(
                    bleu(group, 4, language), abs=1e-9
                )
                assert row[f"Answers: ROUGE-L {language}"] == pytest.approx(rouge(group, language))


def test_unsupported_facts_with_and_without_passages(demo_report):
    """The talker's only facts of its own are numbers: a reply is unsupported where one of them
    stands in nothing that it was shown.
    """

    def lacks(row):
        doc = row["doc"]
        shown = [turn["text"] for turn in doc["conversation_history"]]
        shown += [doc[name] for name in ("history_summary", "instruction", "client_question")]
        shown += row["passages"] if isinstance(row.get("passages"), list) else []
        numbers = [set(re.findall(r"\d+", text)) for text in (row["reply"], " ".join(shown))]
        return bool(numbers[0] - numbers[1])

    row = row_of(table(demo_report, "qa-grounded"), Model=ALPHA)
    shares = {}
    for task, group in (("csc_qa", "Summary"), ("cscx_qa_grounded", "Summary and passages")):
        own = replies(demo_report, "alpha", task)
        shares[task] = 100 * own.apply(lacks, axis=1).mean()
        assert row[f"{group}: Unsupported facts"] == pytest.approx(shares[task])
    assert shares["csc_qa"] > shares["cscx_qa_grounded"]
    (difference,) = table(demo_report, "qa-grounded-contrasts")["Unsupported facts: difference"]
    assert difference == pytest.approx(shares["cscx_qa_grounded"] - shares["csc_qa"])


@pytest.mark.parametrize(
    ("name", "task", "group"),
    [
        ("table-9", "csc_conv_gen", "Generated context"),
        ("qa-ratings", "csc_qa", "Answers"),
    ],
)
def test_ratings_are_the_means_of_the_judges(demo_report, name, task, group):
    ours = table(demo_report, name)
    given = ratings(demo_report)
    for (model, rater), own in given[given.task == task].groupby(["model", "rater"]):
        row = row_of(ours, Model=model)
        scores = pd.DataFrame(list(own.scores))
        for dimension, mean in scores.mean().items():
            label = dimension.replace("_", "-")
            assert row[f"{group}, Judge {rater}: {label}"] == pytest.approx(mean)
        assert row[f"{group}, Judge {rater}: overall"] == pytest.approx(scores.mean(axis=1).mean())


def ratings(report):
    text = (report.judged / "ratings.jsonl").read_text(encoding="utf-8")
    return pd.DataFrame([json.loads(line) for line in text.splitlines()])


def test_kappa_is_that_of_statsmodels(demo_report):
    ours = table(demo_report, "table-10")
    given = ratings(demo_report)
    for dimension in ("empathy", "continuity"):
        classes = given[[dimension in scores for scores in given.scores]].copy()
        classes["given"] = [min(4, int(scores[dimension] // 20)) for scores in classes.scores]
        counts = classes.pivot_table(
            index=["model", "unit"], columns="given", values="rater", aggfunc="count", fill_value=0
        )
        row = row_of(ours, **{"Among": "Agreement among judges", "Dimension or raters": dimension})
        assert row["Rated by two or more"] == len(counts)
        assert row["Fleiss' kappa"] == pytest.approx(fleiss_kappa(counts.to_numpy()))


def test_wins_are_counted_over_both_orders(demo_report):
    text = (demo_report.compared / "comparisons.jsonl").read_text(encoding="utf-8")
    verdicts = []
    for line in map(json.loads, text.splitlines()):
        places = {"first": (line["a"], line["b"]), "second": (line["b"], line["a"])}
        winners = {
            places[line[order]][turned] if line[order] in places else "tie"
            for turned, order in enumerate(("forward", "backward"))
        }
        verdicts.append(winners.pop() if len(winners) == 1 else "tie")
    counts = [verdicts.count(name) for name in (ALPHA, "tie", BETA)]
    (row,) = table(demo_report, "qa-wins-pairs").to_dict("records")
    assert [row["Won"], row["Tied"], row["Lost"]] == counts
    assert row["Won (% of verdicts)"] == pytest.approx(100 * counts[0] / sum(counts))
    scores = table(demo_report, "qa-wins").set_index("Model")
    assert [scores.Won[ALPHA], scores.Won[BETA]] == [counts[0], counts[2]]
    assert scores.Score[ALPHA] == pytest.approx(-scores.Score[BETA])
    assert (scores.Score[ALPHA] > scores.Score[BETA]) == (counts[0] > counts[2])


def test_the_sweep_s_points_are_the_rows_of_the_board(demo_report):
    ours = table(demo_report, "figure-6").set_index("train_size")
    board = table(demo_report, "table-6").set_index("Model")
    columns = [name for name in board.columns if name in ours.columns and ":" in name]
    assert "Generated context: Strategy accuracy (low)" in columns
    for value, model in (("0", BETA), ("300", ALPHA)):
        assert list(ours.loc[value, columns]) == list(board.loc[model, columns])
    # Nothing but the sweep's own file says anything of the last point.
    assert ours.loc["all", "Reference context: Strategy accuracy"] == 50
    assert np.isnan(ours.loc["all", "Reference context: Strategy accuracy (low)"])
    assert "50.0†" in (demo_report.out / "figure-6.md").read_text(encoding="utf-8")
    assert (demo_report.out / "figures/figure-6.csv").read_bytes() == (
        demo_report.out / "figure-6.csv"
    ).read_bytes()
