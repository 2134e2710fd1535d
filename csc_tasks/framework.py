"""The customer-support framework: twelve strategies, five stages, eight topics, in Chinese and English.

The only table of its kind. Prompts, reply reading, metrics, dataset cards and statistics all read it.
Source: Tables 1 and 2 of arXiv 2508.04423; the numbers are the published Chinese numbering. The wording of the definitions is ours.
"""

import difflib
import re
from dataclasses import dataclass

from csc_tasks.errors import UnknownStrategy

LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the five stages a support conversation moves through."""

    id: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Strategy:
    """One of the twelve support strategies.

    `stages` are the ids of the stages the strategy belongs to (Table 2); "Others" belongs to none.
    """

    number: int
    id: str
    zh: str
    en: str
    stages: tuple[str, ...]
    definition_zh: str
    definition_en: str

    def name(self, language: str) -> str:
        """The strategy's name in `language` ("zh" or "en")."""
        return {"zh": self.zh, "en": self.en}[language]

    def definition(self, language: str) -> str:
        """What the strategy means, one sentence in `language`."""
        return {"zh": self.definition_zh, "en": self.definition_en}[language]


@dataclass(frozen=True, slots=True)
class Topic:
    """One of the eight topics of CSConv (Table 4 of the paper)."""

    zh: str
    en: str


STAGES = (
    Stage("Connecting", "建立联系", "Connecting"),
    Stage("Identifying", "识别问题", "Identifying"),
    Stage("Exploring", "探索方案", "Exploring"),
    Stage("Resolving", "解决问题", "Resolving"),
    Stage("Maintaining", "维系关系", "Maintaining"),
)

STRATEGIES = (
    Strategy(
        1, "GT", "礼貌问候", "Greeting", ("Connecting",),
        "以友好、专业的方式开场，让客户感到受欢迎。",
        "Open the conversation in a friendly and professional way.",
    ),
    Strategy(
        2, "IV", "确认身份", "Identity Verification", ("Connecting",),
        "询问客户的基本信息，保证服务准确、账户安全。",
        "Ask for basic details so that the service is accurate and the account stays secure.",
    ),
    Strategy(
        3, "RP", "重述或转述", "Restatement or Paraphrasing", ("Identifying",),
        "用自己的话复述客户的问题，确认理解无误。",
        "Say the customer's issue again in other words to confirm that it was understood.",
    ),
    Strategy(
        4, "PR", "细化问题", "Problem Refinement", ("Identifying", "Exploring"),
        "追问细节，弄清客户真正的需求和问题所在。",
        "Ask detailed questions to find out what exactly is wrong or needed.",
    ),
    Strategy(
        5, "EM", "情感管理", "Emotional Management", ("Identifying", "Exploring", "Resolving", "Maintaining"),
        "表达理解与关心，安抚客户的负面情绪。",
        "Show understanding and care, and ease negative feelings.",
    ),
    Strategy(
        6, "PS", "提供建议", "Providing Suggestions", ("Exploring", "Resolving"),
        "给出专业的意见或可行的操作步骤。",
        "Offer professional advice or steps that the customer can take.",
    ),
    Strategy(
        7, "ID", "信息传达", "Information Delivery", ("Exploring", "Resolving"),
        "说明政策、流程或操作方法，让客户清楚方案的依据。",
        "Explain policies, processes or steps so that the basis of a solution is clear.",
    ),
    Strategy(
        8, "RI", "解决实施", "Resolution Implementation", ("Resolving",),
        "执行双方同意的方案，并告知处理进展。",
        "Carry out the agreed solution and report its progress.",
    ),
    Strategy(
        9, "FR", "反馈请求", "Feedback Request", ("Resolving", "Maintaining"),
        "问题处理之后，询问客户的意见或满意程度。",
        "Ask for the customer's feedback once the issue has been handled.",
    ),
    Strategy(
        10, "RC", "关系延续", "Relationship Continuation", ("Maintaining",),
        "介绍后续服务或最新动态，与客户保持联系。",
        "Point to future service or updates to keep the relationship going.",
    ),
    Strategy(
        11, "AC", "感谢与告别", "Appreciation and Closure", ("Maintaining",),
        "感谢客户并积极地结束对话，让客户感到被重视。",
        "Thank the customer and close on a positive note so that they feel valued.",
    ),
    Strategy(
        12, "Others", "其它", "Others", (),
        "不属于以上任何一种的回应。",
        "Any response that is none of the above.",
    ),
)

TOPICS = (
    Topic("账户和交易管理", "Account and Transaction Management"),
    Topic("产品咨询", "Product Consultation"),
    Topic("技术支持与在线服务", "Technical Support and Online Services"),
    Topic("投诉与纠纷解决", "Complaints and Dispute Resolution"),
    Topic("营销与推广活动", "Marketing and Promotion Activities"),
    Topic("风险管理与安全", "Risk Management and Security"),
    Topic("财务咨询与规划", "Financial Consulting and Planning"),
    Topic("其它", "Others"),
)

BY_ID = {strategy.id: strategy for strategy in STRATEGIES}
BY_NUMBER = {strategy.number: strategy for strategy in STRATEGIES}
STRATEGY_IDS = tuple(BY_ID)

_NAMES = {name.casefold(): s for s in STRATEGIES for name in (s.zh, s.en)}
_TOPICS = {name: topic for topic in TOPICS for name in (topic.zh, topic.en)}
_NUMBERED = re.compile(r"((?:策略|strategy)\s*)?(\d{1,4})(?!\d)\s*(?:[:：.、]\s*)?(.*)", re.IGNORECASE | re.DOTALL)
_LABELS = {label.casefold(): label for s in reversed(STRATEGIES) for label in (s.zh, s.en, s.id)}


def find_strategy(label: str, ids: bool = True) -> Strategy | None:
    """The strategy `label` names, or None.

    Read are the Chinese and English names (English in any case), `策略5 情感管理`, `策略5: 情感管理`, `5. 情感管理`, `策略5`, and, when
    `ids` is true, the ids exactly as written in the table. A number that contradicts its name names nothing.
    """
    text = " ".join(label.split())
    if numbered := _NUMBERED.fullmatch(text):
        word, number, name = numbered.groups()
        by_number = BY_NUMBER.get(int(number))
        if not name:
            return by_number if word else None
        by_name = _NAMES.get(name.casefold())
        return by_name if by_name is by_number else None
    return _NAMES.get(text.casefold()) or (BY_ID.get(text) if ids else None)


def strategy(label: str) -> Strategy:
    """The strategy `label` names (see `find_strategy`).

    Raises UnknownStrategy, which names the closest known label; nothing unknown ever becomes "Others".
    """
    found = find_strategy(label)
    if found is None:
        raise UnknownStrategy(f"strategy {label!r} is not one of the 12 (closest: {closest_label(label)})")
    return found


def closest_label(label: str) -> str:
    """The name or id of a strategy that looks most like `label`, for an error."""
    text = label.strip()
    numbered = _NUMBERED.fullmatch(text)
    wanted = (numbered and numbered[3]) or text
    return _LABELS[difflib.get_close_matches(wanted.casefold(), _LABELS, n=1, cutoff=0.0)[0]]


def topic_name(text: str) -> str:
    """The English name of a topic given in either language; text that is none of the eight comes back as it is."""
    found = _TOPICS.get(text.strip())
    return found.en if found else text.strip()


