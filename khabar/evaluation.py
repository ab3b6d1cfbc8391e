"""Validate, score, and sign the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from khabar import __version__
from khabar.align import Losses
from khabar.corpus import GoldSet, load_gold
from khabar.errors import Issue, KhabarError
from khabar.metrics import METRICS, TOKEN_LAYERS, Counts, metric_names
from khabar.metrics.declared import count_groups
from khabar.metrics.seqeval_view import SeqevalScore, layer_tags, score_tags
from khabar.ontology import ontology
from khabar.predictions import read_predictions
from khabar.statistics import RESAMPLES, SEED, f1_interval
from khabar.types import Annotation
from khabar.validate import check_annotation, check_set, nearest

LAYERS = (*TOKEN_LAYERS, "arguments")


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A metric's value with its counts, and with its 95 % interval where there is one."""

    precision: float | None
    recall: float | None
    f1: float | None
    matched: int
    predicted: int
    gold: int
    interval: tuple[float, float] | None = None


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the gold the predictions speak of. Missing documents count as empty."""

    documents: int
    predicted: int
    missing: tuple[str, ...]


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """What was read from tag columns: how many tags, and how many I- tags that continue nothing."""

    tags: int
    orphans: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation gives: scores, the counts behind them by document, and a signature."""

    name: str
    split: str
    signature: str
    layers: tuple[str, ...]
    coverage: Coverage
    scores: dict[str, Score]
    per_type: dict[str, dict[str, Score]]
    seqeval: dict[str, SeqevalScore]
    documents: dict[str, dict[str, Counts]]
    losses: dict[str, dict[str, Losses]]
    tags: Tags | None = None


def evaluate(
    *,
    gold: str | GoldSet,
    pred: Sequence[Annotation] | str | Path,
    layers: Sequence[str] = LAYERS,
    name: str = "",
) -> Result:
    """Score predictions against gold.

    Args:
        gold: a released split (train, validation, test, wire) or a gold set.
        pred: annotations, or a file of JSON lines by offsets.
        layers: which of actors, fillers, triggers and arguments the predictions speak of.
        name: what to call the system in reports.

    Returns:
        The result. Documents without a prediction count as empty and are listed in its coverage.

    Raises:
        KhabarError: every issue found in the predictions: unknown or repeated documents, broken
            spans, unknown labels, dangling arguments. Nothing is scored then.

    Source: PROTOCOL.md sections 2 to 4.
    """
    chosen = _known_layers(layers)
    reference = load_gold(gold) if isinstance(gold, str) else gold
    system = read_predictions(Path(pred)) if isinstance(pred, (str, Path)) else list(pred)
    require_valid(reference, system)
    given = {annotation.doc_id: annotation for annotation in system}
    pairs = [(item, given.get(item.doc_id, Annotation(doc_id=item.doc_id))) for item in reference.annotations]
    grouped = _count(pairs, metric_names(chosen))
    tagged = {layer: _score_layer(pairs, layer, reference) for layer in chosen if layer in TOKEN_LAYERS}
    return Result(
        name=name,
        split=reference.name,
        signature=signature(reference, chosen),
        layers=chosen,
        coverage=_coverage(reference, given),
        scores={metric: _overall(documents) for metric, documents in grouped.items()},
        per_type={metric: _per_type(documents) for metric, documents in grouped.items()},
        seqeval={layer: score for layer, (score, _) in tagged.items()},
        documents=_by_document(grouped),
        losses={layer: losses for layer, (_, losses) in tagged.items()},
    )


def _known_layers(layers: Sequence[str]) -> tuple[str, ...]:
    given = [layers] if isinstance(layers, str) else list(layers)
    unknown = [name for name in given if name not in LAYERS]
    if unknown or not given:
        raise KhabarError(
            Issue(
                code="usage",
                where="layers",
                found=", ".join(unknown) or "none",
                expected=f"some of {', '.join(LAYERS)}",
                fix="".join(nearest(name, LAYERS) for name in unknown) or "Name at least one.",
            )
        )
    return tuple(name for name in LAYERS if name in given)


