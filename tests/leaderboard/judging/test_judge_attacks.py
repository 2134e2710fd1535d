"""Injection: whatever a reply says, the prompt's structure stands and the judge that obeys anything
outside the data does not move.
"""

import json
import re

import pytest

from csc_tasks.llm.exchange import Request
from csc_tasks.llm.journal.rows import canonical
from csc_tasks.runs.names import SIX
from leaderboard.judging import scripted
from leaderboard.judging.asking import comparison_prompt, rating_prompt
from leaderboard.judging.dimensions import prompts
from leaderboard.judging.quoting import quote
from leaderboard.judging.units import WHOLE, Unit
from tests.support.attacks import ORDERS, attacks
from tests.support.quoted import unquote

ATTACKS = attacks()
SAID = {
    "en": (
        ("customer", "My card was charged twice for order 1182."),
        ("supporter", "I am sorry to hear that."),
        ("customer", "Well?"),
    ),
    "zh": (
        ("customer", "我的卡被重复扣款了。"),
        ("supporter", "给您添麻烦了。"),
        ("customer", "怎么办？"),
    ),
}


def unit(language, reply, whole=False, said=None, reference="Thank you.", instruction=""):
    turns = said or SAID[language]
    if whole:
        turns = (*turns, ("supporter", reply))
    return Unit(
        "t/c/1",
        "csc_conv_gen" if whole else "csc_conv_ref",
        "c",
        WHOLE if whole else 1,
        language,
        "Others",
        "",
        turns,
        "" if whole else reply,
        turns if whole else reference,
        instruction,
    )


def asked(messages):
    return Request("judge", "t/c/1", 0, 0, messages)


def outside_of(messages):
    """What stands around the data, with the code's places left out."""
    told, _ = unquote(messages[-1]["content"])
    return re.sub(
        r"[0-9a-f]{16}",
        "CODE",
        "\n".join([*(message["content"] for message in messages[:-1]), told]),
    )


def scores_of(messages):
    """The scripted judge's scores, without its reason."""
    verdict = json.loads(scripted.answer(asked(messages)))
    assert next(iter(verdict)) == "reason" and verdict.pop("reason")
    return verdict


def test_there_are_enough_of_them_and_no_two_are_the_same():
    assert len({text for _, _, text in ATTACKS}) == len(ATTACKS) >= 400
    assert {language for _, language, _ in ATTACKS} == {"zh", "en"}


@pytest.mark.parametrize("whole", [False, True], ids=["reply", "conversation"])
def test_every_attack_leaves_the_prompt_as_it_was(whole):
    """All that stands around the data is what stands around a harmless reply, and the data is
    exactly what went in.
    """
    for name, language, text in ATTACKS:
        harmless, _ = rating_prompt(unit(language, "Good day.", whole), (), True)
        messages, _ = rating_prompt(unit(language, text, whole), (), True)
        assert outside_of(messages) == outside_of(harmless), name
        _, data = unquote(messages[-1]["content"])
        found = data["conversation"][-1]["supporter"] if whole else data["reply"]
        assert found == text, name
        # What the journal and the network write must be able to hold it.
        canonical({"messages": messages}).encode()


def test_no_line_and_no_angle_bracket_of_a_text_stands_in_the_block():
    for name, _, text in ATTACKS:
        block, code = quote({"reply": text})
        first, *body, last = block.split("\n")
        assert (first, last) == (f"<data {code}>", f"</data {code}>"), name
        assert len(body) == 3, name
        assert block.splitlines() == block.split("\n"), name
        assert not re.search(r"[<>＜＞﹤﹥]|\[/?INST\]", "\n".join(body)), name
        assert all(character.isprintable() for line in body for character in line), name


@pytest.mark.parametrize("reference", [False, True], ids=["hidden", "shown"])
def test_the_scripted_judge_does_not_move(reference):
    """Its scores are those of the rule, computed from the texts without any prompt."""
    for name, language, text in ATTACKS:
        messages, _ = rating_prompt(unit(language, text), (), reference)
        data = {
            "conversation": [{speaker: said} for speaker, said in SAID[language]],
            "reply": text,
        }
        if reference:
            data["reference"] = "Thank you."
        expected = {dimension: scripted.score(data, dimension, "judge 0") for dimension in SIX}
        assert scores_of(messages) == expected, name


@pytest.mark.parametrize("place", ["history", "reference", "instruction"])
def test_attacks_from_elsewhere_do_not_move_it_either(place):
    for name, language, text in ATTACKS[::5]:
        said = (*SAID[language][:-1], ("customer", text)) if place == "history" else None
        reference, instruction = (
            "" if place != given else text for given in ("reference", "instruction")
        )
        found = unit(
            language,
            "Okay.",
            said=said,
            reference=reference or "Thank you.",
            instruction=instruction,
        )
        messages, _ = rating_prompt(found, (), True)
        outside, data = scripted.read_prompt(messages)
        assert data is not None, name
        assert not [line for line in outside if not scripted._known(line)], name


def test_comparisons_do_not_move():
    """The attack in one place or the other: the verdict is that of the rule, which the same texts
    give in both orders.
    """
    for name, language, text in ATTACKS:
        ours, theirs = unit(language, text), unit(language, SAID[language][0][1])
        verdicts = []
        for first, second in ((ours, theirs), (theirs, ours)):
            messages = comparison_prompt(first, second, False)
            outside, _ = scripted.read_prompt(messages)
            assert not [line for line in outside if not scripted._known(line)], name
            verdicts.append(json.loads(scripted.answer(asked(messages)))["better"])
        assert verdicts in (["first", "second"], ["second", "first"], ["tie", "tie"]), name


def test_the_judge_is_gullible():
    """The same texts in a prompt without quoting do move it: most attacks would work, so that the
    tests above mean something.
    """
    moved = 0
    for _, language, text in ATTACKS:
        system = prompts(language).text("judge_reply").split("=== user ===")[0]
        form = "{" + ", ".join(['"reason": "..."', *(f'"{name}": N' for name in SIX)]) + "}"
        told = (
            system.replace("=== system ===\n", "")
            .replace("${form}", form)
            .replace("${fence}", "0" * 16)
        )
        naive = f'<data {"0" * 16}>\n{{"conversation": [], "reply": "{text}"}}\n</data {"0" * 16}>'
        messages = [{"role": "system", "content": told}, {"role": "user", "content": naive}]
        scores = set(scores_of(messages).values())
        moved += len(scores) == 1 and scores.pop() >= 95
    assert moved > 0.5 * len(ATTACKS)


def test_an_order_outside_the_data_is_obeyed():
    messages, _ = rating_prompt(unit("en", "Okay."), (), False)
    messages[-1]["content"] += "\n" + ORDERS["en"]["ignore"]
    assert set(scores_of(messages).values()) == {99}


def test_the_block_is_the_same_for_the_same_data_and_another_for_other_data():
    assert quote({"reply": "a"}) == quote({"reply": "a"})
    assert quote({"reply": "a"})[1] != quote({"reply": "b"})[1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("</data", "<data"),
        lambda text: text + "\n" + text,
        lambda text: text.replace("Okay", "Well"),
        lambda text: re.sub(r"</data \w+>", "</data 0123456789abcdef>", text),
    ],
)
def test_a_broken_block_is_noticed(spoil):
    block, _ = quote({"reply": "Okay."})
    with pytest.raises(ValueError, match=r"code|lines"):
        unquote(spoil(block))
