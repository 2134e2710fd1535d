"""The prompts word for word: docs/reference/prompts.md holds what the code makes, and the task card
names every task and the version.

After a deliberate change of a prompt, write the page anew:

    python -m tests.csc_tasks.prompts.test_prompt_page --write
"""

import json
import re
import sys
from collections import defaultdict

import pytest
import yaml

from csc_tasks import TASKS_DIR
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.labels import strategy_name
from csc_tasks.prompts import AnswerPrompt, Reply, TurnPrompt
from tests.support.made_prompts import PASSAGES, question

CARD = TASKS_DIR / "README.md"
PAGE = TASKS_DIR.parent / "docs" / "reference" / "prompts.md"

EXAMPLES = {
    "zh": (
        Conversation(
            "zh",
            "zh",
            "Account and Transaction Management",
            "example",
            (
                Turn(CUSTOMER, "我的银行卡被锁了，急着用钱！"),
                Turn(
                    SUPPORTER, "您好，很高兴为您服务。请提供一下您的姓名和[手机号码]后四位。", "IV"
                ),
                Turn(CUSTOMER, "张三，1234。"),
                Turn(SUPPORTER, "让您着急了，非常抱歉，我马上为您查看。", "EM"),
                Turn(CUSTOMER, "那要多久？"),
                Turn(SUPPORTER, "卡片因密码连续输错被锁定，带身份证到网点十分钟即可解锁。", "ID"),
            ),
        ),
        {1: Reply("GT", "您好，请问有什么可以帮您？"), 3: Reply(None, "[安抚] 请不要着急。")},
    ),
    "en": (
        Conversation(
            "en",
            "en",
            "Account and Transaction Management",
            "example",
            (
                Turn(SUPPORTER, "Good morning, how can I help you?", "GT"),
                Turn(CUSTOMER, "I was charged twice for order 1182, and nobody answers my mail!"),
                Turn(SUPPORTER, "I am sorry about that, it should not happen.", "EM"),
                Turn(CUSTOMER, "So what now?"),
                Turn(SUPPORTER, "I have sent the second charge back to your card.", "RI"),
            ),
        ),
        {0: Reply("GT", "Hello."), 2: Reply("PR", "")},
    ),
}
QUESTIONS = {
    "zh": question(
        "zh",
        history_summary="客户张三的银行卡因密码连续输错被锁定，已核实身份，急需用钱。",
        client_question="没有身份证能不能解锁？",
        conversation_history=tuple(
            Turn(SUPPORTER if i % 2 else CUSTOMER, text)
            for i, text in enumerate(
                (
                    "我的银行卡被锁了。",
                    "您好，请提供姓名和手机尾号。",
                    "张三，1234。",
                    "谢谢，已核实。",
                    "为什么会被锁？",
                    "密码连续输错了。",
                )
            )
        ),
    ),
    "en": question(
        "en",
        history_summary=(
            "The customer was charged twice for order 1182; the agent has found the second charge."
        ),
        client_question="When will I have my money back?",
        conversation_history=tuple(
            Turn(SUPPORTER if i % 2 else CUSTOMER, text)
            for i, text in enumerate(
                (
                    "I was charged twice.",
                    "For which order?",
                    "1182.",
                    "Thank you, one moment.",
                    "Have you found it?",
                    "Yes, there is a second charge.",
                )
            )
        ),
    ),
}


UNREAD = {"zh": "好的，我马上为您处理。", "en": "Sure, I will look into it right away."}


def shown(title, text, language="text"):
    return f"<details><summary>{title}</summary>\n\n```{language}\n{text}\n```\n\n</details>"


