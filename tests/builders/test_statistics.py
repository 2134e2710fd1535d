"""Statistics: numbers counted by hand and a second time by pandas, the paper's own table layout,
and what `csc stats` prints and draws.
"""

import json
import random
import re
import struct
import sys
from dataclasses import replace

import pytest

from builders.dataset import check_target, write_folder
from builders.statistics import of_conversations, of_questions
from builders.statistics_tables import tables
from csc_tasks import cli, corpora
from csc_tasks.conversation import HELD_OUT, Conversation, Turn
from csc_tasks.corpus_figures import figures
from csc_tasks.corpus_statistics import (
    END,
    START,
    CorpusStatistics,
    Part,
    Set,
    read_statistics,
)
from csc_tasks.errors import MissingSplit
from csc_tasks.framework import STRATEGY_IDS, TOPICS
from csc_tasks.labels import Label
from tests.support.fakes import sample_conversations, sample_questions, write_corpus

TOY = [
    Conversation(
        "a",
        "en",
        "Product Consultation",
        "t",
        (
            Turn("supporter", "Hello there", "GT"),  # 2 words
            Turn("customer", "I  want a new\ncard"),  # 5 words, whatever stands between them
            Turn("supporter", "One moment", ""),  # 2 words, no label
            Turn("supporter", "Which card do you mean?", "PR"),  # 5 words
            Turn("customer", "Gold"),  # 1 word
            Turn("supporter", "Done!", "RI"),  # 1 word
        ),
        profile="a calm teacher",
    ),
    Conversation(
        "b",
        "en",
        "Others",
        "t",
        (
            Turn("customer", "Hi"),
            Turn("supporter", "Mhm.", "Others"),
            Turn("supporter", "Hello and welcome", "GT"),
        ),
        profile="a calm nurse",
    ),
    Conversation("c", "en", "Parking", "t", (Turn("supporter", "We never spoke"),)),
]


def many(language, seed=5):
    """Sixty conversations with unlabelled turns, several topics and few profiles."""
    rng = random.Random(seed)
    words = (
        "年轻 退休 教师 医生 稳定 谨慎 急躁 简短"
        if language == "zh"
        else "young retired teacher doctor steady careful hasty brief"
    )
    made = []
    for i in range(60):
        turns = []
        for _ in range(rng.randint(1, 9)):
            text = (
                "好的，我来查。 " * rng.randint(1, 4)
                if language == "zh"
                else "let me look  " * rng.randint(1, 4)
            )
            speaker = rng.choice(("supporter", "customer"))
            turns.append(
                Turn(
                    speaker, text, rng.choice((*STRATEGY_IDS, "")) if speaker == "supporter" else ""
                )
            )
        turns.append(Turn("supporter", "bye", "AC"))
        profile = ", ".join(rng.sample(words.split(), 4))
        made.append(
            Conversation(
                f"{language}{i:02}",
                language,
                rng.choice(TOPICS),
                "t",
                tuple(turns),
                profile=profile,
            )
        )
    return made


def test_a_toy_corpus_counted_by_hand():
    found = of_conversations(TOY)
    assert (
        found.sizes.conversations,
        found.sizes.utterances,
        found.sizes.supporter_utterances,
        found.sizes.customer_utterances,
    ) == (3, 10, 7, 3)
    assert found.sizes.avg_utterances_per_conversation == 10 / 3
    assert found.sizes.avg_supporter_utterance_length == (2 + 2 + 5 + 1 + 1 + 3 + 3) / 7
    assert found.sizes.avg_customer_utterance_length == (5 + 1 + 1) / 3
    assert (found.labelled, found.unlabelled) == (5, 2)
    assert found.sizes.avg_utterance_length == (2 + 5 + 2 + 5 + 1 + 1 + 1 + 1 + 3 + 3) / 10
    assert found.sizes.avg_supporter_utterances_per_conversation == 7 / 3
    # a: GT, PR, RI; b: GT beside Others; c has no label at all.
    assert (found.unique_strategies, found.avg_unique_strategies) == ({1: 1, 3: 1}, 2)
    assert {name: n for name, n in found.strategies.items() if n} == {
        "GT": 2,
        "PR": 1,
        "RI": 1,
        "Others": 1,
    }
    assert list(found.strategies) == list(STRATEGY_IDS)
    assert found.share("GT") == 2 / 5
    assert found.strategy_use_without_others_percent == pytest.approx(80)
    assert {topic: n for topic, n in found.topics.items() if n} == {
        "Product Consultation": 1,
        "Others": 1,
        "Parking": 1,
    }
    pairs = {
        (before, after): n
        for before, row in found.transitions.items()
        for after, n in row.items()
        if n
    }
    assert pairs == {
        (START, "GT"): 1,
        ("GT", "PR"): 1,
        ("PR", "RI"): 1,
        ("RI", END): 1,
        (START, "Others"): 1,
        ("Others", "GT"): 1,
        ("GT", END): 1,
    }


