"""csc judge facts: the judge sees what the rule counts, only words of the reply count, and the
numbers are those worked out by hand.
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from statistics import mean, stdev

import pytest
from scipy.special import expit, logit
from scipy.stats import t

from csc_tasks.cli import main
from csc_tasks.conversation import Conversation, Turn
from csc_tasks.evidence import evidence_hash, read_evidence
from csc_tasks.metrics.facts import KINDS
from csc_tasks.question import Question
from csc_tasks.runs.names import Rated, rated
from leaderboard.board import Column
from leaderboard.columns import column, of_conversations
from leaderboard.judging.dimensions import prompts
from leaderboard.judging.fact_asking import audited, facts_prompt
from leaderboard.judging.units import read_models
from leaderboard.numbers import fact_audit
from leaderboard.rated import doubts
from leaderboard.reliability_report import Report
from tests.support.browser import opened
from tests.support.judged_models import curt, gold, wordy, write_model
from tests.support.llm_server import Act, fingerprint, llm_server
from tests.support.made_results import conversation_result, question_result, write_run
from tests.support.quoted import unquote

PAID = "I paid $40 for order A1234567."
DIALOGUE = (
    Turn("customer", PAID),
    Turn("supporter", "The limit is 12 days."),
    Turn("customer", "Why 3 charges?"),
    Turn("supporter", "You paid $40, and the fee was $7.", "RP"),
    Turn("customer", "And the rest?"),
    Turn("supporter", "It comes.", "RI"),
)
SAID = {3: "You paid $40, the fee was $25.", 5: "Of $40 we return $7, $25 and $99 within 12 days."}
ITEMS = [Conversation(f"c{i}", "en", "Others", "test", DIALOGUE) for i in range(2)]
QUESTIONS = [
    Question(
        f"q{i}",
        i,
        3,
        "mid",
        "en",
        "Others",
        "test",
        "Be kind; call 555-0134.",
        (Turn("customer", PAID), Turn("supporter", "It was $7.")),
        "Paid $40, ref 812.",
        "Where are my $40?",
        "Here.",
        "Here now.",
    )
    for i in range(2)
]
ANSWER = "Your $40 come with $7 and $25; call 555-0134."
EVIDENCE = [
    {"conversation_id": "c0", "passages": ["Refunds take 9 days."]},
    {"conversation_id": "c0", "turn": 5, "passages": ["Up to $99."]},
    {"conversation_id": "c0", "turn": 3, "passages": ["Fees are $25."]},
    {"conversation_id": "q1", "turn": 1, "passages": ["$25 extra."]},
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One model in three tasks, with replies whose facts are known."""
    root = tmp_path_factory.mktemp("made")
    turns = [
        conversation_result(task, ITEMS, lambda item, turn: ("RP", SAID[turn]))
        for task in ("csc_conv_ref", "csc_conv_gen")
    ]
    write_run(root, "org/one", [*turns, question_result("csc_qa", QUESTIONS, lambda item: ANSWER)])
    return root


@pytest.fixture(scope="module")
def evidence_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("evidence") / "evidence.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in EVIDENCE), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for name, talk in (
        ("org/wordy", wordy),
        ("org/other", lambda item, turn: f"{curt(item, turn)} {gold(item, turn)} $91.50 / 91.5元"),
    ):
        write_model(root, name, talk, documents=10)
    return root


def replies(root, evidence=None):
    """(task, conversation, turn) -> what is asked of the made model."""
    found = {}
    for judged in read_models([root], whole=False):
        for item in audited(judged, evidence or {}).values():
            found[judged.task, item.unit.conversation_id, item.unit.turn] = item
    return found


def strings(data):
    """All texts in JSON, whatever their names."""
    if isinstance(data, str):
        return [data]
    return [
        text
        for part in (data.values() if isinstance(data, dict) else data)
        for text in strings(part)
    ]


def lines_of(out, name="facts.jsonl"):
    return [json.loads(line) for line in (out / name).read_text(encoding="utf-8").splitlines()]


def facts(results, out, *more):
    return main(["judge", "facts", str(results), "--out", str(out), *more])


# What a judge is shown


