"""A report's tables and figures of corpora: cells counted by hand, the paper's values only beside
its own corpus, figures that show what their tables say, and what is missing.
"""

import json
import re
from dataclasses import replace
from math import sqrt

import pytest
from scipy import stats

from builders.statistics import of_conversations, of_questions
from csc_tasks.conversation import HELD_OUT, Conversation, Turn
from csc_tasks.corpus_statistics import Build, CorpusStatistics, Part, Set
from csc_tasks.errors import DataError
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.papers import papers
from leaderboard.reproduce.drawing import png
from leaderboard.reproduce.exhibits import Missing, Number, ReportFigure, ReportTable, cell_text
from leaderboard.reproduce.makers import MAKERS
from leaderboard.reproduce.published import Published, read_published
from leaderboard.reproduce.sources import Sources
from tests.support.fakes import sample_questions

OWN = "DianJin/DianJin-CSC-Data"


def talk(name, *said, profile="", topic="Product Consultation"):
    """A conversation: "GT hello" is a supporter's turn with that strategy, "- hello" one without,
    anything else the customer's.
    """
    turns = []
    for text in said:
        head, _, rest = text.partition(" ")
        if head in (*STRATEGY_IDS, "-"):
            turns.append(Turn("supporter", rest, head.strip("-")))
        else:
            turns.append(Turn("customer", text))
    return Conversation(name, "en", topic, "t", tuple(turns), profile=profile)


TALKS = [
    talk("a", "GT hello there", "I lost my card", "PR which one", "gold", "RI done"),
    talk("b", "GT hello", "hi", "- mhm", "Others yes", topic="Others"),
]
ORIGINALS = {"a": [Turn("supporter", "a b c"), Turn("customer", "d")]}
ROLES = [
    talk("c", "GT hello", "a teacher speaks", "AC bye", profile="calm teacher"),
    talk("d", "GT hello", "so calm", "AC bye", profile="calm nurse"),
    talk("e", "GT hello", "what", "AC bye", profile="hasty nurse"),
]


def statistics(name, build=None, originals=None, **sets):
    """What csc stats says of these conversations: config -> items."""
    return CorpusStatistics(
        corpus=name,
        revision=None,
        sets=tuple(
            Set(
                config=config,
                split="test",
                documents=len(items),
                content_hash="0" * 16,
                counts={},
                parts=(
                    Part(
                        language="en",
                        numbers=of_questions(items)
                        if config == "qa"
                        else of_conversations(items, originals),
                    ),
                ),
            )
            for config, items in sets.items()
        ),
        build=build,
    )


def exhibits(name, *corpora, published=None):
    """Everything that is made for the exhibit of this name."""
    exhibit = next(one for one in papers().exhibits if one.name == name)
    return MAKERS[exhibit.maker](exhibit, Sources(statistics=corpora, published=published))


def table(made):
    """Of one table: {(row, group, column): what its cell says}."""
    shown = made.numbers if isinstance(made, ReportFigure) else made
    return {
        (row.cells[0], heading.group, heading.label): cell_text(cell)
        for row in shown.rows
        for heading, cell in zip(shown.columns[1:], row.cells[1:], strict=True)
    }


def printed(**tables):
    return Published("printed.json", "A paper", "", {"paper": "A paper", **tables})


