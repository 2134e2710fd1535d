"""csc build qa with the scripted stand-in: rows, splits, variants, what lm_eval does with them."""

import json
from collections import Counter

import pytest

from builders.qa.pairs import stage_of
from builders.qa.summarise import Variant
from builders.qa.tokens import estimate
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn
from csc_tasks.corpora import load
from csc_tasks.errors import SettingError
from csc_tasks.question import Question
from tests.support.built_folders import files_of, journal_rows, record_of
from tests.support.qa_builds import all_rows, build, rows_of
from tests.support.qa_recordings import spoken, write_source


def test_every_pair_becomes_a_row_or_is_counted(built, source):
    given = {
        row["conversation_id"]: row
        for row in map(json.loads, source.read_text(encoding="utf-8").splitlines())
    }
    counts, rows = record_of(built)["counts"], all_rows(built)
    assert counts["conversations_read"] == counts["conversations_tried"] == 24
    assert counts["pairs_tried"] == counts["pairs_kept"] + sum(counts["pairs_dropped"].values())
    assert len(rows) == counts["pairs_kept"] == sum(counts["rows_by_stage"].values()) > 150
    texts = {
        tuple((turn["speaker"], turn["text"]) for turn in row["turns"]) for row in given.values()
    }
    for row in rows:
        question = Question.from_row(row, "row")
        history = tuple((turn.speaker, turn.text) for turn in question.conversation_history)
        before = (
            *history,
            (CUSTOMER, question.client_question),
            (SUPPORTER, question.agent_answer),
        )
        (whole,) = {said for said in texts if said[: len(before)] == before}
        pairs = [
            i
            for i in range(len(whole) - 1)
            if whole[i][0] == CUSTOMER and whole[i + 1][0] == SUPPORTER
        ]
        assert len(history) == pairs[question.turn_index] and question.turns_total == len(pairs)
        assert question.stage == stage_of(question.turn_index, len(pairs))
        assert bool(question.history_summary) == bool(history)
        assert question.refined_agent_answer not in ("", question.agent_answer)
        assert question.instruction and estimate(question.history_summary) <= 250


def test_the_card_and_the_record_say_how_it_was_made(built):
    record, card = record_of(built), (built / "README.md").read_text(encoding="utf-8")
    assert record["models"] == {"moderate": "scripted", "summary": "scripted", "refine": "scripted"}
    assert len(record["prompts"]) == 12 and record["settings"]["source"] == "calls.jsonl"
    assert str(built.parent) not in json.dumps(record) and "seconds" not in json.dumps(record)
    for said in (
        "offline stand-ins",
        "running one",
        "the estimate",
        "70/10/20 %",
        "| `qa` | 250 |",
        "facts in qa:",
        "2602.00665",
    ):
        assert said in card, said
    facts = record["counts"]["facts_in_qa"]
    assert 0 < facts["in histories and their summaries"] < facts["in histories"]
    assert facts["in summaries but in no turn"] < facts["in summaries"] / 20
    answers = record["counts"]["facts_in_refined_answers"]
    assert answers["in answers and refined answers"] == answers["in answers"] > 50


def test_facts_of_summaries_are_counted():
    """By hand: the history has $50 and May 5, the summary keeps $50 and makes up $70."""
    from builders.qa.fidelity import answer_facts, summary_facts

    history = (Turn(CUSTOMER, "I paid $50 on May 5."), Turn(SUPPORTER, "You paid $50, I see."))
    asked = Question(
        "q",
        1,
        2,
        "late",
        "en",
        "",
        "t",
        "",
        history,
        "The customer paid $50 and wants $70.",
        "And?",
        "It takes 3 days.",
        "It takes 3 days, or 5 days.",
    )
    assert summary_facts([asked]) == {
        "in histories": 2,
        "in histories and their summaries": 1,
        "in summaries": 2,
        "in summaries but in no turn": 1,
    }
    assert answer_facts([asked]) == {
        "in answers": 1,
        "in answers and refined answers": 1,
        "in refined answers alone": 1,
    }


def test_no_conversation_is_in_two_splits(built):
    names = {
        split: {row["conversation_id"] for row in rows} for split, rows in rows_of(built).items()
    }
    assert set(names) == {"train", "validation", "test"} and sum(map(len, names.values())) == len(
        set().union(*names.values())
    )
    assert record_of(built)["counts"]["conversations_with_a_pair_kept"] == len(
        set().union(*names.values())
    )


def test_a_smaller_limit_keeps_rows_and_splits(built, source, tmp_path):
    assert build(source, tmp_path / "small", "--limit", 9) == 0
    for split, rows in rows_of(tmp_path / "small").items():
        assert {json.dumps(row, sort_keys=True) for row in rows} <= {
            json.dumps(row, sort_keys=True) for row in rows_of(built)[split]
        }
    assert record_of(tmp_path / "small")["counts"]["conversations_tried"] == 9


