"""Validate, score, and sign the result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from khabar.corpus import GoldSet, load_gold
from khabar.errors import Issue, KhabarError
from khabar.inputs import Predictions, Unplaced, read_jsonl_predictions
from khabar.metrics.declared import FOREIGN_LAYERS, LAYERS
from khabar.metrics.diagnosis import Finding
from khabar.results import Coverage, Result, Settings
from khabar.scoring import Scored, Work, score
from khabar.summary import sign, summarise
from khabar.tagview import tag_scheme
from khabar.types import Annotation
from khabar.validate import check_annotation, check_set, nearest

Pred = Predictions | Sequence[Annotation] | str | Path


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A result with the items behind it, for those who want to look at what went wrong."""

    result: Result
    reference: GoldSet
    predictions: Predictions
    findings: tuple[Finding, ...]


def evaluate(
    *,
    gold: str | GoldSet,
    pred: Pred,
    layers: Sequence[str] | None = None,
    name: str = "",
    run: str = "",
    settings: Settings | None = None,
) -> Result:
    """Score predictions against gold.

    Args:
        gold: a released split (train, validation, test, wire) or a gold set.
        pred: annotations, what a reader of `khabar.inputs` gives, or a file of JSON lines by offsets.
        layers: which of actors, fillers, triggers, arguments and attributes the predictions speak of
            (mentions, triggers, arguments for other people's data); all by default.
        name: what to call the system in reports.
        run: which run of the system it is (its random seed, say).
        settings: of resampling and slices.

    Returns:
        The result. Documents without a prediction count as empty and are listed in its coverage.

    Raises:
        KhabarError: every issue found in the predictions: unknown or repeated documents, broken
            spans, unknown labels, dangling arguments. Nothing is scored then.

    Source: PROTOCOL.md sections 2 to 6.
    """
    return examine(gold=gold, pred=pred, layers=layers, name=name, run=run, settings=settings).result


def examine(
    *,
    gold: str | GoldSet,
    pred: Pred,
    layers: Sequence[str] | None = None,
    name: str = "",
    run: str = "",
    settings: Settings | None = None,
) -> Evaluation:
    """Score predictions and keep every item with what became of it.

    Args:
        gold: as in `evaluate`.
        pred: as in `evaluate`.
        layers: as in `evaluate`.
        name: as in `evaluate`.
        run: as in `evaluate`.
        settings: as in `evaluate`.

    Raises:
        KhabarError: as `evaluate`.
    """
    reference = load_gold(gold) if isinstance(gold, str) else gold
    system = read_jsonl_predictions(Path(pred)) if isinstance(pred, (str, Path)) else _as_predictions(pred)
    options = msgspec.structs.replace(settings or Settings(), scheme=tag_scheme(reference, system))
    chosen = _scored_layers(layers, reference, options)
    require_valid(reference, system.annotations)
    _require_known(reference, system.unplaced)
    if options.triggers == "gold":
        _require_gold_triggers(reference, system.annotations)
    work = Work(reference=reference, system=system, layers=chosen, settings=options)
    scored = score(work)
    return Evaluation(
        result=_make_result(work, scored, name=name, run=run),
        reference=reference,
        predictions=system,
        findings=scored.findings,
    )


def _as_predictions(pred: Predictions | Sequence[Annotation]) -> Predictions:
    return pred if isinstance(pred, Predictions) else Predictions(annotations=tuple(pred))


def available_layers(reference: GoldSet) -> tuple[str, ...]:
    """List the layers that can be scored against a gold set.

    Args:
        reference: khabar's own, or other people's data.
    """
    if reference.inventory is None:
        return LAYERS
    return tuple(
        layer for layer in FOREIGN_LAYERS if reference.inventory.get("roles" if layer == "arguments" else layer)
    )


