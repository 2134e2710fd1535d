"""TRL's SFTTrainer with three things of our own: the order of the rows, a weight for tokens that
name a strategy, the validation loss.
"""

from collections.abc import Sequence

from trainers.batching import GroupedSampler
from trainers.recipe import Recipe
from trainers.rows import IGNORED, Row

WEIGHTS = "weights"
"""The column of a data set that holds a weight for every token; only there when a recipe asks for
other weights than 1.
"""


def make_class(recipe: Recipe, rows: Sequence[Row]) -> type:
    """The trainer's class for these rows."""
    import torch
    from trl import SFTTrainer

    scale = sum(row.learned() for row in rows) / _sum_of_weights(rows, recipe.strategy_weight)

    class Trainer(SFTTrainer):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, **kwargs)
            self.divisor: int | None = None
            if recipe.strategy_weight != 1:
                self.data_collator = self.with_weights(self.data_collator)

        def _get_train_sampler(self, train_dataset=None):
            if recipe.batching != "grouped":
                return super()._get_train_sampler(train_dataset)
            # Trainer's own length grouping draws from the global generator: a resumed training
            # would see other batches.
            return GroupedSampler(
                [len(row.ids) for row in rows],
                recipe.batch_size * self.args.world_size,
                recipe.seed,
            )

        @staticmethod
        def with_weights(collate):
            """TRL's collator, and the weights of a batch padded as the labels are."""

            def collated(examples: list[dict]) -> dict:
                batch = collate(examples)
                if WEIGHTS in examples[0]:
                    padded = torch.zeros(batch["labels"].shape)
                    for row, example in zip(padded, examples, strict=True):
                        row[: len(example[WEIGHTS])] = torch.tensor(example[WEIGHTS]) * scale
                    batch[WEIGHTS] = padded
                return batch

            return collated

        def evaluation_loop(self, *args, metric_key_prefix: str = "eval", **kwargs):
            # Trainer takes the mean over rows, or packed sequences, of the loss of their batch,
            # which depends on what is batched with what.
            self.evaluated = [0.0, 0.0]
            output = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
            loss, tokens = self.accelerator.reduce(
                torch.tensor(self.evaluated, device=self.args.device), "sum"
            ).tolist()
            output.metrics[f"{metric_key_prefix}_loss"] = loss / tokens
            return output

        def prediction_step(self, model, inputs, *args, **kwargs):
            # With this divisor the loss is a sum over learned tokens: compute_loss multiplies by
            # the processes.
            self.divisor = (
                self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
            )
            try:
                loss, *more = super().prediction_step(model, inputs, *args, **kwargs)
            finally:
                self.divisor = None
            self.evaluated[0] += loss.item()
            self.evaluated[1] += (inputs["labels"] != IGNORED).sum().item()
            return loss, *more

        def compute_loss(self, model, inputs, *args, **kwargs):
            if self.divisor is not None:
                kwargs["num_items_in_batch"] = self.divisor
            weights = inputs.pop(WEIGHTS, None)
            if weights is None:
                return super().compute_loss(model, inputs, *args, **kwargs)

            def weighted(**given):
                outputs = model(**given)
                # One entry for every token but the first, as the logits that predict it.
                outputs.log_probs = outputs.log_probs * weights[:, 1:]
                return outputs

            return super().compute_loss(weighted, inputs, *args, **kwargs)

    return Trainer


def _sum_of_weights(rows: Sequence[Row], strategy_weight: float) -> float:
    """Of all learned tokens. The weights are divided by their mean, so that losses and learning
    rates keep their size.
    """
    return sum(row.learned() + (strategy_weight - 1) * sum(row.tags) for row in rows)
