"""Ratings by judges and people on a board: columns, footnotes, what is ranked, the reliability
report, and what is published of it.
"""

import json
import shutil
import tempfile
from pathlib import Path
from statistics import mean, stdev

import pytest
from scipy.special import expit, logit
from scipy.stats import t

from csc_tasks.cli import main
from csc_tasks.errors import DataError
from csc_tasks.runs.names import Rated, rated
from csc_tasks.runs.task_record import SHIPPED
from csc_tasks.verify import Trust
from leaderboard import folder
from leaderboard.board import Value
from leaderboard.collect import collect
from leaderboard.columns import column, columns
from leaderboard.judging.rating_columns import columns_of, write_columns
from leaderboard.judging.ratings import Rating
from leaderboard.judging.units import read_models
from leaderboard.numbers.measured import Options
from leaderboard.publishing import eval_results, personal_data, publications
from leaderboard.reliability_report import Report, Section
from leaderboard.tables import markdown
from tests.support.board_example import ADAPTER, BASE, example_board, write_example
from tests.support.fakes import write_corpus
from tests.support.made_results import (
    conversation_result,
    conversations,
    numbered,
    right,
    write_run,
)

REF, GEN = "csc_conv_ref", "csc_conv_gen"
SIGNED = (
    "judge:openai:gpt-x|prompt:1-abc|dimensions:accuracy+tone|reference:hidden|unit:auto"
    "|sample:12x1|seed:0"
)
ASKED = "people:3|each:3|scale:1-5|reference:hidden|study:s|seed:0"
ITEMS = conversations(12)
HELD = Path(tempfile.mkdtemp(prefix="csc-held-"))
PLAIN = Options(seed=0, draw=12, audit=False, evidence={}, corpora=(str(HELD),))
REPORT = Report(
    title="How far the ratings can be believed",
    notes=("a note",),
    signatures=(f"judge {SIGNED}",),
    sections=(
        Section(
            title="Agreement",
            text="of two",
            columns=("raters", "alpha"),
            rows=(("<b>j</b> - k", Value(value=0.7, low=0.6, high=0.8, items=9, clusters=9)),),
        ),
    ),
)


@pytest.fixture(scope="module", autouse=True)
def held():
    """The corpus of ITEMS, which the collector trusts."""
    write_corpus(HELD, ITEMS, [])
    yield
    shutil.rmtree(HELD)


def scores(model, unit):
    """org/a: accuracy 50 + number, tone 10 below; org/b 5 to 7 points less; nothing usable of case
    3.
    """
    number = int(unit.conversation_id[-3:])
    less = 5 + number % 3 if model == "org/b" else 0
    return None if number == 3 else {"accuracy": 50 + number - less, "tone": 40 + number - less}


def rate(results, out, give=scores, prefix="judge_j", signed=SIGNED):
    """What csc judge writes when `give` says what the judge says of the first unit of every
    conversation.
    """
    models, made = read_models([results]), {}
    for judged in models:
        firsts = {unit.conversation_id: unit for unit in reversed(judged.units.values())}.values()
        ratings = [
            Rating(
                "judge",
                "j",
                "openai:gpt-x",
                judged.model,
                u.task,
                u.id,
                u.conversation_id,
                u.language,
                u.topic,
                u.stage,
                u.length,
                give(judged.model, u),
            )
            for u in firsts
        ]
        made[judged.model, judged.task] = columns_of(prefix, ratings)
    names = {name for own in made.values() for name in own}
    write_columns(models, made, {name: f"{name}|{signed}" for name in names}, out)
    return out


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    root = tmp_path_factory.mktemp("judged")
    for name, answer in (("org/a", numbered(3)), ("org/b", right(0.5))):
        write_run(
            root / "runs", name, [conversation_result(task, ITEMS, answer) for task in (REF, GEN)]
        )
    rate(root / "runs", root / "judged")
    file = root / "reliability.json"
    folder.replace_file(file, folder.dumped(REPORT))
    collect([root / "judged"], root / "board", PLAIN, reliability=file)
    return root


@pytest.fixture
def table(judged):
    (found,) = folder.load_board(judged / "board").tables
    return found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("judge_gpt-4o_overall", Rated("Judge gpt-4o", "overall")),
        ("human_overall", Rated("People", "overall")),
        ("judge_Qwen2.5_72b_human_likeness", Rated("Judge Qwen2.5_72b", "human_likeness")),
        ("human_missing", Rated("People", "missing")),
        ("judge_tone_tone", Rated("Judge tone", "tone")),
        ("judge_a_missing", Rated("Judge a", "missing")),
        ("judge__tone", None),
        ("judge_tone", None),
        ("human_size", None),
        ("bleu_4_zh", None),
        ("judge_a_beauty", None),
        ("overall", None),
    ],
)
def test_names_of_results(name, found):
    assert rated(name) == found


