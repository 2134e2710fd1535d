"""csc build csconv from end to end: the folder, what is asked of whom, subsets, hostile sources."""

import hashlib
import json

import pytest

from builders.csconv import postfilter
from builders.csconv.asking import CRITERIA, STAGES
from builders.csconv.build import split
from builders.csconv.candidates import Candidates
from builders.csconv.fidelity import facts_report
from builders.csconv.maker import Pair
from builders.review.judged import read_judged
from builders.scripted import rewriter
from builders.sources import RawConversation
from csc_tasks.cli import main
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn
from csc_tasks.framework import TOPICS
from tests.support.built_folders import journal_rows, record_of
from tests.support.csconv_builds import (
    ACCOUNTS,
    RISKS,
    ROOT,
    build,
    files_of,
    ids_of,
    originals_of,
    recorded,
    rows_of,
    stages_of,
    write,
)


def test_the_folder_holds_labelled_conversations_that_keep_the_rules(built):
    rows = rows_of(built)
    assert len(rows) > 40 and {row["language"] for row in rows} == {"zh", "en"}
    for row in rows:
        conversation = Conversation.from_row(row, "row")
        assert postfilter.first_reason(conversation) is None
        assert len(conversation.scored_turns()) == sum(
            turn.speaker == SUPPORTER for turn in conversation.dialogue
        )
    assert [row["conversation_id"] for row in rows] == sorted(
        {row["conversation_id"] for row in rows}
    )
    assert {row["source"] for row in rows} == {"recordings"} and {
        row["topic"] for row in rows
    } <= set(TOPICS)


def test_every_conversation_is_accounted_for(built):
    counts = record_of(built)["counts"]
    assert counts["source"]["conversations read"] == 60
    assert (
        counts["conversations_that_passed_the_rules"]
        + sum(counts["conversations_dropped_by_the_rules"].values())
        == 60
    )
    rewritten = sum(counts["conversations_rewritten_by_topic"].values())
    assert counts["conversations_checked"] == rewritten + sum(
        counts["conversations_dropped_by_the_check"].values()
    )
    assert rewritten == counts["conversations_kept"] + sum(
        counts["conversations_dropped_after_rewriting"].values()
    )
    assert (
        counts["conversations_kept"]
        == len(rows_of(built))
        == sum(counts["conversations_by_topic"].values())
    )
    assert counts["closing_notes_removed"] > 0 and "（系统提示" not in json.dumps(
        rows_of(built), ensure_ascii=False
    )
    assert (
        sum(counts["strategies_before"].values()) <= sum(counts["strategies_after"].values())
        and counts["originals_labelled"] == 12
    )
    facts = counts["facts_of_the_originals"]
    assert facts["kept"] > 100 and facts["kept"] > 10 * facts["lost"]


def test_what_was_made_is_in_build_json_and_on_the_card(built):
    record = record_of(built)
    assert record["models"] == dict.fromkeys(STAGES, "scripted") and len(record["prompts"]) == 10
    assert record["settings"]["rules_before"]["exchanges"] == [3, 30] and record["settings"][
        "rules_after"
    ]["utterances"] == [10, 50]
    assert "seconds" not in json.dumps(record) and str(ROOT) not in json.dumps(record)
    card = (built / "README.md").read_text(encoding="utf-8")
    assert (
        "license: other" in card
        and "offline stand-ins" in card
        and "facts of the originals: " in card
        and "recordings (" in card
    )
    assert "csc_conv_ref" in card


