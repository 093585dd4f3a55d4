"""Measuring and duplicates on a cluster: the tables and groups of one machine, workers killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
bag = pytest.importorskip("dask.bag")
dd = pytest.importorskip("dask.dataframe")

from duplicate_tables import groups_of, hash_table, random_collection  # noqa: E402

import imagequality  # noqa: E402
from imagequality import ExactDuplicateDetector, NearDuplicateDetector, QualityPipeline  # noqa: E402
from imagequality.dask import (  # noqa: E402
    exact_duplicate_groups,
    measure,
    measure_to_parquet,
    near_duplicate_groups,
)
from imagequality.dask._links import merge_stars, number_groups, stars_of_pairs  # noqa: E402
from imagequality.dask._routes import copies_of, plan_routes, send  # noqa: E402
from imagequality.duplicates import unpack_hashes  # noqa: E402

# Dask calls pandas in a way that pandas 3.1 calls outdated.
OLD_PANDAS = pytest.mark.filterwarnings("ignore:.*The inplace keyword:DeprecationWarning")

COLUMNS = ["file_size", "width", "entropy", "phash", "descriptor"]


@pytest.fixture(scope="module")
def cluster():
    options = {"dashboard_address": ":0", "threads_per_worker": 1, "processes": True}
    with distributed.LocalCluster(n_workers=2, **options) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    """Two worker processes, whatever the test before did to them."""
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2, timeout=30)
        yield client


@pytest.fixture
def here():
    """Dask in this thread."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def paths(flawed_paths, tmp_path_factory):
    """Images, one of them broken and one twice."""
    broken = tmp_path_factory.mktemp("broken") / "broken.png"
    broken.write_bytes(b"no image")
    return [str(broken), *flawed_paths[:40], flawed_paths[3]]


@contextmanager
def worker_killed_when(cluster, condition):
    """Kill a worker process at the first moment of the block at which the condition holds."""
    victim = next(iter(cluster.workers.values())).pid
    is_over = threading.Event()
    killed = []

    def watch():
        while not is_over.is_set():
            if condition(cluster.scheduler):
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
                return
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()
    assert killed == [victim], "the work was over before its middle came"


def finished(scheduler, task=""):
    """How many tasks of a name were ever finished."""
    prefixes = list(scheduler.task_prefixes.items())
    return sum(prefix.state_counts["memory"] for name, prefix in prefixes if task in name)


def as_on_cluster(table, vectors=()):
    """The types that a table has on a cluster, so that every partition has them."""
    names = [name for name in table if table[name].dtype == object and name not in vectors]
    typed = table.astype(dict.fromkeys(names, "string[pyarrow]"))
    if typed.index.dtype == object:
        typed.index = typed.index.astype("string[pyarrow]")
    return typed


def assert_same_table(found, local):
    vectors = [name for name in ("descriptor",) if name in local]
    expected = as_on_cluster(local, vectors)
    pd.testing.assert_frame_equal(found.drop(columns=vectors), expected.drop(columns=vectors))
    for name in vectors:
        for one, other in zip(found[name], local[name], strict=True):
            assert np.array_equal(one, other) if other is not None else pd.isna(one)


# ------------------------------------------------------------------------------- measuring


def test_joblib_measures_on_a_cluster(client, paths):
    with joblib.parallel_config(backend="dask"):
        table = imagequality.measure(paths)
    pd.testing.assert_frame_equal(table, imagequality.measure(paths))


def test_joblib_survives_the_loss_of_a_worker(cluster, client, flawed_paths):
    many = flawed_paths * 5
    local = imagequality.measure(many)
    before = finished(cluster.scheduler)
    with (
        worker_killed_when(cluster, lambda scheduler: finished(scheduler) > before),
        joblib.parallel_config(backend="dask"),
    ):
        table = imagequality.measure(many)
    pd.testing.assert_frame_equal(table, local)


def test_measure_gives_the_local_table(client, paths):
    table = measure(paths, COLUMNS, rows_per_partition=11)
    assert table.npartitions == 4
    found = table.compute()
    assert found.dtypes.to_dict() == table.dtypes.to_dict()
    assert_same_table(found, imagequality.measure(paths, COLUMNS))


