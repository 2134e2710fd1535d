"""What of a message was written for this conversation: HTML becomes text, quoted mail and
signatures are cut (mail-parser-reply), and lines of the system are told.
"""

import html
import re
from functools import cache
from typing import Any, NamedTuple

from csc_tasks.errors import require

EXTRA, PURPOSE = "transcripts", "reading transcripts"
HTML, QUOTED, SIGNATURE, LONG = "HTML", "quoted mail", "signatures", "too long to look for mail"
"""What can be done to a text, as it is counted."""

LONGEST_MAIL = 20_000
"""Characters; a longer text is not searched for mail."""

_TAG = re.compile(
    r"</?(?:p|div|br|span|a|b|i|u|em|strong|ul|ol|li|table|tr|td|th|tbody|html|body"
    r"|head|blockquote|img|font|h[1-6]|hr|pre|code|style)\b[^<>]*>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
_BLOCKS = ("p", "div", "li", "tr", "table", "ul", "ol", "h1", "h2", "h3", "h4", "pre", "hr")
_HIDDEN = ("script", "style", "head", "title")
_QUOTES = "blockquote, .gmail_quote, .moz-cite-prefix, .yahoo_quoted, #divRplyFwdMsg, .zd_quote"
_SIGNED = ".gmail_signature, .moz-signature, #Signature, .signature"
# Most messages have none of these, and selecting takes as long as parsing.
_SPECIAL = re.compile(r"quote|signature|moz-|divRplyFwdMsg|<(?:script|style|head|title)", re.I)

# A mail has several lines, one of which opens a quotation or a signature in one of the languages
# that the parser knows.
_MAIL = re.compile(
    r"^\s*(?:>|--\s*$|__+|-{5,}|On\b.*|Am\b.*|El\b.*|Le\b.*|From:|Von:|De:|发件人|"
    r"(?:kind|best|warm|many)?\s*(?:regards|wishes|thanks|cheers|sincerely|thank you)\b"
    r"|mit freundlichen|viele grüße|liebe grüße|beste grüße|saludos|atentamente|cordialement|"
    r"bien à vous|atenciosamente|sent from|get outlook|gesendet von|enviado desde|envoyé de|此致"
    r"|祝好)",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED_LINE = re.compile(r"^\s*>.*$\n?", re.MULTILINE)

_SYSTEM = re.compile(
    r"(?:<media omitted>|<[^<>]{0,40}omitted>|(?:image|video|audio|sticker|gif|document) omitted"
    r"|this message was deleted|you deleted this message|missed (?:voice|video) call"
    r"|messages and calls are end-to-end encrypted.*"
    r"|(?:the )?(?:chat|conversation|session|call)(?: was| has| has been)?"
    r" (?:started|ended|closed|opened|transferred|assigned|resolved|timed out)"
    r"(?: (?:by|to|at|on) .{1,60})?"
    r"|.{1,40} (?:has )?(?:joined|left|entered|rejoined)"
    r" (?:the )?(?:chat|conversation|session|room)"
    r"|(?:you are|you're) (?:now )?(?:connected|chatting|being transferred)\b.{0,60}"
    r"|\*{2,}.{0,80}\*{2,}|null)\.?",
    re.IGNORECASE,
)


class Cleaned(NamedTuple):
    """A text and what was done to it."""

    text: str
    done: tuple[str, ...] = ()


def is_system(text: str) -> bool:
    """Whether a whole text is a line that a chat system writes."""
    return len(text) <= 240 and _SYSTEM.fullmatch(text.strip()) is not None


def clean(text: str) -> Cleaned:
    """The text without markup, quoted mail and signatures; "" where nothing else is in it."""
    done: list[str] = []
    if "<" in text and _TAG.search(text):
        text = _from_html(text, done)
        done.insert(0, HTML)
    elif "&" in text and _ENTITY.search(text):
        text = html.unescape(text)
    if "\n" in text.strip() and _MAIL.search(text):
        if len(text) > LONGEST_MAIL:
            done.append(LONG)
        else:
            text = _without_mail(text, done)
    return Cleaned(text, tuple(dict.fromkeys(done)))


def text_of_html(text: str) -> str:
    """The text of HTML; a text without markup stays."""
    return clean(text).text


def _from_html(text: str, done: list[str]) -> str:
    soup = _parser("bs4").BeautifulSoup(text, "lxml")
    if _SPECIAL.search(text):
        for element in soup.select(", ".join(_HIDDEN)):
            element.decompose()
        for selector, what in ((_QUOTES, QUOTED), (_SIGNED, SIGNATURE)):
            for element in soup.select(selector):
                if not element.decomposed:
                    element.decompose()
                    done.append(what)
    for element in soup.find_all("br"):
        element.replace_with("\n")
    for element in soup.find_all(_BLOCKS):
        element.append("\n")
    return str(soup.get_text())


@cache
def _parser(name: str) -> Any:
    """A library, imported once."""
    require("lxml", EXTRA, PURPOSE)
    return require(name, EXTRA, PURPOSE)


def _without_mail(text: str, done: list[str]) -> str:
    """The newest reply of a mail without its signature."""
    replies = _replies(text)
    # What stands below the first header is older.
    newest = replies[0]
    body = newest.body
    if len(replies) > 1 or newest.headers:
        done.append(QUOTED)
        if newest.headers:
            return ""
    if newest.signatures and newest.signatures in newest.content:
        done.append(SIGNATURE)
    unquoted = _QUOTED_LINE.sub("", body)
    if unquoted != body:
        done.append(QUOTED)
    return unquoted.strip()


def _replies(text: str) -> list[Any]:
    read = _parser("mailparser_reply.parser").EmailMessage
    message = read(text=text, languages=list(_languages()), keep_hyphen_lists=True)
    return list(message.read().replies)


@cache
def _languages() -> tuple[str, ...]:
    """The languages that the mail parser knows; one of its keys is none."""
    known = _parser("mailparser_reply.constants").MAIL_LANGUAGES
    return tuple(sorted(code for code in known if len(code) == 2))
