"""Turn transcripts as support tools export them into a dataset folder, without labels.

    csc build transcripts SOURCE --dry-run
        what would be read as what, and the counts; nothing is written
    csc build transcripts SOURCE --out DIR
    csc build transcripts simulations.json --format tau2 --out DIR
    csc build transcripts tickets.csv --columns text=body,speaker=author_type \\
        --agents "Support,Bot" --out DIR

SOURCE is a CSV, TSV, JSON, JSON lines, parquet or text file (also .gz), or a folder of files of one
kind: an utterance a row (an id, a speaker, a text, a time), chat messages (OpenAI's `messages`,
ShareGPT's `conversations`), tickets with comments or parts (Zendesk, Intercom, Freshdesk), or texts
with `Name:` lines (also WhatsApp). Columns and speakers are guessed and shown before anything is
written. With --format tau2 it holds simulations as tau2-bench and tau-bench publish them.

Private notes, calls of tools and lines of the system are left out; HTML becomes text; quoted mail
and signatures are cut; neighbouring turns of one speaker are one turn. E-mail addresses and numbers
of phones, cards, accounts and identities become placeholders (--keep-personal-data leaves them;
names and street addresses are not found). Everything is counted, on the screen, in the card and in
build.json.

DIR holds unlabelled conversations (`csconv`, test). What needs no labels works at once: csc stats,
csc_conv_ref and csc_conv_gen with metrics of the reply, cscx_conv_ref_vanilla, csc build qa
--source DIR. Rows wait in a temporary database beside DIR: memory does not grow with the source.
"""

import json
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from builders import runner
from builders.cards.render import contents_table, count_lines
from builders.cards.transcripts import card
from builders.dataset import check_target, write_folder
from builders.qa.pairs import parse_shares
from builders.rows import Ordered
from builders.schema import SPLITS
from builders.source_folder import timed
from builders.sources.raw import RawConversation, Reading
from builders.transcripts.masking import mask
from builders.transcripts.reading import Choices, Transcripts
from builders.transcripts.report import counts_of, shape_lines, speaker_lines
from builders.transcripts.shapes import PARTS, parse_columns
from builders.transcripts.speakers import parse_agents
from builders.transcripts.tau2 import TAU2
from csc_tasks.conversation import Conversation, Turn, content_id
from csc_tasks.draws import RANGE, draw
from csc_tasks.errors import DataError, SettingError
from csc_tasks.languages import languages
from csc_tasks.languages.detect import detect
from csc_tasks.telling import tally, tell