def test_a_second_run_asks_nothing_and_changes_nothing(built, source):
    before, sent = files_of(built), journal_rows(built.with_name("set.journal.sqlite"))
    assert build(source, built) == 0
    assert files_of(built) == before and journal_rows(built.with_name("set.journal.sqlite")) == sent
    assert json.loads((built / "run.json").read_text())["requests_sent"] == 0


def test_one_published_pair_of_each_conversation(source, tmp_path):
    assert build(source, tmp_path / "set", "--pairs", "published") == 0
    rows = all_rows(tmp_path / "set")
    assert (
        len({row["conversation_id"] for row in rows})
        == len(rows)
        == record_of(tmp_path / "set")["counts"]["pairs_kept"]
    )
    stages = Counter(stage for *_, stage in journal_rows(tmp_path / "set.journal.sqlite"))
    # One request each: the history of the one pair is summarised at once.
    assert stages["summary"] <= stages["moderate"] == 24 and stages["refine"] <= 24
    assert "published" in record_of(tmp_path / "set")["settings"]["pairs"]
    assert "weights 0.2, 0.7 and 0.1" in (tmp_path / "set" / "README.md").read_text(
        encoding="utf-8"
    ).replace("\n", " ")


def test_variants_have_the_same_rows_and_keep_to_their_bounds(built, source, tmp_path):
    out = tmp_path / "set"
    assert build(source, out, "--variant", "short=tokens:40", "--variant", "mid=tokens:90") == 0
    configs = ("qa", "qa_short", "qa_mid")
    found = {
        config: {(row["conversation_id"], row["turn_index"]): row for row in all_rows(out, config)}
        for config in configs
    }
    assert found["qa"].keys() == found["qa_short"].keys() == found["qa_mid"].keys()
    for config, bound in (("qa_short", 40), ("qa_mid", 90), ("qa", 250)):
        assert max(estimate(row["history_summary"]) for row in found[config].values()) in range(
            bound * 3 // 4, bound + 1
        )
    for key, row in found["qa"].items():
        assert row == {**found["qa_short"][key], "history_summary": row["history_summary"]}
    # The config qa is what it is without variants.
    assert rows_of(out) == rows_of(built)
    facts = [
        record_of(out)["counts"][f"facts_in_{config}"] for config in ("qa_short", "qa_mid", "qa")
    ]
    retained = [found["in histories and their summaries"] for found in facts]
    assert retained == sorted(retained) and retained[0] < retained[2]
    assert load(str(out), "qa_short", "test").items


def knows(rows):
    """Answers with the refined answer of the row whose question stands in the prompt."""

    def reply(prompt):
        asked = [
            row
            for row in rows
            if row["client_question"] in prompt and row["history_summary"] in prompt
        ]
        return max(asked, key=lambda row: len(row["history_summary"] + row["client_question"]))[
            "refined_agent_answer"
        ]

    return reply