def test_the_originals_lie_beside_the_folder_and_not_in_it(built, calls):
    """Same ids as the rows, the text as it was recorded; the folder, which is what gets published,
    has none of it.
    """
    originals = originals_of(built)
    assert list(originals) == sorted(ids_of(built))
    assert all(
        row.keys() == {"conversation_id", "source_id", "turns"} for row in originals.values()
    )
    recordings = {
        row["conversation_id"]: row
        for row in map(json.loads, calls.read_text(encoding="utf-8").splitlines())
    }
    for row in originals.values():
        said = " ".join(turn["text"] for turn in recordings[row["source_id"]]["turns"])
        assert " ".join(turn["text"] for turn in row["turns"]) == said
    assert not [path for path in built.rglob("*") if "original" in path.name]
    assert main(["push", str(built), "--repo-id", "org/set"]) == 0


def test_personal_data_are_replaced(tmp_path, built):
    row = next(recorded(1, "zh"))
    row["turns"][-1]["text"] += "我的手机号是13912345678，麻烦记一下。"
    assert (
        build(write(tmp_path / "calls.jsonl", [row, *recorded(4, "zh", start=1)]), tmp_path / "set")
        == 0
    )
    name = next(
        name
        for name, original in originals_of(tmp_path / "set").items()
        if original["source_id"] == "zh-0"
    )
    found = next(row for row in rows_of(tmp_path / "set") if row["conversation_id"] == name)
    assert "13912345678" not in json.dumps(found) and any(
        "手机号是[手机号码]" in turn["text"] for turn in found["dialogue"]
    )
    assert (
        record_of(tmp_path / "set")["counts"]["facts_of_the_originals"]["replaced by a placeholder"]
        > 0
    )


def test_the_set_loads_as_a_corpus(built):
    from csc_tasks.corpora import load

    corpus = load(str(built), "csconv", "test")
    assert len(corpus.items) == len(rows_of(built)) and not corpus.counts


def test_a_second_run_asks_nothing_and_changes_nothing(built, calls):
    before, sent = files_of(built), journal_rows(built.with_name("set.journal.sqlite"))
    assert build(calls, built, "--fidelity", 12) == 0
    assert files_of(built) == before and journal_rows(built.with_name("set.journal.sqlite")) == sent
    assert json.loads((built / "run.json").read_text())["requests_sent"] == 0


def test_a_smaller_limit_is_a_part_of_a_larger_one_and_asks_less(built, calls, tmp_path):
    for limit in (6, 20):
        assert build(calls, tmp_path / str(limit), "--limit", limit) == 0
        assert len(ids_of(tmp_path / str(limit))) == limit
    assert ids_of(tmp_path / "6") < ids_of(tmp_path / "20") < ids_of(built)
    assert stages_of(tmp_path / "6").total() < stages_of(tmp_path / "20").total() / 2
    counts = record_of(tmp_path / "6")["counts"]
    assert (
        counts["conversations_not_needed"]
        == counts["conversations_that_passed_the_rules"] - counts["conversations_checked"]
        > 30
    )


def test_the_order_depends_on_the_seed_and_not_on_the_source(built, calls, tmp_path):
    backwards = write(
        tmp_path / "calls.jsonl",
        map(json.loads, reversed(calls.read_text(encoding="utf-8").splitlines())),
    )
    assert (
        build(backwards, tmp_path / "same", "--limit", 10)
        == build(calls, tmp_path / "other", "--limit", 10, "--seed", 1)
        == 0
    )
    assert build(calls, tmp_path / "first", "--limit", 10) == 0
    assert files_of(tmp_path / "same") == files_of(tmp_path / "first")
    assert ids_of(tmp_path / "other") != ids_of(tmp_path / "first")


def test_up_to_so_many_of_each_topic_are_rewritten_and_nobody_is_asked_in_vain(tmp_path):
    """Topics given: of 40 conversations on 8 topics 16 are rewritten, and nobody is checked whose
    topic is full.
    """
    rows = list(recorded(40, "en", topic=True))
    source = write(tmp_path / "calls.jsonl", rows)
    for most in (1, 2):
        assert build(source, tmp_path / str(most), "--per-topic", most) == 0
        counts = record_of(tmp_path / str(most))["counts"]
        assert counts["conversations_rewritten_by_topic"] == {
            topic: most for topic in sorted(TOPICS)
        }
        stages = stages_of(tmp_path / str(most))
        assert stages["check"] == stages["rewrite"] == 8 * most and not stages["topic"]
        passed = counts["conversations_that_passed_the_rules"]
        assert (
            passed
            == 8 * most
            + counts["conversations_over_the_limit_of_their_topic"]
            + counts["conversations_not_needed"]
        )
    assert ids_of(tmp_path / "1") < ids_of(tmp_path / "2")