SOURCE = "transcripts"
"""What `source` says unless --name does: a file's name may name a customer."""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc build transcripts`."""
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="a file, or a folder of files of one kind")
    add("--out", type=Path, metavar="DIR", help="the dataset folder to write")
    add("--dry-run", action="store_true", help="read everything, show everything, write nothing")
    add_choices(parser)
    add(
        "--format",
        choices=(TAU2,),
        help="do not guess: tau2 reads the simulations that tau2-bench and tau-bench publish",
    )
    add(
        "--language",
        choices=tuple(languages()),
        help="of all conversations (default: each by its text)",
    )
    add(
        "--name",
        default=SOURCE,
        help=f"what the column `source` says (default: {SOURCE})",
    )
    add(
        "--splits",
        default="0,0,100",
        metavar="A,B,C",
        help="percent of conversations in train, validation, test (default: 0,0,100)",
    )
    add(
        "--keep-personal-data",
        action="store_true",
        help="leave addresses and numbers as they are (csc push will ask about each)",
    )
    runner.add_licence(parser)


def add_choices(parser: ArgumentParser) -> None:
    """`--columns` and `--agents`."""
    parser.add_argument(
        "--columns",
        default="",
        metavar="PART=COLUMN,...",
        help=f"which columns hold what ({', '.join(PARTS)}); the others are guessed",
    )
    parser.add_argument(
        "--agents",
        default="",
        metavar="NAME,...",
        help="the speakers who are supporters; unknown others are customers",
    )


def main(args: Namespace) -> None:
    """Write the transcripts of args.source as a dataset folder.

    Raises DataError where none can be used, SettingError for options that do not fit the source and
    where nothing tells who the supporters are.
    """
    started = time.time()
    if args.out is None and not args.dry_run:
        raise SettingError("give --out DIR, or --dry-run to see what would be read as what")
    shares = parse_shares(args.splits)
    if not args.name.strip():
        raise SettingError("--name is empty; leave it out, or name the source")
    if args.out is not None and not args.dry_run:
        check_target(args.out)
    if args.format and (args.columns or args.agents):
        raise SettingError(f"--format {args.format} knows columns and speakers: give neither")
    choices = Choices(parse_columns(args.columns), parse_agents(args.agents), args.format or "")
    folder = None if args.dry_run else args.out.resolve().parent
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with Transcripts(args.source, folder, choices, Reading()) as transcripts:
        tally("\n".join(shape_lines(transcripts)))
        transcripts.read()
        tally("\n".join(speaker_lines(transcripts)))
        made = Made(transcripts, args, shares)
        made.keep()
        transcripts.reading.show_problems()
        counts = made.counts()
        tally("\n".join(count_lines(counts)), end="\n\n")
        if not made.total:
            raise DataError(f"{args.source}: no conversation can be used, so nothing was written")
        if args.dry_run:
            tell(f"Nothing was written: {made.total:,} conversations would be. Give --out DIR.")
            return
        build = {"builder": "transcripts", "settings": settings(args, choices), "counts": counts}
        rows = {"csconv": made.splits()}
        record = write_folder(args.out, rows, card(build, args.licence), build, timed(started))
    tell(contents_table(record["splits"]), end="\n\n")
    for line in next_lines(args.out):
        tell(line)


def settings(args: Namespace, choices: Choices) -> dict:
    """What build.json says of the options; names of people are no part of it."""
    return {
        "columns": choices.columns,
        "agents": len(choices.agents),
        "language": args.language or "by the text",
        "name": args.name,
        "splits": args.splits,
        "masked": not args.keep_personal_data,
        "licence": args.licence,
    } | ({"format": args.format} if args.format else {})


def next_lines(out: Path) -> Iterator[str]:
    """What can be done with the folder now."""
    yield f"Wrote {out}: conversations without labels of strategies."
    yield (
        "  evaluate:  lm_eval --model hf --model_args pretrained=MODEL --tasks"
        f' csc_conv_ref,csc_conv_gen --apply_chat_template --metadata \'{{"csc_corpus": "{out}"}}\''
    )
    yield f"  questions: csc build qa --source {out} --llm ... --out DIR"
    yield f"  labels:    csc label run {out} --llm ...  (people: csc label export {out} ...)"


class Made:
    """Conversations of a source as rows: masked, with an id and a language, each once."""

    def __init__(self, transcripts: Transcripts, args: Namespace, shares: dict[str, int]) -> None:
        self.transcripts, self.args, self.shares = transcripts, args, shares
        self.masked: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._store = transcripts.store
        self._most = ""
        self.total = 0

    def keep(self) -> None:
        """Take all conversations of the source."""
        for raw in self.transcripts.conversations(self.args.name.strip()):
            language = self.args.language or detect(" ".join(turn.text for turn in raw.turns)) or ""
            if language and language not in languages():
                self.dropped[f"looks like the language {language!r}, which there is not"] += 1
                continue
            row = self._row(raw, language)
            name = row["conversation_id"]
            text = json.dumps(row, ensure_ascii=False)
            if not self._store.keep(name, split_of(name, self.shares), language, text):
                self.dropped["the same as another"] += 1
        by_language = self._store.count_kept("language")
        named = {code: n for code, n in by_language.items() if code}
        if by_language.get("") and not named:
            raise DataError(
                f"{self.args.source}: too little text to tell the language; give --language CODE"
            )
        self._most = max(named, key=lambda code: (named[code], code)) if named else ""
        self.total = sum(by_language.values())

    def _row(self, raw: RawConversation, language: str) -> dict:
        turns = raw.turns
        if not self.args.keep_personal_data:
            turns = tuple(
                Turn(turn.speaker, mask(turn.text, language, self.masked)) for turn in turns
            )
        # The id does not depend on the language, which may be settled later.
        name = content_id("transcript", [[turn.speaker, turn.text] for turn in turns])
        return Conversation(name, language, "", raw.source, turns).to_row()

    def splits(self) -> dict[str, Ordered]:
        """The rows by split; one that no conversation fell into is left out."""
        sizes = self._store.count_kept("split")
        return {
            split: Ordered(sizes[split], partial(self._rows, split))
            for split in SPLITS
            if split in sizes
        }

    def _rows(self, split: str) -> Iterator[dict]:
        for language, text in self._store.kept(split):
            row = json.loads(text)
            yield row if language else row | {"language": self._most}

    def counts(self) -> dict:
        """The counts for the screen, the card and build.json."""
        by_language = self._store.count_kept("language")
        short = by_language.pop("", 0)
        if short:
            by_language[self._most] = by_language.get(self._most, 0) + short
        return counts_of(self.transcripts, self.masked, self.dropped) | {
            "conversations_kept": self.total,
            "conversations_by_language": by_language,
            "conversations_too_short_to_tell_their_language": short,
        }


def split_of(conversation_id: str, shares: dict[str, int]) -> str:
    """The split of a conversation: its id alone decides."""
    place, bound = draw(f"transcripts split {conversation_id}") * 100, 0
    for split, share in shares.items():
        bound += share * RANGE
        if place < bound:
            return split
    raise AssertionError(f"the shares {shares} do not make 100")


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
