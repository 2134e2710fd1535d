"""Who leads, in one sentence: right for any number of rows, for ties, baselines, numbers that are
not there and drafts. The sentences are written out by hand.
"""

import itertools

import pytest

from csc_tasks.verify import Trust
from leaderboard import board as b
from leaderboard.leading import sentence, statements
from leaderboard.standing import standing

KEY = "csc_conv_ref/strategy_acc"


def column(**changes):
    values = {
        "key": KEY,
        "task": "csc_conv_ref",
        "group": "Reference context",
        "metric": "strategy_acc",
        "label": "Strategy accuracy",
        "higher_is_better": True,
        "scale": 100.0,
        "digits": 1,
        "signature": "strategy_acc",
        "headline": True,
        "ranked": True,
    }
    return b.Column(**(values | changes))


def value(number):
    if number is None:
        return b.Value(value=None, items=0, clusters=0, method="none")
    return b.Value(value=number, low=number - 0.04, high=number + 0.04, items=50, clusters=10)


def made(numbers, alike=(), apart=True, baselines=(), names=None, columns=None, notes=()):
    """(table, models): slug -> number (None: N/A). Pairs in `alike` have an interval that includes
    0, all others one of 0.02 around the difference; apart: False for no comparisons.
    """
    names = names or {}
    models = {
        slug: b.Model(
            slug=slug,
            name=names.get(slug, f"baseline/{slug}" if slug in baselines else f"org/{slug}"),
            label=slug,
            kind="baseline" if slug in baselines else "model",
        )
        for slug in numbers
    }
    own = sorted(slug for slug, number in numbers.items() if number is not None)
    pairs = [(one, other) for i, one in enumerate(own) for other in own[i + 1 :]]
    comparisons = []
    for one, other in pairs if apart is True else apart or []:
        difference = numbers[one] - numbers[other]
        half = 0.02 if {one, other} not in [set(pair) for pair in alike] else abs(difference) + 0.01
        comparisons.append(
            b.Comparison(
                column=KEY,
                a=one,
                b=other,
                difference=difference,
                stderr=0.01,
                low=difference - half,
                high=difference + half,
                p=0.5,
                p_holm=0.5,
                items=50,
                clusters=10,
            )
        )
    table = b.Table(
        id="conversations",
        kind="conversations",
        title="Conversations",
        setting=b.Setting(
            corpus="demo", config="csconv", split="test", languages=("en",), task_version="1.0"
        ),
        documents={},
        columns=tuple(columns or [column()]),
        rows=tuple(
            b.Row(model=slug, runs={}, values={KEY: value(number)}, trusts={KEY: Trust.RESCORED})
            for slug, number in numbers.items()
        ),
        comparisons=tuple(comparisons),
        footnotes=tuple(notes),
    )
    return table, models