def test_chinese_lengths_are_characters():
    turns = (Turn("customer", "我的卡丢了！"), Turn("supporter", "您好， VIP", "GT"))
    found = of_conversations([Conversation("z", "zh", "Others", "t", turns)])
    assert (
        found.sizes.avg_customer_utterance_length,
        found.sizes.avg_supporter_utterance_length,
    ) == (6, 7)


def test_nothing_to_average_is_none_and_not_zero():
    found = of_conversations([TOY[2]])
    assert (
        found.sizes.avg_customer_utterance_length,
        found.strategy_use_without_others_percent,
        found.share("GT"),
    ) == (None, None, None)
    assert found.profiles is None


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pandas_counts_the_same(language):
    import pandas

    items = many(language)
    found = of_conversations(items)
    rows = [
        (item.conversation_id, turn.speaker, turn.strategy, turn.text)
        for item in items
        for turn in item.dialogue
    ]
    turns = pandas.DataFrame(rows, columns=["id", "speaker", "strategy", "text"])
    assert found.sizes.avg_utterances_per_conversation == pytest.approx(
        turns.groupby("id").size().mean()
    )
    for speaker, count, mean in (
        ("supporter", found.sizes.supporter_utterances, found.sizes.avg_supporter_utterance_length),
        ("customer", found.sizes.customer_utterances, found.sizes.avg_customer_utterance_length),
    ):
        texts = turns[turns.speaker == speaker].text
        assert count == len(texts)
        assert mean == pytest.approx(
            (texts.str.len() if language == "zh" else texts.str.split().str.len()).mean()
        )
    labelled = turns[turns.strategy != ""]
    assert {
        name: n for name, n in found.strategies.items() if n
    } == labelled.strategy.value_counts().to_dict()
    assert found.strategy_use_without_others_percent == pytest.approx(
        100 * (labelled.strategy != "Others").mean()
    )
    topics = pandas.Series([item.topic for item in items]).value_counts()
    assert {topic: n for topic, n in found.topics.items() if n} == topics.to_dict()
    following = labelled.groupby("id").strategy.shift(-1).fillna(END)
    crossed = pandas.crosstab(labelled.strategy, following)
    for before in STRATEGY_IDS:
        for after in (*STRATEGY_IDS, END):
            assert found.transitions[before][after] == (
                crossed.loc[before, after] if after in crossed.columns else 0
            )
    firsts = labelled.groupby("id").strategy.first().value_counts()
    assert {after: n for after, n in found.transitions[START].items() if n} == firsts.to_dict()


def test_what_is_held_out_is_counted_and_has_no_length():
    turns = (
        Turn("customer", "My card is lost"),
        Turn("supporter", "Hello", "GT"),
        Turn("customer", "Hi"),
        Turn("supporter", HELD_OUT, HELD_OUT),
        Turn("customer", "Thanks"),
        Turn("supporter", "Bye", "AC"),
    )
    found = of_conversations([Conversation("h", "en", "Others", "t", turns)])
    assert (found.sizes.supporter_utterances, found.sizes.held_out) == (3, 1)
    assert found.sizes.avg_supporter_utterance_length == 1
    assert found.sizes.avg_utterance_length == (4 + 1 + 1 + 1 + 1) / 5
    assert (found.labelled, found.unlabelled) == (2, 0)
    pairs = {
        (before, after)
        for before, row in found.transitions.items()
        for after, n in row.items()
        if n
    }
    assert pairs == {(START, "GT"), ("AC", END)}, "nobody knows what stands in between"
    assert (found.unique_strategies, found.avg_unique_strategies) == ({}, None)
    corpus = CorpusStatistics(
        corpus="held",
        revision=None,
        sets=(
            Set(
                config="csconv",
                split="test",
                documents=1,
                content_hash="",
                counts={},
                parts=(Part(language="en", numbers=found),),
            ),
        ),
        build=None,
    )
    shown = tables(corpus)
    assert "| utterances held out (in no length) | 1 |" in shown["Conversations (Tables 3 and 5)"]
    assert (
        "conversations with" not in shown["Different strategies per conversation, without Others"]
    )
    assert {figure.kind for figure in figures(corpus.conversations())} == {
        "strategies",
        "transitions",
    }


