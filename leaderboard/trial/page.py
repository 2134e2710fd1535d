"""The page that a trial ends in: the sentence, the candidates side by side, what each number rests
on, and the commands that made it. One file without scripts.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from csc_tasks.shown import shown
from leaderboard.board import Value
from leaderboard.layout import ABSENT
from leaderboard.numbers.efficiency import efficiency
from leaderboard.numbers.inference import value_of
from leaderboard.numbers.measured import Measured
from leaderboard.trial.decision import Decision
from leaderboard.trial.steps import Step

HEADS = ("Candidate", "Quality", "Latency", "Cost", "Safety")
STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
.answer{font-size:1.35rem;font-weight:600}
.wide{overflow-x:auto;margin:1.5rem 0}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.5rem .75rem;border-bottom:1px solid #8886}
td{font-variant-numeric:tabular-nums}
small{display:block;opacity:.75}
tr.chosen th{border-left:.3rem solid #2a7}
pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:.75rem;background:#8882;border-radius:.3rem}
dt{font-weight:600;margin-top:.75rem}dd{margin:0}
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What the page says besides numbers. corpus, labels: what the candidates were asked, and whose
    strategies these are. evidence: whether passages of policies support facts. hosts: which were
    sent customers' text. masked: whether personal data were.
    """

    corpus: str
    labels: str
    evidence: bool
    hosts: Sequence[str]
    masked: bool


def as_page(
    decision: Decision,
    runs: Mapping[str, Mapping[str, Measured]],
    told: Told,
    steps: Sequence[Step],
) -> str:
    """The page. runs: candidate -> task -> run; latency, cost and safety are of the task that the
    candidates are compared in.
    """
    task = decision.column.task
    own = {name: runs[name][task] for name in decision.order}
    rows = [_row(decision, name, run) for name, run in own.items()]
    conversations = max(value.clusters for value in decision.order.values())
    parts = [
        f'<p class="answer">{_text(decision.sentence)}</p>',
        f"<p>{len(own)} candidates, {conversations:,} conversations of {_text(told.corpus)}.</p>",
        _table(HEADS, rows),
        "<h2>What each rests on</h2>",
        _list(_rests(decision, own, told)),
        "<h2>Candidates in pairs</h2>",
        _table(("Better", "Than", "By (95 % interval)", "More conversations"), _pairs(decision)),
        '<p><a href="board/index.html">The board</a> has every metric, the replies side by side,'
        " and where each candidate is wrong.</p>",
        "<h2>Made by</h2>",
        f"<pre>{_text_lines(step.command for step in steps)}</pre>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src'
        " 'unsafe-inline'\">\n"
        f"<title>{_text(decision.sentence)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        "<h1>Which model should answer your customers?</h1>\n" + "\n".join(parts) + "\n</body>\n"
        "</html>\n"
    )


def _row(decision: Decision, name: str, run: Measured) -> tuple[str, ...]:
    value, column = decision.order[name], decision.column
    mark = ' class="chosen"' if name in decision.chosen else ""
    return (
        f'<tr{mark}><th scope="row">{_text(name)}</th>',
        _cell(_number(value, column.scale, column.digits), column.label),
        _cell(*_latency(run)),
        _cell(*_cost(run)),
        _cell(*_safety(run)),
    )


def _latency(run: Measured) -> list[str]:
    """The seconds that a caller waits, where the backend told them."""
    if run.timings is None:
        return [ABSENT, "the backend tells no times"]
    numbers = efficiency("", "", "", run.timings).numbers
    lines = []
    for field, words in (("first_token_s", "to the first token"), ("last_token_s", "to the end")):
        if (half := numbers.get(f"{field}/median")) and (most := numbers.get(f"{field}/p95")):
            lines.append(f"{_number(half, 1, 2)} s {words}")
            lines.append(f"95 of 100 within {_number(most, 1, 2)} s")
    if lines:
        return lines
    batch = numbers.get("batch_last_token_s/median")
    if batch is None:
        return [ABSENT, "the backend tells no times"]
    return [ABSENT, f"in a batch {_number(batch, 1, 2)} s, no user's latency"]


def _cost(run: Measured) -> list[str]:
    if run.timings is None:
        return [ABSENT, "the backend counts no tokens"]
    numbers = efficiency("", "", "", run.timings).numbers
    tokens = [
        f"{_number(value, 1, 0)} tokens {way}, a conversation"
        for way in ("in", "out")
        if (value := numbers.get(f"tokens_{way}/conversation"))
    ]
    cost = numbers.get("cost/conversation")
    if cost is None:
        return [ABSENT, *(tokens or ["the backend counts no tokens"])]
    return [f"{_number(cost, 1000, 2)} for 1,000 conversations", *tokens]