def test_measure_survives_the_loss_of_a_worker(cluster, client, flawed_paths):
    many = flawed_paths * 3
    before = finished(cluster.scheduler)
    with worker_killed_when(cluster, lambda scheduler: finished(scheduler) >= before + 3):
        found = measure(many, rows_per_partition=15).compute()
    assert_same_table(found, imagequality.measure(many))


def series(paths):
    return pd.Series(paths, index=[f"image {number}" for number in range(len(paths))])


@pytest.mark.parametrize(
    ("distributed_form", "local_form"),
    [
        (series, series),
        (lambda paths: dd.from_pandas(series(paths), npartitions=3, sort=False), series),
        (
            lambda paths: dd.from_pandas(series(paths).to_frame("a"), npartitions=3, sort=False),
            series,
        ),
        (lambda paths: bag.from_sequence(paths, npartitions=3), list),
        (lambda paths: [imagequality.load_image(path) for path in paths[1:]],) * 2,
    ],
    ids=["series", "dask series", "dask frame", "bag", "arrays"],
)
def test_any_collection_of_references(here, paths, distributed_form, local_form):
    table = measure(distributed_form(paths), COLUMNS, rows_per_partition=20)
    assert table.npartitions == 3
    found, local = table.compute(), imagequality.measure(local_form(paths), COLUMNS)
    assert found.index.tolist() == local.index.tolist()
    assert_same_table(found.set_axis(range(len(local))), local.set_axis(range(len(local))))


def test_no_images_at_all(here, tmp_path):
    assert measure([], ["width", "phash"]).compute().shape == (0, 4)
    assert len(measure_to_parquet([], tmp_path / "none", ["width"])) == 0


# ----------------------------------------------------------------------------------- files


@OLD_PANDAS
def test_files_give_the_local_report(client, paths, tmp_path):
    table = measure_to_parquet(paths, tmp_path, rows_per_file=15)
    assert sorted(path.name for path in tmp_path.glob("part*")) == [
        f"part.{number:06}.parquet" for number in range(3)
    ]
    local = imagequality.measure(paths)
    expected = QualityPipeline().fit(local).report().issues
    for read in (table.compute(), pd.read_parquet(tmp_path), dd.read_parquet(tmp_path).compute()):
        assert read.index.tolist() == local.index.tolist()
        issues = QualityPipeline().fit(read).report().issues
        pd.testing.assert_frame_equal(issues.set_axis(local.index), expected)


def test_a_file_without_a_readable_image_has_the_same_schema(here, tmp_path, paths):
    references = ["missing.png", *paths]
    table = measure_to_parquet(references, tmp_path, COLUMNS, rows_per_file=1)
    local = imagequality.measure(references, COLUMNS)
    assert_same_table(table.compute(), local)
    assert_same_table(table[["phash"]].compute(), local[["phash"]])  # read alone
    read = pd.read_parquet(tmp_path)
    assert_same_table(read.astype(dict(table.dtypes)).set_axis(table.index.compute()), local)


@OLD_PANDAS
def test_dask_writes_the_table_as_it_is(here, paths, tmp_path):
    measure(paths, COLUMNS[:-1], rows_per_partition=1).to_parquet(tmp_path)
    read = dd.read_parquet(tmp_path).compute()
    assert_same_table(read, imagequality.measure(paths, COLUMNS[:-1]))


def test_only_missing_files_are_made(here, paths, tmp_path):
    measure_to_parquet(paths, tmp_path, rows_per_file=15)
    files = sorted(tmp_path.glob("part*"))
    whole = pd.read_parquet(tmp_path)
    files[1].unlink()
    (tmp_path / f".part.000001.parquet.{uuid.uuid4().hex}.tmp").write_bytes(b"half a file")
    times = [file.stat().st_mtime_ns for file in (files[0], files[2])]
    measure_to_parquet(paths, tmp_path, rows_per_file=15)
    assert [file.stat().st_mtime_ns for file in (files[0], files[2])] == times
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path), whole)
    assert {path.name for path in tmp_path.iterdir()} >= {file.name for file in files}
    assert not list(tmp_path.glob("*.tmp"))


def test_files_survive_the_loss_of_a_worker(cluster, client, flawed_paths, tmp_path):
    with worker_killed_when(cluster, lambda scheduler: len(list(tmp_path.glob("part*"))) >= 2):
        measure_to_parquet(flawed_paths, tmp_path, rows_per_file=10)
    read = pd.read_parquet(tmp_path)
    local = imagequality.measure(flawed_paths)
    assert read.index.tolist() == local.index.tolist()
    assert read["pixel_digest"].tolist() == local["pixel_digest"].tolist()


