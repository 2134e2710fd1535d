"""How often `csc gate` calls an identical rerun worse, and how often it finds a drop as large as
`csc power` promises.

  python -m benchmarks.gate demo/base demo/adapter demo/results --logits logits.npy

A model that writes every strategy's name as one token, as the demo's does, reads the prompts of its
logged `csc_conv_ref` run (in RESULTS) again. What it would choose on every turn at temperature 0.7,
or at 2.0, is drawn eight times from what it says of the next token; the reply is one that it gave
with that strategy in that language. Nothing else is assumed: a run is drawn conversation by
conversation (with repetition), and every turn has one of the eight. Another seed draws another of
them. So turns of a conversation are as alike, and two runs of one model as alike, as they are.
Every number comes from the code of csc gate.

A worse model is made in two ways: `warm` answers a share of the turns at temperature 2.0, `lost`
says nothing in a share of the conversations. The share is such that the true drop in strategy
accuracy is what csc power calls detectable (power 0.8, with the spread of that very pair, and
--comparisons for the number of metrics). `!` marks what is significantly (exact binomial test,
one-sided, 5 %) above 5 % for reruns, or below 80 % for drops.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from benchmarks.coverage import tail
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import strategy_name
from csc_tasks.measuring import measure
from csc_tasks.metrics import select
from csc_tasks.prompts import Reply
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.names import task_of
from csc_tasks.runs.samples_file import read_run
from leaderboard.numbers.drops import change, corrected
from leaderboard.numbers.inference import Clustered, clustered, difference
from leaderboard.numbers.paired_power import Plan, detectable_difference
from leaderboard.numbers.scales import scale_of

LEADING = "strategy_acc"
TOGETHER = (LEADING, "strategy_macro_f1", "bleu_4_zh", "rouge_l_en")
LANGUAGES = ("zh", "en")
PLAIN, WARM = 0.7, 2.0
REPLIES = 8
LARGE = 6000


@dataclass(frozen=True)
class World:
    """A model's turns. starts: where each conversation begins, and the end. items: metric -> what
    every reply scores, (3, REPLIES, turns, ...): plain, warm, none. there: metric -> the turns that
    it is of.
    """

    starts: np.ndarray
    items: dict[str, np.ndarray]
    there: dict[str, np.ndarray]
    statistics: dict[str, Any]

    @property
    def conversations(self) -> int:
        """How many there are."""
        return len(self.starts) - 1

    def pair(
        self, chosen: np.ndarray, way: str, share: float, metrics: Sequence[str], draw: Generator
    ) -> dict[str, tuple[Clustered, Clustered]]:
        """A run on the chosen conversations, and another one that is worse in a share of its turns
        or conversations: two columns for every metric.
        """
        turns = np.concatenate([np.arange(*self.starts[[one, one + 1]]) for one in chosen])
        codes = np.repeat(np.arange(len(chosen)), np.diff(self.starts)[chosen])
        first = draw.integers(0, REPLIES, len(turns))
        second = (first + draw.integers(1, REPLIES, len(turns))) % REPLIES
        kinds = np.zeros(len(turns), dtype=int)
        if way == "warm":
            kinds[draw.random(len(turns)) < share] = 1
        elif way == "lost":
            kinds[(draw.random(len(chosen)) < share)[codes]] = 2
        ids = tuple(map(str, range(len(chosen))))
        columns = {}
        for name in metrics:
            own = self.there[name][turns]
            columns[name] = tuple(
                clustered(
                    self.items[name][kind, which, turns][own],
                    codes[own],
                    ids,
                    ids,
                    self.statistics[name],
                    scale_of(name),
                )
                for kind, which in ((np.zeros_like(kinds), first), (kinds, second))
            )
        return columns


def next_tokens(base: Path, adapter: Path, prompts: Sequence[str], file: Path) -> np.ndarray:
    """The log-probabilities of the twelve names and of all else after every prompt, (prompts, 2
    languages, 13), from `file` where they are there already.
    """
    if file.is_file():
        known: np.ndarray = np.load(file)
        return known
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).merge_and_unload().eval()
    names = [
        [tokenizer.convert_tokens_to_ids(f"[{strategy_name(id_, code)}]") for id_ in STRATEGY_IDS]
        for code in LANGUAGES
    ]
    assert tokenizer.unk_token_id not in {id_ for own in names for id_ in own} - {None}
    rows = []
    for prompt in prompts:
        asked = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            logits = model(**asked, logits_to_keep=1).logits[0, -1].double()
        own = torch.stack([logits[ids] for ids in names])
        rest = torch.stack([_without(logits, ids) for ids in names])
        rows.append(torch.cat([own, rest[:, None]], dim=1).numpy())
    np.save(file, np.stack(rows))
    return np.stack(rows)


def _without(logits: Any, ids: Sequence[int]) -> Any:
    """The logit that all other tokens have together."""
    others = logits.clone()
    others[list(ids)] = -np.inf
    return others.logsumexp(0)


def drawn_replies(
    said: Sequence[dict[str, Any]], logits: np.ndarray, temperature: float, draw: Generator
) -> list[list[Reply]]:
    """REPLIES replies to every turn: a strategy, None where the model would begin with no name, and
    what it said with that strategy.
    """
    bank: dict[tuple[str, str | None], list[str]] = {}
    for turn in said:
        for key in ((turn["language"], turn["strategy"]), (turn["language"], None)):
            bank.setdefault(key, []).append(turn["reply"])
    made = []
    for turn, own in zip(said, logits, strict=True):
        language = turn["language"]
        scaled = own[LANGUAGES.index(language)] / temperature
        chances = np.exp(scaled - scaled.max())
        chosen = draw.choice(len(chances), REPLIES, p=chances / chances.sum())
        ids = [(*STRATEGY_IDS, None)[code] for code in chosen]
        texts = (str(draw.choice(bank.get((language, i)) or bank[language, None])) for i in ids)
        made.append([Reply(id_, text) for id_, text in zip(ids, texts, strict=True)])
    return made


def read_world(base: Path, adapter: Path, results: Path, file: Path, draw: Generator) -> World:
    """What the model says on the turns of its logged run, and how that scores."""
    files = {task_of(file): file for file in find_samples([results])}
    lines = read_run(files["csc_conv_ref"]).lines
    said = [turn for line in lines for turn in line["turns"]]
    prompts = [one["arg_0"] for line in lines for one in line["arguments"].values()]
    logits = next_tokens(base, adapter, prompts, file)
    raw = [drawn_replies(said, logits, temperature, draw) for temperature in (PLAIN, WARM)]
    raw.append([[Reply(None, "")] * REPLIES] * len(said))
    metrics = select("overlap", "turn")
    scored = [
        [
            measure(
                [_record(turn, replies[which]) for turn, replies in zip(said, kind, strict=True)],
                metrics,
                LANGUAGES,
            )
            for which in range(REPLIES)
        ]
        for kind in raw
    ]
    starts = [i for i, t in enumerate(said) if i == 0 or t["turn"] <= said[i - 1]["turn"]]
    items, there, statistics = {}, {}, {}
    for name in TOGETHER:
        metric, first = scored[0][0][name].metric, scored[0][0][name].items
        there[name] = np.array([item is not None for item in first])
        statistics[name] = metric.statistic
        kinds = [[_values(column[name], there[name]) for column in kind] for kind in scored]
        items[name] = np.array(kinds)
    return World(np.array([*starts, len(said)]), items, there, statistics)


def _record(turn: dict[str, Any], reply: Reply) -> dict[str, Any]:
    unparsed = reply.strategy is None
    return {**turn, "strategy": reply.strategy, "unparsed": unparsed, "reply": reply.text}


def _values(column: Any, there: np.ndarray) -> np.ndarray:
    """The items of all turns as numbers, 0 where there are none."""
    known = [item for item in column.items if item is not None]
    metric = column.metric
    values = np.asarray(metric.expand(known) if metric.expand else known, dtype=float)
    whole = np.zeros((len(there), *values.shape[1:]))
    whole[there] = values
    return whole


@dataclass(frozen=True)
class Planted:
    """A way to be worse, how far it goes, and the true drop in accuracy that this makes."""

    way: str
    share: float
    drop: float


def planted(world: World, way: str, conversations: int, comparisons: int, seed: int) -> Planted:
    """The drop that csc power calls detectable on so many conversations."""
    low, high = 0.0, 1.0
    share = drop = 0.0
    for _ in range(14):
        share = (low + high) / 2
        draw = np.random.default_rng([seed, 77])
        chosen = np.arange(LARGE) % world.conversations
        before, after = world.pair(chosen, way, share, [LEADING], draw)[LEADING]
        estimated = difference(before, after)
        assert estimated.value is not None and estimated.stderr is not None
        drop, spread = estimated.value, estimated.stderr * LARGE**0.5
        if drop < detectable_difference(Plan(spread, 0.05 / comparisons), conversations):
            low = share
        else:
            high = share
    return Planted(way, share, drop)


@dataclass(frozen=True)
class Verdicts:
    """How often a gate said what, of all that were drawn."""

    worse: int
    unknown: int
    total: int

    def text(self, rerun: bool) -> str:
        """In percent, marked where it is not as promised."""
        rate = 0.05 if rerun else 0.80
        bad = tail(self.worse, self.total, rate, low=not rerun) < 0.05
        share = f"{100 * self.worse / self.total:.1f}{'!' if bad else ''}"
        return f"{share} ({100 * self.unknown / self.total:.1f})" if self.unknown else share


def verdicts(
    world: World,
    conversations: int,
    simulations: int,
    metrics: Sequence[str],
    seed: int,
    worse: Planted,
    margin: float | None = None,
) -> Verdicts:
    """What the gate says of `simulations` pairs of runs, the later one as bad as `worse` says."""
    draw = np.random.default_rng([seed, conversations, len(metrics)])
    said = []
    for _ in range(simulations):
        chosen = draw.integers(0, world.conversations, conversations)
        columns = world.pair(chosen, worse.way, worse.share, metrics, draw)
        margins = {LEADING: margin}
        made = [change(*columns[name], True, margins.get(name)) for name in metrics]
        said.append({one.verdict for one in corrected(made)})
    return Verdicts(
        sum("worse" in one for one in said),
        sum("worse" not in one and "cannot tell" in one for one in said),
        simulations,
    )


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--logits", type=Path, required=True, help="kept here")
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--conversations", type=int, nargs="+", default=[60, 200])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(words)
    draw = np.random.default_rng(args.seed)
    world = read_world(args.base, args.adapter, args.results, args.logits, draw)
    print("|called worse in % (cannot tell in %)|conversations|identical rerun|`warm`|`lost`|")
    print("|---|---:|---:|---:|---:|")
    rows = [(name, (name,), False) for name in TOGETHER]
    rows += [("all four", TOGETHER, False), (f"{LEADING} --worse-by D", (LEADING,), True)]
    for conversations in args.conversations:
        for label, metrics, with_margin in rows:
            drops = [
                planted(world, way, conversations, len(metrics), args.seed)
                for way in ("warm", "lost")
                if LEADING in metrics
            ]
            cells = []
            for drop in (Planted("same", 0.0, 0.0), *drops):
                margin = (drop.drop or drops[0].drop) if with_margin else None
                counted = verdicts(
                    world, conversations, args.simulations, metrics, args.seed, drop, margin
                )
                points = f" of {100 * drop.drop:.1f} points" if drop.drop else ""
                cells.append(counted.text(not drop.drop) + points)
            cells += [""] * (3 - len(cells))
            print(f"|{label}|{conversations}|{'|'.join(cells)}|", flush=True)


if __name__ == "__main__":
    main()
