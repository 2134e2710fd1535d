"""Models and corpora for tests: an LM that answers from a function, and a small two-language corpus
on disk.
"""

import json
from collections.abc import Callable
from pathlib import Path

from lm_eval.api.model import LM

from csc_tasks import corpora
from csc_tasks.conversation import Conversation, Turn, content_id
from csc_tasks.prompts import TurnPrompt
from csc_tasks.question import Question

EN = [
    (
        "My card was charged twice for order 1182.",
        [
            ("GT", "Hello, thank you for calling, how can I help?"),
            ("IV", "May I have the last four digits of your card?"),
            ("RP", "So you were charged twice for order 1182, is that right?"),
            ("RI", "I have sent the second charge back to your card."),
            ("AC", "Thank you for your patience, have a good day."),
        ],
    ),
    (
        "The app closes when I open my statement and I am really annoyed.",
        [
            ("GT", "Good morning, you have reached support."),
            ("EM", "I am sorry, that must be annoying."),
            ("PR", "Which version of the app is on your phone?"),
            ("PS", "Please update the app and restart your phone."),
            ("FR", "Did that solve the problem for you?"),
        ],
    ),
    (
        "What does early repayment of my loan cost?",
        [
            ("GT", "Hello, how may I help you today?"),
            ("ID", "Repaying within the first year costs one percent."),
            ("AC", "Thank you, goodbye."),
        ],
    ),
]
ZH = [
    (
        "我的银行卡被重复扣款了。",
        [
            ("GT", "您好，请问有什么可以帮您？"),
            ("IV", "请提供您的姓名和卡号后四位。"),
            ("EM", "非常理解您的心情，给您添麻烦了。"),
            ("RI", "我已经为您提交退款，三个工作日内到账。"),
            ("AC", "感谢您的来电，祝您生活愉快。"),
        ],
    ),
    (
        "手机银行一直登录不上去。",
        [
            ("GT", "您好，很高兴为您服务。"),
            ("PR", "请问页面上提示什么内容？"),
            ("PS", "建议您先更新到最新版本再试一次。"),
            ("Others", "好的，我在听。"),
        ],
    ),
]


def sample_conversations(languages: tuple[str, ...] = ("zh", "en")) -> list[Conversation]:
    """Five short conversations; the supporter speaks first in every second one, and one turn is
    unlabelled.
    """
    made = []
    for language, source in (("en", EN), ("zh", ZH)):
        if language not in languages:
            continue
        for number, (opening, supporter) in enumerate(source):
            turns = [] if number % 2 else [Turn("customer", opening)]
            for k, (strategy, text) in enumerate(supporter):
                turns.append(Turn("supporter", text, strategy))
                turns.append(
                    Turn(
                        "customer", f"{opening} ({k})" if language == "en" else f"{opening}（{k}）"
                    )
                )
            if number == 0:
                turns.insert(
                    4, Turn("supporter", "One moment." if language == "en" else "请稍等。")
                )
            made.append(
                Conversation(content_id("test", opening), language, "Others", "test", tuple(turns))
            )
    return made


def sample_questions() -> list[Question]:
    """One question per stage and language."""
    made = []
    for language, words in (
        ("en", ("Where is my refund?", "It arrives within three days.")),
        ("zh", ("退款什么时候到账？", "三个工作日内到账。")),
    ):
        for index, stage in enumerate(("early", "mid", "late")):
            history = tuple(
                Turn("customer" if i % 2 == 0 else "supporter", f"{words[i % 2]} {i}")
                for i in range(2 * index)
            )
            made.append(
                Question(
                    content_id("qa", language, stage),
                    index,
                    3,
                    stage,
                    language,
                    "Others",
                    "test",
                    "",
                    history,
                    f"summary {stage}" if index else "",
                    f"{words[0]} {stage}",
                    words[1],
                    f"{words[1]} {stage}",
                )
            )
    return made


def write_corpus(root: Path, conversations=None, questions=None, train=None) -> Path:
    """A dataset folder in the demo's JSON-lines layout."""
    for folder, split, rows in (
        ("csconv", "test", sample_conversations() if conversations is None else conversations),
        ("qa", "test", sample_questions() if questions is None else questions),
        ("csconv", "train", train or []),
    ):
        if rows:
            (root / folder).mkdir(parents=True, exist_ok=True)
            lines = [json.dumps(row.to_row(), ensure_ascii=False) for row in rows]
            (root / folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def gold_replies(corpus: Path, style: str = "single") -> dict[str, str]:
    """Reference-context prompt (without a chat template) -> the gold reply in the asked-for
    format.
    """
    prompts = (
        TurnPrompt(conversation, turn, style)
        for conversation in corpora.load(str(corpus), "csconv", "test").items
        for turn in conversation.scored_turns()
    )
    return {prompt.plain(prompt.messages()): prompt.target() for prompt in prompts}


class FakeLM(LM):
    """Answers `reply(prompt)`; keeps every prompt it was asked, in `asked`."""

    def __init__(self, reply: Callable[[str], str | None]) -> None:
        super().__init__()
        self.reply = reply
        self.asked: list[str] = []

    def generate_until(self, requests) -> list:
        answers = []
        for request in requests:
            self.asked.append(request.args[0])
            answer = self.reply(request.args[0])
            self.cache_hook.add_partial("generate_until", request.args, answer)
            answers.append(answer)
        return answers

    def loglikelihood(self, requests) -> list:
        return [(self.reply(request.args[0] + request.args[1]), False) for request in requests]

    def loglikelihood_rolling(self, requests) -> list:
        raise NotImplementedError
