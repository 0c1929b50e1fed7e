"""What a model's report says about the model itself: the content of model.json."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field

from ferflow.errors import FerflowError
from ferflow.files import read_json
from ferflow.params import EvaluateParams

Count = Annotated[int, Field(ge=0)]


class ModelInfo(BaseModel):
    """A trained model in words and numbers.

    Args:
        model: Its name in params.yaml.
        architecture: The module of `ferflow.models` that built it.
        parameters: Number of all parameters.
        trainable_parameters: Number of those that training can change: all but moving statistics.
        epochs: Number of epochs that were run, over all phases.
        precision: Computation during training, e.g. `"mixed_bfloat16"`.
        fingerprint: Identity of the training, as in its MLflow run.
        input_size: Side of the image that the first layer sees, in pixels.
        flops: Floating-point operations of one image in one view, two for each multiplication with its
            addition; None if they cannot be counted, or in a model.json of an earlier version, which did not
            count them.
        file_bytes: Size of the model's file; None in a model.json of an earlier version.
        evaluate: Over which views of an image its probabilities were averaged; a model.json without it is of
            one that saw the image alone.
        members: Of an ensemble, the models whose probabilities it averages, with their weights; its figures
            are the sums of theirs, its input size is their largest.
        cross_fitted: Its members were chosen on validation: its scores there are of choices that were made
            without each sample.
    """

    # A reader takes what it knows: a later version may write more about a model.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    model: str
    architecture: str
    parameters: Count
    trainable_parameters: Count
    epochs: Count
    precision: str
    fingerprint: str
    input_size: Count
    flops: Count | None = None
    file_bytes: Count | None = None
    evaluate: EvaluateParams = EvaluateParams(horizontal_flip=False, shift=0)
    members: dict[str, float] | None = None
    cross_fitted: bool = False

    @computed_field  # type: ignore[prop-decorator]
    @property
    def views(self) -> int:
        """Number of views of an image over which its probabilities were averaged; 1 is the image alone."""
        return (5 if self.evaluate.shift else 1) * (2 if self.evaluate.horizontal_flip else 1)


def read_model_info(path: Path) -> ModelInfo:
    """Return the content of a model.json that the predict stage wrote.

    Raises:
        FerflowError: The file is missing, or a value is missing or has another type.
    """
    try:
        return ModelInfo.model_validate(read_json(path))
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, detail["loc"])) or "all" for detail in error.errors())
        raise FerflowError(f"{path} is not complete ({keys}): delete it and run `dvc repro`.") from None