def test_a_folder_of_something_else_is_refused(here, paths, tmp_path):
    folder = tmp_path / "table"
    measure_to_parquet(paths, folder, ["width"], rows_per_file=30)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for other, columns, rows, message in [
        (paths[::-1], ["width"], 30, "another list"),
        (paths[:-1], ["width"], 30, "another list"),
        (paths, ["width"], 20, "another size"),
        (paths, ["width", "height"], 30, "'height'"),
    ]:
        with pytest.raises(ValueError, match=message):
            measure_to_parquet(other, folder, columns, rows_per_file=rows)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    (folder / "_imagequality.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        measure_to_parquet(paths, folder, ["width"], rows_per_file=30)
    (folder / "_imagequality.json").unlink()
    with pytest.raises(ValueError, match="another origin"):
        measure_to_parquet(paths, folder, ["width"], rows_per_file=30)


def test_what_is_no_path_cannot_be_resumed(here, tmp_path):
    with pytest.raises(TypeError, match="paths or URLs, got ndarray"):
        measure_to_parquet(np.zeros((2, 8, 8, 3), np.uint8), tmp_path, ["width"])


# -------------------------------------------------------------------------------- duplicates


def in_partitions(table, npartitions):
    return dd.from_pandas(table, npartitions=npartitions, sort=False)


def assert_groups_of(detector, table, found):
    """Groups, numbers and order are those of a detector fitted to the table."""
    labels = detector.fit(table).labels_
    grouped = labels >= 0
    assert found.index.tolist() == table.index[grouped].tolist()
    assert found["group"].tolist() == labels[grouped].tolist()
    assert found["size"].tolist() == np.bincount(labels[grouped])[labels[grouped]].tolist()
    assert found["first"].tolist() == (~found["group"].duplicated()).tolist()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(2, 150),
    npartitions=st.integers(1, 5),
    distance=st.integers(0, 12),
    rows=st.integers(20, 1000),
)
def test_groups_are_those_of_all_pairs(seed, n, npartitions, distance, rows):
    table, matrix = random_collection(seed, n)
    with dask.config.set(scheduler="synchronous"):
        found = near_duplicate_groups(
            in_partitions(table, npartitions),
            hash="phash",
            distance=distance,
            rows_per_partition=rows,
        ).compute()
    labels = connected_components(matrix <= distance)[1]
    alone = np.bincount(labels)[labels] == 1
    groups = {frozenset(names) for names in found.groupby("group").groups.values()}
    assert groups == groups_of(np.where(alone, -1, labels), table.index)


