"""csc judge facts: the numbers are those worked out by hand, and every reply has its line."""

import hashlib
import json
import re
from statistics import mean, stdev

import pytest
from scipy.special import expit, logit
from scipy.stats import t

from csc_tasks.cli import main
from csc_tasks.evidence import evidence_hash
from leaderboard.judging.dimensions import prompts
from tests.support.audited_facts import PAIRS, facts, lines_of
from tests.support.llm_server import Act, llm_server


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
    from leaderboard.judging.fact_asking import Verdict
    from leaderboard.judging.fact_ratings import FactRating, rates

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
