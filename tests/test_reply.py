"""Reading replies: every form that is read, every near miss that is not, and text that is meant to break a reader.

Expected values are written out by hand. `U` marks a reply that is unparsed: no strategy, and the whole text is the reply.
"""

import json
import time

import pytest

from csc_tasks.framework import BY_ID, STRATEGIES
from csc_tasks.prompts import Reply, read_reply, read_text, strip_thinking

U = None

FORMS = [
    # the format asked for
    ("[礼貌问候] 您好", "GT", "您好"),
    ("[Greeting] Hello", "GT", "Hello"),
    ("[情感管理]非常理解您的心情。", "EM", "非常理解您的心情。"),
    ("  \n[Greeting]   Hello  \n", "GT", "Hello"),
    ("[Greeting]\nHello\n\nHow are you?", "GT", "Hello\n\nHow are you?"),
    ("[ Greeting ] Hello", "GT", "Hello"),
    ("[Greeting]: Hello", "GT", "Hello"),
    ("[情感管理]：您好", "EM", "您好"),
    # the other language's names are the same labels
    ("[Emotional Management] 您好", "EM", "您好"),
    ("[情感管理] Hello", "EM", "Hello"),
    # other brackets
    ("【情感管理】您好", "EM", "您好"),
    ("【Greeting】 Hello", "GT", "Hello"),
    ("【情感管理】：您好", "EM", "您好"),
    ("［情感管理］您好", "EM", "您好"),
    # number forms, in brackets and bare
    ("[策略5 情感管理] 您好", "EM", "您好"),
    ("[策略5: 情感管理] 您好", "EM", "您好"),
    ("[策略5：情感管理] 您好", "EM", "您好"),
    ("[策略5、情感管理] 您好", "EM", "您好"),
    ("[策略 5 情感管理] 您好", "EM", "您好"),
    ("[策略５ 情感管理] 您好", "EM", "您好"),
    ("[策略5] 您好", "EM", "您好"),
    ("[策略12 其它] 嗯", "Others", "嗯"),
    ("策略5 情感管理 您好", "EM", "您好"),
    ("策略5：情感管理 您好", "EM", "您好"),
    ("策略5 情感管理：您好", "EM", "您好"),
    ("策略5 情感管理\n您好", "EM", "您好"),
    ("策略5: 您好", "EM", "您好"),
    ("策略5\n您好", "EM", "您好"),
    ("[Strategy 5: Emotional Management] Hi", "EM", "Hi"),
    ("Strategy 5: Emotional Management\nHi", "EM", "Hi"),
    # the prompt's list reads "5. Emotional Management: ..."; copying that line is a whole label too
    ("[5. Emotional Management] Hi", "EM", "Hi"),
    ("[5.情感管理] 您好", "EM", "您好"),
    ("5. 情感管理：您好", "EM", "您好"),
    # ids, inside brackets or JSON only
    ("[EM] Hi", "EM", "Hi"),
    ("【EM】您好", "EM", "您好"),
    ("[ID] the limit is 5,000 a day", "ID", "the limit is 5,000 a day"),
    ("[Others] Hm", "Others", "Hm"),
    # JSON, bare and fenced
    ('{"strategy": "情感管理", "response": "您好"}', "EM", "您好"),
    ('{"response": "Hi", "strategy": "EM"}', "EM", "Hi"),
    ('{"strategy": "策略5 情感管理", "response": "您好", "reason": "…"}', "EM", "您好"),
    ('```json\n{"strategy": "Greeting", "response": "Hi"}\n```', "GT", "Hi"),
    ('```\n{\n  "strategy": "greeting",\n  "response": "Hi"\n}\n```', "GT", "Hi"),
    ('{"strategy": "Greeting", "response": "see https://example.com/a // b"}', "GT", "see https://example.com/a // b"),
    ('{"strategy": "Greeting", "response": ""}', "GT", ""),
    # a bare name at the start, followed by a colon or a line break
    ("Greeting: hi", "GT", "hi"),
    ("情感管理：您好", "EM", "您好"),
    ("情感管理\n您好", "EM", "您好"),
    ("Emotional Management \n Hi", "EM", "Hi"),
    ("感谢与告别", "AC", ""),
    # English names in any case, with any white space
    ("[GREETING] hi", "GT", "hi"),
    ("identity verification: your name?", "IV", "your name?"),
    ("[Identity   Verification] your name?", "IV", "your name?"),
    ("Identity\u00a0 Verification: your name?", "IV", "your name?"),
    ("[restatement OR paraphrasing] so", "RP", "so"),
    # emphasis around the tag
    ("**[Greeting]** hi", "GT", "hi"),
    ("***[Greeting]*** hi", "GT", "hi"),
    ("**Greeting:** hi", "GT", "hi"),
    ("**Greeting**: hi", "GT", "hi"),
    ("__【情感管理】__您好", "EM", "您好"),
    ("`[Greeting]` hi", "GT", "hi"),
    # one label said twice is one label, and not part of what the customer is told
    ("[Greeting] [Greeting] hi", "GT", "hi"),
    ("[情感管理]情感管理：您好", "EM", "您好"),
    ("[情感管理] [Emotional Management] [策略5] 您好", "EM", "您好"),
    ('{"strategy": "EM", "response": "[情感管理] 您好"}', "EM", "您好"),
    ("[Greeting] hi, and [Greeting] again", "GT", "hi, and [Greeting] again"),
    # other brackets in the text are text
    ("[确认身份] 您的[手机号码]是多少？", "IV", "您的[手机号码]是多少？"),
    ("[确认身份] [手机号码] 对吗？", "IV", "[手机号码] 对吗？"),
    ("[Identity Verification] [ID] please, then [PR]", "IV", "[ID] please, then [PR]"),
    ("[信息传达] [ID] 已发送", "ID", "[ID] 已发送"),
    ("[Greeting] **Hello** and _welcome_", "GT", "**Hello** and _welcome_"),
    ("[Greeting] We offer: 1. Greeting cards", "GT", "We offer: 1. Greeting cards"),
    # nothing said
    ("[Greeting]", "GT", ""),
    ("[Greeting]   \n", "GT", ""),
    # odd characters
    ("[Greeting] 👍👨‍👩‍👧", "GT", "👍👨‍👩‍👧"),
    ("[Greeting] a\x00b", "GT", "a\x00b"),
    ("[Greeting] a\u2028b", "GT", "a\u2028b"),
    ("[Greeting] half \ud83d", "GT", "half ?"),
    ('{"strategy": "EM", "response": "half \\ud83d"}', "EM", "half ?"),
    ('{"strategy": "EM", "response": "\\ud83d\\udc4d"}', "EM", "👍"),
]

