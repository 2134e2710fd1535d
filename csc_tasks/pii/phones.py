"""Phone numbers: what libphonenumber calls a valid number, as far as it is written as one.

Chinese mobile
numbers count however they are written, landlines with their area code, American numbers in groups,
international ones with their country code. Anything else, local numbers too, counts only where the
words beside it call it a phone number. Service lines (toll-free, 400) lead to nobody, and what is
called an order, an invoice or the like is no phone number.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from csc_tasks.pii.kinds import END, PHONE, START, Match, made_up, masked

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# Read with the rules of these countries; the second group only where a phone is spoken of.
REGIONS, NAMED_REGIONS = ("CN", "US"), ("GB", "ES")

_NEAR = 30
_PHONE_WORD = re.compile(
    r"phone|\bcall(?!ed\b)|\bcell\b|mobile|contact|\btext\b|\btel\b|teléfono|móvil|celular|llám"
    r"|whatsapp|电话|手机|联系|微信|致电|拨打",
    re.IGNORECASE,
)
# What ends with a label of something else, and nothing but small words up to the number.
_OTHER_LABEL = re.compile(
    r"(?:order|invoice|ticket|case|tracking|reference|ref|confirmation|booking|reservation|receipt"
    r"|transaction|shipment|parcel|package|serial|claim|policy|account|item|product|sku"
    r"|pedido|factura|订单|单号|运单|快递|编号|流水|账号|帐号|账户|帐户|工单|案件|参考|序列号|商品|货号)"
    r"(?:[ \t]*(?:number|numbers|num|no|nr|nº|código|número|code|id|is|was|are|the|号码|号|码|是|为"
    r"|[#:=.(\[\"'-]))*[ \t]*\Z",
    re.IGNORECASE,
)
# Local numbers have no check of their own: they stand right behind the word, alone or in a list.
_LOCAL_LIST = re.compile(
    r"(?:电话|座机|固话)(?:号码|号|是|为|有|分别|两个|只有一个|你|记一下|[:, ])*"
    r"((?:[0-9][0-9-]{6,}(?:[,;、/ ]|和|或|及|以及|与)*)+)"
)
_LOCAL = re.compile(r"(?<![0-9-])[2-9][0-9]{6,7}(?![0-9])(?!-[0-9]{5})")
# The plus sign, or what is dialled for it in China, Europe (00) and North America (011).
_INTERNATIONAL = re.compile(r"\(?(?:\+|00|011)")
_FREE = re.compile(rf"{START}\Z")
_ENDS = re.compile(END)


def find_phones(text: str) -> Iterator[Match]:
    """The phone numbers in a text, in the order of the countries whose rules read them."""
    from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatcher, format_number

    regions = REGIONS + (NAMED_REGIONS if _PHONE_WORD.search(text) else ())
    for region in regions:
        for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
            shown = match.raw_string.lstrip()
            start = match.end - len(shown)
            before = text[max(0, start - _NEAR) : start]
            whole = _FREE.search(before) and _ENDS.match(text, match.end)
            after = text[match.end : match.end + _NEAR // 2]
            if whole and _counts(shown, match.number, region, before, after):
                value = format_number(match.number, PhoneNumberFormat.E164)
                yield Match(PHONE, start, match.end, masked(PHONE, shown), value)
    for numbers in _LOCAL_LIST.finditer(text):
        for local in _LOCAL.finditer(text, numbers.start(1), numbers.end(1)):
            if not made_up(local[0]) and not local[0].startswith(("400", "800")):
                yield Match(PHONE, *local.span(), masked(PHONE, local[0]), local[0])


def _counts(shown: str, number: "PhoneNumber", region: str, before: str, after: str) -> bool:
    from phonenumbers import PhoneNumberType as Type
    from phonenumbers import national_significant_number, number_type

    national = national_significant_number(number)
    kind = number_type(number)
    service = (Type.TOLL_FREE, Type.PREMIUM_RATE, Type.SHARED_COST, Type.UAN, Type.VOICEMAIL)
    if kind in service or made_up(re.sub(r"\D", "", shown)) or made_up(national):
        return False
    # The 555 exchange is kept free for films and examples.
    if number.country_code == 1 and national[3:6] == "555":
        return False
    if _OTHER_LABEL.search(before):
        return False
    called = _PHONE_WORD.search(before) is not None
    if _INTERNATIONAL.match(shown):
        return True
    groups = [len(group) for group in re.findall(r"\d+", shown)]
    american = groups in ([1, 3, 3, 4], [3, 3, 4])
    if region == "CN":
        if american:
            return False
        if kind == Type.MOBILE:
            return True
        spoken_of = called or _PHONE_WORD.search(after) is not None
        return shown.lstrip("(").startswith("0") and (len(groups) > 1 or spoken_of)
    return (called and (region == "US" or not american)) or (region == "US" and american)