def test_answers_that_are_held_out_have_no_length():
    first, *others = [question for question in sample_questions() if question.language == "en"]
    held = replace(
        first, agent_answer=HELD_OUT, refined_agent_answer=HELD_OUT, conversation_history=()
    )
    found, rest = of_questions([held, *others]), of_questions(others)
    assert (found.questions, found.held_out, rest.held_out) == (3, 1, 0)
    for name in ("agent_answer", "refined_agent_answer", "conversation_history"):
        assert found.avg_lengths[name] == rest.avg_lengths[name]
    assert found.avg_history_turns == rest.avg_history_turns
    assert found.avg_lengths["client_question"] == 5
    nothing = of_questions([held])
    assert (nothing.avg_history_turns, nothing.avg_lengths["agent_answer"]) == (None, None)


def test_questions_counted_by_hand():
    found = of_questions([question for question in sample_questions() if question.language == "en"])
    assert (found.questions, found.conversations) == (3, 3)
    assert found.avg_history_turns == (0 + 2 + 4) / 3
    assert found.avg_lengths["client_question"] == 5
    assert found.avg_lengths["history_summary"] == (0 + 2 + 2) / 3
    assert found.stages == {"early": 1, "mid": 1, "late": 1}


# The paper's own tables


@pytest.fixture
def paper(shared_data):
    return json.loads(
        (shared_data / "papers" / "csc_2508.04423_tables.json").read_text(encoding="utf-8")
    )


def test_every_row_of_the_papers_tables_has_its_number(paper):
    found = of_conversations(many("zh"))
    names = {
        "dialogues": "conversations",
        "avg_utterances": "avg_utterances_per_conversation",
        "profiles": "profiles",
    }
    # What was generated before filtering is a count of the build, not of the data.
    wanted = [
        *paper["table3_csconv_statistics"],
        *(set(paper["table5_rolecs_statistics"]) - {"generated_before_filtering"}),
    ]
    for name in wanted:
        holder = found if hasattr(found, names.get(name, name)) else found.sizes
        assert getattr(holder, names.get(name, name)) is not None, name
    assert list(found.topics) == list(paper["table4_csconv_topics"])


def test_the_papers_numbers_keep_our_definitions(paper):
    """Averages are utterances by conversations, and the topics add up to the conversations: in the
    paper as here.
    """
    csconv, rolecs = paper["table3_csconv_statistics"], paper["table5_rolecs_statistics"]
    for kind in ("original", "rewritten"):
        assert (
            csconv["utterances"][kind]
            == csconv["supporter_utterances"][kind] + csconv["customer_utterances"][kind]
        )
        mean = csconv["utterances"][kind] / csconv["conversations"]
        assert csconv["avg_utterances_per_conversation"][kind] == pytest.approx(mean, abs=0.006)
    assert rolecs["avg_utterances"] == pytest.approx(
        rolecs["utterances"] / rolecs["dialogues"], abs=0.006
    )
    assert sum(paper["table4_csconv_topics"].values()) == csconv["conversations"]


# csc stats


@pytest.fixture
def folder(tmp_path):
    """A dataset folder with every config."""
    from tests.builders.test_dataset import CARD

    rows = {
        "csconv": {"test": [item.to_row() for item in sample_conversations()]},
        "rolecs": {"train": [item.to_row(roles=True) for item in many("zh")]},
        "qa": {"test": [item.to_row() for item in sample_questions()]},
        "qa_short": {"test": [item.to_row() for item in sample_questions()]},
    }
    write_folder(tmp_path / "out", rows, CARD, {"builder": "test"}, {})
    return tmp_path / "out"


def stats(capsys, *words):
    """(exit status, standard output, standard error) of `csc stats`."""
    status = cli.main(["stats", *map(str, words)])
    return status, *capsys.readouterr()


