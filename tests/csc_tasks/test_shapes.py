"""The reader agrees with itself: names for speakers, keys and strategies are read alike wherever
conversations are read.
"""

import itertools
import json

import pytest

from builders.sources import Reading, read_source
from builders.statistics_report import measure
from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.conversation import Conversation
from csc_tasks.errors import MissingSplit, UnknownStrategy

SUPPORTERS = ("supporter", "agent", "assistant", "客服", "Supporter", "AGENT", " Assistant ")
CUSTOMERS = ("customer", "client", "user", "客户", "Customer", "CLIENT", " User ")
SAID = [("customer", "", "my card is lost"), ("supporter", "EM", "I am sorry to hear that")]


def row(
    supporter="supporter",
    customer="customer",
    key="dialogue",
    speaker="speaker",
    text="text",
    label="EM",
    **more,
):
    """A conversation of one exchange in one of the many ways to write it."""
    turns = [
        {speaker: customer, text: "my card is lost"},
        {speaker: supporter, "strategy": label, text: "I am sorry to hear that"},
    ]
    return {key: turns, **more}


def read(tmp_path, made):
    """What the tasks read."""
    path = tmp_path / "made.jsonl"
    path.write_text(json.dumps(made, ensure_ascii=False) + "\n", encoding="utf-8")
    (item,) = corpora.load(str(path), "csconv", "test").items
    return item


def turns(item):
    return [(turn.speaker, turn.strategy, turn.text) for turn in item.dialogue]


