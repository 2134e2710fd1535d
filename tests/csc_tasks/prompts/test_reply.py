"""Reading replies: every form that is read, every near miss that is not, and text that is meant to
break a reader.

Expected values are written out by hand, here and in the table of the task card. `U` marks a reply
that is unparsed: no strategy, and the whole text is the reply.
"""

import json
import re

import pytest

from csc_tasks import TASKS_DIR
from csc_tasks.framework import BY_ID, STRATEGIES
from csc_tasks.languages.labels import strategy_name
from csc_tasks.prompts import Reply, read_answer, read_parts, read_reply, read_text, reply

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
    (
        '{"strategy": "Greeting", "response": "see https://example.com/a // b"}',
        "GT",
        "see https://example.com/a // b",
    ),
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
    # the supporter's name in front, as the prompt writes it or as other models call themselves
    ("Supporter: [Greeting] Hello", "GT", "Hello"),
    ("客服：[礼貌问候] 您好", "GT", "您好"),
    ("客服: 【礼貌问候】您好", "GT", "您好"),
    ("Supporter's next reply: [Greeting] Hello", "GT", "Hello"),
    ("客服的下一句：[礼貌问候] 您好", "GT", "您好"),
    ("Agent: [Greeting] Hello", "GT", "Hello"),
    ("assistant: Greeting: Hello", "GT", "Hello"),
    ("**Supporter:** [Greeting] Hello", "GT", "Hello"),
    ("**Supporter**: **[Greeting]** Hello", "GT", "Hello"),
    ("**Supporter: [Greeting] Hello**", "GT", "Hello"),
    ("[Greeting] Supporter: Hello", "GT", "Hello"),
    ("[礼貌问候] 客服：您好", "GT", "您好"),
    # fields on lines of their own
    ("Strategy: Greeting\nReply: Hello", "GT", "Hello"),
    ("策略：礼貌问候\n回复：您好", "GT", "您好"),
    ("策略名称：礼貌问候\n回复内容：您好", "GT", "您好"),
    ("Strategy name: Greeting\nResponse: Hello", "GT", "Hello"),
    ("**Strategy:** Greeting\n\n**Reply:** Hello", "GT", "Hello"),
    ("**Strategy**: Greeting\n**Reply**: Hello", "GT", "Hello"),
    ("Strategy: **Greeting**\nReply: **Hello** there", "GT", "**Hello** there"),
    ("Strategy: [Greeting]\nReply: Hello", "GT", "Hello"),
    ("Strategy: 5. Emotional Management\nReply: Hello", "EM", "Hello"),
    ("strategy: EM\nReply: Hello", "EM", "Hello"),
    ("Strategy: Greeting\nHello", "GT", "Hello"),
    ("Strategy: Greeting\nSupporter: Hello", "GT", "Hello"),
    ("Strategy: Greeting\nReply: [Greeting] Hello", "GT", "Hello"),
    ("Strategy: Greeting", "GT", ""),
    ("[Strategy: Greeting] Hello", "GT", "Hello"),
    ("[策略：礼貌问候] 您好", "GT", "您好"),
    # the other way to write the last strategy
    ("[其他] 好的", "Others", "好的"),
    ("其他：好的", "Others", "好的"),
    ("[策略12 其他] 好的", "Others", "好的"),
    ("策略：其他\n回复：好的", "Others", "好的"),
    ('{"strategy": "其他", "response": "好的"}', "Others", "好的"),
    ("[其他] [其它] 好的", "Others", "好的"),
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
    "[其他问题] 好的",
    "[其他+情感管理] 好的",
    "Strategy: Greetings\nReply: hi",
    "Strategy: Greeting and more\nReply: hi",
    "Strategy: Greeting Reply: hi",
    "Reply: hi",
    # two different labels in fields
    "Strategy: Greeting, Problem Refinement\nReply: hi",
    "Strategy: Greeting\nStrategy: Problem Refinement\nReply: hi",
    "Strategy: Greeting\nReply: [Problem Refinement] hi",
    "Strategy: Greeting\nReply: hi\nStrategy: Problem Refinement\nReply: which?",
    "策略：礼貌问候\n回复：您好\n策略：细化问题\n回复：哪张卡？",
    "[Greeting] hi\nStrategy: Problem Refinement",
    # somebody else's name, and names that are not in front
    "Customer: [Greeting] hi",
    "客户：[礼貌问候] 您好",
    "The supporter: [Greeting] hi",
    "Supporters: [Greeting] hi",
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


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Supporter: Hello", "Hello"),
        ("客服：您好", "您好"),
        ("**Supporter:** **Hello** there", "**Hello** there"),
        ("Supporter: [Small Talk] Hello", "[Small Talk] Hello"),
        ("Supporter: [EM][PR] Hello", "[EM][PR] Hello"),
        ("Supporter:", ""),
    ],
)
def test_the_supporters_name_is_no_part_of_an_unparsed_reply(raw, text):
    """In a history it would stand twice."""
    assert read_reply(raw) == read_text(raw) == Reply(U, text)
    assert read_reply(text) == Reply(U, text)


