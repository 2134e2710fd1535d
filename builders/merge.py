"""Put the parts of a build together.

    csc build qa --source FILE --llm openai:MODEL --out DIR --shard 1/8      on one machine
    ...
    csc build qa --source FILE --llm openai:MODEL --out DIR --shard 8/8      on another
    csc build merge DIR

The journals of all parts (DIR.shard-I-of-N.journal.sqlite, brought beside DIR) are written into
one, DIR.journal.sqlite, and the build goes its way once more with every reply there: the dataset
folder has the bytes of a build on one machine. Where what is asked next depends on earlier replies
(csconv rewrites up to so many of each topic; --limit), some requests can still be open: run the
parts again, they read DIR.journal.sqlite and ask their share, or give --ask to ask here.
"""

import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from builders.shards import RETRY, Parts, read_parts, whole_journal, without
from csc_tasks.errors import DataError
from csc_tasks.llm.journal.file import locked
from csc_tasks.llm.journal.rescue import join
from csc_tasks.telling import tally, tell


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build merge`."""
    add = parser.add_argument
    add("out", type=Path, metavar="DIR", help="the --out of the parts")
    add("--ask", action="store_true", help="ask what no part has asked (default: only count it)")
    add(
        "--source",
        type=Path,
        metavar="FILE",
        help="where the source lies here (default: as for part 1)",
    )
    add("--base-url", metavar="URL", help="for --ask: the server (default: as for the build)")


def main(args: Namespace) -> int:
    """Join the journals and build from them; raises what `read_parts` and the builder raise."""
    out = args.out.resolve()
    parts = read_parts(out)
    if not re.fullmatch(r"builders(\.[a-z_]+)+", parts.module):
        raise DataError(f"{out}: {parts.module} is no builder; run the parts again")
    whole = whole_journal(out)
    # What a part has sent may not be asked by another, so none may still run.
    with locked(parts.journals):
        counts = join(parts.journals, whole)
    tally(f"{counts['read']:,} requests of {parts.count} parts are in {whole}")
    here = parts.folder.resolve() == Path.cwd() or not parts.folder.is_dir()
    words = ["-m", parts.module, *_words(parts, args)]
    words += ["--out", str(args.out if here else out)]
    tell(f"$ python {shlex.join(words)}")
    folder = None if here else parts.folder
    return subprocess.run([sys.executable, *words], cwd=folder, check=False).returncode


def _words(parts: Parts, args: Namespace) -> list[str]:
    """The words of the build, all but its `--out`. What is left out was for the parts alone: who
    only reads gives nothing up again, and spends nothing that a breaker could save.
    """
    words = without(["--out", RETRY], parts.words)
    if args.source is not None:
        words = [*without(["--source"], words), "--source", str(args.source.resolve())]
    if args.base_url:
        words += ["--base-url", args.base_url]
    if not args.ask:
        words += ["--stop-after-failures", "0", "--shard", f"0/{parts.count}"]
    return words


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