def test_a_topic_that_is_not_given_is_asked_before_the_limit_of_its_topic(tmp_path):
    source = write(tmp_path / "calls.jsonl", recorded(40, "en"))
    assert build(source, tmp_path / "set", "--per-topic", 2) == 0
    counts, stages = record_of(tmp_path / "set")["counts"], stages_of(tmp_path / "set")
    assert set(counts["conversations_rewritten_by_topic"].values()) == {2}
    assert stages["rewrite"] == 16 < stages["topic"] == counts["conversations_checked"] <= 40
    # The first round asks for what eight empty topics may need, not for all there are.
    given = write(tmp_path / "given.jsonl", recorded(40, "en", topic=True))
    assert build(given, tmp_path / "given", "--per-topic", 2) == 0
    assert ids_of(tmp_path / "given") == ids_of(tmp_path / "set")


def test_the_rules_and_the_check_come_before_any_paid_rewrite(tmp_path):
    rows = list(recorded(6, "en"))
    short = {**rows[0], "turns": rows[0]["turns"][:5]}
    long = {**rows[1], "turns": [*rows[1]["turns"], {"speaker": CUSTOMER, "text": "a" * 501}]}
    rude = {
        **rows[2],
        "turns": [
            *rows[2]["turns"][:-1],
            {"speaker": rows[2]["turns"][-1]["speaker"], "text": "You are all idiots."},
        ],
    }
    twin = {**rows[3], "conversation_id": "twin"}
    source = write(tmp_path / "calls.jsonl", [short, long, rude, *rows[3:], twin])
    assert build(source, tmp_path / "set") == 0
    counts, stages = record_of(tmp_path / "set")["counts"], stages_of(tmp_path / "set")
    assert counts["conversations_dropped_by_the_rules"] == {
        "an utterance of more than 500 characters": 1,
        "duplicate of another": 1,
        "fewer than 3 exchanges": 1,
    }
    assert counts["conversations_dropped_by_the_check"] == {"check: abusive talk": 1}
    assert (stages["check"], stages["topic"], stages["rewrite"]) == (4, 3, 3)
    # What the check dropped can be read, with its reason; so can why the others were kept.
    judged = {one.stage: one for one in read_judged(tmp_path / "set") if one.failed}
    assert judged["check"].failed == ("abusive",) and "idiots" in judged["check"].reason
    assert judged["check"].turns[-1].text == "You are all idiots."
    kept = {one.conversation_id for one in read_judged(tmp_path / "set") if not one.failed}
    assert kept == ids_of(tmp_path / "set")


def test_problems_of_the_source_are_shown_with_their_place_and_end_nothing(tmp_path, capsys):
    rows = list(recorded(5, "zh"))
    rows[1]["turns"][2]["text"] = None
    rows[2]["turns"][0]["speaker"] = "robot"
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    source = tmp_path / "calls.jsonl"
    source.write_text("\n".join([*lines, "{", lines[0][:200]]), encoding="utf-8")
    assert build(source, tmp_path / "set") == 0
    said = capsys.readouterr().err
    null, unknown = (
        "line 2 (conversation zh-1): turn 2: text is null",
        "line 3 (conversation zh-2): turn 0: unknown speaker",
    )
    for place in (null, unknown, "line 6: not JSON", "line 7: not JSON"):
        assert f"problem: calls.jsonl, {place}" in said
    counts = record_of(tmp_path / "set")["counts"]["source"]
    assert (counts["conversations read"], counts["conversations left out"]) == (3, 4)