def test_the_judge_is_shown_what_the_rule_counts(made, evidence_file, monkeypatch):
    """In all three kinds of task; written out by hand, caught from the rule as it works, and read
    back from the prompt.
    """
    evidence = read_evidence(evidence_file)
    told = [
        "Paid $40, ref 812.",
        "Be kind; call 555-0134.",
        "Where are my $40?",
        PAID,
        "It was $7.",
    ]
    customer, fixed = [PAID, "Why 3 charges?", "And the rest?"], "The limit is 12 days."
    expected = {
        ("csc_conv_ref", "c0", 3): [*customer[:2], fixed, "Refunds take 9 days.", "Fees are $25."],
        ("csc_conv_ref", "c0", 5): [
            *customer,
            fixed,
            "You paid $40, and the fee was $7.",
            "Refunds take 9 days.",
            "Up to $99.",
        ],
        ("csc_conv_ref", "c1", 5): [*customer, fixed, "You paid $40, and the fee was $7."],
        ("csc_conv_gen", "c0", 3): [*customer[:2], fixed, "Refunds take 9 days.", "Fees are $25."],
        ("csc_conv_gen", "c0", 5): [*customer, fixed, "Refunds take 9 days.", "Up to $99."],
        ("csc_conv_gen", "c1", 5): [*customer, fixed],
        ("csc_qa", "q0", 0): told,
        ("csc_qa", "q1", 1): [*told, "$25 extra."],
    }
    asked = replies(made, evidence)
    counted = []
    monkeypatch.setattr(
        fact_audit,
        "unsupported",
        lambda found, texts, language: counted.append(sorted(texts)) or [],
    )
    for judged in read_models([made], whole=False):
        for line in lines_of(judged.file.parent, judged.file.name):
            unit = "answers" if judged.task == "csc_qa" else "turns"
            auditor = fact_audit.FactAuditor(judged.task == "csc_conv_gen", evidence)
            counted.clear()
            auditor.look(line["doc"], line[unit])
            # First what supports any of the replies, then each of them.
            for record, texts in zip(line[unit], counted[1:], strict=True):
                key = judged.task, record["conversation_id"], record["turn"]
                _, data = unquote(facts_prompt(asked[key])[-1]["content"])
                assert data.pop("reply") == record["reply"]
                own = [turn.pop("model") for turn in data["conversation"] if "model" in turn]
                assert own == ([SAID[3]] if key[0] == "csc_conv_gen" and key[2] == 5 else [])
                assert sorted(strings(data)) == texts == sorted(expected.pop(key, texts)), key
    assert not expected


def test_the_prompt_names_whose_turns_they_are(made):
    asked = replies(made)
    _, data = unquote(facts_prompt(asked["csc_conv_gen", "c1", 5])[-1]["content"])
    assert data["conversation"] == [
        {"customer": PAID},
        {"supporter": "The limit is 12 days."},
        {"customer": "Why 3 charges?"},
        {"model": SAID[3]},
        {"customer": "And the rest?"},
    ]
    _, data = unquote(facts_prompt(asked["csc_conv_ref", "c1", 5])[-1]["content"])
    assert [next(iter(turn)) for turn in data["conversation"]] == ["customer", "supporter"] * 2 + [
        "customer"
    ]
    assert list(data) == ["conversation", "reply"]
    _, data = unquote(facts_prompt(asked["csc_qa", "q1", 1])[-1]["content"])
    assert list(data) == ["instruction", "summary", "question", "conversation", "reply"]
    assert data["question"] == "Where are my $40?" and data["conversation"][0] == {"customer": PAID}
    for language in ("zh", "en"):
        told = prompts(language).text("judge_facts")
        names = (
            "instruction",
            "summary",
            "question",
            "passages",
            "customer",
            "supporter",
            "model",
            *KINDS,
        )
        assert all(f'"{name}"' in told for name in names)


def without(items, key):
    return {verdict.text for verdict in items[key].rule if not verdict.supported}


