"""Played customers of a labelled corpus, audited: two supporters without weights
(benchmarks/live_supporters.py, made of the train split) talk with every customer on the test split.

  python -m benchmarks.live_customers CORPUS --out DIR [--limit 40] [--max-turns 12]
      [--customers recorded scripted] [--supporters nearest random] [--real]

--real adds the packaged SmolLM2-135M-Instruct as a customer, behind llama.cpp's server (make real);
its requests are in DIR/customer.sqlite, and a run that is stopped goes on there. Runs lm_eval and
csc as a user would, once for each supporter and customer, and csc_conv_gen once for each supporter;
what DIR holds already is not run again. Prints the verdicts, and whether the supporters' order
survives another customer.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.live_supporters import NEAREST, RANDOM, served
from benchmarks.packaged import MODEL
from benchmarks.serving import serve_packaged
from csc_tasks.corpora import load
from leaderboard.customer_audit import badge, load_audit

GEN = "csc_conv_gen"


def main() -> None:
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
    args = parser.parse_args()
    customers = [*args.customers, *(["real"] if args.real else [])]
    with served(load(args.corpus, "csconv", "train").items) as url:
        for supporter in args.supporters:
            evaluate(args, url, supporter, GEN, {})
            for customer in customers:
                with playing(customer, args.out) as settings:
                    own = {"csc_max_turns": args.max_turns} | settings
                    evaluate(args, url, supporter, "cscx_conv_live", own)
    audits = {customer: args.out / "audits" / customer for customer in customers}
    for customer, audited in audits.items():
        live = args.out / "live" / customer
        csc(
            *("audit-customer", "--simulated", live, "--recorded", args.corpus, "--out", audited),
        )
        audit = load_audit(audited)
        print(f"{customer}: {badge(audit)} ({audit.conversations} conversations)")
    if len(customers) > 1 and len(args.supporters) > 1:
        given = [word for audited in audits.values() for word in ("--audit", audited)]
        csc("customers", args.out, *given, "--out", args.out / "orders")
        print((args.out / "orders" / "customers.md").read_text())


@contextmanager
def playing(customer: str, out: Path) -> Iterator[dict[str, str]]:
    """The settings of a customer, with its server while the block runs."""
    if customer != "real":
        yield {"csc_customer": customer}
        return
    with serve_packaged(out / "server.log") as server:
        yield {
            "csc_customer": f"openai:{MODEL}",
            "csc_customer_url": server.base,
            "csc_customer_journal": str(out / "customer.sqlite"),
        }


def evaluate(
    args: argparse.Namespace, url: str, supporter: str, task: str, settings: dict[str, object]
) -> None:
    """Run one task with one supporter, unless its results are there."""
    customer = str(settings.get("csc_customer", ""))
    folder = "real" if customer.startswith("openai:") else customer
    out = args.out / ("live" if folder else "gen") / folder / supporter
    if list(out.rglob("results_*.json")):
        return
    metadata = {"csc_corpus": args.corpus, "csc_prompt": "chat"} | settings
    model = f"model=stand-in/{supporter},base_url={url},num_concurrent=4,tokenizer_backend=none"
    command = [
        *(sys.executable, "-m", "lm_eval", "--model", "local-chat-completions"),
        *("--model_args", model, "--tasks", task, "--apply_chat_template", "--log_samples"),
        *("--limit", str(args.limit), "--metadata", json.dumps(metadata)),
        *("--output_path", str(out)),
    ]
    run(command)


def csc(*words: object) -> None:
    """Run csc."""
    run([sys.executable, "-m", "csc_tasks.cli", *map(str, words)])


def run(command: list[str]) -> None:
    """Run a program; its output is shown where it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n", file=sys.stderr)
        sys.exit(f"{' '.join(command[:8])} ... ended with {done.returncode}")


if __name__ == "__main__":
    main()
