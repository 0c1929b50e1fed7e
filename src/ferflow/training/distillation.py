"""Self-distillation: labels are mixed with what the model itself believes of their images.

A model that has not yet learnt its images by heart contradicts the labels that are wrong: a network trained
on a mixture with its own earlier predictions generalises better (Furlanello et al., "Born-Again Neural
Networks", ICML 2018; Kim et al., "Self-Knowledge Distillation with Progressive Refinement of Targets",
ICCV 2021), most of all where labels are noisy, as those of FER-2013 are.
"""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np

from ferflow.models.inference import predict_probabilities
from ferflow.models.views import averaged_over_views
from ferflow.training.pipeline import Images, LabelledRows, Targets, TrainingData


def distilled(
    model: keras.Model, data: TrainingData, share: float, targets: Targets | None = None
) -> TrainingData:
    """Return the data with targets of which `share` is the model's prediction.

    Args:
        model: The teacher.
        data: Images and splits; validation keeps its labels.
        share: From 0, the labels, to 1, the predictions.
        targets: What this function has made before, by a teacher that is no more; None makes them.
    """
    if targets is None:
        targets = mixed_with_predictions(model, data.images, data.train, share)
    return replace(data, train=replace(data.train, targets=targets))


def mixed_with_predictions(model: keras.Model, images: Images, split: LabelledRows, share: float) -> Targets:
    """Return targets of which `share` is the model's prediction, and the rest the label.

    Args:
        model: The teacher: what is to be trained further. It sees each image and its mirror image, as they
            are: without augmentation, in inference mode.
        images: uint8 of shape (N, H, W, C).
        split: What is trained on.
        share: From 0, the labels, to 1, the predictions.

    Returns:
        float32 of shape (n, classes); each row sums to one.
    """
    teacher = averaged_over_views(model, horizontal_flip=True, shift=0)
    # Two views of each image: half as many in a batch.
    believed = predict_probabilities(teacher, images, split.rows, batch_size=128)
    labels = np.eye(believed.shape[-1], dtype=np.float32)[split.labels]
    return labels + np.float32(share) * (believed - labels)