def card_table(name="replies"):
    """(written, strategy, reply) of a table of the task card; a line break is written as ⏎."""
    card = (TASKS_DIR.parent / "docs" / "reference" / "replies.md").read_text(encoding="utf-8")
    table = card.partition(f"<!-- table: {name} -->")[2].partition(f"<!-- end: {name} -->")[0]
    rows = re.findall(r"^\| `(.+?)` \| ([\w, ]+) \| `(.*?)` \|$", table, re.MULTILINE)
    assert len(rows) == table.count("\n|") - 2, "a row of the table is not of its form"
    return [
        (written.replace("⏎", "\n"), strategy, text.replace("⏎", "\n"))
        for written, strategy, text in rows
    ]


def test_the_table_of_the_card_holds_forms_of_both_kinds():
    rows = card_table()
    assert (
        len({strategy for _, strategy, _ in rows}) >= 4
        and sum(strategy == "unparsed" for *_, strategy, _ in rows) >= 10
    )


@pytest.mark.parametrize(("written", "strategy", "text"), card_table())
def test_the_card_says_how_replies_are_read(written, strategy, text):
    assert read_reply(written) == Reply(U if strategy == "unparsed" else strategy, text)


@pytest.mark.parametrize(("written", "strategy", "text"), card_table("json replies"))
def test_the_card_says_how_json_is_read_where_it_was_asked_for(written, strategy, text):
    wanted = Reply(U if strategy == "unparsed" else strategy, text)
    assert read_reply(written, form="json") == wanted
    assert read_reply(written).strategy is U, "as it was, where text was asked for"


@pytest.mark.parametrize(("written", "strategies", "text"), card_table("several strategies"))
def test_the_card_says_how_several_strategies_are_read(written, strategies, text):
    named = () if strategies == "unparsed" else tuple(strategies.split(", "))
    code = "zh" if "抱歉" in written else "en"
    reply = read_reply(written, None, code, form="several")
    assert reply == Reply(named[0] if named else U, text, strategies=named)
    assert read_reply(written, None, code).strategy is U, "as ever where one is asked for"
    parts = read_parts(read_reply(written, None, code).text, code)
    assert tuple(name for part in parts for name in part.strategies) == named


@pytest.mark.parametrize(("written", "strategy", "text"), card_table())
def test_one_strategy_is_read_alike_where_several_may_be_named(written, strategy, text):
    reply = read_reply(written, form="several")
    if strategy != "unparsed":
        assert (reply.strategy, reply.strategies, reply.text) == (strategy, (strategy,), text)


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        (
            "[Greeting] Hello. [Identity Verification] Your name? [Greeting]",
            [(("GT",), "Hello."), (("IV",), "Your name?"), (("GT",), "")],
        ),
        ("[Greeting] Take form [ID] to [the desk].", [(("GT",), "Take form [ID] to [the desk].")]),
        ("[GT + IV + GT] Hello.", [(("GT", "IV"), "Hello.")]),
        ("Hello. [Greeting + Identity Verification] there", []),
        ("[Greeting +] Hello.", []),
        ("[+] Hello.", []),
        ("", []),
    ],
)
def test_a_reply_is_read_into_parts(written, parts):
    assert [(part.strategies, part.text) for part in read_parts(written, "en")] == parts