def test_labels_scales_and_places():
    human = column("csc_qa", "human_human_likeness", f"human_human_likeness|{ASKED}")
    assert (human.label, human.scale, human.digits, human.headline, human.ranked) == (
        "People: human-likeness",
        1.0,
        2,
        False,
        True,
    )
    judge = column("csc_qa", "judge_m_overall", f"x|{SIGNED}")
    assert (judge.label, judge.scale, judge.digits, judge.headline, judge.rater) == (
        "Judge m: overall",
        1.0,
        1,
        True,
        "Judge m",
    )
    gone = column("csc_qa", "judge_m_missing", f"x|{SIGNED}")
    assert (gone.scale, gone.digits, gone.headline, gone.ranked) == (100.0, 1, False, False)
    ratings = [
        "judge_b_missing",
        "judge_b_tone",
        "judge_b_accuracy",
        "judge_b_overall",
        "judge_a_overall",
    ]
    names = ["human_overall", *ratings, "empty", "rouge_l"]
    ordered = [
        one.metric for one in columns("questions", {"csc_qa": dict.fromkeys(names, "s")}, SHIPPED)
    ]
    assert ordered == [
        "rouge_l",
        "empty",
        "judge_a_overall",
        "judge_b_overall",
        "judge_b_accuracy",
        "judge_b_tone",
        "judge_b_missing",
        "human_overall",
    ]


@pytest.mark.parametrize(
    ("name", "scale", "digits", "label"),
    [
        ("rouge_l_zh", 100.0, 2, "ROUGE-L zh"),  # a share
        ("strategy_acc", 100.0, 1, "Strategy accuracy"),
        ("bleu_4_en", 1.0, 2, "BLEU-4 en"),  # 0 to 100 as it is
        ("bertscore_en", 100.0, 2, "BERTScore en"),
        # Log-probabilities per token, about -3: no share, whatever their range says.
        ("bartscore_en", 1.0, 2, "BARTScore en"),
        ("bartscore_to_reference_zh", 1.0, 2, "BARTScore to reference zh"),
        ("bartscore_to_reply_zh", 1.0, 2, "BARTScore to reply zh"),
        ("unheard_of", 1.0, 2, "unheard_of"),  # a later version's
    ],
)
def test_scales_of_metrics(name, scale, digits, label):
    found = column("csc_qa", name, "s")
    assert (found.scale, found.digits, found.label) == (scale, digits, label)


def test_whole_conversations_are_told_from_replies():
    assert column(GEN, "judge_m_tone", f"x|{SIGNED}", generated=True).whole
    assert column(GEN, "human_tone", f"x|{ASKED}", generated=True).whole
    assert not column(
        GEN, "judge_m_tone", f"x|{SIGNED.replace('auto', 'reply')}", generated=True
    ).whole
    assert not column(REF, "judge_m_tone", f"x|{SIGNED}").whole


def test_values_have_intervals_over_what_was_rated_and_missing_is_never_zero(table):
    """Recomputed from the scores: one a conversation, so the clustered error is that of a plain
    mean.
    """
    own = [45 + n for n in range(12) if n != 3]
    values = next(row.values for row in table.rows if row.model == "org__a")
    for task in (REF, GEN):
        value = values[f"{task}/judge_j_overall"]
        # On the logit scale of 0 to 100, and its slope there.
        at = mean(own) / 100
        half = t.ppf(0.975, 10) * stdev(own) / 11**0.5 / 100 / (at * (1 - at))
        assert (value.value, value.items, value.clusters) == (pytest.approx(mean(own)), 11, 11)
        assert (value.low, value.high) == pytest.approx(
            tuple(100 * expit(logit(at) + by * half) for by in (-1, 1))
        )
    gone = values[f"{REF}/judge_j_missing"]
    assert (gone.value, gone.items) == (pytest.approx(1 / 12), 12)


def test_ratings_are_ranked_by_pairs_and_missing_never(table):
    pair = next(one for one in table.comparisons if one.column == f"{REF}/judge_j_overall")
    assert (
        pair.difference == pytest.approx(mean(5 + n % 3 for n in range(12) if n != 3))
        and pair.clusters == 11
    )
    assert table.best[f"{REF}/judge_j_overall"] == table.best[f"{REF}/judge_j_tone"] == "org__a"
    assert f"{REF}/judge_j_missing" not in table.best


