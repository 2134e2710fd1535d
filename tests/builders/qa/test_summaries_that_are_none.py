"""A reply that is no summary is asked for again with what is wrong, and its pair then dropped."""

import pytest

from builders.qa.summarise import not_a_summary
from csc_tasks.llm.outcomes import Dropped
from tests.support.llm_server import Act
from tests.support.qa_with_models import said, summaries

GERMAN = (
    "Die Kundin ruft an, weil ihre Bestellung vom Montag noch immer nicht angekommen ist, und"
    " verlangt, dass man ihr das Geld sofort erstattet."
)


@pytest.mark.parametrize(
    ("text", "language", "why"),
    [
        (GERMAN, "en", "is in another language"),
        ("The customer called about a late parcel and wants a refund now.", "zh", "is in another"),
        ("I'm sorry, but I can't assist with that request.", "en", "declines"),
        ("The customer called. " + "He has an account.\n" * 6, "en", "says the same over and over"),
        ("[Customer Name] wants a refund for the order.", "en", "holds a placeholder"),
        ("The customer\x07 wants a refund.", "en", "holds a control character"),
        ("The customer wants a refund for the order of [name].", "en", None),
        ("客户要求退款，因为包裹一直没有送到。", "zh", None),
    ],
)
def test_what_is_no_summary(text, language, why):
    reason = not_a_summary(text, "Agent: May I have your name? Client: [name]", language)
    assert (reason is None) == (why is None) and (why is None or reason[0].startswith(why))


def test_it_is_told_why_and_gives_a_summary(tmp_path):
    def script(body, number):
        told = body["messages"][-1]["content"]
        return Act("A talk." if "in another language" in told else GERMAN, usage=None)

    found, asked, summariser = summaries(tmp_path, script)
    assert found == {0: "", 1: "A talk.", 2: "A talk.", 3: "A talk."} and len(asked) == 6
    assert asked[1]["messages"][2] == {"role": "assistant", "content": GERMAN}
    # "Too long" is another count.
    assert summariser.again == 0 and said(asked[0]) == said(asked[1])


def test_a_model_that_keeps_declining_drops_the_pair(tmp_path):
    found, asked, _ = summaries(
        tmp_path, lambda body, number: Act("I can't help with that."), attempts=2
    )
    assert found[0] == "" and len(asked) == 6
    assert {error.reason for error in found.values() if isinstance(error, Dropped)} == {
        "summary: declines"
    }


def test_a_huge_summary_goes_back_cut(tmp_path):
    huge = "many words " * 100_000
    found, asked, _ = summaries(tmp_path, lambda body, number: Act(huge, usage=None))
    assert all(isinstance(found[pair], Dropped) for pair in (1, 2, 3))
    assert max(len(str(body["messages"])) for body in asked) < 20_000