def test_sizes_with_the_originals_beside_them():
    build = Build(
        builder="csconv",
        originals_labelled=1,
        strategies_before={"GT": 1, "Others": 3},
        strategies_after={"GT": 2},
    )
    (made,) = exhibits("table-3", statistics("calls", build, ORIGINALS, csconv=TALKS))
    cells = table(made)
    part = "csconv/test en"
    expected = {
        "Conversations": ("1", "2"),
        "Utterances": ("2", "9"),
        "Supporter utterances": ("1", "6"),
        "Customer utterances": ("1", "3"),
        "Avg. utterances per conversation": ("2.00", "4.50"),
        "Avg. supporter utterances per conversation": ("1.00", "3.00"),
        "Avg. customer utterances per conversation": ("1.00", "1.50"),
        # 2 + 4 + 2 + 1 + 1 and 1 + 1 + 1 + 1 words.
        "Avg. length of an utterance": ("2.00", "1.56"),
        "Avg. length of a supporter utterance": ("3.00", "1.33"),
        "Avg. length of a customer utterance": ("1.00", "2.00"),
        "Strategy use without Others (%)": ("25.00", "80.00"),
        "Supporter utterances without a strategy": ("–", "1"),
    }
    for row, (before, after) in expected.items():
        assert (cells[row, part, "Original"], cells[row, part, "Rewritten"]) == (before, after), row
    assert {row for row, _, _ in cells} == set(expected)
    notes = " ".join(made.notes)
    assert "1 conversations have no original" in notes
    assert (
        "strategy use without Others is 25.00 % in 1 originals that a model labelled (csc build"
        " csconv --fidelity) and 100.00 % in their rewrites."
    ) in notes
    together = exhibits(
        "table-3", statistics("calls", build, ORIGINALS, csconv=TALKS, rolecs=ROLES)
    )
    assert table(together[0])["Strategy use without Others (%)", part, "Original"] == "–"
    assert any(
        note.startswith("calls, all parts together: strategy use") for note in together[0].notes
    )


def test_without_originals_their_column_is_missing_and_the_way_to_it_is_said():
    made, missing = exhibits("table-3", statistics("calls", csconv=TALKS))
    assert {column.label for column in made.columns} == {"", "Conversations"}
    assert isinstance(missing, Missing) and missing.title.endswith(": originals")
    assert "originals.jsonl" in missing.reason and missing.command.startswith("csc build csconv")


def test_what_a_build_of_several_parts_counted_belongs_to_none_of_them():
    build = Build(builder="rolecs", conversations_tried=9)
    (alone,) = exhibits("table-5", statistics("played", build, rolecs=ROLES))
    cells = table(alone)
    assert cells["Conversations before filtering", "rolecs/test en", "Conversations"] == "9"
    assert cells["Customer profiles", "rolecs/test en", "Conversations"] == "3"
    (beside,) = exhibits("table-5", statistics("played", build, rolecs=ROLES, csconv=TALKS))
    assert "Conversations before filtering" not in {row for row, _, _ in table(beside)}
    assert "played, all parts together: 9 conversations before filtering." in beside.notes


def test_topics_with_their_proportions():
    (made,) = exhibits("table-4", statistics("calls", csconv=TALKS))
    cells = table(made)
    assert cells["Others", "csconv/test en", "Conversations"] == "1"
    assert cells["Others", "csconv/test en", "%"] == "50.0"
    assert cells["Risk Management and Security", "csconv/test en", "%"] == "0.0"


def test_questions_and_their_lengths():
    own = [question for question in sample_questions() if question.language == "en"]
    own[0] = replace(own[0], agent_answer=HELD_OUT, refined_agent_answer=HELD_OUT)
    (made,) = exhibits("qa-corpus", statistics("asked", qa=own))
    cells = {(group, label): text for (_, group, label), text in table(made).items()}
    assert cells["", "Questions"] == "3" and cells["", "Answers held out"] == "1"
    assert [cells["Stage", stage] for stage in ("early", "mid", "late")] == ["1", "1", "1"]
    assert cells["History", "Avg. turns"] == "3.00"
    words = [len(question.refined_agent_answer.split()) for question in own[1:]]
    assert cells["Avg. length", "Answer (reference)"] == f"{sum(words) / 2:.2f}"
    assert cells["Avg. length", "Question"] == "5.00"


# What the paper prints


