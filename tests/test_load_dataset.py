"""splits/ as its users load it: `datasets.load_dataset`, in this interpreter and under older versions."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from khabar import __version__
from khabar.corpus import load_gold
from khabar.metrics.seqeval_view import layer_tags
from khabar.ontology import ontology
from khabar.splits import File, front_matter

ROOT = Path(__file__).resolve().parent.parent
SPLITS = ROOT / "splits"
COMPOSED = ["train", "validation", "test"]
PROVENANCE = [
    "doc_id",
    "lang",
    "origin",
    "theatre",
    "storyline",
    "genre",
    "stance",
    "outlet",
    "date",
    "licence",
    "sha256",
]
ANNOTATION = ["sentences", "mentions", "events", "links"]
TOKENS = ["id", "doc_id", "lang", "tokens", "starts", "ends"]
CONFLICT = ["event", "doc_id", "lang", "outlet", "type", "sentence"]
COLUMNS = {
    "documents": [*PROVENANCE, "text", *ANNOTATION],
    "actors": [*TOKENS, "ner_tags", "filler_tags"],
    "triggers": [*TOKENS, "trigger_tags"],
    "events": [
        "id",
        "doc_id",
        "lang",
        "type",
        "family",
        "trigger",
        "start",
        "end",
        "sentence",
        "attribution",
        "polarity",
        "actuality",
        "loaded",
        "cluster",
        "arguments",
    ],
    "conflicts": [
        "id",
        "storyline",
        "cluster",
        *(f"{side}_{name}" for side in ("first", "second") for name in CONFLICT),
        "why",
    ],
    "wire": [*PROVENANCE, "byline", "date_basis", "file", "ranges", "length", *ANNOTATION],
}
COLUMNS = {name: [*columns, "canary"] for name, columns in COLUMNS.items()}
CONFIGURATIONS = list(COLUMNS)
LAYERS = {
    ("actors", "ner_tags"): "actors",
    ("actors", "filler_tags"): "fillers",
    ("triggers", "trigger_tags"): "triggers",
}
TAGGED = [(*place, layer) for place, layer in LAYERS.items()]
Loader = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    """Give `load_dataset` with a cache of this test's own: its key is not the content of the files."""

    def loader(configuration: str, folder: Path = SPLITS) -> Any:
        return datasets.load_dataset(str(folder), configuration, cache_dir=str(tmp_path / "cache"))

    return loader


def card_yaml(folder: Path = SPLITS) -> dict[str, Any]:
    _, head, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head)


def counts(configuration: str) -> dict[str, int]:
    info = next(item for item in card_yaml()["dataset_info"] if item["config_name"] == configuration)
    return {split["name"]: split["num_examples"] for split in info["splits"]}