def test_a_share_of_the_conversations_can_be_a_train_split(calls, tmp_path, built):
    assert build(calls, tmp_path / "set", "--train-share", 0.5, "--fidelity", 12) == 0
    train, test = (
        {row["conversation_id"] for row in rows_of(tmp_path / "set", part)}
        for part in ("train", "test")
    )
    assert (
        not train & test
        and train | test == ids_of(built)
        and 10 < len(train) < len(ids_of(built)) - 10
    )


def test_where_a_conversation_goes_depends_on_itself():
    pairs = [
        Pair(Conversation(f"csconv-{i}", "en", "Others", "x", (Turn(SUPPORTER, "Hi", "GT"),)), None)
        for i in range(400)
    ]
    shares = {
        share: {row["conversation_id"] for row in split(pairs, share, 0).get("train", [])}
        for share in (0.0, 0.1, 0.5)
    }
    assert not shares[0.0] and shares[0.1] < shares[0.5]
    assert 20 <= len(shares[0.1]) <= 60 and 160 <= len(shares[0.5]) <= 240
    assert split(pairs[:3], 0.0, 0).keys() == {"test"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--per-topic", "0"], "--per-topic 0: at least 1"),
        (["--limit", "0"], "--limit 0: at least 1"),
        (["--fidelity", "-1"], "--fidelity -1: at least 0"),
        (["--train-share", "1"], "--train-share 1: must be a share, at least 0 and below 1"),
        (["--train-share", "nan"], "--train-share nan"),
        (["--llm", "writer=scripted"], "there is no stage 'writer'"),
        (["--llm", "label=scripted"], "there is no stage 'label'"),
        (["--source", "missing.jsonl"], "missing.jsonl does not exist"),
    ],
)
def test_misuse_is_one_line(calls, tmp_path, capsys, options, said):
    assert build(calls, tmp_path / "set", *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not (tmp_path / "set").exists()


def test_a_source_of_which_nothing_can_be_used_says_why(tmp_path, capsys):
    source = write(
        tmp_path / "calls.jsonl", [{**row, "turns": row["turns"][:4]} for row in recorded(3, "en")]
    )
    assert build(source, tmp_path / "set") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        "none of the conversations can be used, so nothing was written" in error
        and "3 fewer than 3 exchanges" in error
    )
    assert not (tmp_path / "set").exists() and not (tmp_path / "set.originals.jsonl").exists()


def test_a_stage_that_fails_drops_its_conversation_and_no_other(calls, tmp_path, built):
    """Garbage for some: malformed checks, rewrites and labels are counted under their stage; a
    label that fails costs only the label.
    """
    whole = {name: original["source_id"] for name, original in originals_of(built).items()}
    plain = {stage: getattr(rewriter, stage) for stage in STAGES}
    hit = {"check": "01", "rewrite": "23", "judge": "45", "label": "6789"}

    def some(stage):
        return lambda request: (
            "Sure! Here you are." if request.item_id[-1] in hit[stage] else plain[stage](request)
        )

    # The verb registers what the module holds when it starts.
    with pytest.MonkeyPatch.context() as patch:
        for stage in hit:
            patch.setattr(rewriter, stage, named(stage, some(stage)))
        assert build(calls, tmp_path / "set", "--fidelity", 60) == 0
    counts = record_of(tmp_path / "set")["counts"]
    assert counts["conversations_dropped_by_the_check"]["check: malformed reply"] > 0
    assert counts["conversations_dropped_after_rewriting"]["rewrite: malformed reply"] > 0
    assert counts["conversations_dropped_after_rewriting"]["judge: malformed reply"] > 0
    assert counts["originals_not_labelled"] == {
        "label: malformed reply": counts["conversations_kept"] - counts["originals_labelled"]
    }
    assert 0 < counts["originals_labelled"] < counts["conversations_kept"]
    assert {
        name: original["source_id"] for name, original in originals_of(tmp_path / "set").items()
    }.items() < whole.items()