WHAT = "strategy accuracy (reference context)"
SENTENCES = {
    "no rows": (made({}), f"Nobody leads: no row has a number for {WHAT}."),
    "one": (
        made({"a": 0.57}),
        f"org/a has 57.0 % (95 % interval 53.0 to 61.0) in {WHAT} and no other row to be compared"
        " with.",
    ),
    "two, one better": (
        made({"b": 0.46, "a": 0.57}),
        f"org/a leads in {WHAT} with 57.0 %, 11.0 points (95 % interval 9.0 to 13.0) ahead of"
        " org/b.",
    ),
    "two that are not different": (
        made({"b": 0.57, "a": 0.55}, alike=["ab"]),
        f"Nobody leads: org/b has the highest {WHAT}, 57.0 %, but is not significantly different"
        " from org/a (difference 2.0 points, 95 % interval −1.0 to 5.0).",
    ),
    "a tie to the last digit": (
        made({"b": 0.5, "a": 0.5}, alike=["ab"]),
        f"Nobody leads: org/a has the highest {WHAT}, 50.0 %, but is not significantly different"
        " from org/b (difference 0.0 points, 95 % interval −1.0 to 1.0).",
    ),
    "two that were never compared": (
        made({"a": 0.57, "b": 0.46}, apart=False),
        f"Nobody leads: org/a has the highest {WHAT}, 57.0 %, before org/b with 46.0 %, and could"
        " not be compared with org/b.",
    ),
    "three, all different": (
        made({"a": 0.6, "b": 0.5, "c": 0.4}),
        f"org/a leads in {WHAT} with 60.0 %, 10.0 points (95 % interval 8.0 to 12.0) ahead of"
        " org/b; all rows are significantly different from each other.",
    ),
    "the followers are alike": (
        made({"a": 0.6, "b": 0.5, "c": 0.49}, alike=["bc"]),
        f"org/a leads in {WHAT} with 60.0 %, 10.0 points (95 % interval 8.0 to 12.0) ahead of"
        " org/b; org/b and org/c are not significantly different from each other.",
    ),
    "first and third are alike": (
        made({"a": 0.6, "b": 0.55, "c": 0.5}, alike=["ac"]),
        f"Nobody leads: org/a has the highest {WHAT}, 60.0 %, before org/b (difference 5.0 points,"
        " 95 % interval 3.0 to 7.0); org/a and org/c are not significantly different from each"
        " other.",
    ),
    "a chain": (
        made({"a": 0.6, "b": 0.5, "c": 0.49, "d": 0.48}, alike=["bc", "cd"]),
        f"org/a leads in {WHAT} with 60.0 %, 10.0 points (95 % interval 8.0 to 12.0) ahead of"
        " org/b; org/b and org/c are not significantly different from each other, nor are org/c and"
        " org/d.",
    ),
    "the first was not compared with the last": (
        made({"a": 0.6, "b": 0.5, "c": 0.4}, apart=[("a", "b"), ("b", "c")]),
        f"Nobody leads: org/a has the highest {WHAT}, 60.0 %, before org/b (difference 10.0 points,"
        " 95 % interval 8.0 to 12.0), and could not be compared with org/c.",
    ),
    "a number that is not there": (
        made({"a": 0.57, "b": 0.46, "c": None}),
        f"org/a leads in {WHAT} with 57.0 %, 11.0 points (95 % interval 9.0 to 13.0) ahead of"
        " org/b; without such a number: org/c.",
    ),
    "none has a number": (
        made({"a": None}),
        f"Nobody leads: no row has a number for {WHAT}; without such a number: org/a.",
    ),
    "a baseline leads": (
        made({"a": 0.4, "bigram": 0.5}, baselines=["bigram"]),
        f"The baseline bigram leads in {WHAT} with 50.0 %, 10.0 points (95 % interval 8.0 to 12.0)"
        " ahead of org/a.",
    ),
    "two baselines lead": (
        made({"a": 0.4, "bigram": 0.5, "majority": 0.45}, baselines=["bigram", "majority"]),
        f"The baseline bigram leads in {WHAT} with 50.0 %, 5.0 points (95 % interval 3.0 to 7.0)"
        " ahead of the baseline majority; the best that is no baseline is org/a, 10.0 points (95 %"
        " interval 8.0 to 12.0) behind the first; all rows are significantly different from each"
        " other.",
    ),
    "a draft language": (
        made(
            {"a": 0.6, "b": 0.5},
            columns=[column(ranked=False)],
            notes=["A note.", "Draft language (es): not reviewed, so nothing here is ranked."],
        ),
        "Draft language (es): not reviewed, so nothing here is ranked.",
    ),
    "nothing is ranked": (
        made({"a": 0.6, "b": 0.5}, columns=[column(ranked=False)]),
        "Nothing in this table is ranked.",
    ),
    "less is better": (
        made({"a": 0.6, "b": 0.5}, columns=[column(higher_is_better=False, scale=1.0, digits=2)]),
        f"org/b leads in {WHAT} with 0.50, 0.10 (95 % interval 0.08 to 0.12) ahead of org/a.",
    ),
    "names of more than one line": (
        made({"a": 0.6, "b": 0.5}, names={"a": "x\n\x1b[2J"}),
        f"x \ufffd[2J leads in {WHAT} with 60.0 %, 10.0 points (95 % interval 8.0 to 12.0) ahead of"
        " org/b.",
    ),
    "two rows of one name": (
        made({"a": 0.6, "b": 0.5}, names={"a": "org/x", "b": "org/x"}),
        f"a leads in {WHAT} with 60.0 %, 10.0 points (95 % interval 8.0 to 12.0) ahead of b.",
    ),
}


