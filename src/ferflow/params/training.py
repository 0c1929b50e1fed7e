"""The parts of params.yaml about training: one model's recipe, and what all share."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from ferflow.params.base import (
    Fraction,
    Momentum,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Share,
    Strict,
)
from ferflow.params.optimization import (
    AnyLoss,
    AnyOptimizer,
    AnySchedule,
    LossParams,
    OptimizerParams,
    ScheduleParams,
)

Alpha = Annotated[float, Field(ge=0, le=10)]
InputSize = Annotated[int, Field(ge=16, le=1024)]


class TrainingParams(Strict):
    """What all trainings share."""

    precision: Literal["auto", "float32", "mixed_bfloat16"]


class OcclusionParams(Strict):
    """Random erasing: a rectangle of one random gray level hides a part of the face.

    Attributes:
        probability: Share of the images that are hit.
        min_area: Least share of an image that is hidden.
        max_area: Greatest share of an image that is hidden.
    """

    probability: Share
    min_area: Share = 0.02
    max_area: Share = 0.2

    @model_validator(mode="after")
    def _areas_in_order(self) -> OcclusionParams:
        if self.min_area > self.max_area:
            raise ValueError(f"min_area ({self.min_area}) is above max_area ({self.max_area})")
        return self


class AugmentParams(Strict):
    """Random changes of training batches, each up to its value either way; the defaults change nothing.

    Attributes:
        rotation: Degrees about the middle.
        shift: Share of the height and of the width.
        shear: Degrees.
        zoom: Share by which each axis is scaled.
        horizontal_flip: Mirror every second image.
        brightness: Share of the range from black to white that is added.
        contrast: Share by which the distance to the image's mean gray level is scaled.
        noise: Standard deviation of Gaussian noise, as a share of the range from black to white.
        occlusion: Hide a rectangle; None never does.
        mixup: Alpha of the Beta distribution by which an image is blended with another one; 0 never does.
        cutmix: Alpha of the Beta distribution of the area pasted from another image; 0 never does.
        mix_probability: Share of the images that are mixed; with both, half of them in each way.
    """

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    shift: Fraction = 0.0
    shear: Annotated[float, Field(ge=0, le=45)] = 0.0
    zoom: Fraction = 0.0
    horizontal_flip: bool = False
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0
    noise: Fraction = 0.0
    occlusion: OcclusionParams | None = None
    mixup: Alpha = 0.0
    cutmix: Alpha = 0.0
    mix_probability: Share = 1.0

    @model_validator(mode="after")
    def _something_is_mixed(self) -> AugmentParams:
        if "mix_probability" in self.model_fields_set and not (self.mixup or self.cutmix):
            raise ValueError("`mix_probability` says nothing without `mixup` or `cutmix`")
        return self


NO_AUGMENTATION: Final = AugmentParams()


class PhaseParams(Strict):
    """One phase of training: which layers train, for how long, how fast.

    Attributes:
        trainable: "all", "head" (everything but the base), or how many of the base's last layers train.
        epochs: At most; early stopping may end a phase before.
        learning_rate: Of a schedule, the greatest.
        optimizer: None for the recipe's. Every phase starts one without a memory of the phase before.
        schedule: None for the recipe's.
        augment: False leaves the images of this phase as they are.
        cached_views: Where only the head trains, what the frozen base makes of an image that is not changed
            is computed once. Of images that are changed at random, this many views of each are computed
            once and then trained on in turn; None changes and computes all of them anew in every epoch.
        input_size: Pixels at which this phase sees an image; None for the recipe's, which is what the
            model is saved with: the last phase trains at that. Fewer pixels first save time
            (progressive resizing).
        self_distillation: Share of each training label that is replaced by what the model itself, at the
            beginning of the phase, believes of the image: a label that contradicts all the others weighs
            less.
    """

    trainable: Literal["all", "head"] | PositiveInt
    epochs: PositiveInt
    learning_rate: PositiveFloat
    optimizer: AnyOptimizer | None = None
    schedule: AnySchedule | None = None
    augment: bool = True
    cached_views: PositiveInt | None = None
    input_size: InputSize | None = None
    self_distillation: Fraction = 0.0


class EarlyStoppingParams(Strict):
    """Stop when the monitored value no longer improves, and go back to the best epoch."""

    monitor: Literal["val_loss", "val_accuracy"]
    patience: PositiveInt


class PlateauParams(Strict):
    """Lower the learning rate when the validation loss no longer falls."""

    factor: Annotated[float, Field(gt=0, lt=1)]
    patience: PositiveInt
    min_delta: NonNegativeFloat = 1e-4
    min_learning_rate: NonNegativeFloat = 0.0


class Recipe(Strict):
    """Everything that decides how one model is built and trained under one budget.

    Attributes:
        input_size: Pixels at which the architecture sees an image.
        options: Keyword arguments of the architecture, which says what they may be.
        batch_size: Images in a step.
        optimizer: Of every phase that names none.
        schedule: Of every phase that names none.
        loss: The validation loss is measured by it too, with its smoothing and the class weights.
        class_weights: balanced weighs an image by the rarity of its class, one on average.
        sampling: balanced draws every class equally often in an epoch, rare images repeatedly.
        samples_per_epoch: Images in an epoch, others in each; None for all.
        ema_momentum: Validate and keep not the weights but their exponential moving average over
            about 1 / (1 - ema_momentum) steps; None keeps the weights. The statistics of batch
            normalisation are such averages already and are kept as they are: `batch_norm_momentum`
            decides over how many steps.
        batch_norm_momentum: Of batch normalisation's statistics; None for the architecture's own.
        augment: Random changes of the training images.
        phases: In their order; each goes on from the weights that the one before has left.
        early_stopping: Of each phase; None trains all epochs. Under a schedule the best epochs are the
            last: a patience that ends a phase while its rate is high wastes it.
        reduce_lr_on_plateau: Of each phase, only with a constant schedule.
    """

    input_size: InputSize
    options: dict[str, Any] = Field(default_factory=dict)
    batch_size: PositiveInt
    optimizer: AnyOptimizer
    schedule: AnySchedule = ScheduleParams(name="constant")
    loss: AnyLoss = LossParams()
    class_weights: Literal["none", "balanced"] = "none"
    sampling: Literal["natural", "balanced"] = "natural"
    samples_per_epoch: PositiveInt | None = None
    ema_momentum: Momentum | None = None
    batch_norm_momentum: Momentum | None = None
    augment: AugmentParams = NO_AUGMENTATION
    phases: Annotated[dict[str, PhaseParams], Field(min_length=1)]
    early_stopping: EarlyStoppingParams | None = None
    reduce_lr_on_plateau: PlateauParams | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        if self.class_weights == "balanced" and self.sampling == "balanced":
            raise ValueError("class_weights and sampling: both balanced would favour rare classes twice")
        if self.reduce_lr_on_plateau:
            for name, phase in self.phases.items():
                if (schedule := self.schedule_of(phase).name) != "constant":
                    raise ValueError(
                        f"phases.{name}: the schedule '{schedule}' and reduce_lr_on_plateau both move "
                        "the learning rate; keep one"
                    )
        for name, phase in self.phases.items():
            if phase.cached_views is not None:
                self._views_can_be_cached(f"phases.{name}.cached_views", phase)
        first, last = next(iter(self.phases)), next(reversed(self.phases))
        if (size := self.size_of(self.phases[last])) != self.input_size:
            raise ValueError(
                f"phases.{last}.input_size: the last phase trains at {size} pixels, but the model would be "
                f"used at {self.input_size} (input_size)"
            )
        if self.phases[first].self_distillation:
            raise ValueError(
                f"phases.{first}.self_distillation: before the first phase the model has learnt nothing"
            )
        return self

    def _views_can_be_cached(self, key: str, phase: PhaseParams) -> None:
        augment = self.augment_of(phase)
        if phase.trainable != "head":
            raise ValueError(f"{key} needs `trainable: head`: nothing is worth keeping of a base that trains")
        if augment == NO_AUGMENTATION:
            raise ValueError(f"{key} says nothing without augmentation: unchanged images are always cached")
        if augment.mixup or augment.cutmix:
            raise ValueError(f"{key}: mixup and cutmix mix other images in every step, not views of one")

    def optimizer_of(self, phase: PhaseParams) -> OptimizerParams:
        """Return the optimizer of a phase: its own, else the recipe's."""
        return phase.optimizer or self.optimizer

    def schedule_of(self, phase: PhaseParams) -> ScheduleParams:
        """Return the schedule of a phase: its own, else the recipe's."""
        return phase.schedule or self.schedule

    def size_of(self, phase: PhaseParams) -> int:
        """Return the pixels at which a phase sees an image: its own, else the recipe's."""
        return phase.input_size or self.input_size

    def augment_of(self, phase: PhaseParams) -> AugmentParams:
        """Return what is done to the images of a phase."""
        return self.augment if phase.augment else NO_AUGMENTATION