def test_printed_tables_show_the_overall_rating_and_what_was_asked(judged):
    board = folder.load_board(judged / "board")
    text = markdown(board, board.tables[0])
    assert "Reference context<br>Judge j: overall ↑" in text and "Judge j: tone" not in text
    row = next(line for line in text.splitlines() if line.startswith("| org/a "))
    assert row.count("**50.7** ±") == 2, (
        "45 + the mean of 0..11 without 3, one digit, best in both contexts"
    )
    notes = text.replace("\\", "")
    assert (
        f"Judge j: {SIGNED}\n" in notes
        and "Judge j: 4 of 48 ratings missing" in notes
        and "never 0" in notes
    )
    assert "judge_accuracy|" not in notes, "one line a rater, not one a column"
    every = markdown(board, board.tables[0], every=True)
    assert "Judge j: missing ↓" in every and "| 8.3 (" in every


def test_two_signatures_of_one_rater_are_told_apart(tmp_path, judged):
    """Reference and generated context may have been judged in different ways."""
    for task, unit in ((REF, "auto"), (GEN, "reply")):
        write_run(tmp_path / task, "org/a", [conversation_result(task, ITEMS, numbered(3))])
        rate(tmp_path / task, tmp_path / "judged" / task, signed=SIGNED.replace("auto", unit))
    notes = collect([tmp_path / "judged"], tmp_path / "board", PLAIN).tables[0].footnotes
    assert f"Judge j (Reference context): {SIGNED}" in notes
    assert f"Judge j (Generated context): {SIGNED.replace('auto', 'reply')}" in notes


def test_ratings_by_another_judge_are_not_mixed_in(tmp_path, judged):
    write_run(tmp_path / "runs", "org/c", [conversation_result(REF, ITEMS, numbered(3))])
    rate(tmp_path / "runs", tmp_path / "other", signed=SIGNED.replace("gpt-x", "gpt-y"))
    with pytest.raises(DataError, match=r"signature of judge_j_accuracy is .*gpt-x.* for org/a"):
        collect([judged / "judged", tmp_path / "other"], tmp_path / "board", PLAIN)


def test_a_row_nobody_judged_stands_beside_those_that_were(tmp_path, judged):
    write_run(tmp_path / "runs", "org/c", [conversation_result(REF, ITEMS, numbered(3))])
    board = collect([judged / "judged", tmp_path / "runs"], tmp_path / "board", PLAIN)
    row = next(
        line
        for line in markdown(board, board.tables[0]).splitlines()
        if line.startswith("| org/c ")
    )
    assert " – |" in row and board.tables[0].best[f"{REF}/judge_j_overall"] == "org__a"


def test_the_diagnosis_does_not_take_conversations_for_replies(judged):
    """The rating of a conversation is logged at its last turn: that says nothing about turns,
    stages or the context gap.
    """
    found = folder.load_report(judged / "board", "org__a")
    by = {
        (one.task, part.by): {name for group in part.groups for name in group.values}
        for one in found.diagnoses
        for part in one.breakdowns
    }
    for part in ("stage", "turn_index"):
        assert "judge_j_overall" in by[REF, part] and "judge_j_overall" not in by[GEN, part]
    assert "judge_j_overall" in by[GEN, "topic"] and not any(
        "tone" in name or "missing" in name for names in by.values() for name in names
    )
    assert (
        not any(gap.metric.startswith("judge") for one in found.gaps for gap in one.gaps)
        and found.gaps[0].gaps
    )


def test_without_samples_a_rating_has_no_interval(tmp_path):
    write_run(tmp_path / "runs", "org/a", [conversation_result(REF, ITEMS, numbered(3))])
    for file in rate(tmp_path / "runs", tmp_path / "judged").rglob("samples_*"):
        file.unlink()
    (found,) = collect([tmp_path / "judged"], tmp_path / "board", PLAIN).tables
    values = found.rows[0].values
    assert (
        values[f"{REF}/judge_j_overall"].low is None and values[f"{REF}/judge_j_overall"].items == 0
    )
    assert values[f"{REF}/strategy_acc"].low is not None and not any(
        "ratings missing" in note for note in found.footnotes
    )


def test_what_the_newest_run_lacks_is_named(tmp_path, judged):
    """Judged and rated by people separately: only one of two files with the same date can stand."""
    rate(judged / "runs", tmp_path / "people", lambda model, unit: {"tone": 4}, "human", ASKED)
    separate = [judged / "judged", tmp_path / "people"]
    board = collect(separate, tmp_path / "board", PLAIN, replace=True)
    lost = [
        note
        for note in board.notes
        if "left out" in note and "which the newest does not have" in note
    ]
    assert len(lost) == 4 and all(
        "judge_j_accuracy, judge_j_missing, judge_j_overall, 1 more" in note for note in lost
    )
    # One after the other, both stand.
    rate(judged / "judged", tmp_path / "both", lambda model, unit: {"tone": 4}, "human", ASKED)
    together = [judged / "judged", tmp_path / "both"]
    both = collect(together, tmp_path / "board", PLAIN, replace=True)
    assert {one.rater for one in both.tables[0].columns} == {None, "Judge j", "People"}
    assert not any("does not have" in note for note in both.notes)


