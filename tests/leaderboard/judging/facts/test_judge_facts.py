"""csc judge facts: the judge sees what the rule counts, and only words of the reply count."""

import json

import pytest

from csc_tasks.cli import main
from csc_tasks.evidence import read_evidence
from csc_tasks.metrics.facts import KINDS
from leaderboard.judging.dimensions import prompts
from leaderboard.judging.fact_asking import facts_prompt
from leaderboard.judging.units import read_models
from leaderboard.numbers import fact_audit
from tests.support.audited_facts import PAID, SAID, facts, lines_of, replies, strings
from tests.support.quoted import unquote


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