def in_all(loaded: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((split, row) for split, rows in loaded.items() for row in rows)


def decode_strictly(tags: list[str]) -> list[tuple[int, int, str]]:
    """Read strict IOB2: every I- tag continues a B- or I- tag of its own type."""
    spans: list[tuple[int, int, str]] = []
    before = "O"
    for position, tag in enumerate(tags):
        prefix, _, name = tag.partition("-")
        assert prefix in {"O", "B", "I"}, tag
        if prefix == "I":
            assert before in {f"B-{name}", f"I-{name}"}, f"{tag} after {before}"
            spans[-1] = (spans[-1][0], position + 1, name)
        elif prefix == "B":
            spans.append((position, position + 1, name))
        before = tag
    return spans


# --- what is loaded


def test_the_card_names_every_configuration_once() -> None:
    head = card_yaml()
    assert datasets.get_dataset_config_names(str(SPLITS)) == CONFIGURATIONS
    assert [item["config_name"] for item in head["configs"]] == CONFIGURATIONS
    assert [item["config_name"] for item in head["dataset_info"]] == CONFIGURATIONS


def test_documents_is_what_is_loaded_where_nothing_is_named(tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(SPLITS), cache_dir=str(tmp_path))
    assert loaded["train"].column_names == COLUMNS["documents"]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_columns_splits_and_counts(load: Loader, configuration: str) -> None:
    loaded = load(configuration)
    assert list(loaded) == (["test"] if configuration == "wire" else COMPOSED)
    assert {split: rows.column_names for split, rows in loaded.items()} == dict.fromkeys(loaded, COLUMNS[configuration])
    assert {split: len(rows) for split, rows in loaded.items()} == counts(configuration)
    assert all(len(rows) for rows in loaded.values())
    for split in loaded:
        (path,) = (SPLITS / configuration).glob(f"{split}-*.parquet")
        assert loaded[split].to_list() == pq.read_table(path).to_pylist()


@pytest.mark.parametrize(("configuration", "column", "layer"), TAGGED)
def test_class_labels_are_the_ontologys_in_order(load: Loader, configuration: str, column: str, layer: str) -> None:
    labels = ontology()
    types = {"actors": labels.actors, "fillers": labels.fillers, "triggers": labels.event_types}[layer]
    expected = ["O", *(f"{prefix}-{name}" for name in types for prefix in "BI")]
    for rows in load(configuration).values():
        feature = rows.features[column].feature
        assert feature.names == expected == list(labels.tags(layer))
        assert feature.num_classes == 2 * len(types) + 1


def test_the_script_of_the_demo_loads_everything(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "load_splits.py", "--folder", SPLITS],
        cwd=tmp_path,
        env={**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = [f"{name}: " + ", ".join(f"{k} {v}" for k, v in counts(name).items()) for name in CONFIGURATIONS]
    assert done.stdout.splitlines() == expected


# --- whether the rows agree with the texts and with each other


@pytest.mark.parametrize("configuration", ["actors", "triggers"])
def test_tokens_are_slices_of_the_text(load: Loader, configuration: str) -> None:
    documents = {row["doc_id"]: row for _, row in in_all(load("documents"))}
    sentences: dict[str, list[dict[str, list[int]]]] = {doc_id: [] for doc_id in documents}
    columns = [column for column in COLUMNS[configuration] if column.endswith("tags")]
    for _, row in in_all(load(configuration)):
        document = documents[row["doc_id"]]
        size = len(row["tokens"])
        assert size > 0, row["id"]
        assert [len(row[name]) for name in ("starts", "ends", *columns)] == [size] * (2 + len(columns)), row["id"]
        offsets = list(zip(row["starts"], row["ends"], strict=True))
        assert row["tokens"] == [document["text"][start:end] for start, end in offsets], row["id"]
        assert all(0 <= start < end for start, end in offsets), row["id"]
        assert all(one[1] <= two[0] for one, two in pairwise(offsets)), row["id"]
        assert row["lang"] == document["lang"]
        sentences[row["doc_id"]].append({"starts": row["starts"], "ends": row["ends"]})
        assert row["id"] == f"{row['doc_id']}#{len(sentences[row['doc_id']])}"
    assert sentences == {doc_id: document["sentences"] for doc_id, document in documents.items()}


@pytest.mark.parametrize(("configuration", "column", "layer"), TAGGED)
def test_tags_are_strict_iob2_and_the_golds(load: Loader, configuration: str, column: str, layer: str) -> None:
    for split, rows in load(configuration).items():
        names = rows.features[column].feature.int2str
        tags = [names(row[column]) for row in rows]
        assert any(decode_strictly(sentence) for sentence in tags)
        gold = load_gold(split, SPLITS)
        again = [
            list(sentence)
            for annotation in gold.annotations
            for sentence in layer_tags(annotation, layer, gold.tokens[annotation.doc_id])[0]
        ]
        assert tags == again


@pytest.mark.parametrize(("configuration", "column", "layer"), TAGGED)
def test_every_tagged_span_meets_an_annotation_of_its_type(
    load: Loader, configuration: str, column: str, layer: str
) -> None:
    """Ids that mean another name than they did as they were written would not."""
    documents = {row["doc_id"]: row for _, row in in_all(load("documents"))}
    field = "events" if layer == "triggers" else "mentions"
    for rows in load(configuration).values():
        names = rows.features[column].feature.int2str
        for row in rows:
            items = documents[row["doc_id"]][field]
            for first, last, name in decode_strictly(names(row[column])):
                start, end = row["starts"][first], row["ends"][last - 1]
                assert any(item["type"] == name and start <= item["start"] and item["end"] <= end for item in items), (
                    f"{row['id']} {name} {start}-{end}"
                )


def check_annotation(row: dict[str, Any], length: int) -> None:
    labels = ontology()
    where = row["doc_id"]
    for item in (*row["mentions"], *row["events"]):
        assert 0 <= item["start"] < item["end"] <= length, f"{where}/{item['id']}"
    mentions = {mention["id"]: mention for mention in row["mentions"]}
    events = {event["id"]: event for event in row["events"]}
    assert len(mentions) == len(row["mentions"])
    assert len(events) == len(row["events"])
    assert {mention["type"] for mention in row["mentions"]} <= set(labels.entity_types)
    assert {event["type"] for event in row["events"]} <= set(labels.event_types)
    for event in row["events"]:
        assert {argument["mention"] for argument in event["arguments"]} <= mentions.keys(), f"{where}/{event['id']}"
        assert {argument["role"] for argument in event["arguments"]} <= labels.allowed_roles[event["type"]]
    for link in row["links"]:
        assert {link["source"], link["target"]} <= events.keys(), f"{where} {link}"
    for sentence in row["sentences"]:
        assert len(sentence["starts"]) == len(sentence["ends"]) > 0
        assert 0 <= sentence["starts"][0] < sentence["ends"][-1] <= length


def test_documents_hold_together(load: Loader) -> None:
    seen: dict[str, str] = {}
    for split, row in in_all(load("documents")):
        assert row["doc_id"] not in seen, f"{row['doc_id']} in {seen[row['doc_id']]} and {split}"
        seen[row["doc_id"]] = split
        assert hashlib.sha256(row["text"].encode()).hexdigest() == row["sha256"]
        check_annotation(row, len(row["text"]))


def test_no_storyline_is_in_two_splits(load: Loader) -> None:
    splits: dict[str, set[str]] = {}
    for split, row in in_all(load("documents")):
        splits.setdefault(row["storyline"], set()).add(split)
    assert {name: found for name, found in splits.items() if len(found) > 1} == {}


def test_events_are_the_documents_events(load: Loader) -> None:
    documents = {row["doc_id"]: (split, row) for split, row in in_all(load("documents"))}
    expected = [
        (split, f"{row['doc_id']}/{event['id']}") for split, row in documents.values() for event in row["events"]
    ]
    found = []
    for split, row in in_all(load("events")):
        home, document = documents[row["doc_id"]]
        text = document["text"]
        assert home == split
        found.append((split, row["id"]))
        assert row["trigger"] == text[row["start"] : row["end"]], row["id"]
        assert row["trigger"].strip(), row["id"]
        assert row["family"] == row["type"].partition(".")[0]
        assert row["sentence"] in text
        assert row["trigger"] in row["sentence"], row["id"]
        source = next(event for event in document["events"] if row["id"] == f"{row['doc_id']}/{event['id']}")
        same = ("start", "end", "type", "attribution", "polarity", "actuality", "loaded", "cluster")
        assert {key: row[key] for key in same} == {key: source[key] for key in same}
        mentions = {mention["id"]: mention for mention in document["mentions"]}
        assert [(item["role"], item["mention"]) for item in row["arguments"]] == [
            (item["role"], item["mention"]) for item in source["arguments"]
        ]
        for item in row["arguments"]:
            filler = mentions[item["mention"]]
            assert item["text"] == text[item["start"] : item["end"]], row["id"]
            assert (item["start"], item["end"], item["type"]) == (filler["start"], filler["end"], filler["type"])
    assert found == expected


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def test_wire_is_a_test_set_without_texts(load: Loader) -> None:
    loaded = load("wire")
    assert list(loaded) == ["test"]
    rows = loaded["test"]
    assert "text" not in rows.column_names
    for field in ("mentions", "events"):
        assert "text" not in rows.features[field].feature
    composed = {row["doc_id"] for _, row in in_all(load("documents"))}
    for row in rows:
        assert row["doc_id"] not in composed
        assert row["origin"] == "wire"
        assert max(map(len, strings(row))) <= 80, f"{row['doc_id']} has a string that could be a sentence"
        # Two line feeds stand between the pieces that are cut out.
        pieces = [item["end"] - item["start"] for item in row["ranges"]]
        assert row["length"] == sum(pieces) + 2 * (len(pieces) - 1)
        check_annotation(row, row["length"])


# --- the cache


def test_each_description_is_the_hash_of_the_files() -> None:
    for config in card_yaml()["configs"]:
        paths = [SPLITS / item["path"] for item in config["data_files"]]
        assert sorted(paths) == sorted((SPLITS / config["config_name"]).iterdir())
        digest = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)).hexdigest()
        assert config["description"] == f"content sha256:{digest[:16]}"
        assert config["version"] == __version__


