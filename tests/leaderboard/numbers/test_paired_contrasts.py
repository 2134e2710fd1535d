"""Contrasts within one model, against statsmodels, sacrebleu and numbers worked out by hand."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import sacrebleu
import scipy.stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests

from csc_tasks.cli import main
from csc_tasks.runs.results_file import read_results
from csc_tasks.verify import Trust
from leaderboard import contrast_tables, text_table
from leaderboard.collect import collect
from leaderboard.folder import load_board
from leaderboard.numbers.contrasts import CLAIMED, NO_ITEMS, OTHERWISE, contrasts
from leaderboard.numbers.inference import Clustered
from leaderboard.numbers.intervals import SHARE, Scale
from leaderboard.numbers.measured import Options, measure
from leaderboard.reading.models import name_models
from leaderboard.tables import as_html, latex, markdown
from tests.support.fakes import write_corpus
from tests.support.made_results import conversation_result, conversations, csc_of, write_run

ITEMS = conversations(40)
REF, GEN = "csc_conv_ref", "csc_conv_gen"
VANILLA, ORACLE = "cscx_conv_ref_vanilla", "cscx_conv_ref_oracle"
MODEL = "org__one"


def said(seed, good):
    """Replies of which about a share `good` repeats the gold text, the others a part of it; half of
    the strategies are right. Some conversations are easier.
    """
    random = np.random.default_rng(seed)
    texts = {}
    for item in ITEMS:
        ease = random.normal(0, 0.15)
        for turn in item.scored_turns():
            gold = item.dialogue[turn]
            whole = random.random() < good + ease
            text = gold.text if whole else f"well then {gold.text.split()[0]} {turn}"
            right = random.random() < 0.5 + ease
            texts[item.conversation_id, turn] = (gold.strategy if right else "Others", text)
    return lambda item, turn: texts[item.conversation_id, turn]


def result(task, answer, chooses=True):
    if chooses:
        return conversation_result(task, ITEMS, answer)
    return conversation_result(task, ITEMS, lambda *at: (None, answer(*at)[1]), chooses=False)


PREDICT = said(1, 0.4)
RESULTS = {
    REF: result(REF, PREDICT),
    GEN: result(GEN, PREDICT),
    VANILLA: result(VANILLA, said(2, 0.4), chooses=False),
    ORACLE: result(ORACLE, said(3, 0.8), chooses=False),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("held"), ITEMS, [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, corpus):
    """One model in all four tasks, and its adapter in one of them."""
    root = tmp_path_factory.mktemp("contrasts")
    write_run(root / "runs", "org/one", list(RESULTS.values()))
    adapted = [conversation_result(REF, ITEMS, said(4, 0.4))]
    write_run(root / "runs", "org/its-adapter", adapted, _adapter, peft="org/its-adapter")
    words = ["collect", str(root / "runs"), "--out", str(root / "board"), "--corpus", str(corpus)]
    assert main(words) == 0
    return root / "board"


def _adapter(results):
    results["config"]["model_args"]["pretrained"] = "org/one"


@pytest.fixture(scope="module")
def board(folder):
    return load_board(folder)


def contrast(board, first, second):
    (found,) = [
        one for one in board.contrasts if (one.first.level, one.second.level) == (first, second)
    ]
    return found


def number(found, metric):
    (one,) = [one for one in found.numbers if one.metric == metric]
    return one


def items_of(task, metric):
    """Per turn, in the order of the run: what a metric says of it, and its conversation."""
    made = RESULTS[task]
    ids = [record["conversation_id"] for record in made.records]
    return np.asarray(made.columns[metric].items, dtype=float), ids


def test_every_pair_that_differs_in_one_condition_stands_on_the_board(board):
    assert [(one.family, one.first.level, one.second.level) for one in board.contrasts] == [
        ("strategies", "Predict", "Vanilla"),
        ("strategies", "Oracle", "Predict"),
        ("strategies", "Oracle", "Vanilla"),
        ("context", "Reference context", "Generated context"),
        ("adapter", "org/its-adapter", "base"),
    ]
    assert contrast(board, "Oracle", "Vanilla").first.task == ORACLE
    assert contrast(board, "org/its-adapter", "base").second.model == MODEL


def test_both_values_their_difference_and_its_interval_are_those_of_statsmodels(board):
    found = number(contrast(board, "Oracle", "Vanilla"), "rouge_l")
    one, ids = items_of(ORACLE, "rouge_l")
    other, _ = items_of(VANILLA, "rouge_l")
    codes = np.unique(ids, return_inverse=True)[1]
    fit = OLS(one - other, np.ones(len(one))).fit(
        cov_type="cluster", cov_kwds={"groups": codes}, use_t=True
    )
    (low, high), (p,) = fit.conf_int(0.05)[0], fit.pvalues
    apart = found.difference
    assert (found.first, found.second) == pytest.approx((one.mean(), other.mean()))
    assert (apart.value, apart.stderr) == pytest.approx((fit.params[0], fit.bse[0]))
    assert (apart.low, apart.high, found.p) == pytest.approx((low, high, p))
    assert (apart.items, apart.clusters, found.alone) == (160, 40, (0, 0))
    assert apart.low > 0, "it was planted"


def test_a_corpus_metric_is_jackknifed_jointly_as_sacrebleu_does(board):
    def bleu(task, left_out=None):
        rows = [r for r in RESULTS[task].records if r["conversation_id"] != left_out]
        replies, golds = [r["reply"] for r in rows], [[r["reference"] for r in rows]]
        return sacrebleu.corpus_bleu(replies, golds).score

    found = number(contrast(board, "Oracle", "Vanilla"), "bleu_4")
    apart = bleu(ORACLE) - bleu(VANILLA)
    without = np.array(
        [bleu(ORACLE, c.conversation_id) - bleu(VANILLA, c.conversation_id) for c in ITEMS]
    )
    error = np.sqrt(39 / 40 * np.sum((without - without.mean()) ** 2))
    assert (found.first, found.second) == pytest.approx((bleu(ORACLE), bleu(VANILLA)))
    assert (found.difference.value, found.difference.stderr) == pytest.approx((apart, error))
    assert found.difference.low < apart < found.difference.high


def test_where_there_is_no_difference_the_interval_holds_0(board):
    same = contrast(board, "Reference context", "Generated context")
    names = {one.metric for one in same.numbers}
    assert {"strategy_acc", "strategy_macro_f1", "bleu_4", "rouge_l", "unparsed"} <= names
    assert {one.difference.value for one in same.numbers} == {0.0}
    assert {one.p for one in same.numbers} == {1.0}
    by_chance = number(contrast(board, "Predict", "Vanilla"), "rouge_l")
    assert by_chance.difference.low < 0 < by_chance.difference.high
    # 0 of 40 conversations: at most 1 - 0.025^(1/40) of all differ, by 1 at most.
    edge = 1 - 0.025 ** (1 / 40)
    acc = number(same, "strategy_acc").difference
    assert (acc.low, acc.high, acc.method) == (pytest.approx(-edge), pytest.approx(edge), "exact")
    bleu = number(same, "bleu_4").difference
    assert (bleu.low, bleu.high, bleu.reason) == (None, None, "no variation")


def test_p_is_corrected_over_a_family_in_one_metric(board):
    own = [one for one in board.contrasts if one.family == "strategies"]
    numbers = [number(one, "rouge_l") for one in own]
    corrected = multipletests([one.p for one in numbers], method="holm")[1]
    assert [one.p_holm for one in numbers] == pytest.approx(list(corrected))
    adapter = number(contrast(board, "org/its-adapter", "base"), "rouge_l")
    assert adapter.p_holm == adapter.p, "it is alone in its family"


def test_what_is_only_claimed_is_not_contrasted(tmp_path, corpus):
    write_run(tmp_path / "runs", "org/one", [RESULTS[REF], RESULTS[VANILLA]])
    options = Options(0, draw=0, audit=False, evidence={})
    made = collect([tmp_path / "runs"], tmp_path / "board", options)
    (found,) = made.contrasts
    assert found.numbers == ()
    assert {*found.skipped.values()} == {CLAIMED}
    (text,) = [
        note
        for table in contrast_tables.contrast_tables(made, False)
        for note in table.notes
        if "BLEU-4" in note
    ]
    assert text.startswith(f"org/one, Predict − Vanilla: not contrasted, {CLAIMED}: ")


@pytest.fixture(scope="module")
def measured(tmp_path_factory, corpus):
    """Predict and Vanilla of one model as they are measured; what their columns hold is for the
    tests to say.
    """
    root = tmp_path_factory.mktemp("measured")
    file = write_run(root, "org/one", [RESULTS[REF], RESULTS[VANILLA]])
    options = Options(0, draw=0, audit=False, evidence={}, corpora=(str(corpus),))
    return [measure(m, options) for m in read_results(file, [])]


def drawn(sums, counts, scale=SHARE, statistic=None):
    ids = tuple(f"c{i:03}" for i in range(len(counts)))
    return Clustered(ids, tuple(map(str, counts)), np.asarray(counts), sums, statistic, scale)


def contrasts_of(runs, columns):
    """The contrasts of measured runs, each with columns of its own (result name -> sums)."""
    models = name_models([run.measurement for run in runs])
    made = [
        replace(run, columns=own, values={name: run.values["rouge_l"] for name in own})
        for run, own in zip(runs, columns, strict=True)
    ]
    raw = {(run.measurement.file, run.measurement.task): "raw" for run in made}
    return contrasts(made, models, raw, {})


def test_what_only_one_has_is_left_out_and_counted(measured):
    random = np.random.default_rng(5)
    one, other = (drawn(random.random(20), np.ones(20)) for _ in range(2))
    shorter = other.rows(range(3, 18))
    (found,) = contrasts_of(measured, [{"rouge_l": one}, {"rouge_l": shorter}])
    (made,) = found.numbers
    t = scipy.stats.ttest_rel(one.sums[3:18], other.sums[3:18])
    assert (made.alone, made.difference.clusters) == ((5, 0), 15)
    assert made.p == pytest.approx(t.pvalue)
    assert (made.difference.low, made.difference.high) == pytest.approx(t.confidence_interval())
    other_turns = replace(shorter, members=("1,2", *shorter.members[1:]))
    (found,) = contrasts_of(measured, [{"rouge_l": one}, {"rouge_l": other_turns}])
    assert found.numbers[0].alone == (6, 1), "the same conversation, other turns of it"
    (found,) = contrasts_of(measured, [{"rouge_l": one.rows(range(3))}, {"rouge_l": shorter}])
    (made,) = found.numbers
    assert (made.difference.value, made.difference.reason, made.p) == (None, "no value", None)
    assert made.alone == (3, 15)


@pytest.mark.parametrize(
    ("size", "reason"), [(1, "one conversation"), (9, "few conversations"), (10, None)]
)
def test_too_few_conversations_give_a_reason_in_place_of_an_interval(measured, size, reason):
    random = np.random.default_rng(6)

    def share(sums):
        return sums[..., 0] / sums[..., 1]

    scale = Scale(0.0, 1.0, corpus=True)
    columns = [
        {"bleu_4": drawn(random.random((size, 2)) + 1, np.ones(size), scale, share)}
        for _ in range(2)
    ]
    (found,) = contrasts_of(measured, columns)
    (made,) = found.numbers
    assert made.difference.reason == reason
    assert (made.difference.low is None) == (made.p is None) == (reason is not None)


def test_what_was_computed_in_another_way_is_not_contrasted(measured):
    one, other = measured
    signed = {**other.measurement.provenance.signatures, "rouge_l": "rouge_l|of tomorrow"}
    provenance = other.measurement.provenance.model_copy(update={"signatures": signed})
    changed = replace(other, measurement=replace(other.measurement, provenance=provenance))
    column = drawn(np.ones(12), np.ones(12))
    both = {"rouge_l": column, "bleu_4": column}
    (found,) = contrasts_of([one, changed], [both, both])
    assert found.skipped == {"rouge_l": OTHERWISE}
    assert [made.metric for made in found.numbers] == ["bleu_4"]


def test_a_value_without_items_is_named(measured):
    models = name_models([run.measurement for run in measured])
    raw = {(run.measurement.file, run.measurement.task): "raw" for run in measured}
    runs = [replace(run, columns={}) for run in measured]
    (found,) = contrasts(runs, models, raw, {})
    assert {*found.skipped.values()} == {NO_ITEMS}
    assert found.skipped.keys() >= {"rouge_l", "bleu_4"}


def test_false_alarms_are_as_rare_as_they_should_be(measured):
    """400 times two runs of one skill, 40 conversations of 2 to 8 alike turns: 5 % of the intervals
    leave 0 out, and a difference of 15 points is found nearly always.
    """
    random = np.random.default_rng(8)
    alarms = found = 0
    for _ in range(400):
        turns = random.integers(2, 9, 40)
        ease = np.clip(random.normal(0.5, 0.15, 40), 0, 1)
        one, other = (drawn(random.binomial(turns, ease), turns) for _ in range(2))
        better = drawn(random.binomial(turns, np.clip(ease + 0.25, 0, 1)), turns)
        columns = [{"rouge_l": one, "bleu_4": better}, {"rouge_l": other, "bleu_4": other}]
        (made,) = contrasts_of(measured, columns)
        same, apart = (number(made, name).difference for name in ("rouge_l", "bleu_4"))
        alarms += same.low > 0 or same.high < 0
        found += apart.low > 0
    assert scipy.stats.binomtest(alarms, 400, 0.05).pvalue > 0.01
    assert found > 380


def test_repeats_are_one_side_of_a_contrast(tmp_path, corpus):
    def seeded(seed):
        def change(results):
            settings = {"do_sample": True, "temperature": 0.7}
            results["config"] |= {"gen_kwargs": settings | {"seed": seed}}
            results["date"] += seed

        return change

    answers = {seed: said(10 + seed, 0.4) for seed in (1, 2)}
    for seed, answer in answers.items():
        made = [result(REF, answer)] + ([RESULTS[VANILLA]] if seed == 1 else [])
        write_run(tmp_path / "runs" / str(seed), "org/one", made, seeded(seed))
    options = Options(0, draw=0, audit=False, evidence={}, corpora=(str(corpus),))
    board = collect([tmp_path / "runs"], tmp_path / "board", options)
    (found,) = board.contrasts
    both = [result(REF, answer).columns["rouge_l"].items for answer in answers.values()]
    vanilla, ids = items_of(VANILLA, "rouge_l")
    made = number(found, "rouge_l")
    assert made.first == pytest.approx(np.mean(both))
    apart = np.mean(both, axis=0) - vanilla
    codes = np.unique(ids, return_inverse=True)[1]
    fit = OLS(apart, np.ones(len(apart))).fit(cov_type="cluster", cov_kwds={"groups": codes})
    assert (made.difference.value, made.difference.stderr) == pytest.approx(
        (fit.params[0], fit.bse[0])
    )


def test_what_another_hands_in_under_the_name_is_another_model(tmp_path, corpus):
    write_run(tmp_path / "ours", "org/one", [RESULTS[REF], RESULTS[VANILLA]])
    write_run(tmp_path / "theirs", "org/one", [result(REF, said(9, 1.0))])
    options = Options(0, draw=0, audit=False, evidence={}, corpora=(str(corpus),))
    board = collect([tmp_path / "ours", tmp_path / "theirs"], tmp_path / "board", options)
    (found,) = board.contrasts
    mean = items_of(REF, "rouge_l")[0].mean()
    assert number(found, "rouge_l").first == pytest.approx(mean), "ours"


def test_a_baseline_is_no_model(tmp_path, corpus):
    def baseline(results):
        results["config"] |= {"model": "baseline/bigram", "model_args": {}}
        results["model_name"] = "baseline/bigram"

    write_run(tmp_path / "runs", "org/one", [RESULTS[REF], RESULTS[GEN]], baseline)
    options = Options(0, draw=0, audit=False, evidence={}, corpora=(str(corpus),))
    board = collect([tmp_path / "runs"], tmp_path / "board", options)
    assert [model.kind for model in board.models.values()] == ["baseline"]
    assert board.contrasts == ()


def test_prompt_styles_are_contrasted_across_tables(tmp_path, corpus):
    def chat(results):
        for task in results["configs"]:
            csc_of(results, task)["prompt"] = "chat"

    write_run(tmp_path / "runs" / "a", "org/one", [RESULTS[REF]])
    write_run(tmp_path / "runs" / "b", "org/one", [RESULTS[REF], RESULTS[VANILLA]], chat)
    options = Options(0, draw=0, audit=False, evidence={}, corpora=(str(corpus),))
    board = collect([tmp_path / "runs"], tmp_path / "board", options, ["prompt"])
    assert [(one.first.level, one.second.level) for one in board.contrasts] == [
        ("Predict", "Vanilla"),
        ("Single prompt", "Chat"),
    ], "single and predict against chat and vanilla differ in two"


def test_csv_has_every_number_and_every_reason(folder, board, capsys):
    capsys.readouterr()
    assert main(["tables", str(folder), "--format", "csv", "--table", "contrasts"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == sum(len(one.numbers) + len(one.skipped) for one in board.contrasts)
    (row,) = [
        row
        for row in rows
        if (row["first_level"], row["second_level"], row["metric"])
        == ("Oracle", "Vanilla", "rouge_l")
    ]
    found = number(contrast(board, "Oracle", "Vanilla"), "rouge_l")
    for name in ("first", "second", "p", "p_holm"):
        assert float(row[name]) == getattr(found, name)
    for name in ("stderr", "low", "high"):
        assert float(row[name]) == getattr(found.difference, name)
    (same,) = [r for r in rows if r["family"] == "context" and r["metric"] == "bleu_4"]
    assert (same["reason"], same["low"]) == ("no variation", "")
    assert main(["tables", str(folder), "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert "Oracle" not in printed.out.partition("\n")[0]
    assert "5 contrasts have other columns: --table contrasts" in printed.err


def test_text_has_the_numbers_as_they_are_shown(board):
    found = number(contrast(board, "Oracle", "Vanilla"), "rouge_l")
    tables = {one.id: one for one in contrast_tables.contrast_tables(board, False)}
    assert list(tables) == ["contrasts-strategies", "contrasts-context", "contrasts-adapter"]
    its = tables["contrasts-strategies"]
    (cells,) = [
        cells for cells, _ in its.rows if cells[1] == "Oracle − Vanilla" and "ROUGE" in cells[3]
    ]
    apart = found.difference
    assert cells[4:6] == (f"{100 * found.first:.2f}", f"{100 * found.second:.2f}")
    assert cells[6].startswith(f"{100 * apart.value:+.2f} ")
    assert cells[7:] == ("< 0.001", "40", "")
    text = text_table.markdown(its)
    assert f"| **{cells[6]}** |" in text.replace("\\", "")
    assert rf"\textbf{{+{100 * apart.value:.2f} " in text_table.latex(its)
    assert f"<td><strong>{cells[6]}</strong></td>" in text_table.as_html(its)
    (same,) = [one for one in tables.values() if one.id == "contrasts-context"]
    assert not any(clear for _, clear in same.rows)
    assert same.notes[1] == "N/A: nothing varies, and the metric has no bounds to reckon with."
    assert {cells[2] for cells, _ in tables["contrasts-adapter"].rows} == {"Reference context"}


def test_the_command_prints_them_below_the_tables(folder, board, capsys):
    capsys.readouterr()
    for name, write, one in (
        ("md", markdown, text_table.markdown),
        ("latex", latex, text_table.latex),
        ("html", as_html, text_table.as_html),
    ):
        assert main(["tables", str(folder), "--format", name, "--columns", "all"]) == 0
        texts = [write(board, table, True) for table in board.tables]
        texts += [one(table) for table in contrast_tables.contrast_tables(board, True)]
        assert capsys.readouterr().out == "\n".join(texts)
    assert main(["tables", str(folder), "--table", "contrasts"]) == 0
    assert "### Conversations" not in capsys.readouterr().out


def test_every_metric_of_both_is_there(board):
    found = contrast(board, "Predict", "Vanilla")
    names = {*RESULTS[REF].columns} & {*RESULTS[VANILLA].columns}
    assert {one.metric for one in found.numbers} == names
    assert found.skipped == {}
    (table,) = [t for t in board.tables if t.kind == "strategy_variants"]
    assert {*table.rows[0].trusts.values()} == {Trust.RESCORED}


def test_the_page_has_them_in_a_block_of_each_model(folder, board):
    text = (folder / "index.html").read_text(encoding="utf-8")
    for slug in board.models:
        block = text.partition(f'id="contrasts-{slug}">')[2].partition("</script>")[0]
        own = [one for one in board.contrasts if slug in (one.first.model, one.second.model)]
        assert len(json.loads(block)) == len(own) > 0
    first = text.partition('id="data-board">')[2].partition("</script>")[0]
    assert "contrasts" not in json.loads(first)["board"]