def test_a_board_without_a_report_says_so_and_an_old_report_goes(tmp_path, judged, capsys):
    words = [
        "collect",
        str(judged / "judged"),
        "--out",
        str(tmp_path / "board"),
        "--no-fact-audit",
        "--jobs",
        "1",
    ]
    assert main([*words, "--reliability", str(judged / "reliability.json")]) == 0
    held = tmp_path / "board" / "reliability.json"
    assert (
        held.read_bytes() == (judged / "reliability.json").read_bytes()
        and "believed" not in capsys.readouterr().err
    )
    assert '<template id="reliability">' in (tmp_path / "board" / "index.html").read_text(
        encoding="utf-8"
    )
    assert main(words) == 0
    assert (
        not held.exists()
        and "note: Judge j: nothing here says how far these ratings can be believed"
        in capsys.readouterr().err
    )
    assert "<template" not in (tmp_path / "board" / "index.html").read_text(encoding="utf-8")
    (tmp_path / "folder").mkdir()
    other = REPORT.model_copy(
        update={"signatures": (f"judge {SIGNED.replace('hidden', 'shown')}",)}
    )
    folder.replace_file(tmp_path / "folder" / "reliability.json", folder.dumped(other))
    assert main([*words, "--reliability", str(tmp_path / "folder")]) == 0
    assert (
        "note: Judge j: the reliability report is about other ratings; none of its signatures is"
        f" {SIGNED}" in capsys.readouterr().err
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"title": "x"}', '{"format": 2}', "\ud800"])
def test_a_report_that_is_none_is_refused_before_anything_is_written(
    tmp_path, judged, capsys, text
):
    (tmp_path / "report.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    words = [
        "collect",
        str(judged / "judged"),
        "--out",
        str(tmp_path / "board"),
        "--reliability",
        str(tmp_path / "report.json"),
    ]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "report.json: " in error and ("csc agreement" in error or "not UTF-8" in error)
    assert error.count("\n") == 1 and not (tmp_path / "board").exists()
    assert (
        main([*words[:-1], str(tmp_path / "absent.json")]) == 1
        and "absent.json: there is no such file" in capsys.readouterr().err
    )


# What is published


def hub_board():
    board = example_board()
    setting = board.tables[0].setting.model_copy(
        update={"corpus": "org/csconv", "revision": "c" * 40}
    )
    return board.model_copy(
        update={"tables": (board.tables[0].model_copy(update={"setting": setting}),)}
    )


def test_publishing_carries_the_report_along_and_reads_it_first(tmp_path):
    root, board = write_example(tmp_path / "board"), hub_board()
    without = publications.results_publication(root, board, "org/results", None, "mit")
    assert "reliability.json" not in without.files and "reliability.json" not in without.files[
        "README.md"
    ].read_text(encoding="utf-8")
    file = folder.replace_file(root / "reliability.json", folder.dumped(REPORT))
    results = publications.results_publication(root, board, "org/results", None, "mit")
    space = publications.space_publication(root, board, "org/space", None, False)
    assert results.files["reliability.json"] == space.files["reliability.json"] == file
    assert "`reliability.json`" in results.files["README.md"].read_text(encoding="utf-8")
    assert '<template id="reliability">' in space.files["index.html"].read_text(encoding="utf-8")
    changed = REPORT.model_copy(update={"notes": ("rated by ann.lee@mailbox.org",)})
    folder.replace_file(file, folder.dumped(changed))
    assert [(place, match.value) for place, match in personal_data.in_report(root)] == [
        ("reliability.json", "ann.lee@mailbox.org")
    ]
    file.write_text(json.dumps({"format": 1, "token": "hf_x"}), encoding="utf-8")
    with pytest.raises(DataError, match=r"reliability\.json"):
        publications.results_publication(root, board, "org/results", None, "mit")


def test_a_judges_number_is_no_result_for_a_models_page():
    board = hub_board()
    table = board.tables[0]
    own = column(REF, "judge_j_overall", f"x|{SIGNED}")
    rows = tuple(
        row.model_copy(
            update={
                "values": {own.key: Value(value=50.0, items=3, clusters=3)},
                "trusts": {own.key: Trust.CLAIMED},
            }
        )
        for row in table.rows
    )
    changed = table.model_copy(
        update={"columns": (own,), "rows": rows, "best": {}, "second": {}, "reported": ()}
    )
    assert (
        eval_results.entries(board.model_copy(update={"tables": (changed,)}), "https://x")[0] == {}
    )
    assert {BASE, ADAPTER} <= set(board.models)
