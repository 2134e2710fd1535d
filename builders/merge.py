"""Put the parts of a build together.

    csc build qa --source FILE --llm openai:MODEL --out DIR --shard 1/8      on one machine
    ...
    csc build qa --source FILE --llm openai:MODEL --out DIR --shard 8/8      on another
    csc build merge DIR

The journals of all parts (DIR.shard-I-of-N.journal.sqlite, brought beside DIR) become one,
DIR.journal.sqlite, and the build goes its way once more with every reply there: the dataset folder
has the bytes of a build on one machine. Where what is asked next depends on earlier replies (csconv
rewrites up to so many of each topic; --limit), some requests can still be open: run the parts
again, they read DIR.journal.sqlite and ask their share, or give --ask to ask here.
"""

import os
import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from builders.shards import read_parts, whole_journal
from csc_tasks.errors import DataError
from csc_tasks.llm.journal_rescue import merge


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build merge`."""
    add = parser.add_argument
    add("out", type=Path, metavar="DIR", help="the --out of the parts")
    add("--ask", action="store_true", help="ask what no part has asked (default: only count it)")
    add("--base-url", metavar="URL", help="for --ask: the server (default: as for the build)")


def main(args: Namespace) -> int:
    """Join the journals and build from them; raises what `read_parts` and the builder raise."""
    parts = read_parts(args.out)
    if not re.fullmatch(r"builders(\.[a-z_]+)+", parts.module):
        raise DataError(f"{args.out}: {parts.module} is no builder; run the parts again")
    whole = whole_journal(args.out)
    joined = whole.with_name(f"{whole.name}.new")
    joined.unlink(missing_ok=True)
    earlier = [whole] if whole.exists() else []
    counts = merge([*earlier, *parts.journals], joined)
    os.replace(joined, whole)
    joined.with_name(f"{joined.name}.lock").unlink()
    print(f"{counts['read']:,} requests of {parts.count} parts are in {whole}")
    words, environment = ["-m", parts.module, *parts.words], dict(os.environ)
    words += ["--base-url", args.base_url] if args.base_url else []
    if not args.ask:
        words += ["--shard", f"0/{parts.count}"]
        # No request is sent, so none needs a key.
        environment.setdefault("OPENAI_API_KEY", "none")
    print(f"$ python {shlex.join(words)}", flush=True)
    return subprocess.run([sys.executable, *words], env=environment, check=False).returncode


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
