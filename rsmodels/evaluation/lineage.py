"""Whether those who are judged, and those who judge, have seen the chips before."""

from __future__ import annotations

from rsmodels.data.lineage import refuse_leaks
from rsmodels.data.source import ChipSource
from rsmodels.errors import ModelError
from rsmodels.evaluation.settings import EvaluateSettings
from rsmodels.training.load import Trained


def seen_before(trained: Trained, source: ChipSource, settings: EvaluateSettings, who: str = "the model") -> list[str]:
    """A warning where a model has seen the chips that it is judged on.

    Raises
    ------
    ModelError : ``saw-held-out`` where these are val or test chips, and the settings do not allow it.
    """
    try:
        refuse_leaks(trained.seen, source, (settings.split,), who=who)
    except ModelError as error:
        if error.slug != "saw-held-out":
            raise
        if settings.split == "train" or settings.allow_seen:
            return [f"figures on chips that {who} was trained on: {error.cause}"]
        raise ModelError(
            "saw-held-out",
            error.cause,
            value=error.value,
            remedy="evaluate on chips that it has not seen; allow_seen goes on all the same, and the page warns",
        ) from None
    return []


def judge_learned(judge: Trained | None, source: ChipSource, settings: EvaluateSettings, who: str) -> list[str]:
    """A warning where a network that judges was trained on the chips in question."""
    if judge is None:
        return []
    try:
        refuse_leaks(judge.seen, source, (settings.split,), who=f"the {who}")
    except ModelError as error:
        if error.slug != "saw-held-out":
            raise
        return [f"judged by a {who} that learned from these chips: {error.cause}"]
    return []
