"""What our trainer does differently from TRL's SFTTrainer: the order of the rows, a weight for
tokens that name a strategy, scores where there is something to learn alone, the validation loss.

csc_tasks/compat/trl.py says which methods are extended and with which versions that was run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trainers.batching import GroupedSampler
from trainers.recipe import Recipe
from trainers.rows import IGNORED, Row

if TYPE_CHECKING:
    from trl import SFTTrainer as Trained
else:
    # Mixed into SFTTrainer where that is imported: trl takes seconds to load.
    Trained = object

WEIGHTS = "weights"
"""The column of a data set that holds a weight for every token; only there when a recipe asks for
other weights than 1.
"""


class RowLosses(Trained):
    """Stands before SFTTrainer among the bases of a class (see `trainer.make_trainer`).

    rows: those that are trained on, in the order of the data set. Everything else is SFTTrainer's.
    """

    def __init__(self, *args: Any, recipe: Recipe, rows: Sequence[Row], **kwargs: Any) -> None:
        self.recipe, self.rows = recipe, rows
        self.divisor: int | None = None
        self.evaluated = [0.0, 0]
        super().__init__(*args, **kwargs)
        if recipe.strategy_weight != 1:
            self.data_collator = with_weights(
                self.data_collator, weight_scale(rows, recipe.strategy_weight)
            )

    def _get_train_sampler(self, train_dataset=None):
        if self.recipe.batching != "grouped":
            return super()._get_train_sampler(train_dataset)
        # Trainer's own length grouping draws from the global generator: a resumed training would
        # see other batches.
        return GroupedSampler(
            [len(row.ids) for row in self.rows],
            self.recipe.batch_size * self.args.world_size,
            self.recipe.seed,
        )

    def evaluation_loop(
        self,
        dataloader,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ):
        import torch

        # Trainer takes the mean over rows, or packed sequences, of the loss of their batch, which
        # depends on what is batched with what.
        self.evaluated = [0.0, 0]
        output = super().evaluation_loop(
            dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
        )
        sums = torch.tensor(self.evaluated, device=self.args.device)
        loss, tokens = self.accelerator.reduce(sums, "sum").tolist()
        metrics = {**(output.metrics or {}), f"{metric_key_prefix}_loss": loss / tokens}
        return output._replace(metrics=metrics)

    def prediction_step(self, model, inputs, *args: Any, **kwargs: Any):
        # With this divisor the loss is a sum over learned tokens: compute_loss multiplies by the
        # processes.
        across = self.args.average_tokens_across_devices
        self.divisor = self.accelerator.num_processes if across else 1
        try:
            loss, *more = super().prediction_step(model, inputs, *args, **kwargs)
        finally:
            self.divisor = None
        self.evaluated[0] += loss.item()
        self.evaluated[1] += (inputs["labels"] != IGNORED).sum().item()
        return loss, *more

    def compute_loss(self, model, inputs, *args: Any, **kwargs: Any):
        if self.divisor is not None:
            kwargs["num_items_in_batch"] = self.divisor
        weights = inputs.pop(WEIGHTS, None)
        # On a GPU trl leaves out the positions that teach nothing by itself.
        everywhere = self.args.device.type == "cpu"
        backbone = self.accelerator.unwrap_model(self.model).get_base_model().base_model

        def scored(**given: Any):
            if not given.get("fused_lm_head"):
                return model(**given)
            if not everywhere:
                outputs = model(**given)
                if weights is not None:
                    # One entry for every token but the first, as the logits that predict it.
                    outputs.log_probs = outputs.log_probs * weights[:, 1:]
                return outputs
            labels = given.pop("labels")
            rows, places = (labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
            with only_positions(backbone, rows, places):
                outputs = model(**given, shift_labels=labels[rows, places + 1][None])
            if weights is not None:
                outputs.log_probs = outputs.log_probs * weights[rows, places + 1]
            return outputs

        return super().compute_loss(scored, inputs, *args, **kwargs)


@contextmanager
def only_positions(backbone, rows, places) -> Iterator[None]:
    """Inside, the layers before the head hand on their states at some positions of a batch, as one
    sequence: so that the head, which on a CPU scores whatever it is given, scores these alone.

    rows, places: where in the batch, index tensors of one length.
    """

    def select(module, args, outputs):
        outputs.last_hidden_state = outputs.last_hidden_state[rows, places][None]
        return outputs

    hook = backbone.register_forward_hook(select)
    try:
        yield
    finally:
        hook.remove()


def weight_scale(rows: Sequence[Row], strategy_weight: float) -> float:
    """What weights are multiplied by so that their mean over the learned tokens is 1, and losses
    and learning rates keep their size.
    """
    learned = sum(row.learned() for row in rows)
    total = sum(row.learned() + (strategy_weight - 1) * sum(row.tags) for row in rows)
    return learned / total


def with_weights(
    collate: Callable[[list[dict]], Mapping], scale: float
) -> Callable[[list[dict]], dict]:
    """TRL's collator, and the weights of a batch, times `scale` and padded as the labels are.

    Examples that carry none (those held out) stay as they are.
    """
    import torch

    def collated(examples: list[dict]) -> dict:
        batch = dict(collate(examples))
        if WEIGHTS in examples[0]:
            padded = torch.zeros(batch["labels"].shape)
            for row, example in zip(padded, examples, strict=True):
                row[: len(example[WEIGHTS])] = torch.tensor(example[WEIGHTS]) * scale
            batch[WEIGHTS] = padded
        return batch

    return collated
