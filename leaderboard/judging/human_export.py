"""Make blinded rating sheets for people.

    csc human export results/ --tasks csc_conv_gen,csc_qa --out study/
    csc human export results/ --raters 6 --ratings 3 --out study/

SAMPLES are files that `lm_eval --log_samples` wrote, or folders of them. 100 conversations of each
conversation task (one reply each, or, in generated context, the whole conversation as played) and
500 answers of each question task are sampled, stratified by topic and stage, the same for every
model; a larger sample holds the smaller one. Every model's reply becomes an item under a name that
does not tell the model. Each item is rated by --ratings people (default: all --raters, 3);
everybody gets equally many of each model's items, in an order of their own.

--out gets, per rater, RATER.html (one file that works offline and saves RATER.json) and RATER.csv
(for a spreadsheet): a rater uses one of the two. guide.md is for the raters too. key.json says
which item is whose: keep it to yourself, csc human import needs it. The ids of the items are made
with a random secret that stands in it and nowhere else; with --key KEY.json of an earlier export
the same items get the same ids again.
"""

import json
import secrets
from argparse import ArgumentParser, Namespace
from pathlib import Path

from csc_tasks.errors import DataError, SettingError
from csc_tasks.out import check_writable, replace_file
from csc_tasks.runs.quarantine import STRICT_HELP
from csc_tasks.telling import tally, tell
from leaderboard.judging import sheets
from leaderboard.judging.dimensions import chosen_dimensions
from leaderboard.judging.sampling import sample, sample_units
from leaderboard.judging.sheet_files import read_key
from leaderboard.judging.units import chosen_tasks, read_models, shared_ids


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc human export`."""
    add = parser.add_argument
    add(
        "samples",
        nargs="+",
        type=Path,
        metavar="SAMPLES",
        help="samples files, or folders that hold them",
    )
    add("--strict", action="store_true", help=STRICT_HELP)
    add("--out", required=True, type=Path, metavar="DIR", help="a new folder for the sheets")
    add("--tasks", default="", metavar="A,B", help="only these tasks (default: all there are)")
    add("--raters", type=int, default=3, metavar="N", help="people (default: 3)")
    add("--ratings", type=int, metavar="N", help="ratings of each item (default: by everybody)")
    add(
        "--conversations",
        type=int,
        default=100,
        metavar="N",
        help="conversations of each conversation task (default: 100)",
    )
    add(
        "--answers",
        type=int,
        default=500,
        metavar="N",
        help="answers of each question task (default: 500)",
    )
    add(
        "--dimensions", default="", metavar="A,B", help="only these (default: six, for answers ten)"
    )
    add(
        "--seed", type=int, default=0, metavar="N", help="another seed, another sample (default: 0)"
    )
    add(
        "--key",
        type=Path,
        metavar="KEY.json",
        help="the key of an earlier export, whose item ids are to stay (default: new ids)",
    )


def main(args: Namespace) -> None:
    """Write a sheet for every rater, the guide and key.json into args.out.

    Raises SettingError for numbers and dimensions that do not fit the samples, DataError where
    args.out holds a study already.
    """
    check_writable(args.out)
    secret = secret_of(args.key) if args.key else secrets.token_hex(32)
    for name in ("raters", "ratings", "conversations", "answers"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise SettingError(f"--{name} {getattr(args, name)}: at least 1")
    if (args.out / "key.json").exists():
        raise DataError(
            f"{args.out} holds a study already, and people may be rating it; give a new folder"
        )
    chosen = chosen_dimensions(args.dimensions)
    models = read_models(args.samples, chosen_tasks(args.tasks, args.samples), strict=args.strict)
    raters = [f"rater-{number:0{len(str(args.raters))}}" for number in range(1, args.raters + 1)]
    pairs = []
    for task in dict.fromkeys(judged.task for judged in models):
        own = [judged for judged in models if judged.task == task]
        common, others = shared_ids(own)
        failed = {id_ for judged in own for id_ in common if judged.units[id_].failed}
        units = [unit for id_, unit in own[0].units.items() if id_ in common - failed]
        if not units:
            raise DataError(f"{task}: in every reply or conversation a model's turn failed")
        drawn = draw(units, args)
        for judged in own:
            pairs += [
                (judged.model, unit)
                for unit in judged.with_texts([unit.id for unit in drawn]).units.values()
            ]
        lacking = f"; {others:,} that not every model has are left out" if others else ""
        lacking += f"; {len(failed):,} left out, a model's turn failed" if failed else ""
        tally(f"{task}: {len(drawn):,} of {len(units):,}, of each of {len(own)} models{lacking}")
    items = sheets.assign(pairs, raters, args.ratings or args.raters, chosen, args.seed, secret)
    if not all(item.dimensions for item in items):
        raise SettingError(
            f"--dimensions {args.dimensions}: none of them applies to some of the tasks"
        )
    key = sheets.key_of(items, raters, args.seed, secret)
    for rater in raters:
        given = sheets.sheet_of(items, rater, args.seed)
        if not given:
            raise SettingError(
                f"--raters {args.raters}: there are too few items ({len(items)}) for so many"
            )
        replace_file(args.out / f"{rater}.csv", sheets.as_csv(given, rater))
        replace_file(args.out / f"{rater}.html", sheets.as_page(given, rater, key["study"]))
        tell(f"{rater}: {len(given):,} items")
    replace_file(args.out / "guide.md", sheets.guide(items).encode())
    replace_file(
        args.out / "key.json", (json.dumps(key, ensure_ascii=False, indent=1) + "\n").encode()
    )
    tell(
        f"Wrote {args.out}: give each rater one .html (or .csv) and guide.md, keep key.json; then:"
        f" csc human import {args.out} FILES"
    )


def secret_of(file: Path) -> str:
    """The secret in an earlier export's key; raises DataError where there is none."""
    secret = read_key(file).get("secret")
    if not isinstance(secret, str) or len(secret) < 32:
        raise DataError(
            f"--key {file}: holds no secret for item ids (an older export's key); leave --key out"
        )
    return secret


def draw(units: list, args: Namespace) -> list:
    """The units of one task that are rated: so many answers, or one reply (or the whole) of so many
    conversations.
    """
    if units[0].kind != "answer":
        return sample(units, args.conversations, 1, args.seed)
    return sample_units(units, args.answers, args.seed)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