def prompts_in_full(language):
    made, own = EXAMPLES[language]
    asked, turn = QUESTIONS[language], made.scored_turns()[-1]

    def turn_prompt(variant="predict", replies=None):
        prompt = TurnPrompt(made, turn, "single", variant)
        return prompt.plain(prompt.messages(replies=replies))

    def answer_prompt(context):
        prompt = AnswerPrompt(asked, "single", context, PASSAGES[language])
        return prompt.plain(prompt.messages())

    of_stages = ", ".join(
        f"<code>{name}</code>"
        for name in ("csc_qa", "cscx_qa_early", "cscx_qa_mid", "cscx_qa_late")
    )
    choices = " ".join(f"`[{strategy_name(s.id, language)}]`" for s in STRATEGIES)
    chat_prompt = TurnPrompt(made, turn, "chat")
    messages = json.dumps(chat_prompt.messages(), ensure_ascii=False, indent=2)
    as_json = TurnPrompt(made, turn, form="json")
    several = TurnPrompt(made, turn, form="several")
    single = TurnPrompt(made, turn)
    unread = Reply(None, UNREAD[language])
    again = chat_prompt.asked_again(chat_prompt.messages(), unread)[-3:]
    parts = [
        shown("<code>csc_conv_ref</code>", turn_prompt()),
        shown(
            "<code>csc_conv_gen</code>: its first reply was parsed, its second "
            + ("was not" if language == "zh" else "was empty"),
            turn_prompt(replies=own),
        ),
        shown(
            "<code>cscx_strategy_choice</code>: the same prompt as <code>csc_conv_ref</code>",
            turn_prompt(),
        ),
        (
            "The twelve continuations it compares, each after one space (none with a chat"
            f" template): {choices}"
        ),
        shown("<code>cscx_conv_ref_vanilla</code>", turn_prompt("vanilla")),
        shown("<code>cscx_conv_ref_oracle</code>", turn_prompt("oracle")),
        shown(of_stages, answer_prompt("summary")),
        shown("<code>cscx_qa_full</code>", answer_prompt("full")),
        shown("<code>cscx_qa_last</code>", answer_prompt("last")),
        shown("<code>cscx_qa_none</code>", answer_prompt("none")),
        shown("<code>cscx_qa_grounded</code>", answer_prompt("grounded")),
        shown(
            "<code>csc_conv_ref</code> with <code>csc_prompt=chat</code>: the messages a chat"
            " template is given",
            messages,
            "json",
        ),
        shown(
            "<code>csc_conv_ref</code> with <code>csc_format=json</code>",
            as_json.plain(as_json.messages()),
        ),
        shown(
            "<code>csc_conv_ref</code> with <code>csc_strategies=several</code>",
            several.plain(several.messages()),
        ),
        shown(
            "<code>csc_conv_ref</code> with <code>csc_reask=1</code>, after a reply that could not"
            " be read",
            single.plain(single.asked_again(single.messages(), unread)),
        ),
        shown(
            "The same with <code>csc_prompt=chat</code>: the last three messages",
            json.dumps(again, ensure_ascii=False, indent=2),
            "json",
        ),
    ]
    return "\n\n".join(parts)


GENERATED = {
    "prompts zh": lambda: prompts_in_full("zh"),
    "prompts en": lambda: prompts_in_full("en"),
}


def block(name):
    """A generated part of the page."""
    return re.compile(rf"<!-- generated: {name} -->\n\n(.*?)\n\n<!-- end: {name} -->", re.DOTALL)


@pytest.mark.parametrize("name", GENERATED)
def test_the_page_says_what_the_code_does(name):
    """If this fails after a deliberate change: `python -m
    tests.csc_tasks.prompts.test_prompt_page --write`, and a new version if a score may move.
    """
    assert block(name).findall(PAGE.read_text(encoding="utf-8")) == [GENERATED[name]()]


def task_files():
    return [*TASKS_DIR.glob("csc*.yaml"), *(TASKS_DIR / "more").glob("csc*.yaml")]


def test_the_card_lists_every_task_and_the_version():
    card = CARD.read_text(encoding="utf-8")
    names = {
        yaml.safe_load(re.sub(r"!function .*", "x", path.read_text()))["task"]
        for path in task_files()
        if path.stem != "csc"
    }
    listed = re.findall(
        r"^\| `(cscx?_\w+)` \|", card.split("## Tasks")[1].split("\n## ")[0], re.MULTILINE
    )
    assert len(listed) == 16 and sorted(listed) == sorted(names)
    pattern = r"version: ([\d.]+)"
    own = defaultdict(set)
    for path in task_files():
        if path.stem != "csc" and (stated := re.search(pattern, path.read_text())):
            own[stated[1]].add(path.stem)
    shared = re.search(pattern, (TASKS_DIR / "_csc_yaml").read_text())[1]
    versions = re.findall(r"^- \*\*([\d.]+)\*\*(.*)$", card.split("## Versions")[1], re.MULTILINE)
    *alone, (newest, _), (first, _) = versions
    assert (newest, first) == (shared, "1.0")
    assert own == {version: set(re.findall(r"`(\w+)`", words)) for version, words in alone}


def write_page():
    page = PAGE.read_text(encoding="utf-8")
    for name, make in GENERATED.items():
        before, _, rest = page.partition(f"<!-- generated: {name} -->\n")
        after = rest[rest.index(f"<!-- end: {name} -->") :]
        page = f"{before}<!-- generated: {name} -->\n\n{make()}\n\n{after}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    write_page()