def named(name, function):
    function.__name__ = name
    return function


def with_turn(number, **what):
    return lambda dialogue: [
        {**turn, **what} if i == number else turn for i, turn in enumerate(dialogue)
    ]


# What is done to a sound rewrite, and the reason for which it is dropped then.
SPOILT = [
    (lambda d: d[:9], "rule: fewer than 10 utterances"),
    (lambda d: [], "rule: fewer than 10 utterances"),
    (lambda d: d + [d[1], d[0]] * 30, "rule: more than 50 utterances"),
    (lambda d: d[1:], "rule: no GT"),
    (with_turn(2, strategy="Others"), "rule: no IV"),
    (with_turn(12, strategy="Others"), "rule: no AC"),
    (lambda d: [*d, d[-1]], "rule: does not strictly alternate"),
    (with_turn(4, strategy=""), "rule: not exactly one strategy on every supporter turn"),
    (
        lambda d: [
            *d[:3],
            {"speaker": "system", "strategy": "", "text": "The call is on hold."},
            *d[3:],
        ],
        "rule: a system note within it",
    ),
    (with_turn(5, text="My number is 415-682-3970."), "rule: personal data left in it"),
    (with_turn(4, strategy="Greeting + Others"), "rewrite: malformed reply"),
    (with_turn(4, strategy="Empathy"), "rewrite: malformed reply"),
    (with_turn(5, strategy="Others"), "rewrite: malformed reply"),
    (with_turn(4, text="Supporter: Something is said."), "rewrite: malformed reply"),
    (with_turn(4, text=" "), "rewrite: malformed reply"),
    (with_turn(4, speaker="manager"), "rewrite: malformed reply"),
]
SOUND = [
    {
        "speaker": (SUPPORTER, CUSTOMER)[i % 2],
        "strategy": "" if i % 2 else name,
        "text": f"Something is said here, number {i}.",
    }
    for i, name in enumerate(
        [
            "Greeting",
            "",
            "Identity Verification",
            "",
            "Others",
            "",
            "Others",
            "",
            "Others",
            "",
            "Others",
            "",
            "Appreciation and Closure",
        ]
    )
]


@pytest.mark.parametrize(
    ("spoil", "reason"), SPOILT, ids=[f"{i} {reason}" for i, (_, reason) in enumerate(SPOILT)]
)
def test_what_is_wrong_with_a_rewrite_is_the_reason_it_goes(
    tmp_path, capsys, monkeypatch, spoil, reason
):
    source = write(tmp_path / "calls.jsonl", recorded(1, "en"))
    monkeypatch.setattr(
        rewriter,
        "rewrite",
        named("rewrite", lambda request: json.dumps({"dialogue": spoil(SOUND)})),
    )
    monkeypatch.setattr(
        rewriter,
        "judge",
        named("judge", lambda request: pytest.fail("a conversation that breaks a rule was judged")),
    )
    assert build(source, tmp_path / "set") == 1
    assert f"conversations dropped after rewriting: 1 {reason}" in capsys.readouterr().err


def test_the_sound_one_is_kept_and_its_note_removed(tmp_path, monkeypatch):
    source = write(tmp_path / "calls.jsonl", recorded(1, "en"))
    note = {"speaker": "system", "strategy": "", "text": "The session has ended."}
    monkeypatch.setattr(
        rewriter,
        "rewrite",
        named("rewrite", lambda request: json.dumps({"dialogue": [*SOUND, note]})),
    )
    fine = json.dumps({"reason": "It fits."} | dict.fromkeys(CRITERIA, True))
    monkeypatch.setattr(rewriter, "judge", named("judge", lambda request: fine))
    assert build(source, tmp_path / "set") == 0
    assert (
        len(rows_of(tmp_path / "set")[0]["dialogue"]) == 13
        and record_of(tmp_path / "set")["counts"]["closing_notes_removed"] == 1
    )