def test_own_words_support_nothing_and_evidence_does(made, evidence_file):
    plain, told = replies(made), replies(made, read_evidence(evidence_file))
    assert without(plain, ("csc_conv_ref", "c0", 5)) == {"$25", "$99"}
    assert without(plain, ("csc_conv_gen", "c0", 5)) == {
        "$7",
        "$25",
        "$99",
    }, "the model's $25 of turn 3 is no support"
    assert without(told, ("csc_conv_gen", "c0", 5)) == {
        "$7",
        "$25",
    }, "the passage of turn 3 is not that of turn 5"
    assert without(told, ("csc_conv_gen", "c0", 3)) == set() and without(
        told, ("csc_conv_gen", "c1", 3)
    ) == {"$25"}
    assert (
        without(plain, ("csc_qa", "q1", 1)) == {"$25"}
        and without(told, ("csc_qa", "q1", 1)) == set()
    )


def test_scripted_and_rule_and_board_agree_on_everything(
    demo, made, tmp_path, capsys, evidence_file
):
    """The stand-in reads the rule's support back from the prompts; csc collect finds the same rates
    in its own way.
    """
    for results, more in ((demo, []), (made, ["--evidence", str(evidence_file)])):
        out = tmp_path / results.name
        assert (
            facts(
                results,
                out / "facts",
                "--llm",
                "j=scripted",
                "--conversations",
                "99",
                "--turns",
                "99",
                *more,
            )
            == 0
        )
        assert (
            main(
                [
                    "collect",
                    str(results),
                    "--out",
                    str(out / "board"),
                    "--jobs",
                    "1",
                    *more,
                ]
            )
            == 0
        )
        audits = {}
        for file in (out / "board" / "models").glob("*.json"):
            report = json.loads(file.read_text(encoding="utf-8"))
            audits |= {
                (report["slug"], one["task"]): one["facts"]["hallucination_rate"]
                for one in report["diagnoses"]
            }
        rows = json.loads((out / "facts" / "facts.json").read_text())["rates"]
        assert len(rows) == len(audits) and {row["by_rule"]["value"] for row in rows} - {0.0, 1.0}
        for row in rows:
            said = audits[row["model"].replace("/", "__"), row["task"]]
            for name in ("value", "low", "high", "items", "clusters"):
                assert row["by_rule"][name] == pytest.approx(said[name]), (
                    row["model"],
                    row["task"],
                )
            assert (
                row["by_judge"] == row["by_rule"]
                and row["agreement"]["value"] == 1.0
                and row["missing"] == 0
            )
    assert "evidence: passages for 5 of 10 replies" in capsys.readouterr().out


# What comes out


def amount(text, supported):
    return {"text": text, "kind": "amount", "reason": f"So {text}.", "supported": supported}


# Reply of the model -> what the judge answers; the rule finds $99, $66, $7 and $55 unsupported.
ANSWERS = {
    "We return $40.": [amount("$40", True)],
    "We return $99.": [amount("$99", False)],
    "The $40 were a fee.": [amount("$40", False)],
    "We return $7.": [amount("$7", True)],
    "Thank you.": [],
    "": None,
    "We return $55.": [amount("$56", False)],
    "We return $66 of $40.": [amount("$66", False), amount("$40", True)],
}
PAIRS = [(0, 0), (1, 1), (1, 0), (0, 1), (0, 0), (0, 0), None, (1, 1)]


def by_answers(body, number):
    _, data = unquote(body["messages"][1]["content"])
    return Act(json.dumps({"facts": ANSWERS[data["reply"]]}))


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """The folder that csc judge facts wrote when a judge answered as above, the requests it took,
    and what was printed.
    """
    root = tmp_path_factory.mktemp("answered")
    turns = (Turn("customer", PAID), Turn("supporter", "All is well.", "RP"))
    items = [Conversation(f"case-{i}", "en", "Others", "test", turns) for i in range(len(ANSWERS))]
    said = dict(zip((item.conversation_id for item in items), ANSWERS, strict=True))
    write_run(
        root / "runs",
        "org/one",
        [
            conversation_result(
                "csc_conv_ref", items, lambda item, turn: ("RP", said[item.conversation_id])
            )
        ],
    )
    with llm_server(by_answers) as server:
        words = [
            "judge",
            "facts",
            str(root / "runs"),
            "--llm",
            "m=openai:m1",
            "--base-url",
            server.url,
            "--attempts",
            "2",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "csc_tasks.cli", *words, "--out", str(root / "out")],
            capture_output=True,
            text=True,
            env={**os.environ, "OPENAI_API_KEY": "none"},
            cwd=Path(__file__).resolve().parents[3],
        )
        assert done.returncode == 0, done.stderr
        return root, list(server.asked), done.stdout


