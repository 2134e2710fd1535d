"""Train a LoRA adapter on a dataset folder or Hub dataset, on the very prompts the benchmark sends,
and say how to score it.

    csc train --config demo --model demo/base --out demo/adapter
    csc train --model Qwen/Qwen2.5-7B-Instruct --corpus ORG/rolecs --style chat --out adapter
    accelerate launch --config_file "$(csc recipes accelerate_fsdp --path)" -m trainers.train \\
        --config ... --out adapter

    csc train ... --sweep lora_r=8,16,32
        one adapter per value, and a table of validation losses
    csc train ... --sweep data=none,no-assistant,full --score
        the same for data sets, each scored with lm_eval
    csc train ... --sweep train_size=0,3000,6000,9000,all --seeds 0,1,2 --score
        how much data is worth (Figure 6 of arXiv 2508.04423): 0 is the base, a smaller size is part
        of a larger one
    csc train --out adapter --merge DIR
        base and adapter as one bf16 model
    csc train --out adapter --save-quantized-base DIR
        the NF4 base, for scoring on what was trained on
    csc train --out adapter --repo-id ORG/NAME --push
        publish a finished adapter

Every recipe key is an option too (--lora-r 32; data and test_data are --corpus and --test-corpus)
and wins over the file. A training that was killed goes on by the same command; a finished one is
not repeated. Conversations that also stand in a test split are refused. Nothing leaves the machine
without --push.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import fields
from pathlib import Path
from typing import Any

from csc_tasks.arguments import Renamed
from csc_tasks.errors import SettingError
from csc_tasks.out import check_writable
from csc_tasks.telling import tell
from trainers.adapter import finished_record, read_record
from trainers.hardware import is_first_process, release_memory
from trainers.merge import check_folder, check_quantized, merge, save_quantized_base
from trainers.push_adapter import publish_adapter
from trainers.qlora import train_adapter
from trainers.recipe import KEYS, Recipe, read_recipe
from trainers.recipe_keys import help_of, option_of
from trainers.scoring import score, scoring_command
from trainers.shipped_recipes import recipe_file
from trainers.sweep import sweep


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `csc train`."""
    parser.add_argument(
        "--config", metavar="FILE", help="a recipe: a YAML file, or a name that `csc recipes` lists"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="the adapter's folder")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace another adapter of ours in that folder"
    )
    parser.add_argument(
        "--sweep",
        metavar="KEY=V1,V2,...",
        help=(
            "train one adapter per value of a recipe key, into DIR/VALUE; train_size=0 is the base"
        ),
    )
    parser.add_argument(
        "--seeds",
        metavar="N,N,...",
        help="with --sweep: train every value with each of these seeds, into DIR/VALUE-seedN",
    )
    parser.add_argument(
        "--score", action="store_true", help="run the scoring command when training has ended"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="with --score: only N conversations")
    parser.add_argument("--merge", metavar="DIR", help="write base and adapter as one bf16 model")
    parser.add_argument(
        "--save-quantized-base", metavar="DIR", help="write the NF4 base the adapter was trained on"
    )
    parser.add_argument(
        "--repo-id", metavar="ORG/NAME", help="the model repository to publish the adapter in"
    )
    parser.add_argument(
        "--results",
        action="append",
        default=[],
        metavar="PATH",
        help="lm_eval results to show in the published card",
    )
    parser.add_argument("--private", action="store_true", help="create the repository private")
    parser.add_argument(
        "--push",
        action="store_true",
        help="really send it; without this, only what would be sent is said",
    )
    recipe = parser.add_argument_group("recipe keys")
    for one in fields(Recipe):
        plain, option = f"--{one.name.replace('_', '-')}", option_of(one.name, KEYS[one.name])
        about: dict[str, Any] = {"dest": f"recipe_{one.name}", "metavar": "X"}
        recipe.add_argument(option, help=help_of(one).replace("%", "%%"), **about)
        if option != plain:
            recipe.add_argument(plain, action=Renamed, instead=option, **about)


def main(args: Namespace) -> None:
    """Train an adapter as the recipe and the flags say, or with args.sweep several; then score,
    merge and publish it as asked. Raises SettingError for flags that do not go together.
    """
    given = {name: getattr(args, f"recipe_{name}") for name in KEYS}
    flags = {name: value for name, value in given.items() if value is not None}
    if args.push and not args.repo_id:
        raise SettingError("--push needs --repo-id ORG/NAME")
    if (args.results or args.private) and not args.repo_id:
        raise SettingError(
            "--results and --private are for publishing: they need --repo-id ORG/NAME"
        )
    if args.limit is not None and (args.limit < 1 or not args.score):
        raise SettingError("--limit N goes with --score, and N is at least 1")
    if args.seeds and not args.sweep:
        raise SettingError("--seeds is for --sweep; one training takes --seed N")
    if args.sweep:
        sweep(args, flags)
        return
    out = Path(args.out)
    record = finished_or_trained(args, flags, out)
    if not is_first_process():
        return
    after_training(args, record, out)


def finished_or_trained(args: Namespace, flags: dict, out: Path) -> dict:
    """The record of the adapter in `out`: trained now, or, where neither a recipe nor a key is
    given, earlier.
    """
    if not args.config and not flags:
        return finished_record(out)
    # A finished adapter may lie where nobody can write: it is only looked at.
    if read_record(out) is None:
        check_writable(out)
    recipe = read_recipe(recipe_file(args.config) if args.config else None, flags)
    for folder, option in (
        (args.merge, "--merge"),
        (args.save_quantized_base, "--save-quantized-base"),
    ):
        if folder:
            check_folder(Path(folder), option)
    if args.save_quantized_base:
        check_quantized(recipe)
    return train_adapter(recipe, out, args.overwrite)


def after_training(args: Namespace, record: dict, out: Path) -> None:
    """What was asked for beside training, and the command that scores the adapter."""
    loss = (
        ""
        if record["validation_loss"] is None
        else f", validation loss {record['validation_loss']:.4f}"
    )
    tell(
        f"{out}: {record['steps']:,} steps, {record['trained_parameters']:,} trained parameters,"
        f" {record['seconds']:.0f} s{loss}"
    )
    if args.merge:
        merge(out, record, Path(args.merge))
        tell(
            f"{args.merge}: base and adapter as one bf16 model; csc doctor --model {args.merge}"
            " says how it is scored"
        )
    if args.save_quantized_base:
        save_quantized_base(record, Path(args.save_quantized_base))
        tell(f"{args.save_quantized_base}: the NF4 base")
    command = scoring_command(record, out, args.save_quantized_base)
    tell(f"Score it with:\n\n    {command}\n")
    if args.score:
        release_memory()
        score(record, out, args.save_quantized_base, args.limit)
    if args.repo_id:
        publish_adapter(args, record, out)


if __name__ == "__main__":
    from csc_tasks.cli import standalone

    standalone(add_arguments, main, __doc__)