WAYS = [
    *[{"supporter": name} for name in SUPPORTERS],
    *[{"customer": name} for name in CUSTOMERS],
    *[{"key": key} for key in ("dialogue", "turns", "messages")],
    {
        "key": "messages",
        "speaker": "role",
        "text": "content",
        "supporter": "assistant",
        "customer": "user",
    },
    {"text": "utterance"},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize(
    "more",
    [{}, {"language": "en"}, {"conversation_id": "a"}, {"conversation_id": "a", "language": "en"}],
    ids=str,
)
def test_tasks_builders_stats_and_baselines_read_the_same_rows(tmp_path, capsys, way, more):
    made = row(**way, **more)
    assert turns(read(tmp_path, made)) == SAID
    # Recordings need an id, and have no strategies.
    (tmp_path / "raw.jsonl").write_text(
        json.dumps({"conversation_id": "a", **made}, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    reading = Reading()
    (recorded,) = read_source(tmp_path / "raw.jsonl", reading)
    assert [(turn.speaker, turn.text) for turn in recorded.turns] == [
        (who, text) for who, _, text in SAID
    ] and not reading.problems
    (part,) = measure(str(tmp_path / "made.jsonl")).sets[0].parts
    assert (
        part.numbers.sizes.supporter_utterances,
        part.numbers.sizes.customer_utterances,
        part.numbers.strategies["EM"],
    ) == (1, 1, 1)
    # Its own conversations are no training for what is scored: one with other words.
    other = json.dumps(made | {"conversation_id": "b"}, ensure_ascii=False)
    learned = tmp_path / "learned.jsonl"
    learned.write_text(other.replace("my card is lost", "my bag is lost") + "\n", "utf-8")
    assert main(["baselines", str(tmp_path / "made.jsonl"), "--train", str(learned)]) == 0
    assert "|majority|csc_conv_ref|strategy_acc|1.0000|" in capsys.readouterr().out


LABELS = ("EM", "Emotional Management", "emotional management", "情感管理", "策略5 情感管理")
COLUMNS = {"conversation_id": "a", "language": "en", "topic": "产品咨询", "source": "calls"}


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    "names",
    [names for size in range(5) for names in itertools.combinations(COLUMNS, size)],
    ids=str,
)
def test_no_column_makes_a_row_unreadable_or_changes_its_turns(tmp_path, label, names):
    item = read(tmp_path, row(label=label, **{name: COLUMNS[name] for name in names}))
    assert turns(item) == SAID and item.language == "en"
    assert item.topic == ("Product Consultation" if "topic" in names else "")
    assert (
        item.conversation_id == "a"
        if "conversation_id" in names
        else item.conversation_id.startswith("csconv-")
    )


@pytest.mark.parametrize(
    "more", [{}, {"language": "zh"}, {"conversation_id": "a", "language": "zh"}], ids=str
)
def test_the_published_source_is_the_topic_whatever_else_a_row_says(tmp_path, more):
    item = read(tmp_path, row(source="产品咨询", **more))
    assert (item.topic, item.source) == ("Product Consultation", "CSConv")


def test_a_dataset_row_is_read_by_the_same_names():
    made = row(
        label="Emotional Management",
        key="messages",
        speaker="role",
        supporter="assistant",
        customer="user",
        **COLUMNS,
    )
    assert turns(Conversation.from_row(made, "here")) == SAID


@pytest.mark.parametrize(
    "more", [{}, {"language": "en"}, {"conversation_id": "a", "language": "en"}], ids=str
)
def test_an_unknown_label_is_the_same_error_everywhere(tmp_path, more):
    said = (
        r"turn 1: strategy 'Emotional Managment' is not one of the 12 \(closest: Emotional"
        r" Management\)"
    )
    with pytest.raises(UnknownStrategy, match=said):
        read(tmp_path, row(label="Emotional Managment", **more))


@pytest.mark.parametrize(
    ("client", "agent"),
    [("Client", "Agent"), ("user", "ASSISTANT"), ("Customer", "Supporter"), ("用户", "客服")],
)
@pytest.mark.parametrize("form", ["text", "list", "csv"])
def test_the_history_of_a_question_is_read_by_the_same_names(tmp_path, client, agent, form):
    said = [{"role": client, "content": "Hi"}, {"speaker": agent, "text": "Hello"}]
    history = {"text": f"{client}: Hi\n{agent}: Hello", "list": said, "csv": json.dumps(said)}[form]
    asked = {"conversation_id": "q", "language": "en", "client_question": "Where?"}
    asked |= {"agent_answer": "Here.", "refined_agent_answer": "Here."}
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(asked | {"conversation_history": history}) + "\n", encoding="utf-8")
    (item,) = corpora.load(str(path), "qa", "test").items
    assert [(turn.speaker, turn.text) for turn in item.conversation_history] == [
        ("customer", "Hi"),
        ("supporter", "Hello"),
    ]


def test_questions_that_are_all_in_train_are_said_with_the_way_out(tmp_path, capsys):
    (tmp_path / "qa").mkdir()
    (tmp_path / "qa" / "train.jsonl").write_text(
        json.dumps({"client_question": "x"}) + "\n", encoding="utf-8"
    )
    assert main(["baselines", str(tmp_path), "--train", "demo"]) == 1
    with pytest.raises(
        MissingSplit,
        match=(
            r"all its questions are in train \(csc build qa --splits 0,0,100 puts all into test\)"
        ),
    ):
        corpora.load(str(tmp_path), "qa", "test")


def test_a_file_of_questions_has_baselines_and_statistics_of_its_own(capsys):
    file = str(corpora.DEMO_DIR / "qa" / "test.jsonl")
    assert main(["baselines", file]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines()[2:] if line.startswith("|")]
    assert {line.split("|")[2] for line in rows} == {"csc_qa"}
    assert main(["stats", file]) == 0
    assert "| questions |" in capsys.readouterr().out


def test_counting_strategies_where_there_are_none_is_an_error(tmp_path, capsys):
    (tmp_path / "plain.jsonl").write_text(json.dumps(row(label="")) + "\n", encoding="utf-8")
    assert main(["baselines", "demo", "--train", str(tmp_path / "plain.jsonl")]) == 1
    assert "no labelled supporter turn to count strategies in" in capsys.readouterr().err