def _scored_layers(layers: Sequence[str] | None, reference: GoldSet, settings: Settings) -> tuple[str, ...]:
    known = available_layers(reference)
    given = known if layers is None else [layers] if isinstance(layers, str) else list(layers)
    unknown = [name for name in given if name not in known]
    if unknown or not given:
        raise KhabarError(
            Issue(
                code="usage",
                where="layers",
                found=", ".join(unknown) or "none",
                expected=f"some of {', '.join(known) or 'none: the gold has no span'}",
                fix="".join(nearest(name, known) for name in unknown).strip() or "Name at least one.",
            )
        )
    # With the gold's triggers given, the triggers are no answer of the system's.
    return tuple(name for name in known if name in given and not (name == "triggers" and settings.triggers == "gold"))


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
    foreign = reference.inventory is not None
    for annotation in system:
        document, length = reference.by_id.get(annotation.doc_id), reference.lengths.get(annotation.doc_id)
        issues += check_annotation(annotation, document, constraints=constraints, length=length, foreign=foreign)
    if issues:
        raise KhabarError(issues)


def _require_known(reference: GoldSet, unplaced: Sequence[Unplaced]) -> None:
    unknown = sorted({item.doc_id for item in unplaced} - reference.by_id.keys())
    if unknown:
        raise KhabarError(
            Issue(
                code="document-unknown",
                doc_id=doc_id,
                where=f"document {doc_id}",
                found="an unknown id among what has no place",
                expected=f"a document of {reference.name}",
                fix=f"Score it against its own set.{nearest(doc_id, reference.by_id)}",
            )
            for doc_id in unknown
        )


def _require_gold_triggers(reference: GoldSet, system: Sequence[Annotation]) -> None:
    """Refuse triggers that are not the gold's where the gold's were given."""
    gold = {item.doc_id: {(event.cover, event.type) for event in item.events} for item in reference.annotations}
    issues = [
        Issue(
            code="trigger-not-gold",
            doc_id=annotation.doc_id,
            where=f"document {annotation.doc_id}, event {event.id} ({event.start}–{event.end})",
            found=f"{event.type} as a trigger",
            expected="triggers and event types of the gold only",
            fix="Predict arguments for the gold's events, or score end to end (--triggers predicted).",
        )
        for annotation in system
        for event in annotation.events
        if (event.cover, event.type) not in gold[annotation.doc_id]
    ]
    if issues:
        raise KhabarError(issues)


def _make_result(work: Work, scored: Scored, *, name: str, run: str) -> Result:
    reference, system = work.reference, work.system
    figures = summarise(scored.records, layers=work.layers, settings=work.settings, inventory=work.inventory)
    return Result(
        name=name,
        run=run,
        split=reference.name,
        signature=sign(reference, work.layers, work.settings),
        layers=work.layers,
        settings=work.settings,
        coverage=_coverage(reference, system),
        losses={layer: view.losses for layer, view in scored.tags.items()},
        documents=scored.records,
        tags=system.tags,
        unplaced=system.unplaced,
        notes=(*system.notes, *_note_unknown_types(work), *_note_unscored(work)),
        inventory=None if reference.inventory is None else dict(reference.inventory),
        **{field: getattr(figures, field) for field in figures.__struct_fields__},
    )


def _coverage(reference: GoldSet, system: Predictions) -> Coverage:
    given = {annotation.doc_id for annotation in system.annotations} | {item.doc_id for item in system.unplaced}
    missing = tuple(document.doc_id for document in reference.documents if document.doc_id not in given)
    total = len(reference.documents)
    return Coverage(documents=total, predicted=total - len(missing), missing=missing)


def _note_unknown_types(work: Work) -> list[str]:
    """Say which predicted types other people's gold does not have; they are counted as spurious."""
    if work.reference.inventory is None:
        return []
    known = {name for layer in ("mentions", "triggers") for name in work.inventory.get(layer, ())}
    met = {item.type for annotation in work.system.annotations for item in annotation.items}
    unknown = sorted(met - known)
    return (
        [f"predicted types that the gold does not have, counted as spurious: {', '.join(unknown)}"] if unknown else []
    )


def _note_unscored(work: Work) -> list[str]:
    """Say which predicted layers other people's gold does not have, so that nothing is passed over silently."""
    if work.reference.inventory is None:
        return []
    events = [event for annotation in work.system.annotations for event in annotation.events]
    given = {
        "mentions": any(annotation.mentions for annotation in work.system.annotations),
        "triggers": bool(events),
        "arguments": any(event.arguments for event in events),
    }
    known = available_layers(work.reference)
    passed = [layer for layer, has in given.items() if has and layer not in known]
    return [f"predicted, but not in the gold, so not scored: {', '.join(passed)}"] if passed else []