def describe_again(folder: Path) -> None:
    """Describe the files that are in the folder now as khabar does, but leave the sizes.

    Sizes are a part of the cache's key too; files that changed may well have the same.
    """
    head = card_yaml(folder)
    files = []
    for config in head["configs"]:
        for item in config["data_files"]:
            table = pq.read_table(folder / item["path"])
            files.append(
                File(
                    configuration=config["config_name"],
                    split=item["split"],
                    path=item["path"],
                    data=(folder / item["path"]).read_bytes(),
                    rows=table.num_rows,
                    size=table.nbytes,
                )
            )
    _, _, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    for info in head["dataset_info"]:
        rows = {file.split: file.rows for file in files if file.configuration == info["config_name"]}
        for split in info["splits"]:
            split["num_examples"] = rows[split["name"]]
    head["configs"] = front_matter(files, [])["configs"]
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    (folder / "README.md").write_text(f"---\n{text}---\n{body}", encoding="utf-8")


def fewer_rows(table: pa.Table) -> pa.Table:
    return table.slice(0, 5)


def other_rows(table: pa.Table) -> pa.Table:
    tags = table["ner_tags"].combine_chunks()
    empty = pa.ListArray.from_arrays(tags.offsets, pa.array([0] * len(tags.values), pa.int64()))
    return table.set_column(table.column_names.index("ner_tags"), "ner_tags", empty)