def test_csc_qa_scores_the_rows(built, source, tmp_path):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from csc_tasks import TASKS_DIR
    from tests.support.fakes import FakeLM

    out = tmp_path / "set"
    assert build(source, out, "--variant", "short=tokens:40") == 0
    for variant, config in ((None, "qa"), ("short", "qa_short")):
        settings = {"csc_qa_corpus": str(out), "csc_corpus": "demo"} | (
            {"csc_qa_variant": variant} if variant else {}
        )
        manager = TaskManager(
            include_path=str(TASKS_DIR), include_defaults=False, metadata=settings
        )
        rows = rows_of(out, config)["test"]
        model = FakeLM(knows(rows))
        results = simple_evaluate(
            model, tasks=["csc_qa", "cscx_qa_mid"], task_manager=manager, bootstrap_iters=0
        )
        scores = results["results"]["csc_qa"]
        assert (
            scores["answers,none"]
            == len(rows)
            == len(model.asked) - results["results"]["cscx_qa_mid"]["answers,none"]
        )
        assert scores["rouge_l_en,none"] > 0.9 and scores["rouge_l_zh,none"] > 0.9
        assert any(
            row["history_summary"] in model.asked[i]
            for i in range(3)
            for row in rows
            if row["history_summary"]
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit", "0"], "--limit 0: at least 1"),
        (["--tokens", "0"], "--tokens 0: at least 1"),
        (["--splits", "70,10,10"], "--splits '70,10,10'"),
        (
            ["--moderation", "maybe"],
            "--moderation maybe: it is llm, none, openai:MODEL or batch:MODEL",
        ),
        (
            ["--moderation", "openai:m", "--llm", "moderate=scripted:"],
            "belongs to --moderation llm",
        ),
        (["--moderation", "none", "--llm", "moderate=scripted:"], "there is no stage 'moderate'"),
        (["--variant", "a=tokens:0"], "tokens '0' is not a number from 1 on"),
        (["--variant", "a"], "is not NAME=tokens:64"),
        (["--variant", "a=size:3"], "is not NAME=tokens:64"),
        (["--variant", "a b=tokens:3"], "is not NAME=tokens:64"),
        (["--variant", "a=tokens:3", "--variant", "a=tokens:4"], "the name 'a' is given twice"),
        (["--variant", "a=prompt:nowhere.txt"], "the prompt nowhere.txt: there is no such file"),
        (["--tokenizer", "./nowhere"], "--tokenizer ./nowhere:"),
    ],
)
def test_misuse_is_one_line(source, tmp_path, capsys, options, said):
    assert build(source, tmp_path / "set", *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not (tmp_path / "set").exists()


def test_a_prompt_of_the_user_needs_its_places(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("Sum up ${turns}")
    with pytest.raises(SettingError, match=r"needs \$\{earlier\} and \$\{turns\}"):
        Variant.parse(f"a=prompt:{path}", 250)
    path.write_text("${earlier} and ${turns} and ${more}")
    with pytest.raises(SettingError, match="and has earlier, more, turns"):
        Variant.parse(f"a=prompt:{path}", 250)
    path.write_text("=== system ===\nShort!\n=== user ===\n${earlier}\n${turns}\n")
    variant = Variant.parse(f"a=prompt:{path},tokens:64,llm:openai:org/model:8b", 250)
    assert (variant.config, variant.stage, variant.tokens, variant.llm) == (
        "qa_a",
        "summary_a",
        64,
        "openai:org/model:8b",
    )
    messages = variant.messages("en", {"earlier": "E", "turns": "T", "tokens": "64", "words": "40"})
    assert messages == [
        {"role": "system", "content": "Short!"},
        {"role": "user", "content": "E\nT"},
    ]


def test_what_cannot_be_read_is_shown_and_does_not_end_the_run(tmp_path, capsys):
    good = [spoken(f"c{n}", [f"Talk {n} says part {i} of it." for i in range(6)]) for n in range(3)]
    path = write_source(tmp_path / "calls.jsonl", good)
    path.write_text(path.read_text() + "{broken\n")
    assert build(path, tmp_path / "set") == 0
    shown = capsys.readouterr()
    assert "problem: calls.jsonl, line 4" in shown.err and "conversations tried: 3" in shown.out


def test_a_source_without_a_usable_conversation_is_an_error(tmp_path, capsys):
    path = write_source(tmp_path / "calls.jsonl", [spoken("short", ["Hi.", "Hello.", "Bye."])])
    assert build(path, tmp_path / "set") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error.startswith("error: ")
        and "no conversation of 5 to 100 turns" in error
        and "1 fewer than 5 turns" in error
    )


def test_topics_are_in_the_instruction_where_they_are_known(tmp_path):
    texts = [f"Part {i} of a talk with numbers." for i in range(6)]
    topics = {
        "Complaints and Dispute Resolution": texts,
        "": texts[::-1],
        "Others": [*texts, "More."],
    }
    source = write_source(
        tmp_path / "calls.jsonl",
        [spoken(f"c{topic}", said, topic=topic) for topic, said in topics.items()],
    )
    assert build(source, tmp_path / "set", "--moderation", "none") == 0
    found = {row["topic"]: row["instruction"] for row in all_rows(tmp_path / "set")}
    assert "Complaints and Dispute Resolution" in found["Complaints and Dispute Resolution"]
    assert found[""] == found["Others"] and "about:" not in found[""]
    card = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    assert "No moderation: nobody looked" in card and "There was no moderation." in card


@pytest.mark.parametrize(
    ("path", "language"), [("crosswoz/val.json.zip", "zh"), ("star/dialogues", "en")]
)
def test_real_conversations_go_through_every_stage(shared_data, tmp_path, path, language):
    assert build(shared_data / path, tmp_path / "set", "--limit", 20) == 0
    counts, rows = record_of(tmp_path / "set")["counts"], all_rows(tmp_path / "set")
    assert counts["conversations_tried"] == 20 and {row["language"] for row in rows} == {language}
    assert (
        len(rows)
        == counts["pairs_kept"]
        == counts["pairs_tried"] - sum(counts["pairs_dropped"].values())
        > 60
    )
    assert {row["stage"] for row in rows} == {"early", "mid", "late"}
