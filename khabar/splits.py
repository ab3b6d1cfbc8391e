"""Gold and documents to the released splits: Parquet, one folder a configuration, and their YAML."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from khabar import __version__
from khabar.align import Losses
from khabar.corpus import COMPOSED_SPLITS, GoldSet
from khabar.metrics.seqeval_view import TOKEN_LAYERS, layer_tags
from khabar.ontology import Ontology, ontology
from khabar.types import CANARY, Annotation, Document, Event
from khabar.wire import WireRecipe

Row = dict[str, Any]


class Feature(msgspec.Struct, frozen=True):
    """A column: its Arrow type, and the names behind its integers where they are classes."""

    name: str
    type: Any
    names: tuple[str, ...] = ()


_SPAN = [Feature("start", pa.int32()), Feature("end", pa.int32())]


def _struct(features: Sequence[Feature]) -> Any:
    return pa.struct([(feature.name, feature.type) for feature in features])


_SENTENCE = [Feature("starts", pa.list_(pa.int32())), Feature("ends", pa.list_(pa.int32()))]
_MENTION = [
    Feature("id", pa.string()),
    *_SPAN,
    Feature("type", pa.string()),
    Feature("kind", pa.string()),
    Feature("loaded", pa.bool_()),
    Feature("entity", pa.string()),
]
_ARGUMENT = [Feature("role", pa.string()), Feature("mention", pa.string())]
_EVENT = [
    Feature("id", pa.string()),
    *_SPAN,
    Feature("type", pa.string()),
    Feature("attribution", pa.string()),
    Feature("polarity", pa.string()),
    Feature("actuality", pa.string()),
    Feature("loaded", pa.bool_()),
    Feature("arguments", pa.list_(_struct(_ARGUMENT))),
    Feature("cluster", pa.string()),
]
_LINK = [Feature("type", pa.string()), Feature("source", pa.string()), Feature("target", pa.string())]
_DOCUMENT = [Feature(name, pa.string()) for name in Document.__struct_fields__ if name != "text"]
_ANNOTATION = [
    Feature("sentences", pa.list_(_struct(_SENTENCE))),
    Feature("mentions", pa.list_(_struct(_MENTION))),
    Feature("events", pa.list_(_struct(_EVENT))),
    Feature("links", pa.list_(_struct(_LINK))),
]
_TOKENS = [
    Feature("id", pa.string()),
    Feature("doc_id", pa.string()),
    Feature("lang", pa.string()),
    Feature("tokens", pa.list_(pa.string())),
    Feature("starts", pa.list_(pa.int32())),
    Feature("ends", pa.list_(pa.int32())),
]
_FILLED = [
    Feature("role", pa.string()),
    Feature("type", pa.string()),
    Feature("text", pa.string()),
    *_SPAN,
    Feature("mention", pa.string()),
]
_EVENT_ROW = [
    Feature("id", pa.string()),
    Feature("doc_id", pa.string()),
    Feature("lang", pa.string()),
    Feature("type", pa.string()),
    Feature("family", pa.string()),
    Feature("trigger", pa.string()),
    *_SPAN,
    Feature("sentence", pa.string()),
    Feature("attribution", pa.string()),
    Feature("polarity", pa.string()),
    Feature("actuality", pa.string()),
    Feature("loaded", pa.bool_()),
    Feature("cluster", pa.string()),
    Feature("arguments", pa.list_(_struct(_FILLED))),
]
_CONFLICT_ROW = [
    Feature("id", pa.string()),
    Feature("storyline", pa.string()),
    Feature("cluster", pa.string()),
    *(
        Feature(f"{side}_{name}", pa.string())
        for side in ("first", "second")
        for name in ("event", "doc_id", "lang", "outlet", "type", "sentence")
    ),
    Feature("why", pa.string()),
]


def _tags(name: str, layer: str, labels: Ontology) -> Feature:
    return Feature(name, pa.list_(pa.int64()), labels.tags(layer))


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration of the dataset: its columns, its splits, and how a gold set becomes rows."""

    name: str
    splits: tuple[str, ...]
    features: tuple[Feature, ...]
    rows: Callable[[GoldSet], list[Row]]


def configurations(recipes: Sequence[WireRecipe]) -> tuple[Configuration, ...]:
    """List the configurations in the order of the card.

    Args:
        recipes: of the wire documents; the wire configuration repeats them.
    """
    labels = ontology()
    canary = Feature("canary", pa.string())
    found = (*_composed_configurations(labels), _wire_configuration(recipes))
    return tuple(msgspec.structs.replace(each, features=(*each.features, canary)) for each in found)