def cells(printed, title, row):
    """The cells of one row of the table under a title."""
    table = printed.split(f"{title}\n\n")[1].split("\n\n")[0]
    return next(
        line.split(" | ")[1:] for line in table.splitlines() if line.startswith(f"| {row} |")
    )


def test_tables_are_printed_for_every_config_split_and_language(folder, capsys):
    status, printed, error = stats(capsys, folder)
    assert (status, error) == (0, "")
    assert "| csconv/test en | csconv/test zh | rolecs/train zh |" in printed
    assert cells(printed, "Conversations (Tables 3 and 5)", "conversations") == ["3", "2", "60 |"]
    assert cells(printed, "Conversations (Tables 3 and 5)", "supporter utterances without a label")[
        :2
    ] == ["1", "1"]
    assert cells(printed, "Supporter strategies (Figure 3)", "GT Greeting")[:2] == [
        "3 (23.1%)",
        "2 (22.2%)",
    ]
    assert cells(printed, "Which strategy follows which: csconv/test zh", "start")[0] == "2"
    assert cells(printed, "Questions", "questions") == ["3", "3", "3", "3 |"]
    assert "qa_short/test en" in printed
    profiles = len({item.profile for item in many("zh")})
    assert cells(printed, "Word overlap of customer profiles", "distinct profiles") == [
        f"{profiles} |"
    ]
    assert "60 conversations (rolecs/train, zh)" in printed, "what was read is said"


def test_the_demo_and_files_that_others_published(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(corpora, "DEMO_DIR", write_corpus(tmp_path / "demo"))
    assert cells(stats(capsys, "demo")[1], "Conversations (Tables 3 and 5)", "conversations") == [
        "3",
        "2 |",
    ]
    (tmp_path / "data").mkdir()
    turns = [
        {"speaker": "客户", "text": "你好"},
        {"speaker": "客服", "strategy": "策略1 礼貌问候", "text": "您好"},
    ]
    (tmp_path / "data" / "CSConv.json").write_text(
        json.dumps([{"dialogue": turns, "source": "产品咨询"}], ensure_ascii=False)
    )
    printed = stats(capsys, tmp_path / "data")[1]
    assert cells(printed, "Topics (Table 4)", "Product Consultation") == ["1 (100.0%) |"]
    assert "1 ids made from content" in printed


def test_figures_are_png_files_and_the_same_each_time(folder, tmp_path, capsys):
    status, printed, _ = stats(capsys, folder, "--plots", tmp_path / "one" / "deep")
    assert status == 0
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "one" / "deep").iterdir()}
    followed = {
        f"transitions_{part}.png"
        for part in ("csconv_test_en", "csconv_test_zh", "rolecs_train_zh")
    }
    whole = {"alignment.png", "profiles.png", "strategies.png", "unique_strategies.png"}
    assert drawn.keys() == whole | followed
    assert printed.count("wrote ") == len(drawn)
    for name, data in drawn.items():
        assert data.startswith(b"\x89PNG\r\n\x1a\n"), name
        width, height = struct.unpack(">II", data[16:24])
        assert width >= 600 and height >= 400, name
        assert b"Software" not in data, name
    stats(capsys, folder, "--plots", tmp_path / "two")
    assert {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()} == drawn
    assert check_target(folder) is None, "the dataset folder is as it was"


def test_a_card_gets_tables_and_figures_once(folder, capsys):
    card = folder / "README.md"
    before = card.read_text(encoding="utf-8")
    assert stats(capsys, folder, "--card")[0] == 0
    once = card.read_text(encoding="utf-8")
    assert (
        "### Conversations (Tables 3 and 5)" in once
        and "![strategies](figures/strategies.png)" in once
    )
    assert "### Supporter strategies" not in once, "the card has that table already"
    written = read_statistics(folder / "stats.json")
    assert [one.name for one in written.sets][:2] == ["csconv/test", "rolecs/train"]
    with pytest.raises(MissingSplit, match=r"there is csconv/test-00000-of-00001\.parquet, qa"):
        corpora.load(str(folder), "csconv", "train")
    for line in before.splitlines():
        assert line in once
    (folder / "figures" / "transitions_gone_test_en.png").write_bytes(b"of an earlier build")
    assert stats(capsys, folder, "--card")[0] == 0
    assert card.read_text(encoding="utf-8") == once
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {
        line.split("figures/")[1].rstrip(")") for line in once.splitlines() if line.startswith("![")
    }
    check_target(folder)