UNPARSED = [
    # whole labels only
    "Greetings: hi",
    "[Greeting customers] hi",
    "[Greeting!] hi",
    "Greeting customers: hi",
    "[情感] 您好",
    "情感管理您好",
    "Greeting hi",
    "Greeting, hi",
    # not at the start
    "Sure! [Greeting] hi",
    "好的，情感管理：您好",
    "Customer: hi [Greeting]",
    # unknown labels never become Others
    "[Small Talk] hi",
    "[手机号码] 已收到",
    "[Strategy name] hi",
    "[策略13 其它] 您好",
    "[策略99] 您好",
    "[策略0 礼貌问候] 您好",
    '{"strategy": "Small Talk", "response": "hi"}',
    # a number that contradicts its name
    "[策略5 提供建议] 您好",
    "[Strategy 1: Emotional Management] hi",
    "[4. 情感管理] 您好",
    "策略5 提供建议：您好",
    "策略5: 提供建议\n您好",
    # a number alone is a label only after its word
    "[5] hi",
    "5: hi",
    # ids outside brackets and JSON, and ids written otherwise
    "EM: hi",
    "GT\nhi",
    "[em] hi",
    "[Gt] hi",
    # two different labels in one bracket
    "[情感管理+细化问题] 您好",
    "[情感管理/细化问题] 您好",
    "[情感管理、细化问题] 您好",
    "[情感管理, 细化问题] 您好",
    "[Greeting and Problem Refinement] hi",
    "[策略5 情感管理 策略4 细化问题] 您好",
    "[EM, PR] hi",
    "Greeting / Problem Refinement: hi",
    # two different labels side by side
    "[情感管理][细化问题] 您好",
    "【情感管理】 【细化问题】您好",
    "[情感管理] + [细化问题] 您好",
    "[Greeting] and [Problem Refinement] hi",
    "[EM][PR] hi",
    "[情感管理] 策略4 细化问题：您好",
    "Greeting\nProblem Refinement\nhi",
    "Greeting: [Problem Refinement] hi",
    '{"strategy": "情感管理", "response": "[细化问题] 您好"}',
    # a different label further on
    "[Greeting] hi\n[Problem Refinement] which card?",
    "[情感管理] 您好。【策略4】哪张卡？",
    # a different label behind brackets that are no label
    "[Greeting] Hello [name]. [Problem Refinement] Which card?",
    "[Identity Verification] [ID] please. [Problem Refinement] Which card?",
    "[情感管理] 您的[手机号码]？【信息传达】已发送",
    "[Greeting] Hello, and [Greeting] again. [Problem Refinement] Which card?",
    # not the asked-for JSON
    '{"strategy": ["情感管理", "细化问题"], "response": "您好"}',
    '{"strategy": "情感管理"}',
    '{"response": "您好"}',
    '{"strategy": null, "response": "您好"}',
    '{"strategy": "情感管理", "response": "您好"',
    '[{"strategy": "情感管理", "response": "您好"}]',
    '"情感管理"',
    "5",
    "null",
    # cut in the middle of the tag, empty tags, prose
    "[Emotional Manage",
    "[] hi",
    "[ ] hi",
    "【】您好",
    "(Greeting) hi",
    "Hello, how can I help you?",
    "👍",
    "\x00",
    "**Hello** there",
]


