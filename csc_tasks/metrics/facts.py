"""Facts in a text, Chinese or English: numbers, amounts of money, dates and times, names, codes;
and whether another text has them too.

    find_facts("Your $1,200.00 arrive on March 5.", "en")  amount "1200 USD", date "--03-05"
    unsupported(facts, [history, summary], "en")           the facts that no support text holds
    kept(original, rewritten, "zh")                        what a rewrite kept, replaced by a
                                                           [placeholder], lost and added

Found is what a pattern can find with few mistakes, not everything a reader would: missing are
relative dates (tomorrow, next Friday), weekdays, ordinals (第三, 5th), `one` and most uses of 一,
spelled-out English digit runs and years, names in lower case or at the start of a sentence, and
Chinese names without 先生 or 女士 behind or 我叫 or 姓 before them. English names include those of
firms and places; words of support talk with a capital (Customer Service) are left out by a list.
`$` is read as US dollars, `¥` as yuan, 3/5/2024 as month first.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from csc_tasks.errors import SettingError
from csc_tasks.metrics.fact_rules import PLACEHOLDER, RULES, WIDE, Read, rules_for

Kind = Literal["number", "amount", "date", "name", "code"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact: its kind, its value in a normal form, and the words it stood in.

    Values: `12500`, `20%`, `1200 USD`; dates as in XML Schema (`2024-03-05`, `2024-03`, `2024`,
    `--03-05`, `--03`, `---05`) and times as
    `15:30`; names in lower case, of `王先生` the surname; codes (order, phone and card numbers,
    e-mail, URL) in lower case, digits joined.
    """

    kind: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of an original's different facts: `facts` = kept + masked + len(lost). `added`
    are facts of the rewrite alone.
    """

    facts: int
    kept: int
    masked: int
    lost: tuple[Fact, ...]
    added: tuple[Fact, ...]


def has_rules(language: str) -> bool:
    """Whether there are rules that find facts in this language; where there are none, what needs
    them is not applicable.
    """
    return language in RULES


def find_facts(text: str, language: str) -> list[Fact]:
    """The facts of `text` in reading order, repeated ones too. A placeholder such as [手机号码] or
    [phone number] is none.

    Raises SettingError for a language without rules. Time grows with the length of the text, never
    faster.
    """
    if not has_rules(language):
        raise SettingError(
            f"there are no fact rules for {language!r}; facts can be found in {' and '.join(RULES)}"
        )
    return list(_facts(text, language))


def forget_facts() -> None:
    """Let go of the texts whose facts were found; for who has gone through them all."""
    _facts.cache_clear()


def placeholders(text: str) -> list[str]:
    """What stands in `text` in place of sensitive data: `[手机号码]`, `<NAME>`, `****`, in reading
    order.
    """
    return [match[0] for match in PLACEHOLDER.finditer(text.translate(WIDE))]


def unsupported(facts: Sequence[Fact], support: Iterable[str], language: str) -> list[Fact]:
    """The facts whose value occurs in none of the support texts, in their order.

    A less exact value is supported by a more exact one (`March 5` by `2024-03-05`, `3:30` by
    `15:30`, `1200` by `$1,200`, `王先生` by
    `我叫王伟`, the last four digits by the whole number), and an amount by the bare number, because
    people leave the currency out.
    """
    texts = list(support)
    there = {fact for text in texts for fact in _facts(text, language)}
    values = {reading for fact in there for reading in _readings(fact)}
    bare = {fact.value for fact in there if fact.kind in ("number", "code")}
    lowered = [text.translate(WIDE).casefold() for text in texts]
    words: set[str] | None = None
    missing = []
    for fact in facts:
        if fact.value in values or (fact.kind == "amount" and fact.value.partition(" ")[0] in bare):
            continue
        if fact.kind in ("name", "code") and len(fact.value) > 1:
            # In lower case, or without Mr or 我叫, a name is not found as one, but it is there.
            if language == "en" and fact.kind == "name":
                if words is None:
                    words = {word for text in lowered for word in re.findall(r"[^\W\d_]+", text)}
                if all(word in words for word in re.findall(r"[^\W\d_]+", fact.value)):
                    continue
            elif any(fact.value in text for text in lowered):
                continue
        missing.append(fact)
    return missing


def kept(original: str, rewritten: str, language: str) -> Kept:
    """Compare the facts of an original with those of its rewrite; a fact that occurs several times
    counts once.

    A fact that is gone counts as masked while the rewrite has placeholders that the original has
    not, of a kind that fits the fact ([姓名] a name, [amount] an amount, **** anything), one fact a
    placeholder.
    """
    before = _different(find_facts(original, language))
    gone = unsupported(before, [rewritten], language)
    free = Counter(placeholders(rewritten)) - Counter(placeholders(original))
    lost = []
    for fact in gone:
        mask = next((mask for mask, n in free.items() if n and fact.kind in _masks(mask)), None)
        if mask is None:
            lost.append(fact)
        else:
            free[mask] -= 1
    added = unsupported(_different(find_facts(rewritten, language)), [original], language)
    return Kept(
        len(before), len(before) - len(gone), len(gone) - len(lost), tuple(lost), tuple(added)
    )


# An audit asks for the facts of the same history again with every turn.
@lru_cache(maxsize=131072)
def _facts(text: str, language: str) -> tuple[Fact, ...]:
    plain = text.translate(WIDE)
    facts: list[tuple[int, Fact]] = []
    for kind, pattern, read in rules_for(plain, language):

        def claim(match: re.Match[str], kind: str = kind, read: Read = read) -> str:
            value = read(match)
            if value is None:
                return match[0]
            if value:
                facts.append((match.start(), Fact(kind, value, text[match.start() : match.end()])))
            # What is read once is out of sight for the rules that follow; the length stays.
            return "\0" * len(match[0])

        plain = pattern.sub(claim, plain)
    return tuple(fact for _, fact in sorted(facts, key=lambda item: item[0]))


def _readings(fact: Fact) -> Iterator[str]:
    """The values that a fact in a support text stands for: its own and the less exact ones."""
    yield fact.value
    if fact.kind == "amount":
        yield fact.value.partition(" ")[0]
    elif fact.kind == "date" and ":" in fact.value:
        hour, _, rest = fact.value.partition(":")
        if hour == "00" or hour > "12":
            yield f"{(int(hour) + 11) % 12 + 1:02}:{rest}"
    elif fact.kind == "date":
        match = re.fullmatch(r"(?:(\d{4})|-)-(\d\d)(?:-(\d\d))?", fact.value)
        if match:
            year, month, day = match.groups()
            yield f"--{month}"
            if year:
                yield from (year, f"{year}-{month}")
            if day:
                yield from (f"--{month}-{day}", f"---{day}")
    elif fact.kind == "code":
        digits = re.sub(r"\D", "", fact.value)
        yield from (digits, digits[-4:])
    elif fact.kind == "name" and not fact.value.isascii():
        yield fact.value[0]


def _different(facts: Iterable[Fact]) -> list[Fact]:
    """Of several facts with one value the first."""
    return list({(fact.kind, fact.value): fact for fact in reversed(list(facts))}.values())[::-1]


_MASKS = (
    ("amount", re.compile(r"金额|余额|价格|数额|amount|price|balance|sum", re.IGNORECASE)),
    ("date", re.compile(r"日期|时间|年|月|date|time|day|month|year", re.IGNORECASE)),
    (
        "name",
        re.compile(
            r"姓名|名字|名称|姓|先生|女士|客户|客服|公司|name|customer|agent|company|person",
            re.IGNORECASE,
        ),
    ),
    (
        "code",
        re.compile(
            r"号|码|证|邮箱|网址|链接|账户|number|id\b|code|phone|mail|account|card|url|link|address",
            re.IGNORECASE,
        ),
    ),
)


def _masks(placeholder: str) -> tuple[str, ...]:
    """The kinds of facts that a placeholder can stand for: by its words, or any where it has none
    that say.
    """
    kinds = [kind for kind, words in _MASKS if words.search(placeholder)]
    if placeholder.strip("[]<>{}") == placeholder or not kinds:
        return KINDS
    if {"amount", "code"} & set(kinds):
        kinds.append("number")
    return tuple(kinds)