def test_the_rates_are_those_worked_out_by_hand(answered):
    root, asked, printed = answered
    assert len(asked) == 6 + 2, (
        "six replies once, the one with an invented quotation twice, the empty one never"
    )
    pairs = [pair for pair in PAIRS if pair]
    (row,) = json.loads((root / "out" / "facts.json").read_text())["rates"]
    expected = {
        "by_judge": [a for a, _ in pairs],
        "by_rule": [b for _, b in pairs],
        "agreement": [a == b for a, b in pairs],
    }
    for name, values in expected.items():
        at = mean(values)
        half = t.ppf(0.975, 6) * stdev(map(float, values)) / 7**0.5 / (at * (1 - at))
        found = row[name]
        assert (found["value"], found["low"]) == (
            pytest.approx(mean(values)),
            pytest.approx(expit(logit(at) - half)),
        ), name
    # Three of seven each; five of seven agree; by chance 9/49 + 16/49 would: (35/49 - 25/49) /
    # (24/49).
    assert row["kappa"]["value"] == pytest.approx(10 / 24) and row["kappa"]["method"] in (
        "logit",
        "none",
    )
    assert (row["replies"], row["missing"]) == (7, 1)
    assert re.search(
        r"\|csc_conv_ref\|org/one\|m\|42\.9\|9\.1 to 85\.0\|42\.9\|9\.1 to"
        r" 85\.0\|71\.4\|0\.42\|.*\|7\|1\|0\|\n",
        printed,
    )
    assert (
        "m: 8 replies, 1 empty and not asked about, 1 asked about more than once, 1 missing (1 m:"
        " malformed reply" in printed
    )
    assert "; 3 of 6 facts unsupported" in printed
    assert "8 requests sent, 0 read from the journal" in printed


def test_kappa_by_hand_where_the_two_rates_differ():
    """Fleiss' kappa of two raters (Scott's pi): chance takes the mean of their rates."""
    from leaderboard.judging.facts import FactRating, Verdict, rates

    def rating(number, by_judge, by_rule):
        made = [(Verdict("5", "number", not wrong),) for wrong in (by_judge, by_rule)]
        return FactRating("j", "x", "m", "t", f"u{number}", f"c{number // 3}", "en", "", "", *made)

    counts = {(1, 1): 20, (1, 0): 15, (0, 1): 5, (0, 0): 60}
    said = [pair for pair, count in counts.items() for _ in range(count)]
    (row,) = rates([rating(number, *pair) for number, pair in enumerate(said)])
    share = (35 + 25) / 200
    chance = share**2 + (1 - share) ** 2
    assert (
        row["kappa"].value == pytest.approx((0.8 - chance) / (1 - chance))
        and row["kappa"].low < row["kappa"].value < row["kappa"].high
    )
    assert (row["by_judge"].value, row["by_rule"].value, row["agreement"].value) == pytest.approx(
        (0.35, 0.25, 0.8)
    )
    assert row["by_judge"].clusters == 34


def test_every_reply_has_a_line_with_both_verdicts(answered):
    root, _, _ = answered
    lines = {line["conversation_id"]: line for line in lines_of(root / "out")}
    first = lines["case-7"]
    assert first == {
        "rater": "m",
        "asked": "openai:m1",
        "model": "org/one",
        "task": "csc_conv_ref",
        "unit": "csc_conv_ref/case-7/1",
        "conversation_id": "case-7",
        "language": "en",
        "topic": "Others",
        "stage": "Identifying",
        "problem": "",
        "attempts": 1,
        "facts": [
            {"text": "$66", "kind": "amount", "supported": False, "reason": "So $66."},
            {"text": "$40", "kind": "amount", "supported": True, "reason": "So $40."},
        ],
        "rule": [
            {"text": "$66", "kind": "amount", "supported": False, "reason": ""},
            {"text": "$40", "kind": "amount", "supported": True, "reason": ""},
        ],
    }
    gone = lines["case-6"]
    assert gone["facts"] is None and gone["attempts"] == 2 and gone["rule"][0]["supported"] is False
    assert (
        gone["problem"]
        == "m: malformed reply: facts.0.text: Value error, does not stand in the reply"
    )
    assert (lines["case-5"]["facts"], lines["case-5"]["attempts"]) == ([], 0) and lines["case-4"][
        "facts"
    ] == []