@pytest.mark.parametrize(("written", "strategy", "text"), card_table())
def test_forms_of_text_are_read_alike_where_json_was_asked_for(written, strategy, text):
    assert read_reply(written, form="json") == read_reply(written)


@pytest.mark.parametrize("raw", [None, "", " \n\t", "\u3000", "<think>", "<think></think>"])
def test_nothing_is_empty_and_unparsed(raw):
    found = read_reply(raw)
    assert (found, found.empty) == (Reply(U, "", raw == "<think>"), True)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.id)
@pytest.mark.parametrize(
    "form",
    [
        "[{}] X.",
        "【{}】X.",
        "[策略{number} {}] X.",
        "[策略{number}：{}]X.",
        "[Strategy {number}: {}] X.",
        "策略{number} {} X.",
        "{}: X.",
        "{}：X.",
        "{}\nX.",
        "[{id}] X.",
        "[{number}. {}] X.",
        "**[{}]** X.",
        '{{"strategy": "{}", "response": "X."}}',
        '{{"strategy": "{id}", "response": "X."}}',
    ],
)
def test_every_strategy_in_every_form(strategy, form):
    english = strategy_name(strategy.id, "en")
    for name in (strategy_name(strategy.id, "zh"), english, english.upper(), english.lower()):
        assert read_reply(form.format(name, number=strategy.number, id=strategy.id)) == Reply(
            strategy.id, "X."
        )


@pytest.mark.parametrize("one", BY_ID)
@pytest.mark.parametrize("joint", ["+", "/", "、", " and ", "，", " & ", "] [", "][", "]\n["])
def test_two_strategies_are_never_one(one, joint):
    for other in BY_ID:
        for language in ("zh", "en"):
            raw = f"[{strategy_name(one, language)}{joint}{strategy_name(other, language)}] hi"
            same = one == other and joint.startswith("]")
            assert read_reply(raw) == (Reply(one, "hi") if same else Reply(U, raw))


@pytest.mark.parametrize(
    ("raw", "left"),
    [
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
    ],
)
def test_thinking_goes_first(raw, left):
    cut = "never closed" in raw
    assert read_answer(raw) == Reply(U, left, cut)
    assert read_reply(raw) == (Reply(U, "", True) if cut else read_reply(left))
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
def test_hostile_replies_are_read_in_one_pass(name, steps):
    """Python steps: a hundred times the text takes at most about a hundred times as many."""
    long = HOSTILE[name]
    assert steps(read_reply, long) <= 150 * steps(read_reply, long[: len(long) // 100])
    assert read_reply(long).strategy in (None, "GT", "EM")


def test_no_pattern_of_the_reader_repeats_without_a_bound():
    """What regular expressions cost cannot be counted from outside: each may look at a bounded
    number of characters only.
    """
    patterns = {
        name: value.pattern for name, value in vars(reply).items() if isinstance(value, re.Pattern)
    }
    assert len(patterns) > 5
    for name, pattern in patterns.items():
        outside_classes = re.sub(r"\[[^\]]*\]", "x", pattern.replace(r"\]", "").replace(r"\[", ""))
        unescaped = re.sub(r"\\.", "", outside_classes)
        assert not re.search(r"[*+]|\{\d+,\}", unescaped), name


def test_reading_what_was_written_changes_nothing():
    """The tag that re-enters a history, read again, is the same reply; an unparsed one stays as it
    is.
    """
    from csc_tasks.prompts import tagged

    for raw, _, _ in FORMS:
        first = read_reply(raw)
        for language in ("zh", "en"):
            assert read_reply(tagged(first.strategy, first.text, language)) == first