def test_facts_are_counted_by_what_became_of_them():
    """By hand: 300 dollars kept, the phone number masked, March 5 lost, 12:30 added."""
    original = RawConversation(
        "1", "en", "", "x", (Turn(CUSTOMER, "I paid $300 on March 5, call me on 415-682-3970."),)
    )
    rewritten = Conversation(
        "c",
        "en",
        "Others",
        "x",
        (Turn(CUSTOMER, "I paid $300, my number is [phone number]. It was at 12:30."),),
    )
    assert facts_report([Pair(rewritten, original)] * 2) == {
        "facts_of_the_originals": {"kept": 2, "lost": 2, "replaced by a placeholder": 2},
        "facts_lost": {"date": 2},
        "facts_added": {"date": 2},
    }


def test_candidates_wait_in_a_file_in_the_order_of_their_keys(tmp_path):
    with Candidates(tmp_path, 3) as candidates:
        turns = [(Turn(CUSTOMER, f"问题{i}"), Turn(SUPPORTER, "答")) for i in range(50)]
        raws = [
            RawConversation(str(i), "zh", ACCOUNTS if i % 2 else "", "甲", said)
            for i, said in enumerate(turns)
        ]
        assert all(map(candidates.add, raws)) and not any(map(candidates.add, raws))
        places = candidates.places()
        assert list(tmp_path.iterdir()) == []
        read = [candidates.read(place) for place in places]
        assert sorted(read, key=lambda raw: int(raw.source_id)) == raws and read != raws
        assert [place.topic for place in places] == [raw.topic for raw in read]
        # The key is a hash over the seed and the content, worked out here from the words of the
        # docstring.
        said = json.dumps(
            ["zh", [[CUSTOMER, "问题7"], [SUPPORTER, "答"]]],
            ensure_ascii=False,
            separators=(",", ":"),
        )
        key = hashlib.sha256(
            f"3 raw-{hashlib.sha256(said.encode()).hexdigest()[:16]}".encode()
        ).digest()[:16]
        assert read[[place.key for place in places].index(key)].source_id == "7"


def test_the_judge_of_rolecs_is_still_there_after_a_csconv_build(calls, tmp_path):
    assert build(calls, tmp_path / "a", "--limit", 2) == 0
    assert (
        main(["build", "rolecs", "--llm", "scripted", "--out", str(tmp_path / "b"), "--limit", "2"])
        == 0
    )
    assert build(calls, tmp_path / "c", "--limit", 2) == 0
    assert files_of(tmp_path / "a") == files_of(tmp_path / "c")


@pytest.mark.parametrize(
    ("source", "language", "topics"),
    [
        ("crosswoz/val.json.zip", "zh", {"Product Consultation"}),
        ("star/dialogues", "en", {ACCOUNTS, RISKS}),
    ],
)
def test_real_conversations_go_through_every_stage(shared_data, tmp_path, source, language, topics):
    assert build(shared_data / source, tmp_path / "set", "--limit", 12, "--fidelity", 3) == 0
    rows, record = rows_of(tmp_path / "set"), record_of(tmp_path / "set")
    assert (
        len(rows) == 12
        and {row["language"] for row in rows} == {language}
        and topics <= {row["topic"] for row in rows}
    )
    assert (
        record["counts"]["source"]["conversations read"] >= 500
        and record["counts"]["originals_labelled"] == 3
    )
    assert record["counts"]["conversations_dropped_by_the_rules"]["fewer than 3 exchanges"] > 0
    assert stages_of(tmp_path / "set").keys() >= {"check", "topic", "rewrite", "judge", "label"}
    assert all(postfilter.first_reason(Conversation.from_row(row, "row")) is None for row in rows)
