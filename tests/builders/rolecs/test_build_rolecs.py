"""csc build rolecs from end to end with the scripted stand-in: the folder, subsets, baselines."""

import json
import re
from collections import Counter

import pytest

from builders.rolecs import filters
from builders.scripted import roles as scripted_roles
from csc_tasks.conversation import SUPPORTER, Conversation
from csc_tasks.framework import TOPICS
from csc_tasks.llm.backends import register_scripted
from tests.support.built_folders import files_of, journal_rows, record_of
from tests.support.rolecs_builds import build, rows_of


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A build of 30 conversations in both languages."""
    out = tmp_path_factory.mktemp("rolecs") / "set"
    assert build(out, "--limit", 30) == 0
    return out


def test_the_folder_holds_sound_role_played_conversations(built):
    rows = rows_of(built)
    assert len(rows) == 30 and {row["language"] for row in rows} == {"zh", "en"}
    for row in rows:
        conversation = Conversation.from_row(row, "row")
        assert filters.first_reason(conversation) is None
        assert conversation.profile and conversation.scenario and conversation.goal
        used = [turn.strategy for turn in conversation.dialogue if turn.speaker == SUPPORTER]
        assert (
            used[:2] == ["GT", "IV"]
            and used[-1] == "AC"
            and conversation.dialogue[-1].speaker == SUPPORTER
        )
    assert [row["conversation_id"] for row in rows] == sorted(
        {row["conversation_id"] for row in rows}
    )


def test_what_was_made_is_in_build_json_and_on_the_card(built):
    record = record_of(built)
    assert record["counts"]["conversations_tried"] == record["counts"]["conversations_kept"] == 30
    assert record["counts"]["pairs_of_topic_and_profile"] == 7 * 40 * 2
    assert sum(record["counts"]["conversations_ended_by"].values()) == 30
    assert set(record["models"]) == {
        "planner",
        "supporter_assistant",
        "supporter",
        "customer_assistant",
        "customer",
        "judge",
    }
    assert set(record["models"].values()) == {"scripted"}
    assert len(record["prompts"]) == 12 and all(
        re.fullmatch("[0-9a-f]{16}", digest) for digest in record["prompts"].values()
    )
    assert "seconds" in json.loads(
        (built / "run.json").read_text()
    ) and "seconds" not in json.dumps(record)
    card = (built / "README.md").read_text(encoding="utf-8")
    assert (
        "license: other" in card
        and "offline stand-ins" in card
        and "conversations tried: 30" in card
    )


def test_the_set_loads_as_a_corpus(built):
    from csc_tasks.corpora import load

    corpus = load(str(built), "rolecs", "train")
    assert len(corpus.items) == 30 and not corpus.counts
    assert {item.topic for item in corpus.items} <= set(TOPICS) - {"Others"}


def test_a_second_run_asks_nothing_and_changes_nothing(built, capsys):
    before, sent = files_of(built), journal_rows(built.with_name("set.journal.sqlite"))
    assert build(built, "--limit", 30) == 0
    assert files_of(built) == before
    assert journal_rows(built.with_name("set.journal.sqlite")) == sent
    assert json.loads((built / "run.json").read_text())["requests_sent"] == 0


def test_a_smaller_limit_is_a_part_of_a_larger_one(built, tmp_path):
    assert build(tmp_path / "small", "--limit", 10) == 0
    small, large = (
        {json.dumps(row, sort_keys=True) for row in rows_of(out)}
        for out in (tmp_path / "small", built)
    )
    assert len(small) == 10 and small < large


def test_the_limit_counts_what_is_kept(tmp_path, monkeypatch, capsys):
    """A third of the conversations is dropped; the limit is reached all the same, and the smaller
    set is a part of the larger.
    """
    judge = scripted_roles.judge

    def stern(request):
        return (
            judge(request).replace('"natural": true', '"natural": false')
            if int(request.item_id[-1], 16) % 3 == 0
            else judge(request)
        )

    monkeypatch.setattr(scripted_roles, "judge", stern)
    register_scripted("judge", stern)
    try:
        for limit in (8, 16):
            assert build(tmp_path / str(limit), "--limit", limit, "--language", "en") == 0
    finally:
        register_scripted("judge", judge)
    found = {
        limit: {row["conversation_id"] for row in rows_of(tmp_path / str(limit))}
        for limit in (8, 16)
    }
    assert len(found[8]) == 8 and len(found[16]) == 16 and found[8] < found[16]
    counts = record_of(tmp_path / "16")["counts"]
    dropped = counts["conversations_dropped"]["judge: not all five criteria hold"]
    assert dropped > 0 and counts["conversations_tried"] == 16 + dropped
    assert counts["judge_said_no_to"] == {"natural": dropped}
    assert (
        f"conversations dropped: {dropped} judge: not all five criteria hold"
        in capsys.readouterr().out
    )


def test_a_limit_that_cannot_be_reached_says_so(tmp_path, capsys):
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({"language": "en", "profile": "The customer is a nurse."}) + "\n")
    assert build(tmp_path / "set", "--limit", 99, "--language", "en", "--profiles", pool) == 0
    assert (
        "Only 7 of the 99 asked for: all 7 pairs of topic and profile were tried."
        in capsys.readouterr().out
    )
    assert Counter(row["topic"] for row in rows_of(tmp_path / "set")) == {
        topic: 1 for topic in TOPICS if topic != "Others"
    }
    assert {row["profile"] for row in rows_of(tmp_path / "set")} == {"The customer is a nurse."}


def test_another_seed_makes_other_conversations_of_the_same_pairs(built, tmp_path):
    assert build(tmp_path / "set", "--limit", 10, "--seed", 1) == 0
    first, other = rows_of(built), rows_of(tmp_path / "set")
    assert not {row["conversation_id"] for row in first} & {row["conversation_id"] for row in other}
    assert {(row["topic"], row["profile"]) for row in other} < {
        (row["topic"], row["profile"]) for row in first
    }


@pytest.mark.parametrize(
    ("roles", "stages"),
    [
        ("no-assistant", {"planner", "supporter", "customer_assistant", "customer", "judge"}),
        ("none", {"writer", "judge"}),
    ],
)
def test_the_baselines_of_table_7(tmp_path, roles, stages):
    assert (
        build(
            tmp_path / "set",
            "--limit",
            12,
            "--roles",
            roles,
            *(["--examples", "demo"] if roles == "none" else []),
        )
        == 0
    )
    record = record_of(tmp_path / "set")
    assert set(record["models"]) == stages and record["settings"]["roles"] == roles
    assert {stage for *_, stage in journal_rows(tmp_path / "set.journal.sqlite")} == stages
    assert len(rows_of(tmp_path / "set")) == 12
    assert len(record["settings"].get("examples", ())) == (4 if roles == "none" else 0)


def test_the_stand_in_chooses_worse_without_an_assistant_and_worst_without_roles(built, tmp_path):
    """The opening is a greeting and an identity check; a greeting later on fits nothing that a
    customer says.
    """
    found = {"full": rows_of(built)}
    for roles, *options in (("no-assistant",), ("none", "--examples", "demo")):
        assert build(tmp_path / roles, "--limit", 40, "--roles", roles, *options) == 0
        found[roles] = rows_of(tmp_path / roles)
    later = {
        roles: [
            turn["strategy"]
            for row in rows
            for turn in row["dialogue"][1:]
            if turn["speaker"] == "supporter"
        ]
        for roles, rows in found.items()
    }
    greets = {roles: used.count("GT") / len(used) for roles, used in later.items()}
    assert greets["full"] == 0 < greets["no-assistant"] < greets["none"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--roles", "none"], "--roles none needs --examples CORPUS"),
        (["--examples", "demo"], "--examples belongs to --roles none"),
        (["--roles", "none", "--examples", "demo", "--shots", "0"], "--shots 0: at least 1"),
        (["--topics", "Complaints"], "there is no topic 'Complaints'"),
        (["--limit", "0"], "--limit 0: at least 1"),
        (["--profiles", "missing.jsonl"], "missing.jsonl: there is no such file"),
        (["--llm", "writer=scripted:"], "there is no stage 'writer'"),
    ],
)
def test_misuse_is_one_line(tmp_path, capsys, options, said):
    assert build(tmp_path / "set", *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not (tmp_path / "set").exists()