@pytest.mark.parametrize("change", [fewer_rows, other_rows])
def test_changed_files_are_read_anew(load: Loader, tmp_path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """A later release in the same folder, loaded through the same cache, must not give the earlier rows."""
    folder = tmp_path / "splits"
    shutil.copytree(SPLITS, folder)
    describe_again(folder)
    before = {split: rows.to_list() for split, rows in load("actors", folder).items()}
    assert load("actors", folder)["test"].to_list() == before["test"]

    path = folder / "actors" / "test-00000-of-00001.parquet"
    table = change(pq.read_table(path))
    pq.write_table(table, path, compression="zstd")
    describe_again(folder)

    after = {split: rows.to_list() for split, rows in load("actors", folder).items()}
    assert after["test"] == table.to_pylist()
    assert after["test"] != before["test"]
    assert after["train"] == before["train"]
    assert after["validation"] == before["validation"]


def test_a_wrong_count_is_refused(load: Loader, tmp_path: Path) -> None:
    folder = tmp_path / "splits"
    shutil.copytree(SPLITS, folder)
    path = folder / "wire" / "test-00000-of-00001.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(datasets.exceptions.NonMatchingSplitsSizesError):
        load("wire", folder)
    assert len(load("documents", folder)["test"]) == counts("documents")["test"]


# --- other versions of datasets

SCRIPT = '''
import hashlib
import json
import sys

import datasets


def shape(feature):
    """Write a feature without the classes that differ between versions."""
    if isinstance(feature, dict):
        return {name: shape(inner) for name, inner in feature.items()}
    if isinstance(feature, (list, tuple)):
        return [shape(feature[0])]
    if isinstance(feature, datasets.ClassLabel):
        return {"names": list(feature.names)}
    if hasattr(feature, "feature"):
        return [shape(feature.feature)]
    return feature.dtype


def read(folder, name, cache):
    found = {}
    for split, rows in datasets.load_dataset(folder, name, cache_dir=cache).items():
        every = [rows[number] for number in range(len(rows))]
        found[split] = {
            "columns": rows.column_names,
            "features": shape(dict(rows.features)),
            "rows": len(rows),
            "first": every[0],
            "last": every[-1],
            "all": hashlib.sha256(json.dumps(every, sort_keys=True).encode()).hexdigest(),
        }
    return found


folder, cache = sys.argv[1:3]
datasets.disable_progress_bars()
result = {name: read(folder, name, cache) for name in sys.argv[3:]}
print(json.dumps({"version": datasets.__version__, "loaded": result}))
'''


def outcome(python: str | Path, folder: Path) -> dict[str, Any]:
    """Load everything from splits/ with an interpreter, away from its user's caches and from the net."""
    (folder / "home").mkdir()
    script = folder / "read.py"
    script.write_text(SCRIPT, encoding="utf-8")
    env = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [python, script, SPLITS, folder / "cache", *CONFIGURATIONS],
        cwd=folder,
        env={**env, "HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# What each version holds below the release that constraints.txt names.
OLDER = {
    "3.6.0": ("datasets==3.6.0", {"datasets", "dill", "fsspec", "multiprocess"}),
    "4": ("datasets>=4,<5", {"datasets", "fsspec", "huggingface_hub"}),
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return outcome(sys.executable, tmp_path_factory.mktemp("here"))


@pytest.fixture(scope="module", params=list(OLDER))
def older(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    wanted, free = OLDER[request.param]
    folder = tmp_path_factory.mktemp("older")
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.partition("==")[0] not in free]
    (folder / "constraints.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--constraint", folder / "constraints.txt", wanted],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = outcome(python, folder)
    shutil.rmtree(folder / "venv")
    return request.param, found


@pytest.mark.slow
def test_older_versions_load_the_same(older: tuple[str, dict[str, Any]], here: dict[str, Any]) -> None:
    version, there = older
    assert there["version"] == version or there["version"].startswith(f"{version}.")
    assert here["version"] == datasets.__version__ != there["version"]
    assert list(there["loaded"]) == list(here["loaded"]) == CONFIGURATIONS
    for configuration, splits in here["loaded"].items():
        assert list(there["loaded"][configuration]) == list(splits)
        for split, expected in splits.items():
            assert there["loaded"][configuration][split] == expected, f"{configuration} {split} under {version}"


@pytest.mark.slow
def test_older_versions_know_the_ontologys_tags(older: tuple[str, dict[str, Any]]) -> None:
    _, there = older
    for (configuration, column), layer in LAYERS.items():
        for split in COMPOSED:
            features = there["loaded"][configuration][split]["features"]
            assert features[column] == [{"names": list(ontology().tags(layer))}]
            assert there["loaded"][configuration][split]["rows"] == counts(configuration)[split]