def _composed_configurations(labels: Ontology) -> tuple[Configuration, ...]:
    return (
        Configuration(
            name="documents",
            splits=COMPOSED_SPLITS,
            features=(*_DOCUMENT, Feature("text", pa.string()), *_ANNOTATION),
            rows=document_rows,
        ),
        Configuration(
            name="actors",
            splits=COMPOSED_SPLITS,
            features=(*_TOKENS, _tags("ner_tags", "actors", labels), _tags("filler_tags", "fillers", labels)),
            rows=lambda gold: _token_rows(gold, {"ner_tags": "actors", "filler_tags": "fillers"}),
        ),
        Configuration(
            name="triggers",
            splits=COMPOSED_SPLITS,
            features=(*_TOKENS, _tags("trigger_tags", "triggers", labels)),
            rows=lambda gold: _token_rows(gold, {"trigger_tags": "triggers"}),
        ),
        Configuration(name="events", splits=COMPOSED_SPLITS, features=tuple(_EVENT_ROW), rows=_event_rows),
        Configuration(name="conflicts", splits=COMPOSED_SPLITS, features=tuple(_CONFLICT_ROW), rows=_conflict_rows),
    )


def _wire_configuration(recipes: Sequence[WireRecipe]) -> Configuration:
    by_id = {recipe.document.doc_id: recipe for recipe in recipes}
    range_type = pa.list_(_struct(_SPAN))
    return Configuration(
        name="wire",
        splits=("wire",),
        features=(
            *_DOCUMENT,
            Feature("byline", pa.string()),
            Feature("date_basis", pa.string()),
            Feature("file", pa.string()),
            Feature("ranges", range_type),
            Feature("length", pa.int32()),
            *_ANNOTATION,
        ),
        rows=lambda gold: _wire_rows(gold, by_id),
    )


def _annotation_row(document: Document, annotation: Annotation, gold: GoldSet) -> Row:
    record = msgspec.to_builtins(annotation)
    for item in (*record["mentions"], *record["events"]):
        del item["text"]
    sentences = [
        {"starts": [token.start for token in row], "ends": [token.end for token in row]}
        for row in gold.tokens[document.doc_id]
    ]
    meta = {key: value for key, value in msgspec.to_builtins(document).items() if key != "text"}
    return {**meta, "sentences": sentences, **{key: record[key] for key in ("mentions", "events", "links")}}


def document_rows(gold: GoldSet) -> list[Row]:
    """Write documents with their texts and everything that is annotated in them.

    Args:
        gold: with texts.
    """
    return [
        {**_annotation_row(document, annotation, gold), "text": document.text}
        for document, annotation in zip(gold.documents, gold.annotations, strict=True)
    ]


def _wire_rows(gold: GoldSet, recipes: Mapping[str, WireRecipe]) -> list[Row]:
    rows = []
    for document, annotation in zip(gold.documents, gold.annotations, strict=True):
        recipe = recipes[document.doc_id]
        ranges = [{"start": start, "end": end} for start, end in recipe.ranges]
        extra = {
            "byline": recipe.byline,
            "date_basis": recipe.date_basis,
            "file": recipe.file,
            "ranges": ranges,
            "length": recipe.length,
        }
        rows.append({**_annotation_row(document, annotation, gold), **extra})
    return rows


def _token_rows(gold: GoldSet, columns: Mapping[str, str]) -> list[Row]:
    rows: list[Row] = []
    ids = {layer: {tag: number for number, tag in enumerate(ontology().tags(layer))} for layer in columns.values()}
    for document, annotation in zip(gold.documents, gold.annotations, strict=True):
        sentences = gold.tokens[document.doc_id]
        tagged = {column: layer_tags(annotation, layer, sentences)[0] for column, layer in columns.items()}
        for number, tokens in enumerate(sentences):
            row: Row = {
                "id": f"{document.doc_id}#{number + 1}",
                "doc_id": document.doc_id,
                "lang": document.lang,
                "tokens": [document.text[token.start : token.end] for token in tokens],
                "starts": [token.start for token in tokens],
                "ends": [token.end for token in tokens],
            }
            row.update({column: [ids[columns[column]][tag] for tag in tags[number]] for column, tags in tagged.items()})
            rows.append(row)
    return rows


def _event_rows(gold: GoldSet) -> list[Row]:
    return [
        _event_row(document, annotation, event, gold)
        for document, annotation in zip(gold.documents, gold.annotations, strict=True)
        for event in annotation.events
    ]


def _event_row(document: Document, annotation: Annotation, event: Event, gold: GoldSet) -> Row:
    mentions = {mention.id: mention for mention in annotation.mentions}
    arguments = []
    for argument in event.arguments:
        filler = mentions[argument.mention]
        arguments.append(
            {
                "role": argument.role,
                "type": filler.type,
                "text": document.text[filler.start : filler.end],
                "start": filler.start,
                "end": filler.end,
                "mention": filler.id,
            }
        )
    return {
        "id": f"{document.doc_id}/{event.id}",
        "doc_id": document.doc_id,
        "lang": document.lang,
        "type": event.type,
        "family": event.family,
        "trigger": document.text[event.start : event.end],
        "start": event.start,
        "end": event.end,
        "sentence": _sentence_of(document, event, gold),
        "attribution": event.attribution,
        "polarity": event.polarity,
        "actuality": event.actuality,
        "loaded": event.loaded,
        "cluster": event.cluster,
        "arguments": arguments,
    }