@pytest.mark.parametrize(("raw", "strategy", "text"), FORMS)
def test_a_label_is_read(raw, strategy, text):
    assert read_reply(raw) == Reply(strategy, text)


@pytest.mark.parametrize("raw", UNPARSED)
def test_anything_else_is_unparsed_and_whole(raw):
    assert read_reply(raw) == Reply(U, raw)


@pytest.mark.parametrize("raw", [None, "", " \n\t", "\u3000", "<think>", "<think></think>"])
def test_nothing_is_empty_and_unparsed(raw):
    reply = read_reply(raw)
    assert (reply, reply.empty) == (Reply(U, ""), True)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.id)
@pytest.mark.parametrize("form", [
    "[{}] X.", "【{}】X.", "[策略{number} {}] X.", "[策略{number}：{}]X.", "[Strategy {number}: {}] X.", "策略{number} {} X.",
    "{}: X.", "{}：X.", "{}\nX.", "[{id}] X.", "[{number}. {}] X.", "**[{}]** X.",
    '{{"strategy": "{}", "response": "X."}}', '{{"strategy": "{id}", "response": "X."}}',
])
def test_every_strategy_in_every_form(strategy, form):
    for name in (strategy.zh, strategy.en, strategy.en.upper(), strategy.en.lower()):
        assert read_reply(form.format(name, number=strategy.number, id=strategy.id)) == Reply(strategy.id, "X.")