def test_the_columns_have_missing_where_nothing_usable_came(answered):
    root, _, _ = answered
    results = json.loads(next((root / "out").rglob("results_*.json")).read_text(encoding="utf-8"))
    numbers, directions = (
        results["results"]["csc_conv_ref"],
        results["higher_is_better"]["csc_conv_ref"],
    )
    assert (
        numbers["judge_m_unsupported,none"] == pytest.approx(3 / 7)
        and numbers["judge_m_unsupported_missing,none"] == 1 / 8
    )
    assert directions["judge_m_unsupported"] is directions["judge_m_unsupported_missing"] is False
    signatures = results["configs"]["csc_conv_ref"]["metadata"]["csc"]["signatures"]
    record = json.loads((root / "out" / "facts.json").read_text())
    hashes = {
        "en/judge_facts": (
            hashlib.sha256(prompts("en").text("judge_facts").encode()).hexdigest()[:16]
        )
    }
    assert record["prompts"] == hashes and record["sample"] == {"csc_conv_ref": 8}
    digest = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()[:8]
    signature = (
        f"judge:openai:m1|prompt:2-{digest}|evidence:none|unit:reply|sample:2-100x1"
        f'|seed:0|sampling:{{"temperature":0}}'
    )
    assert record["signatures"] == [signature]
    assert signatures["judge_m_unsupported"] == f"judge_unsupported|{signature}"
    assert signatures["judge_m_unsupported_missing"] == f"judge_unsupported_missing|{signature}"
    items = {
        line["doc"]["conversation_id"]: line["judge_m_unsupported"][1]
        for line in lines_of(*_samples(root / "out"))
    }
    assert [items[f"case-{i}"] for i in range(8)] == [
        [None if pair is None else float(pair[0])] for pair in PAIRS
    ]


def _samples(out):
    file = next(out.rglob("samples_*.jsonl"))
    return file.parent, file.name


