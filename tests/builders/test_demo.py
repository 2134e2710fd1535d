"""The embedded demo corpus: same bytes, sound rows, and dialogues that can tell models apart."""

import json
import math
import re
from argparse import Namespace
from collections import Counter, defaultdict
from itertools import chain, pairwise, zip_longest

import pytest

from builders import demo
from builders.scripted.phrases import bank
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation
from csc_tasks.corpora import DEMO_DIR
from csc_tasks.framework import STRATEGY_IDS, TOPICS
from csc_tasks.languages.detect import in_another_language
from csc_tasks.question import Question

FILES = {
    "rolecs/train": 500,
    "csconv/test": 60,
    "qa/train": 198,
    "qa/validation": 23,
    "qa/test": 53,
}
TOPIC_NAMES = set(TOPICS)

LANGUAGES = ("zh", "en")


def rows(name):
    return [
        json.loads(line)
        for line in (DEMO_DIR / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


ROWS = {name: rows(name) for name in FILES}
DIALOGUES = ROWS["rolecs/train"] + ROWS["csconv/test"]


def supporter_turns(name, language):
    """(previous strategy, last customer turn, strategy, text) of every supporter turn."""
    found = []
    for row in ROWS[name]:
        if row["language"] == language:
            before, heard = "START", ""
            for turn in row["dialogue"]:
                if turn["speaker"] == SUPPORTER:
                    found.append((before, heard, turn["strategy"], turn["text"]))
                    before = turn["strategy"]
                else:
                    heard = turn["text"]
    return found


def test_the_command_rebuilds_the_embedded_corpus_byte_for_byte(tmp_path, capsys):
    demo.main(Namespace(out=tmp_path, seed=demo.SEED))
    built = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*.jsonl")
    }
    embedded = {
        path.relative_to(DEMO_DIR).as_posix(): path.read_bytes()
        for path in DEMO_DIR.rglob("*.jsonl")
    }
    assert built.keys() == embedded.keys() == {f"{name}.jsonl" for name in FILES}
    assert [name for name in built if built[name] != embedded[name]] == []
    printed = capsys.readouterr().out
    # What the builders said of it comes first: each of them is asked as a user would ask it.
    for said in (
        "conversations kept: 500",
        "conversations rewritten by topic",
        "pairs kept: 274",
        "rolecs/train: 500 rows",
    ):
        assert said in printed


def test_another_seed_gives_another_corpus(monkeypatch):
    monkeypatch.setattr(demo, "ROLECS", 8)
    monkeypatch.setattr(demo, "RECORDED", {"csconv": 4, "qa": 12})
    first, again, other = (demo.build(seed)[0] for seed in (1, 1, 2))
    assert first == again
    for name in first:
        assert not {row["conversation_id"] for row in first[name]} & {
            row["conversation_id"] for row in other.get(name, [])
        }


def test_the_files_have_the_promised_size_order_and_format():
    assert {name: len(found) for name, found in ROWS.items()} == FILES
    assert sum(path.stat().st_size for path in DEMO_DIR.rglob("*") if path.is_file()) < 2_000_000
    for name, found in ROWS.items():
        keys = [(row["conversation_id"], row.get("turn_index", 0)) for row in found]
        assert keys == sorted(set(keys)), name
        languages = Counter(row["language"] for row in found)
        assert languages.keys() == set(LANGUAGES) and min(languages.values()) > 0.45 * len(found), (
            name
        )
        lines = (DEMO_DIR / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert lines == [
            json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            for row in found
        ]


def test_every_conversation_is_sound_and_fully_labelled():
    for name, source in (("rolecs/train", "RoleCS"), ("csconv/test", "demo")):
        for row in ROWS[name]:
            conversation = Conversation.from_row(row, name)
            assert conversation.problems() == []
            assert conversation.to_row(roles=name == "rolecs/train") == row
            assert 9 <= len(conversation.dialogue) <= 31
            assert all(turn.strategy for turn in conversation.dialogue if turn.speaker == SUPPORTER)
            assert all(a.speaker != b.speaker for a, b in pairwise(conversation.dialogue))
            assert conversation.source == source and conversation.conversation_id.startswith(
                f"{name.split('/')[0]}-"
            )
            assert not in_another_language(
                " ".join(turn.text for turn in conversation.dialogue), conversation.language
            )
            assert "{" not in json.dumps([turn.text for turn in conversation.dialogue])
            if name == "rolecs/train":
                assert all(
                    text and "{" not in text
                    for text in (conversation.profile, conversation.scenario, conversation.goal)
                )


@pytest.mark.parametrize("name", ["rolecs/train", "csconv/test"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_all_strategies_topics_and_ways_to_open_occur(name, language):
    found = [row for row in ROWS[name] if row["language"] == language]
    assert {turn["strategy"] for row in found for turn in row["dialogue"]} == {*STRATEGY_IDS, ""}
    assert {row["topic"] for row in found} == TOPIC_NAMES
    openers = Counter(row["dialogue"][0]["speaker"] for row in found)
    # Played roles start with the supporter's greeting; recordings start as they come.
    assert (
        openers[SUPPORTER] == len(found)
        if name == "rolecs/train"
        else openers[SUPPORTER] > openers[CUSTOMER] > 0
    )


def test_the_strategies_of_rewritten_recordings_are_those_their_writer_meant():
    """The rewriter sees no strategies. Turns that it took over word for word are looked up in the
    dialogues that were recorded.
    """
    meant = defaultdict(set)
    for language in LANGUAGES:
        problems = [
            problem_id for problem_id in chain(*zip_longest(*by_topic(language))) if problem_id
        ]
        for number in range(demo.RECORDED["csconv"]):
            last = demo.recorded(
                f"{demo.SEED}/csconv/{language}/{number}",
                language,
                problems[number % len(problems)],
            )
            for turn in last.turns:
                meant[turn.text].add(turn.strategy)
    turns = [
        turn
        for row in ROWS["csconv/test"]
        for turn in row["dialogue"]
        if turn["speaker"] == SUPPORTER and turn["text"] in meant
    ]
    assert len(turns) > 0.8 * sum(
        turn["speaker"] == SUPPORTER for row in ROWS["csconv/test"] for turn in row["dialogue"]
    )
    assert sum(turn["strategy"] in meant[turn["text"]] for turn in turns) > 0.97 * len(turns)


def by_topic(language):
    found = defaultdict(list)
    for problem_id, problem in bank(language).problems.items():
        found[problem["topic"]].append(problem_id)
    return found.values()


def test_no_dialogue_occurs_twice_and_nobody_repeats_themselves():
    texts = ["\n".join(turn["text"] for turn in row["dialogue"]) for row in DIALOGUES]
    assert len(set(texts)) == len(texts)
    said = [
        Counter((turn["speaker"], turn["text"]) for turn in row["dialogue"]) for row in DIALOGUES
    ]
    assert [repeated for counts in said for repeated, count in counts.items() if count > 1] == []


def test_no_conversation_is_in_two_splits():
    ids = {name: {row["conversation_id"] for row in found} for name, found in ROWS.items()}
    assert sum(map(len, ids.values())) == len(set().union(*ids.values()))
    histories = {
        name: {json.dumps(row["conversation_history"]) for row in ROWS[name]}
        for name in FILES
        if name.startswith("qa")
    }
    assert not histories["qa/train"] & (histories["qa/test"] | histories["qa/validation"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_that_listens_can_be_told_from_one_that_does_not(language):
    """Strategy accuracy, train to test: majority < previous strategy < naive Bayes on the last
    customer turn and the previous strategy.
    """
    train, test = (
        supporter_turns("rolecs/train", language),
        supporter_turns("csconv/test", language),
    )

    def accuracy(guess):
        return sum(guess(before, heard) == strategy for before, heard, strategy, _ in test) / len(
            test
        )

    majority = Counter(strategy for *_, strategy, _ in train).most_common(1)[0][0]
    following = defaultdict(Counter)
    words, labels = defaultdict(Counter), Counter()

    def features(before, heard):
        text = f"^{heard.lower()}$"
        return [f"before {before}"] * 6 + [
            text[i : i + n] for n in (2, 3, 4) for i in range(len(text) - n + 1)
        ]

    for before, heard, strategy, _ in train:
        following[before][strategy] += 1
        labels[strategy] += 1
        words[strategy].update(features(before, heard))
    known = len(set().union(*words.values()))
    totals = {label: counts.total() for label, counts in words.items()}

    def bayes(before, heard):
        parts = features(before, heard)
        return max(
            labels,
            key=lambda label: (
                math.log(labels[label])
                + sum(
                    math.log((words[label][part] + 0.1) / (totals[label] + 0.1 * known))
                    for part in parts
                )
            ),
        )

    bigram = accuracy(lambda before, heard: following[before].most_common(1)[0][0])
    listening = accuracy(bayes)
    assert accuracy(lambda before, heard: majority) < 0.2
    assert 0.4 < bigram < 0.55
    assert listening > bigram + 0.15


@pytest.mark.parametrize("language", LANGUAGES)
def test_supporters_vary_their_wording(language):
    train, test = (
        [text for *_, text in supporter_turns(name, language)]
        for name in ("rolecs/train", "csconv/test")
    )
    assert len(set(train)) > 0.8 * len(train)
    assert sum(text in set(train) for text in test) / len(test) < 0.25


def test_what_the_customer_named_comes_back():
    """The first amount, limit, date or count a customer names is usually taken up by the supporter
    (what proves who they are is not).
    """
    named = taken_up = 0
    for row in DIALOGUES:
        for i, turn in enumerate(row["dialogue"]):
            asked = i and row["dialogue"][i - 1]["strategy"]
            numbers = (
                re.findall(r"\d[\d,.]*\d", turn["text"])
                if turn["speaker"] == CUSTOMER and asked != "IV"
                else []
            )
            if numbers:
                named += 1
                later = [
                    other["text"]
                    for other in row["dialogue"][i + 1 :]
                    if other["speaker"] == SUPPORTER
                ]
                taken_up += any(numbers[0] in text for text in later)
                break
    assert named > 0.6 * len(DIALOGUES)
    assert taken_up > 0.6 * named


QUESTIONS = ["qa/train", "qa/validation", "qa/test"]


def test_questions_are_sound_and_belong_to_the_recordings():
    """Each is one pair of one recording: what was said before, the customer's turn, the agent's
    answer.
    """
    recorded = {}
    for row in demo.recordings(demo.SEED, "qa"):
        merged = []
        for turn in row["turns"]:
            if merged and merged[-1]["speaker"] == turn["speaker"]:
                merged[-1]["text"] += " " + turn["text"]
            else:
                merged.append(dict(turn))
        recorded[
            json.dumps([(turn["speaker"], "".join(turn["text"].split())) for turn in merged])
        ] = row
    used = []
    for name in QUESTIONS:
        for row in ROWS[name]:
            question = Question.from_row(row, name)
            assert question.to_row() == row
            history = [
                [turn.speaker, "".join(turn.text.split())] for turn in question.conversation_history
            ]
            assert all(
                (
                    question.instruction,
                    question.client_question,
                    question.agent_answer,
                    question.refined_agent_answer,
                )
            )
            assert bool(question.history_summary) == bool(history)
            pair = [
                [CUSTOMER, "".join(question.client_question.split())],
                [SUPPORTER, "".join(question.agent_answer.split())],
            ]
            opening = json.dumps([*history, *pair])[:-1]
            (whole,) = [text for text in recorded if text.startswith(opening)]
            speakers = [speaker for speaker, _ in json.loads(whole)]
            pairs = [
                i for i in range(len(speakers) - 1) if speakers[i : i + 2] == [CUSTOMER, SUPPORTER]
            ]
            assert (question.turn_index, question.turns_total) == (
                pairs.index(len(history)),
                len(pairs),
            )
            used.append(whole)
    assert len(set(used)) == len(used)
    assert (
        {row["stage"] for row in ROWS["qa/test"]}
        == {row["stage"] for row in ROWS["qa/train"]}
        == {"early", "mid", "late"}
    )


def test_refined_answers_keep_every_fact_and_say_more():
    for name in QUESTIONS:
        for row in ROWS[name]:
            raw, fuller = row["agent_answer"], row["refined_agent_answer"]
            facts = re.findall(r"\d[\d,.*%]*|“[^”]+”|GD\d+|T-\d+|(?:Ms|Mr)\. \w+", raw)
            assert [fact for fact in facts if fact not in fuller] == []
            assert len(fuller) > len(raw)


def test_summaries_tell_nothing_that_nobody_said():
    told = 0
    for name in QUESTIONS:
        for row in ROWS[name]:
            said = " ".join(turn["text"] for turn in row["conversation_history"])
            numbers = set(re.findall(r"\d+", row["history_summary"]))
            assert numbers <= set(re.findall(r"\d+", said))
            told += len(numbers)
    assert told > 500
