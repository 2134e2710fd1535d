"""Which commands a trial is made of."""

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.evidence import Passages, read_evidence
from leaderboard.trial.candidates import Candidate
from leaderboard.trial.steps import Step


@dataclass(frozen=True, slots=True)
class Plan:
    """A trial: the options of csc trial, and who is tried. is_dataset: the source is a dataset
    folder already.
    """

    args: Namespace
    candidates: Sequence[Candidate]
    is_dataset: bool

    def folder(self, name: str) -> Path:
        """What lies under this name in the trial's folder."""
        path: Path = self.args.out / name
        return path

    @property
    def corpus(self) -> Path:
        """The conversations that the candidates are asked about."""
        if self.args.label_llm:
            return self.folder("labelled")
        return self.unlabelled

    @property
    def unlabelled(self) -> Path:
        """The conversations as they were read."""
        source: Path = self.args.source
        return source if self.is_dataset else self.folder("corpus")

    @property
    def reads_replies(self) -> bool:
        """Whether strategies are read from replies: agents name none."""
        return bool(self.args.label_llm) and any(one.agent for one in self.candidates)

    def passages(self) -> Passages:
        """Passages of the policies, where there are some."""
        return read_evidence(self.folder("passages.jsonl")) if self.args.policy else {}


def folders_of(plan: Plan) -> list[Path]:
    """Where each candidate's results lie, in the order of the candidates."""
    below = "read" if plan.reads_replies else "results"
    return [plan.folder(below) / one.name for one in plan.candidates]


def steps_of(plan: Plan) -> list[Step]:
    """All steps, each after those that it rests on."""
    steps = [*_corpus(plan)]
    made = tuple(step.name for step in steps)
    steps += [_candidate(plan, one, made) for one in plan.candidates]
    if plan.reads_replies:
        steps += [_replies(plan, one) for one in plan.candidates]
    last = tuple(step.name for step in steps)
    return [*steps, _board(plan, last)]


def _corpus(plan: Plan) -> list[Step]:
    args, steps = plan.args, []
    if not plan.is_dataset:
        words = ["build", "transcripts", str(args.source), "--out", str(plan.unlabelled)]
        words += _given(args, "columns", "agents", "language")
        words += ["--keep-personal-data"] if args.no_mask else []
        steps.append(Step("transcripts", tuple(words), plan.unlabelled, source=(args.source,)))
    if args.label_llm:
        words = ["label", "run", str(plan.unlabelled), "--out", str(plan.corpus)]
        words += [*_llm(args), *_given(args, "raters", "limit")]
        after = tuple(step.name for step in steps)
        source = (plan.unlabelled,) if plan.is_dataset else ()
        steps.append(Step("labels", tuple(words), plan.corpus, after, source))
    if args.policy:
        questions, passages = plan.folder("qa"), plan.folder("passages.jsonl")
        words = ["build", "qa", "--source", str(plan.unlabelled), "--out", str(questions)]
        words += ["--splits", "0,0,100", *_llm(args), *_given(args, "limit")]
        after = tuple(step.name for step in steps)
        steps.append(Step("questions", tuple(words), questions, after))
        words = ["build", "passages", str(args.policy), "--corpus", str(questions)]
        words += ["--out", str(passages)]
        steps.append(Step("passages", tuple(words), passages, ("questions",), (args.policy,)))
    return steps


def _candidate(plan: Plan, one: Candidate, after: tuple[str, ...]) -> Step:
    args, out = plan.args, plan.folder("results") / one.name
    tasks, metadata = args.tasks, {"csc_corpus": str(plan.corpus)}
    metadata |= {"csc_prompt": args.prompt} if args.prompt else {}
    if args.policy:
        tasks += ",csc_qa" if one.agent else ",csc_qa,cscx_qa_grounded"
        metadata["csc_qa_corpus"] = str(plan.folder("qa"))
        metadata["csc_evidence"] = str(plan.folder("passages.jsonl"))
    words = ["evaluate", *one.words, "--tasks", tasks, "--apply_chat_template"]
    words += ["--metadata", json.dumps(metadata), "--output_path", str(out), "--log_samples"]
    words += ["--use_cache", str(plan.folder("cache") / one.name)]
    if one.words[1] == "hf":
        words += ["--batch_size", args.batch_size, *_given(args, "device")]
    # Labelled conversations are as few as they shall be.
    words += [] if args.label_llm else _given(args, "limit")
    words += ["--gen_kwargs", f"max_gen_toks={args.max_tokens}"] if args.max_tokens else []
    source = (Path(_agent_file(one)),) if one.agent and _agent_file(one) else ()
    return Step(f"candidate {one.name}", tuple(words), out, after, source)


def _agent_file(one: Candidate) -> str:
    """The YAML file of an agent, "" where it has none."""
    parts = (part.partition("=") for part in one.words[3].split(","))
    return next((value for name, _, value in parts if name == "agent"), "")


def _replies(plan: Plan, one: Candidate) -> Step:
    results, out = plan.folder("results") / one.name, plan.folder("read") / one.name
    words = ["label", "samples", str(results), "--out", str(out), *_llm(plan.args)]
    return Step(f"replies {one.name}", tuple(words), out, (f"candidate {one.name}",))


def _board(plan: Plan, after: tuple[str, ...]) -> Step:
    args, out = plan.args, plan.folder("board")
    words = ["collect", *map(str, folders_of(plan)), "--replace", "--out", str(out)]
    words += ["--corpus", str(plan.corpus)]
    if args.policy:
        words += ["--corpus", str(plan.folder("qa"))]
        words += ["--evidence", str(plan.folder("passages.jsonl"))]
    for price in args.price:
        words += ["--price", price]
    return Step("board", tuple(words), out / "index.html", after, again=True)


def _llm(args: Namespace) -> list[str]:
    words = [word for spec in args.label_llm for word in ("--llm", spec)]
    return [*words, *(["--base-url", args.label_base_url] if args.label_base_url else [])]


def _given(args: Namespace, *names: str) -> list[str]:
    """The options among these that were given, as words."""
    values = ((name, getattr(args, name)) for name in names)
    return [
        word for name, value in values if value is not None for word in (f"--{name}", str(value))
    ]