def planted(seed, n, n_words, flipped):
    """Random hashes, a tenth of which are others with some bits flipped, or equal to them."""
    rng = np.random.default_rng(seed)
    bits = rng.random((n, 64 * n_words)) < 0.5
    copies = n // 10
    bits[:copies] = bits[rng.integers(copies, n, copies)]
    for row in range(copies // 2):
        bits[row, rng.choice(64 * n_words, flipped, replace=False)] ^= True
    return hash_table(bits).rename(columns={"phash": "phash" if n_words == 1 else "phash_256"})


@pytest.mark.parametrize(
    ("name", "n_words", "distance"), [("phash", 1, 8), ("phash_256", 4, 24), ("phash", 1, 0)]
)
def test_groups_on_a_cluster_are_the_local_ones(client, name, n_words, distance):
    table = planted(3, 6000, n_words, min(distance, 7 * n_words))
    found = near_duplicate_groups(
        in_partitions(table, 4), hash=name, distance=distance, rows_per_partition=20_000
    ).compute()
    assert len(found) > 300
    assert_groups_of(NearDuplicateDetector(hash=name, distance=distance), table, found)


@pytest.mark.parametrize("shuffle", ["p2p", "tasks"])
def test_groups_survive_the_loss_of_a_worker(cluster, client, shuffle):
    table = planted(4, 12_000, 1, 6)
    before = finished(cluster.scheduler, "links_of_tasks")
    with (
        dask.config.set({"dataframe.shuffle.method": shuffle}),
        worker_killed_when(
            cluster, lambda scheduler: finished(scheduler, "links_of_tasks") > before
        ),
    ):
        found = near_duplicate_groups(
            in_partitions(table, 4), hash="phash", distance=8, rows_per_partition=20_000
        ).compute()
    assert_groups_of(NearDuplicateDetector(hash="phash", distance=8), table, found)


def test_tables_from_files(here, paths, tmp_path):
    table = measure_to_parquet(paths, tmp_path, rows_per_file=10)
    local = imagequality.measure(paths)
    assert_groups_of(ExactDuplicateDetector(), local, exact_duplicate_groups(table).compute())
    found = near_duplicate_groups(table, distance=40).compute()
    assert_groups_of(NearDuplicateDetector(distance=40), local, found)


def test_a_million_pairs_of_equal_hashes_are_one_hash(here):
    bits = np.zeros((3000, 64), dtype=bool)
    bits[1500:, :32] = True
    table = hash_table(bits)
    found = near_duplicate_groups(
        in_partitions(table, 3), hash="phash", distance=8, rows_per_partition=2000
    ).compute()
    assert found["group"].tolist() == [0] * 1500 + [1] * 1500


def test_no_group_at_all(here):
    table = in_partitions(hash_table(np.eye(64, dtype=bool)), 2)
    for groups in (
        near_duplicate_groups(table, hash="phash", distance=1),
        exact_duplicate_groups(table),
    ):
        assert groups.compute().shape == (0, 3)
        assert groups.compute().dtypes.to_dict() == groups.dtypes.to_dict()


@settings(max_examples=50, deadline=None)
@given(
    links=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40),
    cut=st.integers(0, 40),
)
def test_links_may_be_merged_in_parts(links, cut):
    def stars(pairs):
        i, j = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        return stars_of_pairs(2**40 - i, 2**40 - j)

    whole = stars(links)
    pd.testing.assert_frame_equal(merge_stars([stars(links[:cut]), stars(links[cut:])]), whole)
    members = number_groups(whole)
    groups = {frozenset(names) for names in members.groupby("group")["number"].agg(list)}
    matrix = np.zeros((31, 31), dtype=bool)
    matrix[tuple(np.array(links, dtype=int).reshape(-1, 2).T)] = True
    labels = connected_components(matrix, directed=False)[1]
    alone = np.bincount(labels)[labels] == 1
    assert groups == groups_of(np.where(alone, -1, labels), 2**40 - np.arange(31))
    assert members.loc[members["first"], "number"].tolist() == sorted(map(min, groups))


def test_tasks_are_as_small_as_promised():
    n, rows = 20_000, 2_000
    table = planted(5, n, 1, 4)
    words = unpack_hashes(table["phash"].tolist())
    routes = plan_routes(words[:1000], n, 8, rows)
    assert sum(route.radius + 1 for route in routes) == 9
    sent = send(pd.DataFrame({"number": np.arange(n), "word0": words[:, 0]}), routes)
    assert len(sent) == pytest.approx(n * copies_of(routes), rel=0.05)
    assert sent["task"].value_counts().max() < 1.5 * rows
    home = sent[sent["flipped"] == 0]
    assert (home.groupby("number").size() == len(routes)).all()


# ------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hash": "md5"}, "hash"),
        ({"distance": 1.5}, "distance"),
        ({"distance": -1}, "distance"),
        ({"rows_per_partition": 0}, "rows_per_partition"),
        ({"hash": "dhash"}, "lacks 'dhash'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    table = in_partitions(hash_table(np.eye(64, dtype=bool)), 2)
    with pytest.raises(ValueError, match=message):
        near_duplicate_groups(table, **{"hash": "phash", "distance": 8} | arguments)


def test_bad_collections_are_named():
    table = hash_table(np.eye(64, dtype=bool))
    with pytest.raises(TypeError, match="table"):
        exact_duplicate_groups(table)
    with pytest.raises(ValueError, match="one column of references, got 5"):
        measure(in_partitions(table, 2))
    with pytest.raises(TypeError, match="collection"):
        measure("photo.jpg")
    with pytest.raises(ValueError, match="sharpnes"):
        measure(["photo.jpg"], ["sharpnes"])
    with pytest.raises(ValueError, match="rows"):
        measure(["photo.jpg"], rows_per_partition=0)


def test_without_dask_the_extra_is_named():
    code = (
        "import sys, imagequality\n"
        "sys.modules['dask'] = None\n"
        "try:\n    import imagequality.dask\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "imagequality[dask]" in done.stdout
