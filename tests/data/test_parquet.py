"""Parquet as the hub stores it, and all that may be otherwise in such files."""

import duckdb
import numpy as np
import pytest

from weakspot.data import load
from weakspot.errors import InputError


def table(file, select, metadata=""):
    with duckdb.connect() as base:
        options = f", KV_METADATA {{{metadata}}}" if metadata else ""
        base.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet{options})")
    return f"parquet:{file}"


@pytest.fixture
def image(make_png):
    """SQL of an encoded image."""
    content = make_png(np.full((4, 4, 3), 200, np.uint8))
    return "'" + "".join(f"\\x{byte:02x}" for byte in content) + "'::BLOB"


@pytest.mark.parametrize(
    "select, message",
    [
        ("SELECT 1 AS label", "expected columns img or image, and label; found label"),
        ("SELECT {image} AS img", "expected columns img or image, and label; found img"),
        ("SELECT 'x' AS img, 1 AS label", "expected img to hold image bytes"),
        ("SELECT {{'path': 'x.png'}} AS image, 1 AS label", "expected image to hold image bytes"),
        ("SELECT {image} AS img, 'cat' AS label", "labels must be whole numbers"),
        ("SELECT {image} AS img, 0.5::DOUBLE AS label", "labels must be whole numbers"),
        ("SELECT {image} AS img, -1 AS label", "labels count from 0 up"),
        ("SELECT {image} AS img, NULL::INT AS label", "row 0 has no image or no label"),
        ("SELECT {{'bytes': NULL::BLOB, 'path': 'x'}} AS img, 1 AS label", "row 0 has no image or no label"),
        ("SELECT {image} AS img, 1 AS label WHERE false", "expected at least one image"),
        ("SELECT 'no image'::BLOB AS img, 1 AS label", "row 0: no readable image"),
    ],
)
def test_other_columns_are_refused(tmp_path, image, select, message):
    with pytest.raises(InputError, match=message) as caught:
        load(table(tmp_path / "x.parquet", select.format(image=image)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "metadata, classes",
    [
        ("", ("0", "1")),
        ("other: 'x'", ("0", "1")),
        ('class_names: \'["a", "b", "c"]\'', ("a", "b", "c")),
        ('huggingface: \'{"info": {"features": {"label": {"dtype": "int64"}}}}\'', ("0", "1")),
    ],
)
def test_class_names_stand_in_the_metadata_or_are_numbers(tmp_path, image, metadata, classes):
    data = load(table(tmp_path / "x.parquet", f"SELECT {image} AS img, 1::UTINYINT AS fine_label", metadata))
    assert data.classes == classes
    assert (data.batch([0]) == 200 / 255).all()


@pytest.mark.parametrize("text", ["no JSON", '"a"', "[1, 2]", '["a"]', '["a", "a"]', "null2"])
def test_wrong_class_names_are_refused(tmp_path, image, text):
    address = table(tmp_path / "x.parquet", f"SELECT {image} AS img, 1 AS label", f"class_names: '{text}'")
    with pytest.raises(InputError, match="class names"):
        load(address)


@pytest.mark.parametrize(
    "names", [("data/train-0.parquet", "data/test-0.parquet"), ("train/0.parquet", "test/0.parquet")]
)
def test_splits_are_told_by_files_or_folders(tmp_path, image, names):
    for count, name in enumerate(names, 1):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        table(tmp_path / name, f"SELECT {image} AS img, 0 AS label FROM range({count})")
    assert [len(load(f"parquet:{tmp_path}", split=split)) for split in ("train", "test")] == [1, 2]


def test_files_without_splits_are_one_set_in_their_order(tmp_path, image):
    for number in (1, 0):
        table(tmp_path / f"part-{number}.parquet", f"SELECT {image} AS img, {number} AS label FROM range(2)")
    data = load(f"parquet:{tmp_path}", split="train")
    assert (data.split, data.labels.tolist()) == ("all", [0, 0, 1, 1])


def test_files_of_another_split_are_not_taken(tmp_path, image):
    table(tmp_path / "train-0.parquet", f"SELECT {image} AS img, 0 AS label")
    table(tmp_path / "extra.parquet", f"SELECT {image} AS img, 0 AS label")
    with pytest.raises(InputError, match=r"expected files test-\*.parquet, found extra.parquet, train-0.parquet"):
        load(f"parquet:{tmp_path}")
