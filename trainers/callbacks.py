"""What happens beside the training steps: a progress bar, and a mark on every checkpoint that was
written to its end.
"""

import time
from pathlib import Path

from csc_tasks.telling import is_quiet
from trainers.checkpoints import checkpoint_at, mark_complete, seconds_before


def callbacks() -> list:
    """A bar that shows the loss, and what makes checkpoints whole."""
    from tqdm import tqdm
    from transformers import TrainerCallback

    class Bar(TrainerCallback):
        """One line of progress in place of one line a step."""

        def on_train_begin(self, args, state, control, **_) -> None:
            shown = state.is_world_process_zero and not args.disable_tqdm
            self.bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                desc="training",
                unit="step",
                disable=not shown or is_quiet(),
            )
            self.losses: dict[str, str] = {}

        def on_step_end(self, args, state, control, **_) -> None:
            self.bar.update(state.global_step - self.bar.n)

        def on_log(self, args, state, control, logs=None, **_) -> None:
            named = (("loss", "loss"), ("validation", "eval_loss"))
            self.losses |= {name: f"{logs[key]:.3f}" for name, key in named if key in (logs or {})}
            self.bar.set_postfix(self.losses, refresh=False)

        def on_train_end(self, args, state, control, **_) -> None:
            self.bar.close()

    class Checkpoints(TrainerCallback):
        """A point of the loss curve with every checkpoint, and a mark on it when all of it is on
        the disk.
        """

        def on_train_begin(self, args, state, control, **_) -> None:
            resumed = checkpoint_at(Path(args.output_dir), state.global_step)
            self.started = time.monotonic() - seconds_before(resumed if state.global_step else None)

        def on_step_end(self, args, state, control, **_) -> None:
            # Trainer forgets the steps since the last point when it is killed: the curve of a
            # resumed training would differ.
            control.should_log |= control.should_save

        def on_save(self, args, state, control, **_) -> None:
            if state.is_world_process_zero:
                saved = checkpoint_at(Path(args.output_dir), state.global_step)
                mark_complete(saved, time.monotonic() - self.started)

    return [Bar(), Checkpoints()]