def test_what_cannot_be_counted_is_one_line(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    status, _, error = stats(capsys, tmp_path / "empty")
    assert status == 1 and error.startswith("error: ") and "no csconv/train found" in error
    assert "build.json row 1: broken JSON" in stats(capsys, folder / "build.json")[2]
    for corpus in ("demo", tmp_path / "empty"):
        assert "not a dataset folder that a builder wrote" in stats(capsys, corpus, "--card")[2]
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, printed, error = stats(capsys, folder, "--plots", tmp_path / "plots")
    assert status == 1 and "drawing figures needs 'matplotlib': pip install" in error
    assert "Conversations (Tables 3 and 5)" in printed and not (tmp_path / "plots").exists()


def test_a_card_without_a_place_keeps_its_figures(folder, capsys):
    card = folder / "README.md"
    card.write_text(
        card.read_text(encoding="utf-8").replace("<!-- end of statistics -->", ""), encoding="utf-8"
    )
    (folder / "figures").mkdir()
    (folder / "figures" / "old.png").write_bytes(b"old")
    assert "it has no place for statistics" in stats(capsys, folder, "--card")[2]
    assert (folder / "figures" / "old.png").exists()


def of_raters(strategy, *firsts):
    """A supporter turn that each of several raters labelled ("" where one did not)."""
    raters = ("anna", "ben", "model:m", "model:m#2")
    labels = [
        Label(rater, (first, *(["GT"] if first != "GT" else [])))
        for rater, first in zip(raters, firsts, strict=True)
        if first
    ]
    return Turn("supporter", "So.", strategy, tuple(labels))


def test_labels_of_several_raters_counted_by_hand(capsys, tmp_path):
    """Five turns that several labelled, one that one did, one that nobody did. Of their 18 labels
    the diagonal of the coincidence matrix has 4 + 2 + 4/3 + 1 + 3 = 34/3, the margins are GT 4, IV
    3, PR 1, EM 2, PS 5, AC 2 and RC 1: alpha = 1 - 17 (18 - 34/3) / (324 - 60).
    """
    turns = (
        of_raters("GT", "GT", "GT", "GT", "GT"),
        of_raters("IV", "IV", "PR", "IV", "IV"),
        of_raters("EM", "PS", "PS", "EM", "EM"),  # a tie, of which EM is the earlier
        of_raters("RC", "AC", "", "AC", "RC"),  # the corpus came with another strategy
        of_raters("PS", "", "PS", "PS", "PS"),
        of_raters("FR", "FR", "", "", ""),
        Turn("supporter", "Bye.", "AC"),
    )
    talk = Conversation("a", "en", "", "t", turns)
    labels = of_conversations([talk]).labels
    assert labels.alpha == pytest.approx(1 - 17 * (18 - 34 / 3) / (324 - 60))
    assert labels.model_dump(exclude={"alpha"}) == {
        "utterances": 6,
        "raters": 4,
        "models": 2,
        "several": 5,
        "disagreed": 3,
        "tied": 1,
        "other": 1,
    }
    assert of_conversations(TOY).labels is None
    alone = replace(talk, dialogue=turns[5:])
    assert of_conversations([alone]).labels.alpha is None, "one rater agrees with nobody"
    file = tmp_path / "talks.jsonl"
    file.write_text(json.dumps(talk.to_row()) + "\n", encoding="utf-8")
    assert cli.main(["stats", str(file)]) == 0
    shown = capsys.readouterr().out.split("Labels of several raters\n\n")[1].split("\n\n")[0]
    cells = [re.findall(r"[^|]+", line)[:2] for line in shown.splitlines()[2:]]
    assert {name.strip(): value.strip() for name, value in cells} == {
        "supporter utterances with labels": "6",
        "raters (models among them)": "4 (2)",
        "utterances with labels of several": "5",
        "of these, raters disagree": "3",
        "of these, a tie: the strategy is the earliest of the twelve": "1",
        "of these, the strategy is not what most name first": "1",
        "Krippendorff's alpha, nominal, all raters": "0.57",
    }
