"""The drawn faces: their anatomy, their randomness, their files, and the committed sample."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ferflow.data.synthetic import __main__ as command
from ferflow.data.synthetic.action_units import ACTION_UNITS, EMOTION_ACTION_UNITS, FaceShape, move
from ferflow.data.synthetic.archive import (
    SEED,
    draw,
    encode,
    even_counts,
    generate,
    sample_counts,
    write_archive,
    write_folder,
)
from ferflow.data.synthetic.expression import NEIGHBOURS, random_intensities
from ferflow.data.synthetic.face import Face, eyelids, lips
from ferflow.data.synthetic.identity import random_identity
from ferflow.data.synthetic.portrait import random_face, render
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS

COMMITTED = Path(__file__).parents[2] / "data" / "sample.zip"


def posed(intensities: Mapping[int, float]) -> Face:
    who = random_identity(np.random.default_rng(0))
    shape = move(FaceShape(), intensities)
    return Face(dataclasses.replace(who, resting=FaceShape()), shape, shape)


def measures(face: Face) -> dict[str, float]:
    """What can be seen and measured in a face, each larger for more of what its name says."""
    mouth, (upper_lid, lower_lid) = lips(face), eyelids(face.who, 1, face.right)
    return {
        "brow_inner_up": -face.right.brow_inner_y,
        "brow_outer_up": -face.right.brow_outer_y,
        "brows_apart": face.right.brow_inner_x,
        "upper_lid_up": -float(upper_lid[:, 1].min()),
        "lower_lid_up": -float(lower_lid[:, 1].max()),
        "cheek_up": -face.right.cheek_y,
        "nose_wings_up": -face.right.nose_wing_y,
        "mouth_wide": float(mouth.upper[-1, 0] - mouth.upper[0, 0]),
        "corners_up": -float(mouth.upper[0, 1]),
        "lips_apart": float((mouth.lower[:, 1] - mouth.upper[:, 1]).max()),
        "lips_thick": float(np.ptp(mouth.bottom[:, 1]) + np.ptp(mouth.top[:, 1])),
        "lower_lip_up": -float(mouth.lower[:, 1].max()),
        "chin_up": -face.right.chin_y,
    }


@pytest.mark.parametrize(
    ("unit", "more", "less"),
    [
        (1, "brow_inner_up", None),
        (2, "brow_outer_up", None),
        (4, None, "brow_inner_up"),
        (4, None, "brows_apart"),
        (5, "upper_lid_up", None),
        (6, "cheek_up", None),
        (6, "lower_lid_up", None),
        (7, "lower_lid_up", "upper_lid_up"),
        (9, "nose_wings_up", None),
        (12, "corners_up", None),
        (12, "mouth_wide", None),
        (15, None, "corners_up"),
        (16, "lips_apart", "lower_lip_up"),
        (20, "mouth_wide", None),
        (23, None, "lips_thick"),
        (26, "lips_apart", "chin_up"),
    ],
)
def test_each_action_unit_moves_what_its_name_says(unit: int, more: str | None, less: str | None) -> None:
    rest, half, full = (measures(posed({unit: intensity})) for intensity in (0.0, 0.5, 1.0))
    if more:
        assert rest[more] < half[more] < full[more]
    if less:
        assert rest[less] > half[less] > full[less]


def test_action_units_of_the_brows_leave_the_mouth_alone() -> None:
    rest, moved = lips(posed({})), lips(posed({1: 1.0, 2: 1.0, 4: 1.0, 5: 1.0}))
    np.testing.assert_array_equal(rest.upper, moved.upper)
    np.testing.assert_array_equal(rest.bottom, moved.bottom)


def test_every_displacement_moves_a_part_that_exists() -> None:
    parts = {field.name for field in dataclasses.fields(FaceShape)}
    for unit in ACTION_UNITS.values():
        assert set(unit.displacement) <= parts


@given(st.dictionaries(st.sampled_from(sorted(ACTION_UNITS)), st.floats(0, 1)))
def test_no_combination_passes_lids_or_lips_through_each_other(intensities: dict[int, float]) -> None:
    face = posed(intensities)
    upper_lid, lower_lid = eyelids(face.who, 1, face.right)
    assert (upper_lid[1:-1, 1] < lower_lid[1:-1, 1]).all()
    assert face.middle.lower_lip_y >= face.middle.upper_lip_y
    assert min(face.middle.upper_lip_thickness, face.middle.lower_lip_thickness) > 0


def test_emotions_are_made_of_the_action_units_of_facs() -> None:
    assert {emotion: set(units) for emotion, units in EMOTION_ACTION_UNITS.items()} == {
        "angry": {4, 5, 7, 23},
        "disgust": {9, 15, 16},
        "fear": {1, 2, 4, 5, 20, 26},
        "happy": {6, 12},
        "sad": {1, 4, 15},
        "surprise": {1, 2, 5, 26},
        "neutral": set(),
    }
    assert set(EMOTION_ACTION_UNITS) == set(EMOTIONS)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_face_uses_its_emotions_units_and_at_times_those_of_one_neighbour(emotion: str) -> None:
    own = set(EMOTION_ACTION_UNITS[emotion])
    blends = [own | set(EMOTION_ACTION_UNITS[neighbour]) for neighbour in NEIGHBOURS[emotion]]
    pure = 0
    for seed in range(400):
        intensities = random_intensities(emotion, np.random.default_rng(seed))
        assert all(0 <= intensity <= 1 for intensity in intensities.values())
        pure += set(intensities) == own
        assert set(intensities) == own or set(intensities) in blends
    assert 0.85 < pure / 400 < 1.0


def test_some_expressions_are_too_weak_to_tell_from_neutral_and_most_are_not() -> None:
    strongest = [
        max(random_intensities("happy", np.random.default_rng(seed)).values()) for seed in range(400)
    ]
    weak = np.mean(np.array(strongest) < 0.45)
    assert 0.03 < weak < 0.15


def test_a_seed_gives_its_pixels_again_and_another_seed_gives_others() -> None:
    first, again = (render("happy", np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (48, 48)
    assert first.dtype == np.uint8
    assert not np.array_equal(first, render("happy", np.random.default_rng(8)))


def test_the_same_person_can_show_every_emotion() -> None:
    faces = [random_face(emotion, np.random.default_rng(3)) for emotion in EMOTIONS]
    assert all(face.who == faces[0].who for face in faces)
    assert len({face.left for face in faces}) == len(EMOTIONS)


def test_pictures_are_all_different_and_none_is_blank() -> None:
    samples = list(generate(even_counts(2), seed=5))
    assert len({sample.pixels.tobytes() for sample in samples}) == len(samples) == 2 * 7 * 3
    assert min(sample.pixels.std() for sample in samples) > 10


def test_a_picture_is_drawn_again_from_its_identifier_alone() -> None:
    sample = list(generate(even_counts(1), seed=5))[9]
    np.testing.assert_array_equal(sample.pixels, draw(sample.emotion, sample.identifier, seed=5))


def test_an_archive_written_twice_has_the_same_bytes_and_fer2013s_layout(tmp_path: Path) -> None:
    paths = tmp_path / "first.zip", tmp_path / "second.zip"
    written = [write_archive(path, even_counts(1), seed=5) for path in paths]
    assert written == [21, 21]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with zipfile.ZipFile(paths[0]) as archive:
        names = archive.namelist()
        assert {entry.date_time for entry in archive.infolist()} == {(2013, 1, 1, 0, 0, 0)}
    assert names == sorted(names)
    assert kinds(names) == {
        (folder, emotion, usage): 1
        for folder, usage in (("train", "Training"), ("test", "PublicTest"), ("test", "PrivateTest"))
        for emotion in EMOTIONS
    }


def test_a_folder_holds_the_files_of_the_archive(tmp_path: Path) -> None:
    write_archive(tmp_path / "set.zip", even_counts(1), seed=5)
    assert write_folder(tmp_path / "set", even_counts(1), seed=5) == 21
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        archived = {name: archive.read(name) for name in archive.namelist()}
    files = [path for path in (tmp_path / "set").rglob("*") if path.is_file()]
    assert {
        str(path.relative_to(tmp_path / "set").as_posix()): path.read_bytes() for path in files
    } == archived


def test_a_scaled_sample_keeps_every_emotion_in_every_split() -> None:
    counts = sample_counts(0.001)
    assert counts == even_counts(1)


def test_the_committed_sample_is_small_and_has_the_counts_it_says() -> None:
    assert COMMITTED.stat().st_size <= 2_000_000
    with zipfile.ZipFile(COMMITTED) as archive:
        names = archive.namelist()
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    for (_, emotion, usage), number in kinds(names).items():
        found[usage, emotion] += number
    assert found == {
        (usage, emotion): number for usage, row in sample_counts().items() for emotion, number in row.items()
    }
    assert collections.Counter(usage for usage, _ in found.elements()) == {
        "Training": 1118,
        "PublicTest": 280,
        "PrivateTest": 280,
    }
    identifiers = [name.rpartition("_")[2] for name in names]
    assert len(set(identifiers)) == len(names)


def test_the_committed_sample_is_what_the_generator_draws_now() -> None:
    with zipfile.ZipFile(COMMITTED) as archive:
        for name in archive.namelist()[::150]:
            _, emotion, file = name.split("/")
            identifier = int(Path(file).stem.partition("_")[2])
            stored = decoded(archive.read(name))
            drawn = decoded(encode(draw(emotion, identifier, SEED)))
            # Equal up to the JPEG codec at hand. Another expression of the same person is about 10
            # gray levels away, another person 60.
            assert np.abs(stored - drawn).mean() < 1, name


def test_the_command_writes_a_set_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set.zip"
    monkeypatch.setattr("sys.argv", ["synthetic", "--out", str(out), "--seed", "5", "--scale", "0.001"])
    command.main()
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    assert capsys.readouterr().out == f"{out}: 21 pictures\nsha256 {digest}: pin it in params.yaml\n"
    assert zipfile.is_zipfile(out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--scale", "0"], "--scale"), (["--seed", "-1"], "--seed"), ([], "name a new folder")],
)
def test_the_command_refuses_what_it_cannot_do(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["synthetic", "--out", str(tmp_path), *arguments])
    with pytest.raises(FerflowError, match=message):
        command.main()
    assert list(tmp_path.iterdir()) == []


def decoded(jpeg: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(Image.open(io.BytesIO(jpeg)), dtype=np.float64)


def kinds(names: list[str]) -> dict[tuple[str, str, str], int]:
    """Count the files of an archive by folder, emotion and the split in their names."""
    counted: collections.Counter[tuple[str, str, str]] = collections.Counter()
    for name in names:
        folder, emotion, file = name.split("/")
        usage, _, number = file.removesuffix(".jpg").partition("_")
        assert number.isdigit(), name
        counted[folder, emotion, usage] += 1
    return dict(counted)