def require_valid(reference: GoldSet, system: Sequence[Annotation], *, constraints: bool = False) -> None:
    """Refuse predictions that cannot be scored, with every issue at once.

    Args:
        reference: the gold set that they are about.
        system: the predictions.
        constraints: whether role constraints and crossing spans count as issues too.

    Raises:
        KhabarError: all issues. A document without prediction is none.
    """
    issues = list(check_set(system, reference.by_id, complete=False))
    for annotation in system:
        document, length = reference.by_id.get(annotation.doc_id), reference.lengths.get(annotation.doc_id)
        issues += check_annotation(annotation, document, constraints=constraints, length=length)
    if issues:
        raise KhabarError(issues)


Grouped = dict[str, dict[str, dict[str, Counts]]]


def _count(pairs: Sequence[tuple[Annotation, Annotation]], names: Sequence[str]) -> Grouped:
    return {
        metric.name: {gold.doc_id: count_groups(metric, gold, pred) for gold, pred in pairs}
        for metric in METRICS
        if metric.name in names
    }


def _total(counts: Mapping[str, Counts]) -> Counts:
    return sum(counts.values(), Counts())


def _overall(documents: Mapping[str, Mapping[str, Counts]]) -> Score:
    totals = [_total(groups) for groups in documents.values()]
    return make_score(sum(totals, Counts()), f1_interval(totals))


def _per_type(documents: Mapping[str, Mapping[str, Counts]]) -> dict[str, Score]:
    names = sorted({name for groups in documents.values() for name in groups})
    return {
        name: make_score(sum((groups.get(name, Counts()) for groups in documents.values()), Counts())) for name in names
    }


def make_score(counts: Counts, interval: tuple[float, float] | None = None) -> Score:
    """Read a score off its counts.

    Args:
        counts: the sum over documents.
        interval: its 95 % interval.
    """
    return Score(
        precision=counts.precision,
        recall=counts.recall,
        f1=counts.f1,
        matched=counts.matched,
        predicted=counts.predicted,
        gold=counts.gold,
        interval=interval,
    )


def _by_document(grouped: Grouped) -> dict[str, dict[str, Counts]]:
    table: dict[str, dict[str, Counts]] = {}
    for metric, documents in grouped.items():
        for doc_id, groups in documents.items():
            table.setdefault(doc_id, {})[metric] = _total(groups)
    return table


def _score_layer(
    pairs: Sequence[tuple[Annotation, Annotation]], layer: str, reference: GoldSet
) -> tuple[SeqevalScore, dict[str, Losses]]:
    wanted: list[list[str]] = []
    given: list[list[str]] = []
    lost = {"gold": Losses(), "predicted": Losses()}
    for gold, pred in pairs:
        sentences = reference.tokens[gold.doc_id]
        for side, annotation, rows in (("gold", gold, wanted), ("predicted", pred, given)):
            tags, losses = layer_tags(annotation, layer, sentences)
            rows.extend(tags)
            lost[side] += losses
    return score_tags(wanted, given), lost


def _coverage(reference: GoldSet, given: Mapping[str, Annotation]) -> Coverage:
    missing = tuple(document.doc_id for document in reference.documents if document.doc_id not in given)
    total = len(reference.documents)
    return Coverage(documents=total, predicted=total - len(missing), missing=missing)


def signature(reference: GoldSet, layers: Sequence[str]) -> str:
    """Say in one line everything that a score depends on besides the predictions.

    Args:
        reference: the gold set.
        layers: what was scored.
    """
    fields = (
        "+".join(name for name in LAYERS if name in layers),
        f"split:{reference.name}",
        "scheme:iob2-strict",
        "match:exact",
        "avg:micro",
        "empty:null",
        "missing:fn",
        "unit:doc",
        f"bs:{RESAMPLES}",
        f"seed:{SEED}",
        f"data:{reference.hash}",
        f"labels:{ontology().hash}",
        f"v:{__version__}",
    )
    return "|".join(fields)
