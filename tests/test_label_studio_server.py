"""A real Label Studio on loopback: what goes in comes out, and what goes wrong is said."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import studio
from builders import document
from label_studio_sdk import LabelStudio

from khabar import jsonl
from khabar.adjudicate import adjudicate, differences
from khabar.align import Losses, read_iob2
from khabar.campaign import corpus
from khabar.corpus import sentence_tokens
from khabar.errors import Issue, KhabarError
from khabar.label_studio import desk, server
from khabar.label_studio.config import labeling_config
from khabar.label_studio.convert import Json, to_result, to_task
from khabar.metrics.seqeval_view import layer_tags
from khabar.ontology import ontology
from khabar.types import Annotation, Argument, Document, Event, Link, Mention, text_hash, without_texts
from khabar.validate import check_annotation
from khabar.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning:label_studio_sdk")]

ROOT = Path(__file__).resolve().parent.parent
A, B = "annotator-a", "annotator-b"
LAYERS = ("actors", "fillers", "triggers")


# ---------------------------------------------------------------- the server, and what is done with it


class Office:
    """A running server, and one client for each account."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.clients: dict[str, LabelStudio] = {}
        self.numbers: dict[str, int] = {}

    def client(self, name: str = "") -> LabelStudio:
        if name not in self.clients:
            account = server.ensure_account(self.data, server.annotator_email(name) if name else server.MANAGER)
            self.clients[name] = desk.connect(server.load_state(self.data).url, account.token)
            self.numbers[name] = int(self.clients[name].users.whoami().id)
        return self.clients[name]

    def number(self, name: str) -> int:
        self.client(name)
        return self.numbers[name]

    def export(self, project: int) -> desk.Export:
        return desk.export(self.client(), project)

    def read(
        self, project: int, documents: Sequence[Document], name: str, *, keep_text: bool = True
    ) -> tuple[list[Annotation], list[Issue]]:
        exported, email = self.export(project), server.annotator_email(name)
        tasks = desk.of_annotator(exported, email, keep_text=keep_text)
        return desk.read_export(tasks, exported.accounts, index(documents), email=email, author=name)

    def codes(self, project: int, documents: Sequence[Document], name: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for issue in self.read(project, documents, name)[1]:
            found.setdefault(issue.doc_id, []).append(issue.code)
        return found

    def tasks(self, project: int) -> dict[str, int]:
        listed = desk.list_tasks(self.client(), project)
        by_document = {task["data"]["doc_id"]: task["id"] for task in listed}
        assert len(by_document) == len(listed)
        return by_document


@pytest.fixture(scope="module")
def office(studio_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with studio.running(studio_template, tmp_path_factory.mktemp("label_studio") / "data") as data:
        yield Office(data)


@pytest.fixture
def title(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)[:50]


def index(documents: Iterable[Document]) -> dict[str, Document]:
    return {item.doc_id: item for item in documents}


def by(annotations: Iterable[Annotation], author: str) -> list[Annotation]:
    return [msgspec.structs.replace(item, author=author) for item in annotations]


def bare(annotations: Iterable[Annotation]) -> list[Annotation]:
    return [without_texts(item) for item in annotations]


def place(text: str, quote: str, nth: int = 1) -> dict[str, Any]:
    at = -1
    for _ in range(nth):
        at = text.index(quote, at + 1)
    return {"start": at, "end": at + len(quote), "text": quote}


def mention(name: str, text: str, quote: str, label: str, nth: int = 1, **fields: Any) -> Mention:
    return Mention(id=name, type=label, **place(text, quote, nth), **fields)


def event(
    name: str, text: str, quote: str, label: str, *arguments: tuple[str, str], nth: int = 1, **fields: Any
) -> Event:
    filled = tuple(Argument(*argument) for argument in arguments)
    return Event(id=name, type=label, arguments=filled, **place(text, quote, nth), **fields)


def simple(count: int) -> tuple[list[Document], list[Annotation]]:
    documents = [document(f"Rebels shelled village {n}.", f"doc-{n}") for n in range(1, count + 1)]
    annotations = [
        Annotation(
            doc_id=item.doc_id,
            author=A,
            sha256=item.sha256,
            mentions=(
                mention("m1", item.text, "Rebels", "ARMED_GROUP", kind="nominal", entity=f"rebels {n}"),
                mention("m2", item.text, f"village {n}", "PLACE"),
            ),
            events=(event("e1", item.text, "shelled", "Strike.Shelling", ("Agent", "m1"), ("Place", "m2")),),
        )
        for n, item in enumerate(documents, 1)
    ]
    return documents, annotations


def region(name: str, start: int, end: int, label: str, control: str = "entity") -> Json:
    return {
        "id": name,
        "from_name": control,
        "to_name": "text",
        "type": "labels",
        "value": {"start": start, "end": end, "labels": [label]},
    }


def choice(name: str, control: str, value: str) -> Json:
    return {
        "id": name,
        "from_name": control,
        "to_name": "text",
        "type": "choices",
        "value": {"start": 0, "end": 1, "choices": [value]},
    }


def relation(source: str, target: str, *names: str) -> Json:
    return {"type": "relation", "from_id": source, "to_id": target, "direction": "right", "labels": list(names)}


# ---------------------------------------------------------------- texts that are easily miscounted

ENGLISH = document(
    "  \n\u00a0Rescuers 👩🏽‍🚒👨‍👩‍👧‍👦 say Nao\u0308mi\u00a0Ka\u0301rr, of the 4th Brigade of the Halzar army, shelled "
    "Bir Wadi 🇸🇾 on Monday, killing 12 terrorists.\n\n\tThe army denies it shelled the town; shelling may resume. ",
    "en",
)
ARABIC = document(
    "قالَ الجَيْشُ إنَّ مُسَلَّحِينَ هاجَموا حاجِزًا بِحَلْزارَ وَالقَرْيَةِ 🏚️ صباحَ الاثنين، فَقُتِلَ ٣ مدنيين.\n\u200fولَم يُؤَكِّد جيشُها الخبرَ.",
    "ar",
    lang="ar",
)
MIXED = document(
    "\n\n<b>&amp;</b> {{x}} $text C:\\new — \u202bكَتِيبَةُ\u202c «Al‑Fajr»\u00a0🧑🏿‍✈️ left e\u0301t\u0327e\u0301 "
    "\u2066وبيتٌ\u2069 zone…\u00a0\n",
    "mixed",
)
EMPTY = document("\u00a0لا شيء.\u2028", "nothing", lang="ar")
AWKWARD = [ENGLISH, ARABIC, MIXED, EMPTY]


def annotate(
    item: Document, mentions: Sequence[Mention] = (), events: Sequence[Event] = (), links: Sequence[Link] = ()
) -> Annotation:
    return Annotation(
        doc_id=item.doc_id, sha256=item.sha256, mentions=tuple(mentions), events=tuple(events), links=tuple(links)
    )


EN, AR, MIX = ENGLISH.text, ARABIC.text, MIXED.text
NOMINAL, SAID = {"kind": "nominal"}, {"attribution": "attributed"}
ENGLISH_MENTIONS = [
    mention("m1", EN, "Rescuers 👩🏽‍🚒", "ORG", **NOMINAL),
    mention("m2", EN, "👩‍👧", "CIVILIANS", **NOMINAL),
    mention("m3", EN, "Nao\u0308mi\u00a0Ka\u0301rr", "PERSON", entity="naomi"),
    mention("m4", EN, "4th Brigade of the Halzar army", "STATE_FORCES"),
    mention("m5", EN, "Halzar army", "STATE_FORCES", entity="جيش حلزار"),
    mention("m6", EN, "Halzar", "GOVERNMENT", entity="halzar"),
    mention("m7", EN, "Bir Wadi", "PLACE"),
    mention("m8", EN, "Monday", "TIME"),
    mention("m9", EN, "12", "QUANTITY"),
    mention("m10", EN, "terrorists", "ARMED_GROUP", loaded=True, **NOMINAL),
    mention("m11", EN, "The army", "STATE_FORCES", entity="جيش حلزار", **NOMINAL),
    mention("m12", EN, "it", "STATE_FORCES", kind="pronoun", entity="جيش حلزار"),
    mention("m13", EN, "the town", "PLACE", **NOMINAL),
]
# Two roles on the pair e2, m3, and two links on the pair e5, e2: Label Studio has one relation for both.
SHELLED = (("Agent", "m3"), ("Source", "m3"), ("Place", "m7"), ("Time", "m8"), ("Target", "m10"))
DENIED = {"attribution": "denied", "polarity": "negative"}
ENGLISH_EVENTS = [
    event("e1", EN, "say", "Politics.AccuseDeny", ("Agent", "m1")),
    event("e2", EN, "shelled", "Strike.Shelling", *SHELLED, **SAID),
    event("e3", EN, "killing", "Effect.Casualty", ("Victim", "m10"), ("Number", "m9"), loaded=True, **SAID),
    event("e4", EN, "denies", "Politics.AccuseDeny", ("Agent", "m11")),
    event("e5", EN, "shelled", "Strike.Shelling", ("Agent", "m12"), ("Place", "m13"), nth=2, **DENIED),
    event("e6", EN, "shelling", "Strike.Shelling", actuality="hypothetical"),
]
ENGLISH_LINKS = [
    Link("CONTENT", "e1", "e2"),
    Link("CAUSES", "e2", "e3"),
    Link("CONTENT", "e4", "e5"),
    Link("COREF", "e5", "e2"),
    Link("CONFLICTS", "e5", "e2"),
]
ARABIC_MENTIONS = [
    mention("m1", AR, "الجَيْشُ", "STATE_FORCES", entity="army", **NOMINAL),
    mention("m2", AR, "مُسَلَّحِينَ", "ARMED_GROUP", loaded=True, **NOMINAL),
    mention("m3", AR, "حاجِزًا", "FACILITY", **NOMINAL),
    mention("m4", AR, "حَلْزارَ", "PLACE"),
    mention("m5", AR, "القَرْيَةِ", "PLACE", **NOMINAL),
    mention("m6", AR, "صباحَ الاثنين", "TIME"),
    mention("m7", AR, "٣", "QUANTITY"),
    mention("m8", AR, "مدنيين", "CIVILIANS", **NOMINAL),
    mention("m9", AR, "جيشُ", "STATE_FORCES", entity="army", **NOMINAL),
    mention("m10", AR, "ها", "GOVERNMENT", nth=2, kind="pronoun"),
]
ATTACKED = (("Agent", "m2"), ("Target", "m3"), ("Place", "m4"), ("Time", "m6"), ("Source", "m1"))
KILLED = (("Victim", "m8"), ("Number", "m7"), ("Place", "m5"))
ARABIC_EVENTS = [
    event("e1", AR, "قالَ", "Politics.AccuseDeny", ("Agent", "m1")),
    event("e2", AR, "هاجَموا", "Combat.Attack", *ATTACKED, **SAID),
    event("e3", AR, "قُتِلَ", "Effect.Casualty", *KILLED, **SAID),
    event("e4", AR, "يُؤَكِّد", "Politics.AccuseDeny", ("Agent", "m9"), polarity="negative"),
]
MIXED_MENTIONS = [
    mention("m1", MIX, "<b>&amp;</b>", "ORG"),
    mention("m2", MIX, "\\new", "MEDIA"),
    mention("m3", MIX, "كَتِيبَةُ", "ARMED_GROUP", **NOMINAL),
    mention("m4", MIX, "🧑🏿‍✈️", "PERSON", entity="👤"),
    mention("m5", MIX, "e\u0301t\u0327e\u0301", "PLACE"),
    mention("m6", MIX, "بيتٌ", "FACILITY", **NOMINAL),
    mention("m7", MIX, "zone…\u00a0\n", "PLACE", **NOMINAL),
]
MIXED_EVENTS = [event("e1", MIX, "left", "Territory.Withdraw", ("Agent", "m3"), ("Origin", "m5"))]


def awkward_work() -> list[Annotation]:
    return [
        annotate(ENGLISH, ENGLISH_MENTIONS, ENGLISH_EVENTS, ENGLISH_LINKS),
        annotate(ARABIC, ARABIC_MENTIONS, ARABIC_EVENTS, (Link("CONTENT", "e1", "e2"), Link("CAUSES", "e2", "e3"))),
        annotate(MIXED, MIXED_MENTIONS, MIXED_EVENTS),
        annotate(EMPTY),
    ]


@pytest.fixture(scope="module")
def awkward(office: Office) -> int:
    """A project in which both annotators have saved the same work on the awkward texts."""
    project = desk.open_project(office.client(), "awkward", AWKWARD)
    for name in (A, B):
        assert desk.submit(office.client(name), project, by(awkward_work(), name), index(AWKWARD)) == 4
    return project


def test_awkward_offsets_come_back_as_they_went_in(office: Office, awkward: int) -> None:
    for name in (A, B):
        annotations, issues = office.read(awkward, AWKWARD, name)
        assert issues == []
        # The quoted texts are compared too: they are what Label Studio holds, not cut out anew.
        assert annotations == by(awkward_work(), name)


def test_label_studio_counts_code_points(office: Office, awkward: int) -> None:
    tasks = {task["data"]["doc_id"]: task for task in office.export(awkward).tasks}
    assert {name: task["data"]["text"] for name, task in tasks.items()} == {d.doc_id: d.text for d in AWKWARD}
    values = {
        (name, item["id"]): item["value"]
        for name, task in tasks.items()
        for item in task["annotations"][0]["result"]
        if item["type"] == "labels"
    }
    # Counted by hand: UTF-16 would give 4–20 and 22–27 for the first two, and grapheme clusters less.
    assert (values["en", "m1"]["start"], values["en", "m1"]["end"]) == (4, 17)
    assert (values["en", "m2"]["start"], values["en", "m2"]["end"]) == (19, 22)
    assert values["ar", "e3"]["text"] == "قُتِلَ"
    assert ARABIC.text[values["ar", "e3"]["start"] - 2 : values["ar", "e3"]["start"]] == "ف\u064e"


def test_two_roles_of_one_pair_share_a_relation(office: Office, awkward: int) -> None:
    task = next(task for task in office.export(awkward).tasks if task["data"]["doc_id"] == "en")
    labels = {
        (item["from_id"], item["to_id"]): item["labels"]
        for item in task["annotations"][0]["result"]
        if item["type"] == "relation"
    }
    assert labels["e2", "m3"] == ["Agent", "Source"]
    assert labels["e5", "e2"] == ["COREF", "CONFLICTS"]
    assert len(labels) == 14


def read_layers(annotation: Annotation, text: str) -> tuple[dict[str, set[tuple[str, str]]], dict[str, Losses]]:
    """Write an annotation as IOB2 and read it again, as quotes."""
    rows = sentence_tokens(text)
    found: dict[str, set[tuple[str, str]]] = {}
    losses = {}
    for layer in LAYERS:
        tags, losses[layer] = layer_tags(annotation, layer, rows)
        found[layer] = set()
        for row, tokens in zip(tags, rows, strict=True):
            spans, orphans = read_iob2(row, tokens)
            assert orphans == []
            found[layer] |= {(text[span.start : span.end], label) for span, label in spans}
    return found, losses


def test_exported_work_becomes_gold_and_tags(office: Office, awkward: int) -> None:
    one, two = (office.read(awkward, AWKWARD, name)[0] for name in (A, B))
    gold = [adjudicate((left, right), []) for left, right in zip(one, two, strict=True)]
    for made, mine, text in zip(gold, one, AWKWARD, strict=True):
        assert differences(made, mine) == []
        assert list(check_annotation(made, text)) == []
        assert {m.span: m.entity for m in made.mentions} == {m.span: m.entity for m in mine.mentions}
    assert gold[3].items == ()

    english, lost = read_layers(gold[0], ENGLISH.text)
    assert english["actors"] == {
        ("Rescuers 👩🏽‍🚒", "ORG"),
        ("👩‍👧\u200d", "CIVILIANS"),
        ("Nao\u0308mi\u00a0Ka\u0301rr", "PERSON"),
        ("4th Brigade of the Halzar army", "STATE_FORCES"),
        ("terrorists", "ARMED_GROUP"),
        ("The army", "STATE_FORCES"),
        ("it", "STATE_FORCES"),
    }
    assert lost["actors"] == Losses(kept=7, widened=1, nested=2)
    assert lost["triggers"] == Losses(kept=6)

    arabic, lost = read_layers(gold[1], ARABIC.text)
    assert arabic == {
        "actors": {
            ("الجَيْشُ", "STATE_FORCES"),
            ("مُسَلَّحِينَ", "ARMED_GROUP"),
            ("مدنيين", "CIVILIANS"),
            ("جيشُها", "STATE_FORCES"),
        },
        "fillers": {
            ("حاجِزًا", "FACILITY"),
            ("بِحَلْزارَ", "PLACE"),
            ("وَالقَرْيَةِ", "PLACE"),
            ("صباحَ الاثنين", "TIME"),
            ("٣", "QUANTITY"),
        },
        "triggers": {
            ("قالَ", "Politics.AccuseDeny"),
            ("هاجَموا", "Combat.Attack"),
            ("فَقُتِلَ", "Effect.Casualty"),
            ("يُؤَكِّد", "Politics.AccuseDeny"),
        },
    }
    assert lost["actors"] == Losses(kept=4, widened=1, shared_token=1)
    assert lost["fillers"] == Losses(kept=5, widened=2)

    mixed, lost = read_layers(gold[2], MIXED.text)
    assert mixed["fillers"] == {("e\u0301t\u0327e\u0301", "PLACE"), ("وبيتٌ", "FACILITY")}
    assert lost["fillers"] == Losses(kept=2, widened=1, split=1)


PIECES = (
    *("a", "Z", "9", " ", "  ", "\n", "\t", ".", "-", "\\n", "\\", "'", '"', "<b>", "</b>", "&lt;", "&", "{{x}}"),
    *("$text", "%20", "http://", "s3://b/k", "null", "\u00a0", "\u200b", "\u2028", "\u0085", "\ufeff", "\x0b", "\x7f"),
    *(
        "e\u0301",
        "\u0301",
        "n\u0303\u0323",
        "é",
        "ﬁ",
        "ß",
        "İ",
        "한",
        "中",
        "क्ष",
        "ו",
        "و",
        "ال",
        "كِتابٌ",
        "ـ",
        "\u0670",
    ),
    *(
        "٣",
        "،",
        "\u200f",
        "\u202b",
        "\u202c",
        "\u2067",
        "\u2069",
        "\u200c",
        "😀",
        "👍🏿",
        "👨‍👩‍👧",
        "🇸🇾",
        "❤️",
        "𐤀",
        "\U0010fffd",
    ),
)


def random_work(chance: random.Random, name: str) -> tuple[Document, Annotation]:
    text = "".join(chance.choice(PIECES) for _ in range(chance.randint(3, 60)))
    known = ontology()
    mentions: list[Mention] = []
    events: list[Event] = []

    def anywhere(label: str, n: str) -> dict[str, Any]:
        start, end = sorted(chance.sample(range(len(text) + 1), 2))
        return {"id": n, "start": start, "end": end, "type": label, "text": text[start:end]}

    for n in range(chance.randint(0, 12)):
        fields = anywhere(chance.choice(known.entity_types), f"m{n}")
        new = Mention(
            **fields,
            kind=chance.choice(known.values("kind")),
            loaded=chance.random() < 0.3,
            entity=chance.choice(("", chance.choice(PIECES).strip())),
        )
        if not any(new.span.crosses(m.span) or new.span == m.span for m in mentions):
            mentions.append(new)
    for n in range(chance.randint(0, 6)):
        fields = anywhere(chance.choice(known.event_types), f"e{n}")
        if any((fields["start"], fields["end"]) == (e.start, e.end) for e in events):
            continue
        values = {key: chance.choice(known.values(key)) for key in ("attribution", "polarity", "actuality")}
        # By mention: one relation holds all roles of a pair.
        arguments = tuple(
            Argument(role, m.id)
            for m in chance.sample(mentions, chance.randint(0, len(mentions)))
            for role in known.role_names
            if role in known.allowed_roles[fields["type"]] and m.type in known.allowed_fillers[role]
        )
        events.append(Event(**fields, **values, loaded=chance.random() < 0.3, arguments=arguments))
    pairs = [(one.id, two.id) for one in events for two in events if one is not two and chance.random() < 0.3]
    links = tuple(
        Link(label, *pair) for pair in pairs for label in chance.sample(known.link_names, chance.randint(1, 2))
    )
    made = Annotation(
        doc_id=name, author=A, sha256=text_hash(text), mentions=tuple(mentions), events=tuple(events), links=links
    )
    return document(text, name), made


def test_random_work_on_random_texts_comes_back(office: Office, title: str) -> None:
    chance = random.Random(20240229)
    pairs = [random_work(chance, f"r{n:02}") for n in range(40)]
    documents, work = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assert sum(len(event.arguments) for item in work for event in item.events) > 100
    assert sum(len(item.links) for item in work) > 50
    project = desk.open_project(office.client(), title, documents)
    assert desk.submit(office.client(A), project, work, index(documents)) == len(work)
    annotations, issues = office.read(project, documents, A)
    assert issues == []
    assert annotations == work


# ---------------------------------------------------------------- again, and on from half-way


def test_everything_twice_changes_nothing(office: Office, title: str) -> None:
    documents, work = simple(5)
    manager, annotator = office.client(), office.client(A)
    project = desk.open_project(manager, title, documents)
    assert desk.submit(annotator, project, work, index(documents)) == 5
    before = office.export(project)

    assert desk.open_project(manager, title, documents) == project
    assert desk.submit(annotator, project, work, index(documents)) == 0
    after = office.export(project)
    assert len(after.tasks) == 5
    assert sum(len(task["annotations"]) for task in after.tasks) == 5
    assert after == before
    assert [found.title for found in manager.projects.list()].count(title) == 1


def test_submitting_leaves_what_the_annotator_changed_since(office: Office, title: str) -> None:
    documents, work = simple(1)
    project = desk.open_project(office.client(), title, documents)
    client = office.client(A)
    desk.submit(client, project, work, index(documents))
    later = msgspec.structs.replace(work[0], events=())
    saved = office.export(project).tasks[0]["annotations"][0]["id"]
    client.annotations.update(id=saved, result=to_result(later, documents[0].text))
    assert desk.submit(client, project, work, index(documents)) == 0
    assert office.read(project, documents, A) == ([later], [])


def test_work_that_has_no_place_is_not_passed_over(office: Office, title: str) -> None:
    documents, work = simple(3)
    project = desk.open_project(office.client(), title, documents[:2])
    client = office.client(A)
    with pytest.raises(KhabarError) as caught:
        desk.submit(client, project, work, index(documents[:2]))
    assert [(issue.code, issue.doc_id) for issue in caught.value.issues] == [("document-unknown", "doc-3")]
    with pytest.raises(KhabarError) as caught:
        desk.submit(client, project, [*work[:2], work[0]], index(documents))
    assert [(issue.code, issue.doc_id) for issue in caught.value.issues] == [("document-duplicate", "doc-1")]
    with pytest.raises(KhabarError, match="doc-3") as caught:
        desk.submit(client, project, work, index(documents))
    assert caught.value.code == "project-changed"
    # Nothing was saved on the way to any of the three.
    assert [task["annotations"] for task in office.export(project).tasks] == [[], []]


def test_invalid_work_is_refused_before_anything_is_saved(office: Office, title: str) -> None:
    documents, work = simple(3)
    broken = msgspec.structs.replace(
        work[2], mentions=(*work[2].mentions, Mention(id="m3", start=24, end=999, type="PLACE"))
    )
    project = desk.open_project(office.client(), title, documents)
    with pytest.raises(KhabarError) as caught:
        desk.submit(office.client(A), project, [*work[:2], broken], index(documents))
    assert [issue.code for issue in caught.value.issues] == ["span-outside"]
    assert [task["annotations"] for task in office.export(project).tasks] == [[], [], []]


def test_a_half_done_import_goes_on(office: Office, title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    documents, _ = simple(7)
    manager = office.client()
    project = manager.projects.create(title=title, label_config=labeling_config()).id
    manager.projects.import_tasks(id=project, request=[to_task(item) for item in documents[:2]])
    before = office.tasks(project)
    assert set(before) == {"doc-1", "doc-2"}

    monkeypatch.setattr(desk, "BATCH", 2)
    assert desk.open_project(manager, title, documents) == project
    after = office.tasks(project)
    assert set(after) == {item.doc_id for item in documents}
    assert {name: after[name] for name in before} == before


# ---------------------------------------------------------------- whose work it is


def strings(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(item, (*path, str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, (*path, "[]"))
    elif isinstance(value, str):
        yield path, value


def test_each_annotator_saves_under_its_own_account(office: Office, title: str) -> None:
    documents, work = simple(3)
    project = desk.open_project(office.client(), title, documents)
    other = [msgspec.structs.replace(item, events=()) for item in by(work, B)]
    desk.submit(office.client(A), project, work, index(documents))
    desk.submit(office.client(B), project, other[:2], index(documents))

    exported = office.export(project)
    assert len({office.number(""), office.number(A), office.number(B)}) == 3
    assert exported.accounts[str(office.number(A))] == "annotator-a@khabar.invalid"
    made = {
        task["data"]["doc_id"]: [(item["completed_by"], item["updated_by"]) for item in task["annotations"]]
        for task in exported.tasks
    }
    mine, theirs = (office.number(A),) * 2, (office.number(B),) * 2
    assert made == {"doc-1": [mine, theirs], "doc-2": [mine, theirs], "doc-3": [mine]}

    for name, expected in ((A, work), (B, other[:2])):
        kept = desk.of_annotator(exported, server.annotator_email(name), keep_text=True)
        assert [task["data"]["doc_id"] for task in kept] == [item.doc_id for item in expected]
        assert {item["completed_by"] for task in kept for item in task["annotations"]} == {office.number(name)}
        assert office.read(project, documents, name) == (expected, [])


def test_of_annotator_can_leave_every_text_out(office: Office, awkward: int) -> None:
    exported = office.export(awkward)
    email = server.annotator_email(A)
    kept = desk.of_annotator(exported, email, keep_text=False)
    assert [path for path, _ in strings(kept) if path[-1] == "text"] == []
    referents = [value for path, value in strings(kept) if path[-2:] == ("text", "[]")]
    assert sorted(referents) == sorted(m.entity for item in awkward_work() for m in item.mentions if m.entity)
    # Nor does a quote stand under another name.
    quotes = {item.text for work in awkward_work() for item in work.items}
    assert quotes & {value for path, value in strings(kept) if "[]" not in path[-2:-1]} == set()
    whole = "\n".join(value for _, value in strings(kept))
    assert [quote for quote in ("Rescuers", "terrorists", "مُسَلَّحِينَ", "كَتِيبَةُ") if quote in whole] == []

    shipped = [msgspec.structs.replace(item, text="") for item in AWKWARD]
    for documents in (AWKWARD, shipped):
        annotations, issues = desk.read_export(kept, exported.accounts, index(documents), email=email, author=A)
        assert issues == []
        assert annotations == bare(by(awkward_work(), A))


def test_a_draft_of_somebody_else_is_not_kept(office: Office, title: str) -> None:
    documents, work = simple(1)
    project = desk.open_project(office.client(), title, documents)
    desk.submit(office.client(A), project, work, index(documents))
    task = office.tasks(project)["doc-1"]
    client = office.client(B)
    answer = httpx.post(
        f"{server.load_state(office.data).url}/api/tasks/{task}/drafts",
        headers=client._client_wrapper.get_headers(),
        json={"result": [region("draft", 0, 6, "CIVILIANS")], "lead_time": 1},
        trust_env=False,
    )
    assert answer.status_code == 201
    exported = office.export(project)
    assert [item["user"] for item in exported.tasks[0]["drafts"]] == ["annotator-b@khabar.invalid"]
    (kept,) = desk.of_annotator(exported, server.annotator_email(A), keep_text=True)
    assert kept["drafts"] == []
    assert [path for path, value in strings(kept) if value.startswith(B) or value == "draft"] == []


def test_a_change_by_another_account_is_found(office: Office, title: str) -> None:
    documents, work = simple(3)
    project = desk.open_project(office.client(), title, documents)
    for name in (A, B):
        desk.submit(office.client(name), project, by(work, name), index(documents))
    changed = msgspec.structs.replace(work[1], events=())
    saved = {
        (task["data"]["doc_id"], item["completed_by"]): item["id"]
        for task in office.export(project).tasks
        for item in task["annotations"]
    }
    office.client().annotations.update(
        id=saved["doc-2", office.number(A)], result=to_result(changed, documents[1].text)
    )

    (issue,) = office.read(project, documents, A)[1]
    assert (issue.code, issue.doc_id) == ("account-foreign", "doc-2")
    assert issue.found == "work of annotator-a@khabar.invalid, changed by manager@khabar.invalid"
    assert office.read(project, documents, B)[1] == []


def test_work_saved_in_the_name_of_another_is_found(office: Office, title: str) -> None:
    documents, work = simple(1)
    project = desk.open_project(office.client(), title, documents)
    office.client(B).annotations.create(
        id=office.tasks(project)["doc-1"],
        result=to_result(work[0], documents[0].text),
        completed_by=office.number(A),
        updated_by=office.number(A),
    )
    (issue,) = office.read(project, documents, A)[1]
    assert (issue.code, issue.found) == (
        "account-foreign",
        "work of annotator-a@khabar.invalid, changed by annotator-b@khabar.invalid",
    )


# ---------------------------------------------------------------- projects that are not what they were


def test_a_changed_text_is_refused(office: Office, title: str) -> None:
    documents, _ = simple(3)
    manager = office.client()
    project = desk.open_project(manager, title, documents)
    before = office.tasks(project)
    changed, new = document("Rebels shelled village 2!", "doc-2"), document("Another text.", "doc-4")
    with pytest.raises(KhabarError) as caught:
        desk.open_project(manager, title, [documents[0], changed, documents[2], new])
    assert [issue.code for issue in caught.value.issues] == ["project-changed"]
    assert "doc-2" in caught.value.issues[0].found
    assert office.tasks(project) == before


def test_tasks_that_are_not_the_documents_are_refused(office: Office, title: str) -> None:
    documents, _ = simple(3)
    manager = office.client()
    project = desk.open_project(manager, title, documents[:2])
    manager.projects.import_tasks(id=project, request=[to_task(item) for item in documents[2:]])
    with pytest.raises(KhabarError) as caught:
        desk.open_project(manager, title, documents[:2])
    assert [issue.code for issue in caught.value.issues] == ["project-changed"]
    assert "doc-3" in caught.value.issues[0].found


def test_a_copy_of_a_task_is_removed_unless_somebody_worked_on_it(office: Office, title: str) -> None:
    documents, work = simple(2)
    manager = office.client()
    project = desk.open_project(manager, title, documents)
    desk.submit(office.client(A), project, work[:1], index(documents))
    copies = [to_task(item) for item in documents]
    manager.projects.import_tasks(id=project, request=copies)
    desk.open_project(manager, title, documents)
    assert office.tasks(project).keys() == {"doc-1", "doc-2"}
    assert office.read(project, documents[:1], A) == (by(work[:1], A), [])

    manager.projects.import_tasks(id=project, request=copies[:1])
    spare = max(task["id"] for task in desk.list_tasks(manager, project) if task["data"]["doc_id"] == "doc-1")
    office.client("annotator-b").annotations.create(id=spare, result=[])
    with pytest.raises(KhabarError) as caught:
        desk.open_project(manager, title, documents)
    assert "2 tasks of doc-1" in caught.value.issues[0].found
    assert len(desk.list_tasks(manager, project)) == 3


def test_carriage_returns_are_refused_before_anything_is_sent(office: Office, title: str) -> None:
    documents, _ = simple(3)
    manager = office.client()
    project = desk.open_project(manager, title, documents[:1])
    broken = document("One line.\r\nAnother.", "doc-9")
    with pytest.raises(KhabarError) as caught:
        desk.open_project(manager, title, [*documents, broken])
    assert [(issue.code, issue.doc_id) for issue in caught.value.issues] == [("document-newline", "doc-9")]
    assert set(office.tasks(project)) == {"doc-1"}
    with pytest.raises(KhabarError) as caught:
        desk.open_project(manager, f"{title} new", [broken])
    assert caught.value.code == "document-newline"
    assert desk.find_project(manager, f"{title} new") is None


def test_another_configuration_and_a_second_project_are_refused(office: Office, title: str) -> None:
    documents, _ = simple(1)
    manager = office.client()
    other = labeling_config().replace('value="PLACE"', 'value="TOWN"')
    project = manager.projects.create(title=title, label_config=other).id
    with pytest.raises(KhabarError, match="another labelling configuration") as caught:
        desk.open_project(manager, title, documents)
    assert caught.value.code == "project-changed"
    assert office.tasks(project) == {}
    manager.projects.create(title=title, label_config=labeling_config())
    with pytest.raises(KhabarError, match="2 projects of that title") as caught:
        desk.open_project(manager, title, documents)
    assert caught.value.code == "project-changed"


# ---------------------------------------------------------------- what the server takes, and should not

GARBAGE: dict[str, tuple[list[Json], list[str]]] = {
    "unknown entity": ([region("r1", 0, 6, "WIZARD")], ["label-unknown"]),
    "unknown event": ([region("r1", 0, 6, "Combat.Duel", "event")], ["label-unknown"]),
    "unknown role": (
        [region("r1", 0, 6, "ARMED_GROUP"), region("r2", 7, 14, "Strike.Shelling", "event"), relation("r2", "r1", "X")],
        ["label-unknown"],
    ),
    "unknown kind": ([region("r1", 0, 6, "ARMED_GROUP"), choice("r1", "kind", "proverb")], ["label-unknown"]),
    "unknown loaded": ([region("r1", 0, 6, "ARMED_GROUP"), choice("r1", "entity_loaded", "maybe")], ["label-unknown"]),
    "past the end": ([region("r1", 0, 999, "ARMED_GROUP")], ["span-outside"]),
    "one past the end": ([region("r1", 0, 25, "ARMED_GROUP")], ["span-outside"]),
    "backwards": ([region("r1", 6, 0, "ARMED_GROUP")], ["span-empty"]),
    "empty": ([region("r1", 6, 6, "ARMED_GROUP")], ["span-empty"]),
    "negative": ([region("r1", -6, 3, "ARMED_GROUP")], ["span-empty"]),
    "no label on a relation": (
        [region("r1", 0, 6, "ARMED_GROUP"), region("r2", 7, 14, "Strike.Shelling", "event"), relation("r2", "r1")],
        ["relation-unlabelled"],
    ),
    "a relation to nothing": (
        [region("r1", 7, 14, "Strike.Shelling", "event"), relation("r1", "gone", "Agent")],
        ["link-dangling"],
    ),
    "a relation from nothing": (
        [region("r1", 7, 14, "Strike.Shelling", "event"), relation("gone", "r1", "CAUSES")],
        ["link-dangling"],
    ),
    "a role the wrong way": (
        [
            region("r1", 0, 6, "ARMED_GROUP"),
            region("r2", 7, 14, "Combat.Clash", "event"),
            relation("r1", "r2", "Agent"),
        ],
        ["relation-forbidden"],
    ),
    "an id twice": ([region("r1", 0, 6, "ARMED_GROUP"), region("r1", 15, 22, "PLACE")], ["id-duplicate"]),
    "two labels": (
        [{**region("r1", 0, 6, "PLACE"), "value": {"start": 0, "end": 6, "labels": ["PLACE", "ORG"]}}],
        ["region-shape"],
    ),
    "an attribute of nothing": ([region("r1", 0, 6, "PLACE"), choice("r2", "kind", "nominal")], ["region-shape"]),
    "an attribute of the other kind": (
        [region("r1", 0, 6, "PLACE"), choice("r1", "polarity", "negative")],
        ["region-shape"],
    ),
    "an attribute twice": (
        [region("r1", 0, 6, "PLACE"), choice("r1", "kind", "nominal"), choice("r1", "kind", "pronoun")],
        ["region-shape"],
    ),
    "another control": ([region("r1", 0, 6, "PLACE", "label")], ["region-shape"]),
    "crossing": ([region("r1", 0, 10, "PLACE"), region("r2", 5, 14, "ORG")], ["span-crossing"]),
    "good": ([region("r1", 0, 6, "ARMED_GROUP"), choice("r1", "kind", "nominal")], []),
}


def test_garbage_that_the_server_takes_is_reported(office: Office, title: str) -> None:
    documents = [document("Rebels shelled a village", name) for name in GARBAGE]
    assert len(documents[0].text) == 24
    project = desk.open_project(office.client(), title, documents)
    client = office.client(A)
    for name, task in office.tasks(project).items():
        client.annotations.create(id=task, result=GARBAGE[name][0])
    found = office.codes(project, documents, A)
    assert {name: found.get(name, []) for name in GARBAGE} == {name: codes for name, (_, codes) in GARBAGE.items()}


def test_what_can_be_read_beside_garbage_is_read(office: Office, title: str) -> None:
    documents, work = simple(1)
    project = desk.open_project(office.client(), title, documents)
    result = [*to_result(work[0], documents[0].text), relation("e1", "gone", "Agent"), region("m1", 7, 14, "PLACE")]
    office.client(A).annotations.create(id=office.tasks(project)["doc-1"], result=result)
    annotations, issues = office.read(project, documents, A)
    assert annotations == work
    assert sorted(issue.code for issue in issues) == ["id-duplicate", "link-dangling"]


def test_tasks_that_cannot_be_read_are_reported(office: Office, title: str) -> None:
    documents, work = simple(5)
    manager, client = office.client(), office.client(A)
    project = desk.open_project(manager, title, documents)
    tasks = office.tasks(project)
    desk.submit(client, project, [work[0], work[2], work[3], work[4]], index(documents))
    client.annotations.create(id=tasks["doc-1"], result=[])
    client.annotations.create(id=tasks["doc-2"], result=[], was_cancelled=True)
    data = to_task(documents[2])["data"]
    manager.tasks.update(id=str(tasks["doc-3"]), data={**data, "text": "Rebels shelled village 8."})
    known = [item for item in documents if item.doc_id != "doc-4"]
    assert office.codes(project, known, A) == {
        "doc-1": ["annotation-duplicate"],
        "doc-2": ["annotation-missing"],
        "doc-3": ["document-hash"],
        "doc-4": ["document-unknown"],
    }
    assert office.read(project, known, A)[0] == [work[4]]


# ---------------------------------------------------------------- tokens and lost servers


@pytest.mark.parametrize("wrong", ["nonsense", "signature"])
def test_a_wrong_token_is_refused(office: Office, wrong: str) -> None:
    live = server.ensure_account(office.data, server.MANAGER).token
    token = {"signature": live.rpartition(".")[0] + "." + "A" * 43}.get(wrong, wrong)
    with pytest.raises(KhabarError) as caught:
        desk.connect(server.load_state(office.data).url, token)
    assert caught.value.code == "server-refused"
    assert caught.value.issues[0].found == "status 401"


def test_a_refused_token_is_mended_as_the_message_says(office: Office) -> None:
    email = server.annotator_email("annotator-c")
    old = server.ensure_account(office.data, email)
    state = server.load_state(office.data)
    number = desk.connect(state.url, old.token).users.whoami().id

    forgotten = msgspec.structs.replace(old, token="")
    server.save_state(office.data, msgspec.structs.replace(state, accounts={**state.accounts, email: forgotten}))
    new = server.ensure_account(office.data, email)
    assert new.password == old.password
    assert new.token not in ("", old.token)
    assert desk.connect(state.url, new.token).users.whoami().id == number
    with pytest.raises(KhabarError) as caught:
        desk.connect(state.url, old.token)
    assert caught.value.code == "server-refused"

    stranger = server.Account("not the password")
    server.save_state(office.data, msgspec.structs.replace(state, accounts={**state.accounts, email: stranger}))
    with pytest.raises(KhabarError, match=email) as caught:
        server.ensure_account(office.data, email)
    assert caught.value.code == "server-refused"


def test_a_closed_port_is_a_lost_server(office: Office) -> None:
    url = f"http://127.0.0.1:{server.free_port()}"
    for token in ("anything", server.ensure_account(office.data, server.MANAGER).token):
        with pytest.raises(KhabarError) as caught:
            desk.connect(url, token)
        assert caught.value.code == "server-lost"
        assert caught.value.issues[0].where == url


def test_a_running_server_is_found_and_its_secrets_are_kept_private(office: Office) -> None:
    state = server.load_state(office.data)
    assert server.start(office.data) == state
    assert server.start(office.data).pid == state.pid
    assert (office.data / server.STATE).stat().st_mode & 0o777 == 0o600


LINGERING = """
import os, signal, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

listening = HTTPServer(("127.0.0.1", int(sys.argv[1])), Health)
signal.signal(signal.SIGTERM, lambda *_: threading.Timer(3, os._exit, (0,)).start())
print("ready", flush=True)
listening.serve_forever()
"""


def test_stopping_from_another_process_waits_for_the_end(tmp_path: Path) -> None:
    # Label Studio would take another port, unasked, if it were started again too early.
    state = server.load_state(tmp_path)
    command = [sys.executable, "-c", LINGERING, str(state.port), "label-studio", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as slow:
        try:
            assert slow.stdout is not None
            assert slow.stdout.readline() == b"ready\n"
            server.save_state(tmp_path, msgspec.structs.replace(state, pid=slow.pid))
            script = [sys.executable, str(ROOT / "scripts" / "serve_label_studio.py"), "--data", str(tmp_path)]
            subprocess.run([*script, "--stop"], check=True, stdout=subprocess.DEVNULL)
            assert not server.answers(state.url)
            assert server.load_state(tmp_path).pid == 0
        finally:
            slow.kill()


def test_stopping_spares_a_process_that_only_has_the_number(tmp_path: Path) -> None:
    state = server.load_state(tmp_path)
    command = [sys.executable, "-c", "print(input())"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as innocent:
        try:
            server.save_state(tmp_path, msgspec.structs.replace(state, pid=innocent.pid))
            server.stop(tmp_path)
            assert server.load_state(tmp_path).pid == 0
            assert innocent.communicate(b"still here\n", timeout=30)[0].strip() == b"still here"
        finally:
            innocent.kill()


# ---------------------------------------------------------------- the stored corpus


LOT = "composed-1"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Give the first lot alone: the later ones are saved by `make demo`, which takes minutes."""
    folder = tmp_path_factory.mktemp("corpus") / "annotations"
    shutil.copytree(ROOT / "annotations", folder, ignore=shutil.ignore_patterns("*-2"))
    jsonl.write_json(folder / "lots.json", {"composed": [LOT], "wire": ["wire-1"]})
    return Workspace(folder)


@pytest.fixture(scope="module")
def stored(workspace: Workspace) -> dict[str, dict[str, list[Annotation]]]:
    return {LOT: {name: workspace.work(LOT, name) for name in workspace.annotators}}


@pytest.fixture(scope="module")
def created(
    office: Office, workspace: Workspace, stored: dict[str, dict[str, list[Annotation]]]
) -> tuple[str, list[str]]:
    with pytest.raises(KhabarError) as caught:
        list(corpus.check_exports(office.data, workspace))
    return caught.value.code, list(corpus.create_projects(office.data, workspace, work=stored))


def test_the_stored_corpus_goes_in_and_comes_out_equal(
    office: Office, workspace: Workspace, stored: dict[str, dict[str, list[Annotation]]], created: tuple[str, list[str]]
) -> None:
    count = len(workspace.documents("composed"))
    assert workspace.annotators == (A, B)
    assert [len(stored[LOT][name]) for name in (A, B)] == [count, count]
    code, lines = created
    assert code == "project-changed"
    assert [line.partition(" (")[0] for line in lines[:2]] == [f"{LOT}/corpus/{name}" for name in (A, B)]
    assert [line.partition("): ")[2] for line in lines[:2]] == [f"{count} documents (ar, en), {count} new, 0 begun"] * 2
    assert lines[2:] == [f"  {name}: {count} annotations saved, 0 were there" for name in (A, B)]
    equal = [f"{LOT}, {name}: {count} documents, equal to the repository" for name in (A, B)]
    assert list(corpus.check_exports(office.data, workspace)) == equal

    again = list(corpus.create_projects(office.data, workspace, work=stored))
    assert again[2:] == [f"  {name}: 0 annotations saved, {count} were there" for name in (A, B)]
    assert list(corpus.check_exports(office.data, workspace)) == equal


@pytest.mark.usefixtures("created")
def test_written_exports_hold_the_same_work(office: Office, workspace: Workspace, tmp_path: Path) -> None:
    copy = tmp_path / "annotations"
    shutil.copytree(workspace.folder, copy, ignore=shutil.ignore_patterns("exports"))
    lines = list(corpus.write_exports(office.data, workspace, copy / "campaigns"))
    assert {Path(line.partition(":")[0]).name for line in lines} == {"accounts.json", f"{A}.json", f"{B}.json"}
    rewritten = Workspace(copy)
    for name in (A, B):
        assert rewritten.work("composed", name) == workspace.work("composed", name)
    first = copy / "campaigns" / LOT / "exports" / f"{A}.json"
    assert B not in first.read_text(encoding="utf-8")

    assert list(corpus.write_exports(office.data, workspace, copy / "campaigns")) == lines
    first.write_text("[]", encoding="utf-8")
    with pytest.raises(KhabarError) as caught:
        list(corpus.write_exports(office.data, workspace, copy / "campaigns"))
    assert [(issue.code, issue.where) for issue in caught.value.issues] == [("export-kept", str(first))]
    assert first.read_text(encoding="utf-8") == "[]"

    archive = first.parent.parent / "archive"
    archive.mkdir()
    with pytest.raises(KhabarError) as caught:
        list(corpus.write_exports(office.data, workspace, copy / "campaigns", replace=True))
    assert [(issue.code, issue.where) for issue in caught.value.issues] == [("export-kept", str(first))]
    archive.rmdir()
    assert list(corpus.write_exports(office.data, workspace, copy / "campaigns", replace=True)) == lines
    assert rewritten.work("composed", A) == workspace.work("composed", A)


@pytest.mark.usefixtures("created")
def test_a_difference_from_the_repository_is_named(office: Office, workspace: Workspace, tmp_path: Path) -> None:
    copy = tmp_path / "annotations"
    shutil.copytree(workspace.folder, copy)
    path = copy / "campaigns" / LOT / "exports" / "annotator-b.json"
    tasks = json.loads(path.read_text(encoding="utf-8"))
    task = next(t for t in tasks if any(item["type"] == "relation" for item in t["annotations"][0]["result"]))
    result = task["annotations"][0]["result"]
    result.remove(next(item for item in result if item["type"] == "relation"))
    path.write_text(json.dumps(tasks), encoding="utf-8")
    lines: list[str] = []
    with pytest.raises(KhabarError) as caught:
        lines.extend(corpus.check_exports(office.data, Workspace(copy)))
    assert caught.value.code == "project-changed"
    assert caught.value.issues[0].found == f"other work on {task['data']['doc_id']}"
    assert caught.value.issues[0].where.endswith(B)


# ---------------------------------------------------------------- a server that dies (last: it kills the one above)


def kill(office: Office) -> None:
    pid = server.load_state(office.data).pid
    os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def test_a_killed_server_loses_nothing_and_repeats_nothing(office: Office, title: str) -> None:
    documents, work = simple(6)
    before = server.load_state(office.data)
    project = desk.open_project(office.client(), title, documents)
    client = office.client(A)
    saved: list[str] = []

    def kill_after_two(doc_id: str) -> None:
        saved.append(doc_id)
        if len(saved) == 2:
            kill(office)

    for _ in range(2):
        with pytest.raises(KhabarError) as caught:
            desk.submit(client, project, work, index(documents), tick=kill_after_two)
        assert caught.value.code == "server-lost"
    assert len(saved) == 2

    after = server.start(office.data)
    assert after.pid != before.pid
    assert (after.port, after.accounts) == (before.port, before.accounts)
    # The old client goes on too: the port and the tokens are the same.
    assert desk.submit(client, project, work, index(documents), tick=saved.append) == 4
    assert sorted(saved) == [item.doc_id for item in documents]
    assert desk.open_project(office.client(), title, documents) == project
    assert [len(task["annotations"]) for task in office.export(project).tasks] == [1] * 6
    assert office.read(project, documents, A) == (work, [])
