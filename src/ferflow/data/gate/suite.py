"""The suite: everything that must hold before a model is trained, as one list.

Each entry pairs an expectation of Great Expectations with what it means in plain words and what to do
when it fails. Its threshold and its severity are those of its limit in params.yaml; without a limit, it
always stops the run. What is not one value of one sample is measured in `tables` and `pixels`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ferflow.data.gate.check import Check, make_again, mostly
from ferflow.data.gate.results import percent
from ferflow.data.gate.schema import COLUMN_TYPES
from ferflow.data.labelled import SPLITS
from ferflow.labels import EMOTIONS
from ferflow.params import Limit, ValidateParams


def content_checks(params: ValidateParams, image_size: int, rows: Mapping[str, int]) -> list[Check]:
    """Return what must hold of the content, in the order of the report.

    Args:
        params: The limits.
        image_size: Height and width of the stored images in pixels.
        rows: The number of rows of each judged table, to turn a tolerated number into a share of them.
    """
    import great_expectations.expectations as gxe

    limit = {name: value.limit for name, value in params if isinstance(value, Limit)}
    signal, drift = limit["min_label_signal"], limit["max_brightness_drift"]
    images, groups, held_out = (rows.get(table, 0) for table in ("samples", "groups", "held_out"))
    ingest_again, split_again = make_again("samples"), make_again("splits")
    shape = f"{image_size}×{image_size}×1"
    small, blank = f"under {params.min_image_size} pixels", f"blank (std < {params.min_pixel_std:g})"

    def mostly_but(name: str, table: str) -> float:
        return mostly(limit[name] * rows.get(table, 0), rows.get(table, 0))

    return [
        # --- Every sample is described, in words that the pipeline knows, once ---
        *(
            Check(
                "samples",
                f"{column} is never empty",
                gxe.ExpectColumnValuesToNotBeNull(column=column),
                ingest_again,
            )
            for column in COLUMN_TYPES["samples"]
            if column != "usage"
        ),
        *(
            Check(
                "samples",
                f"{column} is {digits} hexadecimal digits",
                gxe.ExpectColumnValuesToMatchRegex(column=column, regex=f"^[0-9a-f]{{{digits}}}$"),
                ingest_again,
            )
            for column, digits in (("sample_id", 16), ("sha256", 64))
        ),
        *(
            Check(
                "samples",
                f"{column} is unique",
                gxe.ExpectColumnValuesToBeUnique(column=column),
                ingest_again,
            )
            for column in ("sample_id", "source")
        ),
        Check(
            "samples",
            "label is one of the seven emotions",
            gxe.ExpectColumnValuesToBeInSet(column="label", value_set=list(EMOTIONS)),
            ingest_again,
        ),
        Check(
            "samples",
            "usage is train, val, test or undeclared",
            gxe.ExpectColumnValuesToBeInSet(column="usage", value_set=list(SPLITS)),
            ingest_again,
        ),
        Check(
            "samples",
            "mean is between 0 and 255 gray levels",
            gxe.ExpectColumnValuesToBeBetween(column="mean", min_value=0, max_value=255),
            ingest_again,
        ),
        # --- Every sample is in a split, or it is said why not ---
        Check(
            "whole",
            "splits.parquet has the samples in their order (number that are elsewhere)",
            gxe.ExpectColumnMaxToBeBetween(column="misplaced", max_value=0),
            split_again,
        ),
        Check(
            "samples",
            "split is train, val, test or none",
            gxe.ExpectColumnValuesToBeInSet(column="split", value_set=list(SPLITS)),
            split_again,
        ),
        Check(
            "samples",
            "a sample in no split has a reason",
            gxe.ExpectColumnValuesToNotBeNull(column="placed"),
            split_again,
            found="neither split nor reason",
        ),
        # --- The array of images is that of the tables ---
        Check(
            "array",
            f"images.npy has {images:,} images, as samples.parquet",
            gxe.ExpectColumnMaxToBeBetween(column="images", min_value=images, max_value=images),
            ingest_again,
        ),
        Check(
            "array",
            f"images.npy has images of {shape}",
            gxe.ExpectColumnValuesToBeInSet(column="size", value_set=[shape]),
            ingest_again,
            found="{}",
        ),
        Check(
            "stored",
            "images.npy holds the pixels that samples.parquet describes",
            gxe.ExpectColumnValuesToBeNull(column="differs"),
            ingest_again,
            found="its pixels have sha256 {}",
        ),
        # --- There are enough images, and they show something ---
        Check(
            "files",
            f"at most {percent(limit['max_reject_fraction'])} of files could not be used",
            gxe.ExpectColumnValuesToBeNull(
                column="reason", mostly=mostly_but("max_reject_fraction", "files")
            ),
            "rejects.csv, beside samples.parquet, has a remedy for each of them.",
            limit="max_reject_fraction",
            found="{}",
        ),
        Check(
            "whole",
            f"at least {limit['min_samples']:,g} samples are in a split",
            gxe.ExpectColumnMinToBeBetween(column="used", min_value=limit["min_samples"]),
            "Check that the data set is complete.",
            limit="min_samples",
        ),
        Check(
            "classes",
            f"each emotion has at least {limit['min_samples_per_label']:,g} samples in each split",
            gxe.ExpectColumnValuesToBeBetween(column="samples", min_value=limit["min_samples_per_label"]),
            "Add images of them (a folder may be missing), hold more of them out where the splits are carved "
            "(split.val_fraction, split.test_fraction), or lower validate.min_samples_per_label.",
            limit="min_samples_per_label",
            found="{} samples",
        ),
        Check(
            "whole",
            f"no class of train is over {limit['max_class_ratio']:,g} times as large as another",
            gxe.ExpectColumnMaxToBeBetween(column="class_ratio", max_value=limit["max_class_ratio"]),
            "Add images of the rare emotions, and judge models by their macro-F1.",
            limit="max_class_ratio",
        ),
        Check(
            "samples",
            f"at most {percent(limit['max_small_fraction'])} of images are {small}",
            gxe.ExpectColumnValuesToBeBetween(
                column="smaller_side",
                min_value=params.min_image_size,
                mostly=mostly_but("max_small_fraction", "samples"),
            ),
            "Remove these images, or fetch the data set in its original size.",
            limit="max_small_fraction",
            found="{} pixels",
        ),
        Check(
            "samples",
            f"at most {percent(limit['max_blank_fraction'])} of images are {blank}",
            gxe.ExpectColumnValuesToBeBetween(
                column="std",
                min_value=params.min_pixel_std,
                mostly=mostly_but("max_blank_fraction", "samples"),
            ),
            "Look at these images and remove those that show nothing.",
            limit="max_blank_fraction",
        ),
        # --- No image stands twice where that misleads ---
        Check(
            "samples",
            f"at most {percent(limit['max_duplicate_fraction'])} of samples repeat another one's pixels",
            gxe.ExpectColumnValuesToBeNull(
                column="copy_of", mostly=mostly_but("max_duplicate_fraction", "samples")
            ),
            "Keep one of each: what is there twice weighs double.",
            limit="max_duplicate_fraction",
            found="copy of {}",
        ),
        Check(
            "held_out",
            f"at most {limit['max_leaked_samples']:,g} images of val and test are in another split as well",
            gxe.ExpectColumnValuesToBeNull(
                column="leaked_from", mostly=mostly(limit["max_leaked_samples"], held_out)
            ),
            "They flatter the scores: set split.duplicates to clean in params.yaml, which leaves them out.",
            limit="max_leaked_samples",
            found="same pixels as {}",
        ),
        # --- Labels and images belong together ---
        Check(
            "groups",
            f"at most {percent(limit['max_contradictory_fraction'])} of images with copies have two labels",
            gxe.ExpectColumnValuesToBeNull(
                column="contradiction",
                mostly=mostly(beyond_chance(limit["max_contradictory_fraction"], groups), groups),
            ),
            "Labels of other images look like this: check how labels were joined to files.",
            limit="max_contradictory_fraction",
            found="{}",
        ),
        *(
            Check(
                "array",
                f"labels fit images in {split} (standard errors, at least {signal:g})",
                gxe.ExpectColumnMinToBeBetween(column=f"signal_{split}", min_value=signal),
                "Labels from a hat look like this: check how labels were joined to files.",
                limit="min_label_signal",
            )
            for split in SPLITS
        ),
        # --- The splits are alike ---
        *(
            Check(
                "whole",
                f"{split} is as bright as train (standard deviations, at most {drift:g})",
                gxe.ExpectColumnMaxToBeBetween(column=f"drift_{split}", max_value=drift),
                "Check that both come from one source and were prepared in one way.",
                limit="max_brightness_drift",
            )
            for split in ("val", "test")
        ),
    ]


def beyond_chance(fraction: float, rows: int) -> float:
    """Return how many of few rows may be bad before it is certain that over `fraction` of all such are.

    That is three standard errors above the expected number: three of three may be chance where a quarter is
    allowed, four of four are not.
    """
    return fraction * rows + 3 * math.sqrt(rows * fraction * (1 - min(fraction, 1)))
