"""Which columns a table has: their order, headings, scale for showing, and what is ranked."""

from collections.abc import Mapping

from csc_tasks.languages import languages
from csc_tasks.metrics import METRICS, Metric
from leaderboard.board import Column
from leaderboard.rated import FACTS, OVERALL, PEOPLE, UNSUPPORTED, of_conversations, rated

# Table 6 of arXiv 2508.04423 first, then the rest; questions in the order of arXiv 2602.00665.
_LABELS = {
    "bleu_2": "BLEU-2", "bleu_4": "BLEU-4", "rouge_l": "ROUGE-L", "meteor": "METEOR", "bertscore": "BERTScore", "bleurt": "BLEURT",
    "bartscore": "BARTScore", "cosine": "Cosine", "strategy_acc": "Strategy accuracy", "strategy_macro_f1": "Strategy macro-F1",
    "stage_overlap": "Stage overlap", "failed": "Failed", "unparsed": "Unparsed", "truncated": "Cut replies",
    "history_truncated": "Cut histories", "empty": "Empty replies", "thinking_cut": "Cut thinking",
    "rouge_l_default": "ROUGE-L (default tokenizer)",
    "bartscore_to_reference": "BARTScore to reference", "bartscore_to_reply": "BARTScore to reply",
}  # fmt: skip
_ORDER = {name: i for i, name in enumerate(_LABELS)}
_HEADLINE = {"bleu_2", "bleu_4", "rouge_l", "meteor", "bertscore", "bleurt", "bartscore", "cosine", "strategy_acc"}
_NEVER_RANKED = {"rouge_l_default"} | {name for name, metric in METRICS.items() if metric.of == "flag"}
_ONE_DIGIT = {"strategy_acc", "strategy_macro_f1", "stage_overlap"} | (_NEVER_RANKED - {"rouge_l_default"})

# kind of table -> task -> heading above its columns
KINDS: dict[str, dict[str, str]] = {
    "conversations": {"csc_conv_ref": "Reference context", "csc_conv_gen": "Generated context"},
    "questions": {"csc_qa": "Answers"},
    "strategy_variants": {"cscx_conv_ref_vanilla": "Vanilla", "csc_conv_ref": "Predict", "cscx_conv_ref_oracle": "Oracle"},
    "strategy_choice": {"cscx_strategy_choice": "Strategy choice"},
    "question_context": {
        "csc_qa": "Summary", "cscx_qa_full": "Whole history", "cscx_qa_last": "Last 4 turns", "cscx_qa_none": "No history",
    },
    "question_stages": {"cscx_qa_early": "Early", "cscx_qa_mid": "Mid", "cscx_qa_late": "Late"},
}  # fmt: skip
TITLES = {
    "conversations": "Conversations", "questions": "Context-summarised questions", "strategy_variants": "With and without strategies",
    "strategy_choice": "Strategy choice by log-likelihood", "question_context": "Questions: what of the history is shown",
    "question_stages": "Questions by part of the conversation",
}  # fmt: skip


def parts_of(name: str) -> tuple[str, str | None, bool]:
    """A result name as (metric, language or None, whether length-normalised): `bleu_4_zh` -> ("bleu_4", "zh", False)."""
    norm = name.endswith("_norm")
    base = name.removesuffix("_norm")
    for language in languages():
        if base.endswith(f"_{language}") and base not in METRICS:
            return base.removesuffix(f"_{language}"), language, norm
    return base, None, norm


def metric_of(name: str) -> Metric | None:
    """The metric behind a result name, or None where this version knows none of that name."""
    return METRICS.get(parts_of(name)[0])


def column(kind: str, task: str, name: str, signature: str, higher: bool) -> Column:
    """The column of one result name of a task in a table of this kind."""
    group = KINDS.get(kind, {}).get(task, task)
    if found := rated(name):
        return Column(
            key=f"{task}/{name}", task=task, group=group, metric=name, label=found.label, higher_is_better=higher, signature=signature,
            scale=100.0 if found.absent or found.what in FACTS else 1.0, digits=2 if found.rater == PEOPLE and not found.absent else 1,
            headline=found.what in (OVERALL, UNSUPPORTED), ranked=not found.absent, rater=found.rater,
            whole=of_conversations(task, name, signature), audits=found.what in FACTS,
        )  # fmt: skip
    base, language, norm = parts_of(name)
    metric = METRICS.get(base)
    percent = metric is not None and metric.range != (0.0, 100.0) and not base.startswith("bartscore")
    words = [_LABELS.get(base, base), *([language] if language else []), *(["(per character)"] if norm else [])]
    return Column(
        key=f"{task}/{name}", task=task, group=group, metric=base, language=language, label=" ".join(words),
        higher_is_better=higher, scale=100.0 if percent else 1.0, digits=1 if base in _ONE_DIGIT else 2, signature=signature,
        headline=base in _HEADLINE, ranked=base not in _NEVER_RANKED,
    )  # fmt: skip


def columns(kind: str, measured: Mapping[str, Mapping[str, tuple[str, bool]]]) -> tuple[Column, ...]:
    """The columns of a table, in order: task -> result name -> (signature, higher is better)."""
    tasks = [*(task for task in KINDS.get(kind, {}) if task in measured), *sorted(set(measured) - set(KINDS.get(kind, {})))]
    return tuple(
        column(kind, task, name, *measured[task][name]) for task in tasks for name in sorted(measured[task], key=_place)
    )


def _place(name: str) -> tuple:
    if found := rated(name):
        rater, what = found.place
        return len(_ORDER) + 1, rater, False, what
    base, language, norm = parts_of(name)
    return _ORDER.get(base, len(_ORDER)), base, norm, list(languages()).index(language) if language else -1