def test_nothing_usable_at_all_is_no_number(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with llm_server(lambda body, number: Act(None, message={"refusal": "no"})) as server:
        assert (
            facts(
                made, tmp_path, "--llm", "m=openai:m", "--base-url", server.url, "--tasks", "csc_qa"
            )
            == 0
        )
        assert len(server.asked) == 2, "a refusal is an answer"
    said = capsys.readouterr().out
    assert (
        "|csc_qa|org/one|m|–|–|–|–|–|–|–|0|2|" in said
        and "0 asked about more than once, 2 missing (2 m: refused" in said
    )
    numbers = json.loads(next(tmp_path.rglob("results_*.json")).read_text(encoding="utf-8"))[
        "results"
    ]["csc_qa"]
    assert (
        numbers["judge_m_unsupported_missing,none"] == 1.0
        and "judge_m_unsupported,none" not in numbers
    )
    assert (
        main(["collect", str(tmp_path), "--out", str(tmp_path.parent / "refused"), "--jobs", "1"])
        == 0
    )
    capsys.readouterr()
    assert main(["tables", str(tmp_path.parent / "refused")]) == 0
    assert "Judge m, unsupported facts: 2 of 2 replies missing" in capsys.readouterr().out


def test_two_runs_write_the_same_and_evidence_is_in_the_signature(made, tmp_path, evidence_file):
    words = ["--llm", "a=scripted", "--llm", "b=scripted", "--turns", "2"]
    for name, more in (("one", []), ("two", []), ("told", ["--evidence", str(evidence_file)])):
        assert facts(made, tmp_path / name, *words, *more) == 0
    assert {rating["rater"] for rating in lines_of(tmp_path / "one")} == {"a", "b"}
    for file in ("facts.json", "facts.jsonl"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    plain, told = (
        json.loads((tmp_path / name / "facts.json").read_text()) for name in ("one", "told")
    )
    assert (
        plain["evidence"] == "none"
        and f"|evidence:{told['evidence']}|" in told["signatures"][0]
        and len(told["evidence"]) == 16
    )
    backwards = [("c", {None: ["y"], 3: ["x"]}), ("b", {1: ["z"]})]
    assert (
        evidence_hash(dict(backwards))
        == evidence_hash(dict(reversed(backwards)))
        != evidence_hash({"c": {None: ["y"], 2: ["x"]}})
    )


@pytest.fixture(scope="module")
def boarded(demo, tmp_path_factory):
    """(the board's folder, what csc collect printed) of results that were first judged and then
    audited, beside a reliability report.
    """
    root = tmp_path_factory.mktemp("boarded")
    assert (
        main(
            [
                "judge",
                str(demo),
                "--llm",
                "j=scripted",
                "--conversations",
                "5",
                "--out",
                str(root / "judged"),
            ]
        )
        == 0
    )
    assert facts(root / "judged", root / "both", "--llm", "j=scripted", "--conversations", "5") == 0
    judged = json.loads((root / "judged" / "judge.json").read_text())
    report = Report(
        title="x",
        notes=(),
        sections=(),
        signatures=tuple(f"judge {text}" for text in judged["signatures"]),
    )
    (root / "reliability.json").write_text(report.model_dump_json(), encoding="utf-8")
    words = [
        "collect",
        str(root / "both"),
        "--out",
        str(root / "board"),
        "--jobs",
        "1",
    ]
    printed, notes = StringIO(), StringIO()
    with redirect_stdout(StringIO()), redirect_stderr(notes):
        assert main([*words, "--reliability", str(root / "reliability.json")]) == 0
    with redirect_stdout(printed):
        assert main(["tables", str(root / "board")]) == 0
    return root / "board", printed.getvalue(), notes.getvalue()


def test_earlier_columns_are_kept_and_the_board_shows_both(boarded):
    folder, printed, notes = boarded
    assert "reliability report" not in notes, "it is about the ratings; the audits have none"
    for group in ("Reference context", "Generated context", "Answers"):
        assert (
            f"{group}<br>Judge j: overall ↑" in printed
            and f"{group}<br>Judge j: unsupported facts ↓" in printed
        )
    assert (
        "Unsupported facts by a judge: of a sample" in printed
        and "Judge j, unsupported facts: judge:scripted" in printed
    )
    assert (
        "Judge j, unsupported facts: 0 of 20 replies missing" in printed
        and "Judge j: 0 of 20 ratings missing" in printed
    )
    board = json.loads((folder / "board.json").read_text(encoding="utf-8"))
    columns = {one["key"]: one for table in board["tables"] for one in table["columns"]}
    audit, whole = (
        columns["csc_conv_gen/judge_j_unsupported"],
        columns["csc_conv_gen/judge_j_overall"],
    )
    assert (
        (audit["scale"], audit["higher_is_better"], audit["ranked"]) == (100, False, True)
        and audit["headline"]
        and not audit["whole"]
    )
    assert (
        whole["whole"] is True
        and columns["csc_conv_gen/judge_j_unsupported_missing"]["ranked"] is False
    )
    (table,) = (table for table in board["tables"] if table["kind"] == "conversations")
    values = {
        row["model"]: row["values"]["csc_conv_ref/judge_j_unsupported"]["value"]
        for row in table["rows"]
    }
    assert values["org__other"] == 1.0 > values["org__wordy"], (
        "the other model invents an amount in every reply"
    )
    # Five conversations are too few to call one better.
    assert "csc_conv_ref/judge_j_unsupported" not in table["best"]


@pytest.mark.xdist_group("page")
def test_the_page_keeps_audits_apart_from_ratings(boarded):
    with opened(boarded[0] / "index.html") as (page, complaints):
        raters = page.locator("#table-conversations thead th.rater").all_inner_texts()
        ratings = [
            ["Judge j", "how reliable?"],
            ["Judge j", "whole conversations", "how reliable?"],
        ]
        assert [text.split("\n") for text in raters] == [
            ratings[0],
            ["Judge j", "fact audit"],
            ratings[1],
            ["Judge j", "fact audit"],
        ]
        row = page.locator("#table-conversations tr[data-model=org__other]")
        assert "100.0" in row.locator(".number").all_inner_texts()
        # Less is better: the first press puts the model with the smaller share on top.
        page.get_by_role("button", name="Judge j: unsupported facts").first.click()
        assert "org/wordy" in page.locator("#table-conversations tbody tr").first.inner_text()
    assert complaints == []


def test_names_of_the_columns():
    assert rated("judge_gpt-4o_unsupported") == Rated("Judge gpt-4o", "unsupported")
    assert rated("judge_m_unsupported_missing") == Rated("Judge m", "unsupported_missing")
    assert rated("judge_m_missing") == Rated("Judge m", "missing")
    assert rated("human_unsupported") is rated("judge_unsupported") is None
    assert rated("judge_m_unsupported").label == "Judge m: unsupported facts"
    signature = "judge_unsupported|judge:x|unit:reply|sample:9x1"
    assert not of_conversations(True, "judge_m_unsupported", signature)
    made = column("csc_qa", "judge_m_unsupported_missing", signature)
    assert (made.label, made.scale, made.digits) == (
        "Judge m: unsupported facts, missing",
        100.0,
        1,
    ) and not (made.headline or made.ranked)
    assert isinstance(made, Column) and doubts([made], None) == []


# Killed and run again


def faulty(body, number):
    """Some answers are malformed or refusals, by the request alone; one request in fifty is turned
    away.
    """
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    _, data = unquote(body["messages"][1]["content"])
    delay = 0.01 + digest[9] / 255 * 0.03
    if number % 50 == 20:
        return Act(status=500, delay=delay)
    if digest[7] % 12 == 0:
        return Act(None, message={"refusal": "no"}, delay=delay)
    words = "made up" if digest[8] % 6 == 0 else data["reply"].split()[0]
    fact = {"text": words, "kind": "name", "reason": "Why.", "supported": digest[6] % 2 == 0}
    return Act(json.dumps({"facts": [fact]}), delay=delay)


def test_killed_and_run_again_the_audit_is_the_same_and_nothing_is_asked_twice(
    demo, tmp_path, repository
):
    environment = {**os.environ, "OPENAI_API_KEY": "none"}

    def command(out, url):
        judges = [
            "--llm",
            "one=openai:m1",
            "--llm",
            "two=openai:m2",
            "--base-url",
            url,
            "--concurrency",
            "4",
        ]
        return [
            sys.executable,
            "-m",
            "csc_tasks.cli",
            "judge",
            "facts",
            str(demo),
            *judges,
            "--conversations",
            "6",
            "--out",
            str(out),
        ]

    def run(out, url):
        done = subprocess.run(
            command(out, url), cwd=repository, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with llm_server(faulty) as server:
        run(tmp_path / "whole", server.url)
    out = tmp_path / "killed"
    with llm_server(faulty) as server:
        process = subprocess.Popen(
            command(out, server.url),
            cwd=repository,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while server.count < 25 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert server.count >= 25 and not out.exists(), (
            "no results may be there before they are complete"
        )
        resumed = run(out, server.url)
        answered = Counter(map(fingerprint, server.answered))
        count = server.count
        again = run(out, server.url)
        assert server.count == count and "0 requests sent" in again, "a finished run asks nothing"
    # Only what was out when the process was killed, four at most, may have been answered twice.
    assert sum(times - 1 for times in answered.values()) <= 4 and "read from the journal" in resumed
    for name in ("facts.jsonl", "facts.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    lines = lines_of(out)
    assert any(line["facts"] is None and "refused" in line["problem"] for line in lines)
    assert any(line["attempts"] > 1 and line["facts"] for line in lines)


# The command


def test_help_and_bad_options(made, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["judge", "facts", "--help"])
    shown = capsys.readouterr().out
    assert (
        "--evidence FILE" in shown
        and "--unit" not in shown
        and "--show-reference" not in shown
        and "judge_NAME_unsupported" in shown
    )
    with pytest.raises(SystemExit):
        main(["judge", "--help"])
    assert "--unit" in (shown := capsys.readouterr().out) and "csc judge facts: " in shown
    (tmp_path / "bad.jsonl").write_text("{}\n", encoding="utf-8")
    for more, message in (
        (["--conversations", "0"], "at least 1"),
        (["--evidence", str(tmp_path / "bad.jsonl")], "bad.jsonl line 1: not"),
        (["--tasks", "csc_none"], "--tasks csc_none: there is no such one"),
        (["--llm", "scripted"], "two judges are called scripted"),
    ):
        assert facts(made, tmp_path / "x", "--llm", "scripted", *more) == 1
        assert message in capsys.readouterr().err
