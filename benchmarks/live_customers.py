"""Played customers of a labelled corpus, audited: two supporters without weights
(benchmarks/live_supporters.py) talk with every customer on the test split.

  python -m benchmarks.live_customers CORPUS --out DIR [--limit 40] [--max-turns 12]
      [--customers recorded scripted answering] [--supporters nearest random] [--real]
      [--language en] [--threads N]

The supporters, and the customer `answering` (benchmarks/answering_customer.py, a model of the same
loopback server), are made of the split that models train on: csconv/train, or else rolecs/train.
--real adds the packaged SmolLM2-135M-Instruct as a customer, behind llama.cpp's server (make real).
Runs `csc evaluate` and the other verbs as a user would, once for each supporter and customer; with
two of both also csc_conv_gen once for each supporter. Prints the verdicts, and whether the
supporters' order survives another customer. `demo` is a CORPUS too, with --language en or zh.

While a run goes on, lm_eval's bar on stderr counts the supporter's turns and the time left; it
reckons with as many turns as the recorded supporter had, --max-turns at most. What else the
programs print is in DIR/log.txt. A run that is stopped, however, goes on with the same command:
a run that DIR holds is not made again, and what a model said as the customer is in
DIR/CUSTOMER.sqlite.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from benchmarks.live_supporters import ANSWERING, NEAREST, RANDOM, served
from benchmarks.packaged import MODEL
from benchmarks.serving import serve_packaged
from csc_tasks import cli
from csc_tasks.conversation import Conversation
from csc_tasks.corpora import load
from csc_tasks.errors import MissingSplit
from leaderboard.customer_audit import badge, load_audit

GEN, LIVE = "csc_conv_gen", "cscx_conv_live"
AT_ONCE = 2
"""Connections to the supporters."""
SLOTS = 5
"""Of the real customer's server: as many as conversations are played at once over AT_ONCE
connections, so that each finds its own last prompt in the cache of a slot. With more, a long reply
on one core could take longer than its client waits.
"""


def main(words: Sequence[str] | None = None) -> None:
    """Run what is missing, audit, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--max-turns", type=int, default=12)
    parser.add_argument("--customers", nargs="*", default=["recorded", "scripted"])
    parser.add_argument("--supporters", nargs="*", default=[NEAREST, RANDOM])
    parser.add_argument("--real", action="store_true")
    parser.add_argument(
        "--threads",
        type=int,
        default=max(1, (os.cpu_count() or 1) - 1),
        help="of the real customer's server (default: all cores but one)",
    )
    parser.add_argument("--language", default="", help="only this language of the corpus")
    args = parser.parse_args(words)
    check_settings(args)
    customers = [*args.customers, *(["real"] if args.real else [])]
    ordered = len(customers) > 1 and len(args.supporters) > 1
    with served(training(args.corpus, args.language)) as url:
        for supporter in args.supporters:
            if ordered:
                evaluate(args, url, supporter, GEN, "", {})
            for customer in customers:
                with playing(customer, url, args.out, args.threads) as settings:
                    own = {"csc_max_turns": args.max_turns} | settings
                    evaluate(args, url, supporter, LIVE, customer, own)
    audits = {customer: args.out / "audits" / customer for customer in customers}
    for customer, audited in audits.items():
        live = args.out / "live" / customer
        given = ("--simulated", live, "--recorded", args.corpus, "--out", audited)
        csc(args, "audit-customer", *given)
        audit = load_audit(audited)
        print(f"{customer}: {badge(audit)} ({audit.conversations} conversations)", flush=True)
    if ordered:
        given = [word for audited in audits.values() for word in ("--audit", audited)]
        csc(args, "customers", args.out, *given, "--out", args.out / "orders")
        print((args.out / "orders" / "customers.md").read_text(encoding="utf-8"))


def check_settings(args: argparse.Namespace) -> None:
    """End where DIR holds runs of another corpus or size: they would be taken for these."""
    names = ("corpus", "limit", "max_turns", "language")
    own = {name: getattr(args, name) for name in names}
    file = args.out / "settings.json"
    if file.exists() and (there := json.loads(file.read_text())) != own:
        sys.exit(f"{args.out} holds runs with {there}, and not {own}; give another --out")
    args.out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(own))


def training(corpus: str, language: str) -> list[Conversation]:
    """The conversations that the supporters are made of."""
    try:
        items = load(corpus, "csconv", "train").items
    except MissingSplit:
        items = load(corpus, "rolecs", "train").items
    return [item for item in items if language in ("", item.language)]


@contextmanager
def playing(customer: str, url: str, out: Path, threads: int) -> Iterator[dict[str, str]]:
    """The settings of a customer, with its server while the block runs. url: of the stand-ins;
    threads: of the server.
    """
    journal = str(out / f"{customer}.sqlite")
    if customer == "answering":
        base = url.removesuffix("/chat/completions")
        yield _model(ANSWERING, base, journal)
    elif customer == "real":
        with serve_packaged(out / "server.log", threads, SLOTS) as server:
            yield _model(MODEL, server.base, journal)
    else:
        yield {"csc_customer": customer}


def _model(name: str, url: str, journal: str) -> dict[str, str]:
    return {
        "csc_customer": f"openai:{name}",
        "csc_customer_url": url,
        "csc_customer_journal": journal,
    }


def evaluate(
    args: argparse.Namespace,
    url: str,
    supporter: str,
    task: str,
    customer: str,
    settings: dict[str, object],
) -> None:
    """Run one task with one supporter, unless its results are there."""
    out = args.out / ("live" if customer else "gen") / customer / supporter
    name = f"{task}, {customer or 'recorded turns'}, {supporter}"
    if list(out.rglob("results_*.json")) and list(out.rglob("samples_*.jsonl")):
        print(f"{name}: there already", flush=True)
        return
    print(f"{name}: {args.limit} conversations", flush=True)
    start = time.monotonic()
    metadata = {"csc_corpus": args.corpus, "csc_prompt": "chat"} | settings
    if args.language:
        metadata["csc_language"] = args.language
    model = (
        f"model=stand-in/{supporter},base_url={url},num_concurrent={AT_ONCE},tokenizer_backend=none"
    )
    csc(
        args,
        *("evaluate", "--model", "local-chat-completions", "--model_args", model),
        *("--tasks", task, "--apply_chat_template", "--log_samples"),
        *("--limit", args.limit, "--metadata", json.dumps(metadata), "--output_path", out),
    )
    print(f"{name}: done in {time.monotonic() - start:.0f} s", flush=True)


def csc(args: argparse.Namespace, *words: object) -> None:
    """Run a verb; what it prints goes into DIR/log.txt, its progress to stderr."""
    with (args.out / "log.txt").open("a", encoding="utf-8") as log, redirect_stdout(log):
        status = cli.main([str(word) for word in words])
    if status:
        sys.exit(f"csc {words[0]} ended with {status}")


if __name__ == "__main__":
    # Ended so, the customer's server ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; the same command goes on"))
    main()
