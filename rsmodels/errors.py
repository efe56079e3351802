"""Errors that rsmodels raises on purpose: as in rsprep, with a cause, the value that was offered, and a remedy."""

from __future__ import annotations

from rsprep.errors import InputError, RsprepError


class ModelError(InputError):
    """What was asked of a model cannot be done with what was given (exit code 2)."""

    family = "model"


class TrainError(RsprepError):
    """A run had to stop before its end. What it saved is kept."""

    family = "train"