def test_printed_sizes_stand_beside_the_papers_own_corpus_only():
    published = printed(
        table3_csconv_statistics={
            "conversations": 1855,
            "utterances": {"original": 35350, "rewritten": 50587},
            "avg_customer_utterance_length": {"original": 21.6, "rewritten": 17.17},
        }
    )
    other = exhibits("table-3", statistics("calls", csconv=TALKS), published=published)[0]
    assert not any("reported" in column.group for column in other.columns)
    own = exhibits("table-3", statistics(OWN, csconv=TALKS), published=published)[0]
    cells, group = table(own), "arXiv 2508.04423: reported"
    assert cells["Conversations", group, "Original"] == "1,855"
    assert cells["Utterances", group, "Original"] == "35,350"
    assert cells["Utterances", group, "Rewritten"] == "50,587"
    # As many digits as are printed.
    assert cells["Avg. length of a customer utterance", group, "Original"] == "21.6"
    assert cells["Supporter utterances", group, "Original"] == "–"
    assert "Reported columns: as printed in A paper; not counted here." in own.notes


def test_printed_topics_and_strategies():
    published = printed(
        table4_csconv_topics={"Others": 1, "Product Consultation": 3},
        figure3_strategy_share_percent={"Greeting": 14.9},
    )
    (made,) = exhibits("table-4", statistics(OWN, csconv=TALKS), published=published)
    assert table(made)["Product Consultation", "arXiv 2508.04423: reported", "%"] == "75.0"
    (made,) = exhibits("figure-3", statistics(OWN, csconv=TALKS), published=published)
    cells = table(made)
    assert cells["Greeting", "arXiv 2508.04423: reported", "%"] == "14.9"
    assert cells["Greeting", "csconv/test en", "%"] == "40.0"


@pytest.mark.parametrize(
    ("exhibit", "key"),
    [("table-3", "table3_csconv_statistics"), ("table-5", "table5_rolecs_statistics")],
)
def test_every_printed_size_has_its_row(shared_data, exhibit, key):
    file = shared_data / "papers" / "csc_2508.04423_tables.json"
    values = json.loads(file.read_text(encoding="utf-8"))[key]
    corpus = statistics(OWN, csconv=TALKS, rolecs=ROLES)
    made = exhibits(exhibit, corpus, published=read_published(file))[0]
    shown = [
        text
        for (_, group, _), text in table(made).items()
        if group.endswith("reported") and text != "–"
    ]
    numbers = [
        number
        for value in values.values()
        for number in (value.values() if isinstance(value, dict) else [value])
    ]
    assert {f"{number:,}" for number in numbers} == set(shown)


@pytest.mark.parametrize(
    ("exhibit", "tables"),
    [
        ("table-3", {"table3_csconv_statistics": {"utterances": {"original": "many"}}}),
        ("table-4", {"table4_csconv_topics": {"Others": True}}),
        ("figure-3", {"figure3_strategy_share_percent": {"Greeting": "15 %"}}),
    ],
)
def test_a_printed_value_that_is_no_number_is_named(exhibit, tables):
    with pytest.raises(DataError, match=re.escape("printed.json: ")) as caught:
        exhibits(exhibit, statistics(OWN, csconv=TALKS), published=printed(**tables))
    assert "it must be a number" in str(caught.value)


# Figures


def drawn(made):
    """The axes of a figure as it is drawn, and that it can be written."""
    from matplotlib.figure import Figure

    assert png(made).startswith(b"\x89PNG")
    figure = Figure(figsize=made.size)
    made.draw(figure)
    return figure.axes[0]


def column(made, group, label):
    """The numbers of a column, in the order of its rows."""
    place = next(
        i for i, one in enumerate(made.numbers.columns) if (one.group, one.label) == (group, label)
    )
    cells = [row.cells[place] for row in made.numbers.rows]
    return [cell.value if isinstance(cell, Number) else cell for cell in cells]


def test_strategies_are_drawn_as_their_table_has_them():
    first, second = statistics("one", csconv=TALKS), statistics("two", csconv=TALKS[:1])
    (made,) = exhibits("figure-3", first, second)
    bars = [bar.get_width() for bar in drawn(made).patches]
    assert bars[:12] == pytest.approx(column(made, "one, csconv/test en", "%"))
    assert bars[12:] == pytest.approx(column(made, "two, csconv/test en", "%"))
    assert bars[0] == pytest.approx(40) and bars[12] == pytest.approx(100 / 3)