@pytest.mark.parametrize(
    ("low", "said"),
    [
        (6.1e-5, "0.006"),
        (-2.4e-4, "−0.02"),
        (4.9e-4, "0.05"),
        (5.1e-4, "0.1"),
        (1e-17, "0.0"),
        (0, "0.0"),
    ],
)
def test_a_bound_beside_zero_says_on_which_side_it_lies(low, said):
    """A row that leads by "0.0 to 17.4" would contradict itself."""
    table, models = made({"a": 0.6, "b": 0.5})
    (comparison,) = table.comparisons
    close = comparison.model_copy(update={"low": low})
    told = sentence(table.model_copy(update={"comparisons": (close,)}), models)
    assert f"10.0 points, 95 % interval {said} to 12.0" in told.replace(" (95", ", 95")


@pytest.mark.parametrize("case", SENTENCES)
def test_the_sentence(case):
    (table, models), expected = SENTENCES[case]
    assert sentence(table, models) == expected


def test_a_page_is_told_in_statements():
    """Who leads comes first; each starts with a capital unless with a name; units stay with their
    numbers.
    """
    numbers = {"a": 0.6, "base": 0.5, "c": 0.49, "d": None, "e": 0.9}
    table, models = made(numbers, alike=[("base", "c")], baselines=["base"])
    *most, last = table.rows
    claimed = last.model_copy(update={"trusts": {KEY: Trust.CLAIMED}})
    table = table.model_copy(update={"rows": (*most, claimed)})
    assert statements(table, models) == [
        f"org/a leads in {WHAT} with 60.0\xa0%, 10.0\xa0points (95\xa0% interval 8.0 to 12.0) ahead"
        " of the baseline base.",
        "The baseline base and org/c are not significantly different from each other.",
        "Without such a number: org/d.",
        "Not ranked, as nobody here computed it again: org/e.",
    ]
    assert statements(*made({"e": 0.5}, columns=[column(ranked=False)])) == [
        "Nothing in this table is ranked."
    ]


def test_a_long_table_is_summed_up():
    """Ten models: the first leads, the nine others are all alike."""
    slugs = "abcdefghij"
    others = [one + other for one in slugs[1:] for other in slugs[1:] if one < other]
    table, models = made({slug: 0.6 - 0.02 * i for i, slug in enumerate(slugs)}, alike=others)
    assert sentence(table, models).endswith(
        "; org/b, org/c, org/d and 6 more are not significantly different from each other."
    )
    # Nine chained pairs: three are named.
    chain = [one + other for one, other in itertools.pairwise(slugs[1:])]
    table, models = made({slug: 0.6 - 0.03 * i for i, slug in enumerate(slugs)}, alike=chain)
    assert sentence(table, models).endswith(
        "; org/b and org/c are not significantly different from each other, nor are org/c and"
        " org/d, nor are org/d and org/e, nor are 5 more such groups."
    )
    assert all(len(group) == 2 for group in standing(table, models).alike)


def test_every_pair_that_is_alike_is_in_a_group():
    """Also where what stands between two of them is different from one."""
    table, models = made({"a": 0.6, "b": 0.5, "c": 0.49, "d": 0.4}, alike=["ab", "bc", "ac", "bd"])
    assert standing(table, models).alike == (("a", "b", "c"), ("b", "d"))


def test_the_first_leads_only_by_its_paired_differences():
    """Two rows that answered different conversations may be paired the other way round."""
    table, models = made({"a": 0.6, "b": 0.5})
    turned = table.comparisons[0].model_copy(
        update={"difference": -0.1, "low": -0.12, "high": -0.08}
    )
    table = table.model_copy(update={"comparisons": (turned,)})
    assert not standing(table, models).leads
    assert sentence(table, models).startswith("Nobody leads: org/a has the highest")


def test_a_reported_row_never_leads():
    table, models = made({"a": 0.6, "b": 0.5})
    printed = b.Reported(name="GPT-9", size=None, tuned_on=None, source="x", values={KEY: 0.99})
    table = table.model_copy(update={"reported": (printed,)})
    assert sentence(table, models).startswith("org/a leads")