@pytest.mark.parametrize("one", BY_ID)
@pytest.mark.parametrize("joint", ["+", "/", "、", " and ", "，", " & ", "] [", "][", "]\n["])
def test_two_strategies_are_never_one(one, joint):
    for other in BY_ID:
        for language in ("zh", "en"):
            raw = f"[{BY_ID[one].name(language)}{joint}{BY_ID[other].name(language)}] hi"
            same = one == other and joint.startswith("]")
            assert read_reply(raw) == (Reply(one, "hi") if same else Reply(U, raw))


@pytest.mark.parametrize(("raw", "left"), [
    ("<think>a</think>b", "b"),
    ("<think>\n[Problem Refinement] first?\n</think>\n\n[Greeting] hi", "[Greeting] hi"),
    ("no opening tag</think> b", "b"),
    ("<think>a</think>b<think>c</think>d", "d"),
    ("<think>a<think>b</think>c</think>d", "d"),
    ("a <think>b</think>", ""),
    ("<think>never closed [Greeting] hi", ""),
    ("[Greeting] hi <think>never closed", ""),
    ("<think>a</think>[Greeting] hi<think>never closed", ""),
    ("<think></think>\n[Greeting] hi", "[Greeting] hi"),
    ("plain", "plain"),
])
def test_thinking_goes_first(raw, left):
    assert strip_thinking(raw) == left
    assert read_reply(raw) == read_reply(left)
    assert "<think>" not in read_text(raw).text and "</think>" not in read_text(raw).text


def test_a_reply_without_a_strategy_keeps_its_text_only():
    assert read_text("<think>hm</think>Hello.") == Reply(None, "Hello.")
    assert read_text("[Greeting] Hello.") == Reply(None, "Hello.")
    assert read_text("[手机号码] 已收到") == Reply(None, "[手机号码] 已收到")
    assert read_text('{"strategy": "Greeting", "response": "Hello."}') == Reply(None, "Hello.")
    assert read_text(None) == Reply(None, "")


HOSTILE = {
    "long text": "很抱歉 " * 17_000,
    "one long line": "a" * 50_000,
    "tagged long text": "[Greeting] " + "hello [x] " * 5_000,
    "opening brackets": "[" * 50_000,
    "opening brackets after a tag": "[Greeting]" + "[" * 50_000,
    "tags": "[Greeting] " * 5_000,
    "bold tags": "**[Greeting]**" * 4_000,
    "bare names": "Greeting:" * 6_000,
    "stars": "*" * 50_000,
    "stars and spaces": "** " * 17_000,
    "back-ticks": "`" * 50_000,
    "open objects": '{"strategy":' * 20_000,
    "fences": "```json\n{" + "} " * 25_000,
    "words": "strategy " * 20_000,
    "numbers": "策略" + "5" * 50_000 + "：您好",
    "a number and spaces": "策略5" + " " * 50_000 + "x",
    "a name and spaces": "Greeting" + " " * 50_000 + "x",
    "white space": " " * 50_000 + "x",
    "line breaks": "[Greeting]" + "\n" * 50_000 + "x",
    "opened thinking": "<think>" * 20_000,
    "closed thinking": "</think>" * 20_000,
    "no thinking at all": "<" * 100_000,
    "JSON number": "1" * 50_000,
    "a number in JSON": json.dumps({"strategy": "策略" + "9" * 10_000, "response": "x"}),
    "NUL": "\x00" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_replies_are_read_at_once(name):
    """In CPU time, so that a busy machine does not matter. Quadratic reading took from 1 to 50 seconds for these."""
    start = time.process_time()
    reply = read_reply(HOSTILE[name])
    assert time.process_time() - start < 0.5
    assert reply.strategy in (None, "GT", "EM")


def test_reading_what_was_written_changes_nothing():
    """The tag that re-enters a history, read again, is the same reply; an unparsed one stays as it is."""
    from csc_tasks.prompts import tagged

    for raw, _, _ in FORMS:
        first = read_reply(raw)
        for language in ("zh", "en"):
            assert read_reply(tagged(first.strategy, first.text, language)) == first
