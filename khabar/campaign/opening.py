"""Open a campaign: accounts, projects, tasks, pre-annotations. Run again, it adds what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from khabar import jsonl
from khabar.campaign.assignment import Assignment, assign, of_annotator
from khabar.campaign.config import ASSISTED, Campaign, Preannotation
from khabar.campaign.studio import ADJUDICATE, Json, Seat, Stamp, Studio, write_stamp
from khabar.errors import Issue, KhabarError
from khabar.label_studio import desk, server
from khabar.label_studio.backend import attach
from khabar.label_studio.convert import to_prediction
from khabar.models import load_model, preannotate
from khabar.types import Annotation, Document, without_texts
from khabar.validate import check_annotation, check_set

PREDICTIONS = "predictions.jsonl"


def open_campaign(
    studio: Studio, *, rounds: Sequence[str] = (), backend: str = "", tick: Callable[[str], None] = lambda _: None
) -> Iterator[str]:
    """Make every project of the rounds hold its annotator's documents; a second call adds only what is missing.

    Args:
        studio: the running Label Studio.
        rounds: the rounds to open beside those that are open; the first, where none is.
        backend: the address of a model that predicts live (`khabar serve-model`), for the assisted projects.
        tick: called with the title of each project that is about to be filled.

    Yields:
        A line on each project.

    Raises:
        KhabarError: text-missing, where articles are not here; assignment-impossible; campaign-invalid, where a
            backend has no assisted project; project-changed and campaign-foreign, where Label Studio holds
            something else; server errors. What was made stays.
    """
    campaign = studio.campaign
    studio.remove_copies()
    there = studio.stamped()
    wanted = _rounds(campaign, [stamp.round for _, stamp in there.values()], rounds)
    require_texts(campaign, [doc_id for doc_id, part in campaign.rounds.items() if part in wanted])
    held, worked, places = holdings(studio)
    _require_same_rounds(campaign, places)
    arms = campaign.arms({doc_id: stamp.arm for doc_id, stamp in places.items()})
    if backend and not any(arms[doc_id] == ASSISTED for doc_id, part in campaign.rounds.items() if part in wanted):
        raise KhabarError(_no_assisted(campaign, backend))
    assignment = assign(campaign, still_given(campaign, held, worked))
    left_out: list[Issue] = []
    shown = _predictions(campaign, wanted, arms, left_out.append)
    if left_out:
        yield f"pre-annotation: {len(left_out)} items left out that break the ontology's constraints"
    instruction = guidelines_html(campaign)
    for seat in studio.seats():
        documents = _documents(campaign, assignment, arms, seat)
        if seat.round not in wanted or not (documents or seat.title in there):
            continue
        tick(seat.title)
        yield _fill(studio, seat, documents, held, worked, shown, instruction)
        if backend and seat.arm == ASSISTED:
            number = studio.stamped()[seat.title][0].id
            attach(studio.manager, int(number), backend, title=campaign.name)


def _rounds(campaign: Campaign, there: Sequence[str], asked: Sequence[str]) -> set[str]:
    known = [part.name for part in campaign.config.rounds]
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise KhabarError(
            Issue(
                code="campaign-invalid",
                where=f"campaign {campaign.name!r}",
                found=f"round {name!r}",
                expected=", ".join(known),
                fix="Name a round of campaign.toml.",
            )
            for name in unknown
        )
    return {*there, *asked} or {known[0]}


def _no_assisted(campaign: Campaign, backend: str) -> Issue:
    return Issue(
        code="campaign-invalid",
        where=f"campaign {campaign.name!r}",
        found=f"--backend {backend}, and no assisted project in the rounds that are opened",
        expected="[preannotation] in campaign.toml, with a blind_share that leaves documents to be assisted",
        fix="Add it, or leave --backend out: a model predicts live in assisted projects only.",
    )


def require_texts(campaign: Campaign, doc_ids: Iterable[str]) -> None:
    """Refuse to go on without the texts of documents: the wire articles may be elsewhere.

    Args:
        campaign: the campaign.
        doc_ids: the documents whose texts are needed.

    Raises:
        KhabarError: text-missing, naming each document.
    """
    bare = [doc_id for doc_id in dict.fromkeys(doc_ids) if not campaign.documents[doc_id].text]
    if bare:
        raise KhabarError(
            Issue(
                code="text-missing",
                doc_id=doc_id,
                where=f"document {doc_id}",
                found="no text",
                expected="the article's text",
                fix="Name the folder of the articles with --sources.",
            )
            for doc_id in bare
        )


def _require_same_rounds(campaign: Campaign, places: Mapping[str, Stamp]) -> None:
    moved = {
        doc_id: stamp.round
        for doc_id, stamp in places.items()
        if campaign.rounds.get(doc_id, stamp.round) != stamp.round
    }
    if moved:
        raise KhabarError(
            Issue(
                code="round-overlap",
                doc_id=doc_id,
                where=f"document {doc_id}",
                found=f"round {campaign.rounds[doc_id]!r} in campaign.toml",
                expected=f"round {part!r}, in which it was opened",
                fix="Add documents at the end of their file, or name the documents of each round.",
            )
            for doc_id, part in moved.items()
        )


def holdings(studio: Studio) -> tuple[dict[str, list[str]], dict[str, set[str]], dict[str, Stamp]]:
    """Read from Label Studio who has which document, who has begun which, and in which round and arm it is.

    Args:
        studio: the running Label Studio.

    Returns:
        Annotators by document, the documents that each has begun (whoever left the campaign: has submitted),
        and by document a project that has it.
    """
    held: dict[str, list[str]] = {}
    worked: dict[str, set[str]] = {}
    places: dict[str, Stamp] = {}
    for project, stamp in studio.stamped().values():
        if stamp.who != ADJUDICATE:
            for task in desk.list_tasks(studio.manager, int(project.id)):
                doc_id = str(task["data"].get("doc_id"))
                places.setdefault(doc_id, stamp)
                if stamp.who not in held.setdefault(doc_id, []):
                    held[doc_id].append(stamp.who)
                if is_begun(task, left=stamp.who not in studio.campaign.config.annotators):
                    worked.setdefault(stamp.who, set()).add(doc_id)
    return held, worked, places


def is_begun(task: Json, *, left: bool) -> bool:
    """Tell whether a document is its annotator's for good: begun, or submitted by one who left the campaign.

    A draft of somebody who is gone would keep the document from being finished for ever.

    Args:
        task: as Label Studio lists it.
        left: whether its annotator left the campaign.
    """
    if left:
        return any(not item.get("was_cancelled") for item in task["annotations"])
    return bool(task["annotations"] or task.get("drafts"))


def still_given(
    campaign: Campaign, held: Mapping[str, Sequence[str]], worked: Mapping[str, set[str]]
) -> dict[str, list[str]]:
    """Say whose each document stays: whoever left keeps what is submitted, and the rest goes to somebody else.

    Args:
        campaign: the campaign.
        held: annotators by document, as `holdings` gives them.
        worked: the documents that each has begun, as `holdings` gives them.
    """
    return {
        doc_id: [name for name in names if name in campaign.config.annotators or doc_id in worked.get(name, set())]
        for doc_id, names in held.items()
    }


def _documents(campaign: Campaign, assignment: Assignment, arms: Mapping[str, str], seat: Seat) -> list[Document]:
    return [
        campaign.documents[doc_id]
        for doc_id in of_annotator(campaign, assignment, seat.who)
        if campaign.rounds[doc_id] == seat.round and arms[doc_id] == seat.arm
    ]


def _predictions(
    campaign: Campaign, wanted: set[str], arms: Mapping[str, str], report: Callable[[Issue], None]
) -> dict[str, Json]:
    """Predict every document of the open rounds, of both arms: the blind ones are compared and never shown."""
    settings = campaign.config.preannotation
    if settings is None:
        return {}
    documents = {doc_id: campaign.documents[doc_id] for doc_id, part in campaign.rounds.items() if part in wanted}
    kept = stored_predictions(campaign)
    missing = {doc_id: document for doc_id, document in documents.items() if doc_id not in kept}
    if missing:
        kept |= {item.doc_id: item for item in _predict(campaign, settings, missing, report)}
        jsonl.write_records(campaign.path(PREDICTIONS), kept.values())
    return {
        doc_id: to_prediction(kept[doc_id], document.text, model_version=kept[doc_id].author)
        for doc_id, document in documents.items()
        if arms[doc_id] == ASSISTED
    }


def stored_predictions(campaign: Campaign) -> dict[str, Annotation]:
    """Read what the model said when the campaign was opened, by document; its author is the model and version.

    Args:
        campaign: the campaign.
    """
    path = campaign.path(PREDICTIONS)
    return {item.doc_id: item for item in jsonl.read_list(path, Annotation)} if path.exists() else {}


def _predict(
    campaign: Campaign,
    settings: Preannotation,
    documents: Mapping[str, Document],
    report: Callable[[Issue], None],
) -> list[Annotation]:
    if settings.model:
        model = load_model(campaign.path(settings.model))
        # What breaks the ontology's constraints is left out of what people are shown, and is no error of theirs.
        made, label = preannotate(model, list(documents.values()), report=report), model.label
    else:
        path = campaign.path(settings.predictions)
        made, label = [item for item in jsonl.read_list(path, Annotation) if item.doc_id in documents], path.stem
    issues = [*check_set(made, documents)]
    issues += [issue for item in made for issue in check_annotation(item, documents[item.doc_id], constraints=False)]
    if issues:
        raise KhabarError(issues)
    kept = made if campaign.shippable else [without_texts(item) for item in made]
    return [msgspec.structs.replace(item, author=settings.name or label) for item in kept]


def guidelines_html(campaign: Campaign) -> str:
    """Write the campaign's guidelines as HTML for the instruction panel.

    Args:
        campaign: the campaign.
    """
    from markdown_it import MarkdownIt

    text = jsonl.read_text(campaign.path(campaign.config.guidelines))
    return str(MarkdownIt("commonmark").enable("table").render(text))


def _fill(
    studio: Studio,
    seat: Seat,
    documents: Sequence[Document],
    held: Mapping[str, Sequence[str]],
    worked: Mapping[str, set[str]],
    shown: Mapping[str, Json],
    instruction: str,
) -> str:
    campaign = studio.campaign
    server.ensure_account(studio.data, server.annotator_email(seat.who))
    number = desk.open_project(
        studio.manager,
        seat.title,
        documents,
        instruction=instruction,
        annotators=1,
        description=write_stamp(seat.stamp()),
        predictions=shown if seat.arm == ASSISTED else None,
    )
    new = sum(seat.who not in held.get(document.doc_id, ()) for document in documents)
    done = sum(document.doc_id in worked.get(seat.who, set()) for document in documents)
    languages = ", ".join(sorted({document.lang for document in documents}))
    kind = campaign.known[seat.who].kind
    return f"{seat.title} (project {number}, {kind}): {len(documents)} documents ({languages}), {new} new, {done} begun"
