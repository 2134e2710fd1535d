"""The loss of a training: as numbers (loss.json) and as a drawing (loss.png)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from csc_tasks.errors import require


def loss_points(log_history: Sequence[Mapping]) -> dict[str, list[dict]]:
    """Trainer's log as {"train": [...], "validation": [...]}; each point has step, epoch and loss
    (mean over learned tokens, nats).
    """
    train = [
        {
            "step": entry["step"],
            "epoch": entry["epoch"],
            "loss": entry["loss"],
            "learning_rate": entry["learning_rate"],
        }
        for entry in log_history
        if "loss" in entry and "learning_rate" in entry
    ]
    validation = [
        {"step": entry["step"], "epoch": entry["epoch"], "loss": entry["eval_loss"]}
        for entry in log_history
        if "eval_loss" in entry
    ]
    return {"train": train, "validation": validation}


def write_curve(points: Mapping[str, Sequence[Mapping]], out: Path) -> None:
    """Write loss.json and loss.png into `out`; the same numbers give the same bytes."""
    (out / "loss.json").write_text(json.dumps(points, indent=2) + "\n", encoding="utf-8")
    require("matplotlib", "train", "drawing the loss curve")
    # Not pyplot: it keeps every figure and looks for a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for (name, curve), style in zip(points.items(), ("-", "o-"), strict=True):
        if curve:
            axes.plot(
                [point["step"] for point in curve],
                [point["loss"] for point in curve],
                style,
                label=name,
                markersize=4,
            )
    axes.set_xlabel("step")
    axes.set_ylabel("loss per learned token")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(out / "loss.png", dpi=120, metadata={"Software": None})
