"""Annotators that are models: texts out as numbered sentences, quotes in, saved under the model's own account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from khabar import jsonl
from khabar.campaign.config import Campaign, is_model
from khabar.campaign.opening import holdings, require_texts
from khabar.campaign.studio import ADJUDICATE, Studio
from khabar.errors import Issue, KhabarError
from khabar.label_studio import desk, server
from khabar.quotes import QuotedAnnotation, numbered, place
from khabar.types import Annotation
from khabar.validate import check_annotation, nearest


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a model's work: documents saved, documents that were there, and what was refused."""

    saved: int
    there: int
    issues: tuple[Issue, ...]


def hand_out(studio: Studio, name: str, folder: Path) -> list[Path]:
    """Write the documents that an annotator has not done yet, one file each, sentences numbered; and the guidelines.

    Nothing else is written there: no other's work, no storyline, no prediction.

    Args:
        studio: the running Label Studio.
        name: the annotator, a model.
        folder: where to.

    Raises:
        KhabarError: annotator-unknown, annotator-human; text-missing, where articles are not here.
    """
    campaign = studio.campaign
    _require_model(campaign, name)
    held, worked, _ = holdings(studio)
    mine = [doc_id for doc_id, names in held.items() if name in names and doc_id not in worked.get(name, set())]
    require_texts(campaign, mine)
    paths = [folder / "guidelines.md"]
    jsonl.write_bytes(paths[0], jsonl.read_text(campaign.path(campaign.config.guidelines)).encode())
    for doc_id in mine:
        paths.append(folder / f"{doc_id}.txt")
        jsonl.write_bytes(paths[-1], numbered(campaign.documents[doc_id].text).encode())
    return paths


def _require_model(campaign: Campaign, name: str) -> None:
    if name not in campaign.config.annotators:
        raise KhabarError(
            Issue(
                code="annotator-unknown",
                where=f"campaign {campaign.name!r}",
                found=f"annotator {name!r}",
                expected=", ".join(campaign.config.annotators),
                fix=f"Name an annotator of campaign.toml.{nearest(name, campaign.config.annotators)}",
            )
        )
    if not is_model(campaign.known, name):
        raise KhabarError(
            Issue(
                code="annotator-human",
                where=f"annotator {name!r}",
                found=f"{campaign.known[name].kind} in {campaign.config.register}",
                expected="a model",
                fix="A person's work is saved by the person, in Label Studio.",
            )
        )


def read_handed(path: Path, campaign: Campaign, name: str) -> tuple[list[Annotation], list[Issue]]:
    """Read a model's work: quotes in numbered sentences, placed, or annotations by offsets.

    Args:
        path: JSON lines.
        campaign: the campaign.
        name: the annotator.

    Returns:
        The annotations of documents in which everything has its place, and every issue of the others.
    """
    documents = campaign.documents
    quoted = [jsonl.convert(record, _kind(record), where=f"{path}:{n}") for n, record in jsonl.read_records(path, dict)]
    found: list[Annotation] = []
    times = Counter(item.doc_id for item in quoted)
    issues: list[Issue] = []
    for item in quoted:
        document = documents.get(item.doc_id)
        if times[item.doc_id] > 1:
            issues.append(_repeated(item.doc_id))
            continue
        if document is None:
            issues.append(_unknown(item.doc_id, documents))
            continue
        made, unplaced = place(item, document, author=name) if isinstance(item, QuotedAnnotation) else (item, [])
        made = msgspec.structs.replace(made, author=name)
        problems = [*unplaced, *check_annotation(made, document)]
        issues += problems
        found += [] if problems else [made]
    return found, issues


def _kind(record: Mapping[str, object]) -> type[QuotedAnnotation] | type[Annotation]:
    items = [*_listed(record, "mentions"), *_listed(record, "events")]
    return QuotedAnnotation if any("quote" in item for item in items) or "notes" in record else Annotation


def _listed(record: Mapping[str, object], field: str) -> list[Mapping[str, object]]:
    items = record.get(field)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _repeated(doc_id: str) -> Issue:
    return Issue(
        code="document-duplicate",
        doc_id=doc_id,
        where=f"document {doc_id}",
        found="several annotations",
        expected="one",
        fix="Remove all but one.",
    )


def _unknown(doc_id: str, known: Mapping[str, object]) -> Issue:
    return Issue(
        code="document-unknown",
        doc_id=doc_id,
        where=f"document {doc_id}",
        found="an id that is not in the campaign",
        expected="a document of the campaign",
        fix=f"Correct the doc_id.{nearest(doc_id, known)}",
    )


def hand_in(
    studio: Studio, name: str, given: Sequence[Annotation], *, tick: Callable[[str], None] = lambda _: None
) -> Handed:
    """Save a model's work under its own account, in its own projects; what is there already stays.

    Args:
        studio: the running Label Studio.
        name: the annotator, a model.
        given: valid annotations.
        tick: called after each document with its id.

    Raises:
        KhabarError: annotator-unknown, annotator-human; text-missing, where articles are not here.
    """
    campaign = studio.campaign
    _require_model(campaign, name)
    require_texts(campaign, [annotation.doc_id for annotation in given])
    left = {annotation.doc_id: annotation for annotation in given}
    client = studio.client(server.annotator_email(name))
    saved = 0
    for project, stamp in studio.stamped().values():
        if stamp.who != name or stamp.who == ADJUDICATE:
            continue
        tasks = desk.list_tasks(studio.manager, int(project.id))
        mine = [left.pop(doc_id) for task in tasks if (doc_id := str(task["data"].get("doc_id"))) in left]
        saved += desk.submit(client, int(project.id), mine, campaign.documents, tick=tick)
    issues = tuple(_not_given(name, doc_id) for doc_id in left)
    return Handed(saved=saved, there=len(given) - len(left) - saved, issues=issues)


def _not_given(name: str, doc_id: str) -> Issue:
    return Issue(
        code="document-unknown",
        doc_id=doc_id,
        where=f"document {doc_id}",
        found=f"work of {name}, who was not given it",
        expected="a document of its own projects",
        fix="`khabar campaign texts` writes the documents that an annotator was given.",
    )
