"""Placeholders for what identifies a person, put in by rule: the scripted stand-in's part of a
rewrite, in Chinese and English.

What a pattern can find is replaced (numbers of phones, cards, accounts, identities and orders,
e-mail addresses), and by what the supporter asked for: names, PINs and dates of birth in the
customer's answer. Amounts, other dates, a surname with its title and the last four digits of a card
stay: they are facts of the case, or what a supporter would say aloud.
"""

import re
from collections.abc import Sequence
from functools import partial

from builders.scripted.recognise import words
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn

_ALONE, _END = r"(?<![0-9A-Za-z*_.])", r"(?![0-9A-Za-z*_])"
_EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"

_ALWAYS = {
    "zh": (
        ("[邮箱地址]", _EMAIL),
        ("[身份证号]", rf"{_ALONE}[1-9]\d{{16}}[\dXx]{_END}"),
        ("[手机号码]", rf"{_ALONE}(?:\+?86[ -]?)?1[3-9][\d*](?:[ -]?[\d*]{{4}}){{2}}{_END}"),
        (
            "[电话号码]",
            (
                rf"{_ALONE}0\d{{2,3}}[ -]?\d{{7,8}}(?:-\d{{1,5}})?{_END}"
                rf"|(?<=电话是)\d{{7,8}}{_END}"
                rf"|(?<=电话[：:])\d{{7,8}}{_END}"
            ),
        ),
        ("[银行卡号]", rf"{_ALONE}\d(?:[ -]?\d){{14,18}}{_END}"),
        ("[订单号]", rf"{_ALONE}DD\d{{4,}}{_END}|(?<=订单号是)\w{{6,}}|(?<=订单号)\d{{6,}}"),
        ("[账号]", rf"{_ALONE}\d{{9,14}}{_END}"),
        (
            r"\1[姓名]",
            r"(我(?:的名字)?叫|本人姓名是?|姓名是)[\u4e00-\u9fff]{2,3}(?=[，,。.、；;！!\s]|$)",
        ),
    ),
    "en": (
        ("[email address]", _EMAIL),
        ("[ID number]", rf"{_ALONE}\d{{3}}-\d{{2}}-\d{{4}}{_END}"),
        (
            "[phone number]",
            rf"{_ALONE}(?:(?:\+?1[ .-]?)?\(?\d{{3}}\)?[ .-] ?)?\d{{3}}[ .-]\d{{4}}{_END}",
        ),
        ("[card number]", rf"{_ALONE}\d(?:[ -]?\d){{12,18}}{_END}"),
        ("[order number]", rf"{_ALONE}DD\d{{4,}}{_END}"),
        ("[account number]", rf"{_ALONE}\d{{7,12}}{_END}"),
        (
            r"\1[name]",
            (
                r"\b((?:[Mm]y|[Tt]he) (?:full |last )?name(?: is|'s|:)? )[A-Z][\w'-]+(?:"
                r" [A-Z][\w'-]+){0,2}"
            ),
        ),
        (
            r"\1[name]",
            (
                r"\b((?:[Mm]aiden(?: name)?|[Pp]et(?:'s name)?|[Nn]ame) (?:is|was) )[A-Z][\w'-]+(?:"
                r" [A-Z][\w'-]+)*"
            ),
        ),
        (r"\1[name]", r"\b((?:I am|I'm|[Tt]his is) )(?!I\b)[A-Z][a-z'-]+ [A-Z][a-z'-]+\b"),
    ),
}
# Asked for -> what the customer then gives.
_ASKED = {
    "zh": (
        (
            re.compile("姓名|贵姓|怎么称呼"),
            "[姓名]",
            re.compile(r"^[\u4e00-\u9fff]{2,3}(?=[，,。.！!]|$)"),
        ),
        (re.compile("密码"), "[密码]", re.compile(rf"{_ALONE}\d{{4,6}}{_END}")),
    ),
    "en": (
        (
            re.compile(r"\bbirth|\bd\.?o\.?b\b", re.I),
            "[date of birth]",
            re.compile(
                rf"{_ALONE}\d{{1,4}}[/.-]\d{{1,2}}[/.-]\d{{2,4}}{_END}|\b[A-Z][a-z]{{2,8}}"
                r" \d{1,2}(?:st|nd|rd|th)?,? \d{4}\b"
            ),
        ),
        (re.compile(r"\bpin\b", re.I), "[PIN]", re.compile(rf"(?<![$/-]){_ALONE}\d{{4}}{_END}")),
        (
            re.compile(r"\bname|maiden|\bpet\b", re.I),
            "[name]",
            re.compile(r"\b[A-Z][a-z]+(?: [A-Z][a-z]+)*\b"),
        ),
    ),
}


def masked(turns: Sequence[Turn], language: str) -> list[Turn]:
    """The turns with placeholders; a name that the customer gave when asked is replaced wherever it
    occurs again.
    """
    names: set[str] = set()
    masked_turns = []
    for i, turn in enumerate(turns):
        text = turn.text
        for placeholder, pattern in _ALWAYS[language]:
            text = re.sub(pattern, placeholder, text)
        asked = (
            turns[i - 1].text
            if i and turn.speaker == CUSTOMER and turns[i - 1].speaker == SUPPORTER
            else ""
        )
        for question, placeholder, answer in _ASKED[language]:
            # A customer also names their PIN or birthday without being asked, in the same sentence.
            if question.search(asked) or (
                placeholder not in ("[name]", "[姓名]") and question.search(text)
            ):
                text = answer.sub(partial(_replaced, placeholder=placeholder, names=names), text)
        masked_turns.append(Turn(turn.speaker, text, turn.strategy))
    if not names:
        return masked_turns
    # Only whole names: a surname such as "May" alone would hit other words.
    again = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})\b")
    return [
        Turn(
            turn.speaker,
            again.sub("[name]" if language == "en" else "[姓名]", turn.text),
            turn.strategy,
        )
        for turn in masked_turns
    ]


def _replaced(match: re.Match[str], placeholder: str, names: set[str]) -> str:
    """The placeholder for a match, leading words that are no name put back; names are added to
    `names`.
    """
    text = match[0]
    if placeholder != "[name]":
        return placeholder
    no_names = words("en")["no_names"]
    opening = [word for word in text.split(" ") if word in no_names]
    rest = [word for word in text.split(" ") if word not in no_names]
    if not rest:
        return text
    names.update(word for word in rest if len(word) > 3)
    return " ".join([*opening, placeholder])