def test_transitions_are_a_figure_for_each_part():
    one, two = exhibits("strategy-transitions", statistics("x", csconv=TALKS, rolecs=ROLES))
    assert (one.numbers.name, two.numbers.name) == (
        "strategy-transitions-csconv-test-en",
        "strategy-transitions-rolecs-test-en",
    )
    cells = table(one)
    assert cells["start", "", "Number"] == "2"
    assert cells["start", "followed by (%)", "GT"] == "100.0"
    assert cells["GT", "followed by (%)", "PR"] == "50.0"
    # The unlabelled turn between is passed over.
    assert cells["GT", "followed by (%)", "Others"] == "50.0"
    assert cells["FR", "followed by (%)", "end"] == "–", "it does not occur"
    image = drawn(one).images[0].get_array()
    assert image[1][STRATEGY_IDS.index("PR")] == 50


def test_different_strategies_per_conversation():
    (made,) = exhibits("unique-strategies", statistics("x", csconv=TALKS))
    cells = table(made)
    assert cells["3", "csconv/test en", "Conversations"] == "1"
    assert cells["1", "csconv/test en", "%"] == "50.0"
    assert "On average: csconv/test en 2.00." in made.numbers.notes
    heights = [bar.get_height() for bar in drawn(made).patches]
    assert heights == pytest.approx(column(made, "csconv/test en", "%"))


def test_where_labels_are_held_out_nobody_counts_different_strategies():
    turns = (*TALKS[0].dialogue[:-1], Turn("supporter", HELD_OUT, HELD_OUT))
    held = statistics("held", csconv=[replace(TALKS[0], dialogue=turns)])
    (missing,) = exhibits("unique-strategies", held)
    assert isinstance(missing, Missing) and "labels are all shown" in missing.reason
    (made,) = exhibits("unique-strategies", held, statistics("shown", csconv=TALKS))
    assert {column.group for column in made.numbers.columns} == {"", "shown, csconv/test en"}
    drawn(made)
    sizes = table(exhibits("table-3", held)[0])
    assert sizes["Utterances held out", "csconv/test en", "Conversations"] == "1"


def test_customers_against_profiles_with_an_interval_of_the_difference():
    corpus = statistics("x", rolecs=ROLES)
    (made,) = exhibits("figure-5", corpus)
    own, other = (
        column(made, "rolecs/test en", name) for name in ("Own profile", "Another profile")
    )
    solid, dashed = drawn(made).lines
    assert list(solid.get_ydata()) == pytest.approx(own)
    assert list(dashed.get_ydata()) == pytest.approx(other)
    assert list(solid.get_xdata()) == [1]
    point = corpus.conversations()[0][1].alignment.points[0]
    cell = next(
        cell
        for heading, cell in zip(made.numbers.columns, made.numbers.rows[0].cells, strict=True)
        if heading.label == "Difference"
    )
    # Three profiles, a conversation each: the t interval of a mean of three.
    half = stats.t.ppf(0.975, 2) * point.stderr
    assert cell.value == pytest.approx(own[0] - other[0])
    assert (cell.low, cell.high) == pytest.approx(
        (max(-1, cell.value - half), min(1, cell.value + half))
    )
    assert point.stderr > 0 and point.stderr < 1 / sqrt(3)


def test_points_that_few_conversations_reach_are_not_drawn():
    long = talk("f", "GT hello", "one", "two", "three", "AC bye", profile="calm nurse")
    many = [*ROLES * 5, long]
    (made,) = exhibits("figure-5", statistics("x", rolecs=many))
    assert column(made, "rolecs/test en", "Conversations") == [16]
    assert "tenth" in made.numbers.notes[0]


def test_what_is_missing_is_said_with_a_command():
    made = [
        one
        for name in (
            "table-3",
            "table-5",
            "figure-3",
            "figure-5",
            "strategy-transitions",
            "qa-corpus",
        )
        for one in exhibits(
            name, statistics("x", **{"qa" if name != "qa-corpus" else "csconv": []})
        )
    ]
    assert len(made) == 6
    for one in made:
        assert isinstance(one, Missing) and one.reason and one.command.startswith("csc build ")
        assert not isinstance(one, ReportTable)
