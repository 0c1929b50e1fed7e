from __future__ import annotations

import pytest

from ferflow.errors import FerflowError
from ferflow.serving.limits import USUAL, Limits, limits_of


def test_the_environment_sets_what_it_names() -> None:
    assert limits_of({}) == USUAL
    assert limits_of(
        {
            "FERFLOW_MOST_IMAGES": "7",
            "FERFLOW_MOST_MEBIBYTES": "2",
            "FERFLOW_MOST_MEGAPIXELS": "50",
            "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "5",
        }
    ) == Limits(images=7, size=2 * 2**20, pixels=50_000_000, seconds=5)


@pytest.mark.parametrize("value", ["many", "", "0", "-1", "1.5", "nan", "1" * 10, "²"])
def test_what_is_no_limit_is_refused_with_its_name(value: str) -> None:
    with pytest.raises(FerflowError, match=r"FERFLOW_MOST_IMAGES is '.*': set it to a whole number above 0"):
        limits_of({"FERFLOW_MOST_IMAGES": value})