def _safety(run: Measured) -> list[str]:
    lines = [f"{ABSENT} no rules for facts in this language"]
    if run.audited is not None:
        share = _number(value_of(run.audited), 100, 1, " %")
        lines = [f"{share} of replies have a fact that nothing supports"]
    for name, words in (
        ("failed", "of requests failed"),
        ("empty", "of replies are empty"),
        ("unparsed", "of replies name no strategy"),
    ):
        value = run.values.get(name)
        if value is not None and value.value:
            lines.append(f"{_number(value, 100, 1, ' %')} {words}")
    return lines


def _rests(
    decision: Decision, runs: Mapping[str, Measured], told: Told
) -> Iterable[tuple[str, str]]:
    asked = {str(run.measurement.provenance.asked) for run in runs.values()}
    ways = f" The candidates were asked in several ways: {', '.join(sorted(asked))}."
    yield (
        "Quality",
        f"{decision.column.label} in {decision.column.task}: {decision.why}. {told.labels}"
        f"{ways if len(asked) > 1 else ''} Intervals are 95 %, clustered by conversation;"
        " candidates are compared on the same conversations.",
    )
    kinds = sorted({kind for run in runs.values() if run.timings for kind in run.timings.measured})
    yield (
        "Latency",
        "What the backends told while they were asked, with as many requests under way as the"
        f" commands below say ({', '.join(filter(None, kinds)) or 'nothing told'}). Median, and the"
        " time within which 95 of 100 replies came. A model that is played in batches has no"
        " latency that a user would see.",
    )
    prices = sorted({run.timings.price for run in runs.values() if run.timings} - {""})
    yield (
        "Cost",
        f"Tokens as the backends counted them, at {'; '.join(prices)} (in, out) per million."
        if prices
        else "Tokens as the backends counted them; --price NAME=IN,OUT makes money of them.",
    )
    support = "the conversation up to the reply" + (
        " and passages of your policies" if told.evidence else ""
    )
    yield (
        "Safety",
        f"Names, numbers, amounts, dates and codes in replies that do not stand in {support}: found"
        " by rule, which sees words and not meaning (csc judge facts has a model look). It does not"
        " say whether a reply is rude or wrong.",
    )
    masking = (
        "Personal data that patterns find were masked before"
        if told.masked
        else ("Personal data were left as they are, also")
    )
    where = ", ".join(told.hosts) if told.hosts else "no other machine"
    yield "Whose text went where", f"Customers' text was sent to {where}. {masking}."


def _pairs(decision: Decision) -> Iterable[tuple[str, ...]]:
    column = decision.column
    for (one, other), pair in decision.pairs.items():
        gap = pair.gap
        ahead = f"{gap.ahead * column.scale:z.{column.digits}f}"
        if gap.low is not None and gap.high is not None:
            bounds = (f"{bound * column.scale:z.{column.digits}f}" for bound in (gap.low, gap.high))
            ahead += f" ({' to '.join(bounds)})"
        more = "told apart" if gap.significant else ABSENT
        if pair.more is not None and not gap.significant:
            more = f"about {pair.more:,}"
        yield f'<tr><th scope="row">{_text(one)}</th>', *map(_cell, (other, ahead, more))


def _number(value: Value, scale: float, digits: int, unit: str = "") -> str:
    if value.value is None:
        return ABSENT
    text = f"{value.value * scale:,.{digits}f}{unit}"
    if value.low is None or value.high is None:
        return text
    return f"{text} ({value.low * scale:,.{digits}f} to {value.high * scale:,.{digits}f})"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_text(text)}</th>' for text in heads)
    body = "\n".join(f"{''.join(row)}</tr>" for row in rows)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<div class="wide">{table}</div>'


def _cell(first: str, *more: str) -> str:
    small = "".join(f"<small>{_text(text)}</small>" for text in more)
    return f"<td>{_text(first)}{small}</td>"


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    items = "\n".join(f"<dt>{_text(name)}</dt><dd>{_text(text)}</dd>" for name, text in pairs)
    return f"<dl>\n{items}\n</dl>"


def _text_lines(lines: Iterable[str]) -> str:
    return "\n".join(map(_text, lines))


def _text(text: str) -> str:
    return html.escape(shown(text))
