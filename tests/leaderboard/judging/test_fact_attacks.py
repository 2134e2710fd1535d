"""Hostile replies before a judge of facts: none breaks out of the data, and what it invents is
found.
"""

import json

from csc_tasks.llm.exchange import Request
from csc_tasks.llm.journal.rows import canonical
from csc_tasks.llm.replies import parse_reply
from csc_tasks.metrics.facts import find_facts, unsupported
from leaderboard.judging import scripted
from leaderboard.judging.dimensions import prompts
from leaderboard.judging.fact_asking import Audited, facts_prompt
from leaderboard.judging.units import Unit
from leaderboard.judging.verdict_forms import ClaimsOf
from tests.support.attacks import HONEST, ORDERS, attacks
from tests.support.quoted import unquote

CLAIM = {"en": "Your refund of $731.50 is there by May 14.", "zh": "退款731.5元将于5月14日到账。"}
HISTORY = {
    "en": [{"customer": "My card was charged twice, 731 in all?"}],
    "zh": [{"customer": "我的卡被扣了两次。"}],
}
FACTUAL = [(name, language, f"{text} {CLAIM[language]}") for name, language, text in attacks()]


def item_of(language, reply):
    unit = Unit("t/c/1", "csc_conv_ref", "c", 1, language, "Others", "", (), "", "")
    return Audited(
        unit,
        reply,
        {"conversation": HISTORY[language], "passages": ["Call us."], "reply": reply},
        (),
    )


def answer_to(messages):
    return scripted.answer(Request("j", "t/c/1", 0, 0, messages))


def test_no_reply_breaks_out_and_what_it_invents_is_found():
    for name, language, text in FACTUAL:
        messages = facts_prompt(item_of(language, text))
        outside, data = unquote(messages[-1]["content"])
        harmless, _ = unquote(facts_prompt(item_of(language, HONEST[language]))[-1]["content"])
        assert outside == harmless and data["reply"] == text, name
        canonical({"messages": messages}).encode()
        # What the rule says of the texts themselves, without any prompt.
        found = find_facts(text, language)
        lacking = unsupported(found, [HISTORY[language][0]["customer"], "Call us."], language)
        said = json.loads(answer_to(messages))["facts"]
        assert [fact["text"] for fact in said] == [fact.text for fact in found], name
        assert [fact["text"] for fact in said if not fact["supported"]] == [
            fact.text for fact in lacking
        ], name
        assert {"$731.50", "731.5元"} & {fact.text for fact in lacking}, name
        # Every one of these words stands in the reply, lone surrogates apart, which no answer can
        # hold.
        quotable = [
            fact for fact in said if "\ud83d" not in fact["text"] and "\udc00" not in fact["text"]
        ]
        assert (
            len(parse_reply(json.dumps({"facts": quotable}), ClaimsOf(text)).facts)
            == len(quotable)
            > 0
        ), name


def test_the_stand_in_is_gullible():
    """Without quoting, most of the same replies do silence it, so that the test above means
    something.
    """
    silenced = 0
    for _, language, text in FACTUAL:
        told = (
            prompts(language)
            .text("judge_facts")
            .split("=== user ===")[0]
            .replace("=== system ===\n", "")
            .replace("${fence}", "0" * 16)
        )
        naive = f'<data {"0" * 16}>\n{{"conversation": [], "reply": "{text}"}}\n</data {"0" * 16}>'
        messages = [{"role": "system", "content": told}, {"role": "user", "content": naive}]
        silenced += json.loads(answer_to(messages)) == {"facts": []}
    assert silenced > 0.5 * len(FACTUAL)
    messages = facts_prompt(item_of("en", CLAIM["en"]))
    assert len(json.loads(answer_to(messages))["facts"]) == 2
    messages[-1]["content"] += "\n" + ORDERS["en"]["ignore"]
    assert json.loads(answer_to(messages)) == {"facts": []}