def _sentence_of(document: Document, event: Event, gold: GoldSet) -> str:
    around = next((row for row in gold.tokens[document.doc_id] if row[0].start <= event.start < row[-1].end), None)
    return document.text[around[0].start : around[-1].end] if around else ""


def _conflict_rows(gold: GoldSet) -> list[Row]:
    events = {
        (annotation.doc_id, event.start, event.end): event
        for annotation in gold.annotations
        for event in annotation.events
    }
    rows = []
    for conflict in gold.conflicts:
        row: Row = {"id": conflict.id, "storyline": conflict.storyline, "why": conflict.why}
        for side, trigger in (("first", conflict.first), ("second", conflict.second)):
            document, event = gold.by_id[trigger[0]], events[trigger]
            row |= {
                f"{side}_event": f"{document.doc_id}/{event.id}",
                f"{side}_doc_id": document.doc_id,
                f"{side}_lang": document.lang,
                f"{side}_outlet": document.outlet,
                f"{side}_type": event.type,
                f"{side}_sentence": _sentence_of(document, event, gold),
            }
        # Versions that exclude each other may still be one event told in two ways: then they share a cluster.
        clusters = [events[trigger].cluster for trigger in (conflict.first, conflict.second)]
        rows.append({**row, "cluster": clusters[0] if clusters[0] == clusters[1] else ""})
    return rows


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the release: where it goes, its bytes, and how many rows it has."""

    configuration: str
    split: str
    path: str
    data: bytes
    rows: int
    size: int


def build_files(gold: Mapping[str, GoldSet], recipes: Sequence[WireRecipe]) -> list[File]:
    """Build every Parquet file of the release, the same bytes each time.

    Args:
        gold: gold sets by split.
        recipes: of the wire documents.
    """
    return [
        _build_file(configuration, split, gold[split])
        for configuration in configurations(recipes)
        for split in configuration.splits
    ]


def _build_file(configuration: Configuration, split: str, gold: GoldSet) -> File:
    rows = [{**row, "canary": CANARY} for row in configuration.rows(gold)]
    schema = pa.schema([(feature.name, feature.type) for feature in configuration.features])
    table = pa.Table.from_pylist(rows, schema=schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    public = "test" if split == "wire" else split
    return File(
        configuration=configuration.name,
        split=public,
        path=f"{configuration.name}/{public}-00000-of-00001.parquet",
        data=buffer.getvalue(),
        rows=len(rows),
        size=table.nbytes,
    )


def front_matter(files: Sequence[File], recipes: Sequence[WireRecipe]) -> dict[str, Any]:
    """Write what the Hub and `load_dataset` read at the head of README.md.

    Each configuration carries the version and the hash of its files, because `load_dataset` keys
    its cache on this text and not on the content of the files.

    Args:
        files: all files of the release.
        recipes: of the wire documents.
    """
    infos, configs = [], []
    for configuration in configurations(recipes):
        own = [file for file in files if file.configuration == configuration.name]
        digest = hashlib.sha256(b"".join(hashlib.sha256(file.data).digest() for file in own)).hexdigest()[:16]
        infos.append(_info(configuration, own))
        configs.append(
            {
                "config_name": configuration.name,
                **({"default": True} if configuration.name == "documents" else {}),
                "version": __version__,
                "description": f"content sha256:{digest}",
                "data_files": [{"split": file.split, "path": file.path} for file in own],
            }
        )
    return {"dataset_info": infos, "configs": configs}


def _info(configuration: Configuration, files: Sequence[File]) -> dict[str, Any]:
    return {
        "config_name": configuration.name,
        "features": [_yaml_feature(feature.name, feature.type, feature.names) for feature in configuration.features],
        "splits": [{"name": file.split, "num_bytes": file.size, "num_examples": file.rows} for file in files],
        "download_size": sum(len(file.data) for file in files),
        "dataset_size": sum(file.size for file in files),
    }


def _yaml_feature(name: str, kind: Any, names: Sequence[str] = ()) -> dict[str, Any]:
    return {"name": name, **_yaml_type(kind, names)}


def _yaml_type(kind: Any, names: Sequence[str] = ()) -> dict[str, Any]:
    if pa.types.is_list(kind):
        inner = _yaml_type(kind.value_type, names)
        return {
            "list": inner.get("struct") or inner.get("dtype")
            if "dtype" not in inner or isinstance(inner["dtype"], str)
            else inner
        }
    if pa.types.is_struct(kind):
        return {"struct": [_yaml_feature(field.name, field.type) for field in kind]}
    if names:
        return {"dtype": {"class_label": {"names": {str(number): name for number, name in enumerate(names)}}}}
    return {"dtype": str(kind)}


def losses(gold: Mapping[str, GoldSet]) -> dict[str, Losses]:
    """Count what writing each token layer as IOB2 lost, over all splits.

    Args:
        gold: gold sets by split.
    """
    total = {}
    for layer in TOKEN_LAYERS:
        lost = Losses()
        for gold_set in gold.values():
            for annotation in gold_set.annotations:
                lost += layer_tags(annotation, layer, gold_set.tokens[annotation.doc_id])[1]
        total[layer] = lost
    return total
