import numpy as np
import numpy.typing as npt
import pytest

from ferflow.data.gate.label_signal import FEWEST_IMAGES, edge_features, label_signal

from .gate_data import good_data


def drawn_features(count: int = 400, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, 40)).astype(np.float32)


def test_true_labels_stand_out_and_shuffled_ones_do_not() -> None:
    data = good_data()
    labels = np.unique(data.samples["label"], return_inverse=True)[1]
    features = edge_features(data.images)
    random = np.random.default_rng(0)
    shuffled = [label_signal(features, random.permutation(labels)) for _ in range(20)]
    assert (label_signal(features, labels) or 0) > 20
    assert max(value or 0 for value in shuffled) < 3.5


def test_signals_of_labels_from_a_hat_have_mean_0_and_deviation_1() -> None:
    """The closed form is right: of 200 draws the mean is known to 0.07, the deviation to 0.05."""
    random = np.random.default_rng(1)
    classes = random.choice(7, 400, p=[0.14, 0.02, 0.14, 0.25, 0.17, 0.11, 0.17])
    features = drawn_features()
    signals = np.array([label_signal(features, random.permutation(classes)) for _ in range(200)])
    assert abs(signals.mean()) < 0.25
    assert abs(signals.std() - 1) < 0.2


def test_signal_grows_with_the_number_of_images() -> None:
    features = drawn_features(2000)
    labels = (features[:, 0] > 0).astype(np.int64)
    few, many = label_signal(features[:500], labels[:500]), label_signal(features, labels)
    assert few is not None
    assert many is not None
    assert 3 * few < many < 5 * few


@pytest.mark.parametrize(
    ("features", "labels"),
    [
        (drawn_features(FEWEST_IMAGES - 1), np.arange(FEWEST_IMAGES - 1) % 7),
        (drawn_features(), np.zeros(400, np.int64)),
        (np.ones((400, 5), np.float32), np.arange(400) % 7),
        (np.empty((0, 0), np.float32), np.empty(0, np.int64)),
    ],
    ids=["few", "one label", "no difference", "none"],
)
def test_where_nothing_can_be_said_nothing_is(
    features: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> None:
    assert label_signal(features, labels) is None


def test_features_see_shapes_not_brightness_contrast_or_side() -> None:
    image = np.zeros((1, 48, 48, 1), np.uint8)
    image[:, 8:20, 10:30] = 80
    features = edge_features(image)
    for same in (image + 100, image * 3, image[:, :, ::-1]):
        np.testing.assert_allclose(edge_features(same), features, atol=1e-5)
    assert np.abs(edge_features(image[:, ::-1]) - features).max() > 0.1


@pytest.mark.parametrize("size", [16, 47, 48, 49, 96, 200])
def test_features_have_one_shape_and_are_numbers_at_any_size(size: int) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, size, size, 1), dtype=np.uint8)
    images[1] = 7  # blank
    features = edge_features(images)
    assert features.shape == (2, 108)
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.square(features).sum(axis=1), [1, 0], atol=1e-5)


def test_a_larger_image_is_judged_like_the_small_one() -> None:
    small = np.zeros((1, 48, 48, 1), np.uint8)
    small[:, 8:20, 10:30] = 80
    large = small.repeat(3, axis=1).repeat(3, axis=2)
    np.testing.assert_allclose(edge_features(large), edge_features(small), atol=1e-5)
