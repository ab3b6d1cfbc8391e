"""The generated parts of the documents: tables and numbers between markers, never typed by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
import yaml

from khabar import __version__
from khabar.agreement import Agreed, AgreementReport
from khabar.agreement.across import PAIRS
from khabar.align import Losses
from khabar.audit import Concord, Rate
from khabar.corpus import SPLITS
from khabar.describe import Description
from khabar.errors import CODES, Issue, KhabarError
from khabar.metrics import METRICS
from khabar.ontology import EVERYWHERE, ontology
from khabar.report.agreement import say, say_agreed
from khabar.report.figures import bounds, figure, interval, leaderboard_rows, markdown_table
from khabar.report.terminal import SIZES
from khabar.results import Result
from khabar.style import MEASURES, Style, inside
from khabar.wire import WireRecipe

BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n)(.*?)(<!-- end generated -->)", re.DOTALL)
FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


class Across(msgspec.Struct, frozen=True, kw_only=True):
    """What holds across documents, counted.

    `resolved` and `nil` are named mentions, `in_several` the clusters told in two or more documents.
    """

    resolved: int
    nil: int
    clusters: int
    in_several: int
    conflicts: int
    conflicting_storylines: int
    actors: int
    places: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the documents state as a number."""

    descriptions: dict[str, Description]
    losses: dict[str, Losses]
    agreement: dict[str, AgreementReport]
    results: dict[str, dict[str, Result]]
    front: dict[str, Any]
    recipes: tuple[WireRecipe, ...]
    styles: dict[str, dict[str, tuple[Style, ...]]]
    audit: dict[str, dict[str, Rate]]
    concord: dict[str, dict[str, Concord]]
    across: Across
    linking: dict[str, Agreed]


def fill(text: str, blocks: Mapping[str, str], *, where: str) -> str:
    """Put generated text between its markers.

    Args:
        text: a document with `<!-- generated: name -->` … `<!-- end generated -->`.
        blocks: what goes where.
        where: the document's name, for an error.

    Raises:
        KhabarError: usage, where the document names a block that does not exist.
    """

    def put(match: re.Match[str]) -> str:
        name = match.group(2)
        if name not in blocks:
            raise KhabarError(
                Issue(
                    code="usage",
                    where=where,
                    found=f"a generated block {name!r}",
                    expected=", ".join(sorted(blocks)),
                    fix="Correct the marker's name.",
                )
            )
        return f"{match.group(1)}{blocks[name].rstrip()}\n{match.group(4)}"

    return BLOCK.sub(put, text)


def front_matter(text: str, front: Mapping[str, Any]) -> str:
    """Replace the YAML at the head of the card.

    Args:
        text: the card.
        front: what the head says.
    """
    head = f"---\n{yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=True, width=200)}---\n"
    return head + FRONT.sub("", text, count=1)


def ontology_blocks() -> dict[str, str]:
    """Write the tables that come from the ontology alone."""
    labels = ontology()
    everywhere = ", ".join(EVERYWHERE)
    entity_rows = [(e.name, e.group, e.definition, "<br>".join((*e.en, *e.ar))) for e in labels.entities]
    event_rows = [(e.name, e.definition, ", ".join(e.roles), "<br>".join((*e.en, *e.ar))) for e in labels.events]
    role_rows = [
        (role.name, role.definition, ", ".join("any actor type" if name == "actor" else name for name in role.fillers))
        for role in labels.roles
    ]
    crosswalk = [(e.name, "<br>".join(e.acled) or "none", ", ".join(e.plover) or "none") for e in labels.events]
    return {
        "entities": _text_table(("type", "group", "definition", "examples"), entity_rows),
        "events": _text_table(("type", "definition", f"roles besides {everywhere}", "examples"), event_rows),
        "roles": _text_table(("role", "what", "may be filled by"), role_rows),
        "attributes": _text_table(
            ("attribute", "of", "values (the first is the default)", "definition"),
            [(a.name, a.of, ", ".join(a.values), a.definition) for a in labels.attributes],
        ),
        "links": _text_table(("link", "definition"), [(link.name, link.definition) for link in labels.links]),
        "crosswalk": _text_table(
            (
                "type",
                f"{labels.crosswalks['acled'].name} ({labels.crosswalks['acled'].version})",
                f"{labels.crosswalks['plover'].name} ({labels.crosswalks['plover'].version})",
            ),
            crosswalk,
        ),
        "metrics": _text_table(
            ("metric", "section", "what an item is"), [(m.name, m.section, m.summary) for m in METRICS]
        ),
        "codes": _text_table(("code", "what is wrong"), list(CODES.items())),
    }


def _text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]) + "\n"


def fact_blocks(facts: Facts) -> dict[str, str]:
    """Write the tables and sentences that state what is in the data and what was measured.

    Args:
        facts: everything counted and scored.
    """
    parts: dict[str, Callable[[Facts], str]] = {
        "sizes": _sizes,
        "summary": _summary,
        "entity-counts": lambda f: _counts(f, "entity_types"),
        "event-counts": lambda f: _counts(f, "event_types"),
        "role-counts": lambda f: _counts(f, "roles"),
        "genre-counts": lambda f: _named_counts(f, "genres"),
        "theatre-counts": lambda f: _named_counts(f, "theatres"),
        "attribute-counts": _attribute_counts,
        "losses": _losses,
        "wire-articles": _wire_articles,
        "languages": _languages,
        "lengths": _lengths,
        "test-theatres": _test_theatres,
        "styles": _styles,
        "adjudicators": _adjudicators,
        "across": _across,
        "linking": _linking,
        "unseen": _unseen,
        "agreement": _agreement,
        "agreement-types": _agreement_types,
        "agreement-attributes": _agreement_attributes,
        "leaderboard": _leaderboard,
        "readme-score": _readme_score,
        "version": lambda _: f"Version {__version__}, ontology {ontology().version} (`{ontology().hash}`).",
    }
    audits = {f"audit-{name}": _audit(rates) for name, rates in facts.audit.items()}
    return {name: part(facts) for name, part in parts.items()} | audits


def _columns(facts: Facts) -> list[Description]:
    return [facts.descriptions[name] for name in SPLITS]


def _sizes(facts: Facts) -> str:
    columns = _columns(facts)
    rows = [(name.replace("_", " "), *(f"{getattr(column, name):,}" for column in columns)) for name in SIZES]
    return markdown_table(("", *SPLITS), rows)


def _summary(facts: Facts) -> str:
    composed = _columns(facts)[:3]
    wire = facts.descriptions["wire"]
    total = {name: sum(getattr(column, name) for column in composed) for name in SIZES}
    events = total["events"]
    outside = sum(column.attributes["attribution"][value] for column in composed for value in ("attributed", "denied"))
    return (
        f"{total['documents']} composed documents ({total['arabic']} Arabic) from {total['storylines']} storylines with "
        f"{total['mentions']:,} entity mentions, {events:,} events and {total['arguments']:,} arguments; "
        f"{wire.documents} real articles ({wire.arabic} Arabic) as stand-off annotation with {wire.mentions:,} mentions, "
        f"{wire.events:,} events and {wire.arguments:,} arguments. "
        f"{100 * outside / events:.0f} % of the composed events are attributed to somebody or denied."
    )


def _counts(facts: Facts, field: str) -> str:
    columns = _columns(facts)
    names = getattr(columns[0], field)
    rows = [(name, *(str(getattr(column, field)[name]) for column in columns)) for name in names]
    return markdown_table(("", *SPLITS), rows)


def _named_counts(facts: Facts, field: str) -> str:
    columns = _columns(facts)
    names = sorted({name for column in columns for name in getattr(column, field)})
    rows = [(name, *(str(getattr(column, field).get(name, 0)) for column in columns)) for name in names]
    return markdown_table(("documents", *SPLITS), rows)


def _attribute_counts(facts: Facts) -> str:
    columns = _columns(facts)
    rows = [
        (f"{attribute}: {value}", *(str(column.attributes[attribute][value]) for column in columns))
        for attribute, values in columns[0].attributes.items()
        for value in values
    ]
    return markdown_table(("", *SPLITS), rows)


def _wire_articles(facts: Facts) -> str:
    head = ("doc_id", "outlet", "byline", "date", "how the date is known", "language", "genre")
    rows = [
        (d.doc_id, d.outlet, r.byline, d.date, r.date_basis, d.lang, d.genre)
        for r in facts.recipes
        for d in (r.document,)
    ]
    return _text_table(head, rows)


def _languages(facts: Facts) -> str:
    columns = _columns(facts)
    rows = [
        (f"{item}, {language}", *(str(column.languages[language][item]) for column in columns))
        for language in ("en", "ar")
        for item in ("documents", "tokens", "mentions", "events", "arguments")
    ]
    return markdown_table(("", *SPLITS), rows)


def _lengths(facts: Facts) -> str:
    words = sorted(length for column in _columns(facts)[:3] for length in column.words)
    mean = sum(words) / len(words)
    return f"Composed reports have {words[0]} to {words[-1]} words, {mean:.0f} on average.\n"


def _test_theatres(facts: Facts) -> str:
    theatres = [set(column.theatres) for column in _columns(facts)]
    unseen = sorted(theatres[2] - theatres[0] - theatres[1])
    shared = sorted(theatres[2] & theatres[0])
    alone = " and ".join(f"`{name}`" for name in unseen)
    both = " and ".join(f"`{name}`" for name in shared)
    return f"Of the theatres in test, {alone} occurs nowhere else; {both} occurs in train as well.\n"


def _styles(facts: Facts) -> str:
    head = ("median (least to greatest)", "words a sentence", "letters a word", "LIX")
    rows = []
    for name, by_language in facts.styles.items():
        for lang, found in by_language.items():
            cells = (_range([getattr(item, field) for item in found]) for field in MEASURES)
            rows.append((f"{name}, {lang} ({len(found)})", *cells))
    for lang, found in facts.styles["composed"].items():
        within = inside(found, facts.styles["wire"][lang])
        cells = (f"{100 * within[field]:.0f} %" for field in MEASURES)
        rows.append((f"composed, {lang}: within the wire's range", *cells))
    return markdown_table(head, rows)


def _range(values: Sequence[float]) -> str:
    return f"{median(values):.1f} ({min(values):.1f}–{max(values):.1f})"


AUDITED = {"mention": "mentions", "event": "triggers", "argument": "arguments", "sentence": "sentences"}


def _audit(rates: Mapping[str, Rate]) -> str:
    rows = []
    blind = any(rate.alike for rate in rates.values())
    for name, title in AUDITED.items():
        for part in ("", ", composed", ", wire"):
            rate = rates.get(name + part)
            if rate is None:
                continue
            kinds = ", ".join(f"{kind} {count}" for kind, count in rate.errors.items()) or "–"
            around = f"{100 * rate.interval[0]:.1f}–{100 * rate.interval[1]:.1f}"
            alike = f"{100 * rate.alike / rate.checked:.0f}" if blind else "not blind"
            rows.append(
                (title + part, str(rate.checked), alike, str(rate.wrong), f"{100 * rate.value:.1f}", around, kinds)
            )
    return markdown_table(("read again", "number", "alike, %", "wrong", "%", "95 %", "errors"), rows)


def _adjudicators(facts: Facts) -> str:
    rows = [
        (
            f"{group}: {name}",
            str(each.decided),
            f"{100 * each.alike / each.decided:.0f}",
            f"{each.kappa:.2f}" if each.kappa is not None else "–",
            str(each.decided - each.alike),
            str(each.with_first),
            str(each.with_second),
        )
        for group, found in facts.concord.items()
        for name, each in found.items()
    ]
    header = ("differences", "decided by both", "alike, %", "kappa", "otherwise", "third: first", "third: second")
    return markdown_table(header, rows)


def _across(facts: Facts) -> str:
    a = facts.across
    total = a.resolved + a.nil
    return (
        f"The registry has {a.actors} actors and {a.places} places. Of {total:,} named mentions of actors, places and "
        f"facilities, {a.resolved:,} ({100 * a.resolved / total:.0f} %) stand for an entry and {a.nil:,} are NIL. "
        f"{a.clusters:,} events of the storylines are told by at least one trigger, {a.in_several:,} of them in two or more "
        f"documents; {a.conflicts} pairs of versions conflict across the documents of {a.conflicting_storylines} storylines.\n"
    )


def _linking(facts: Facts) -> str:
    head = ("linked alike", "F1", "95 %", "by both", "first run", "second run", "storylines")
    rows = [
        (
            f"{name}: {PAIRS[name]}",
            *(say_agreed(f), bounds(f.interval)),
            *(str(n) for n in (f.matched, f.one, f.two, f.documents)),
        )
        for name, f in facts.linking.items()
    ]
    return markdown_table(head, rows)


UNSEEN_METRICS = ("actors", "fillers", "triggers.classified")


def _unseen(facts: Facts) -> str:
    rows = []
    for name, results in facts.results.items():
        result = results.get("test")
        if result is None:
            continue
        for theatre, part in result.slices["theatre"].items():
            scores = (part.scores.get(metric) for metric in UNSEEN_METRICS)
            cells = (f"{figure(each.f1)} ({interval(each)})" if each else "not predicted" for each in scores)
            rows.append((f"{theatre} ({part.size} documents)", name, *cells))
    return markdown_table(("theatre", "system", *UNSEEN_METRICS), rows)


def _losses(facts: Facts) -> str:
    names = Losses.__struct_fields__
    rows = [(layer, *(str(getattr(lost, name)) for name in names)) for layer, lost in facts.losses.items()]
    return markdown_table(("layer", *(name.replace("_", " ") for name in names)), rows)


def _agreement(facts: Facts) -> str:
    columns: list[tuple[str, Mapping[str, Agreed]]] = []
    for project, report in facts.agreement.items():
        columns.append((project, report.overall.spans))
        columns += [(f"{project}, {name}", part.spans) for name, part in report.slices["language"].items()]
    head = ["layer", *(cell for name, _ in columns for cell in (f"{name} F1", "95 %", "items"))]
    rows = [
        (metric, *(cell for _, spans in columns for cell in _agreed_cells(spans[metric]))) for metric in columns[0][1]
    ]
    return markdown_table(head, rows)


def _agreed_cells(found: Agreed) -> tuple[str, str, str]:
    return say_agreed(found), bounds(found.interval), str(found.one)


def _agreement_types(facts: Facts) -> str:
    rows = []
    for metric in ("actors", "fillers", "triggers.classified", "arguments.attached.classified"):
        tables = [report.per_type[metric] for report in facts.agreement.values()]
        for name in sorted({name for table in tables for name in table}):
            cells = [cell for table in tables for cell in _type_cells(table.get(name))]
            rows.append((f"{metric}: {name}", *cells))
    head = [cell for project in facts.agreement for cell in (f"{project} F1", "items")]
    return markdown_table(("", *head), rows)


def _type_cells(found: Agreed | None) -> tuple[str, str]:
    return ("–", "0") if found is None else (say_agreed(found), str(found.one))


def _agreement_attributes(facts: Facts) -> str:
    tables = [report.overall.values for report in facts.agreement.values()]
    rows = [
        (
            name,
            *(
                cell
                for table in tables
                for cell in (
                    say(table[name].observed, table[name].reason),
                    say(table[name].alpha, table[name].alpha_reason),
                    str(table[name].items),
                )
            ),
        )
        for name in tables[0]
    ]
    head = [cell for project in facts.agreement for cell in (f"{project}: same", "alpha", "items")]
    return markdown_table(("attribute", *head), rows)


def _leaderboard(facts: Facts) -> str:
    results = [result for found in facts.results.values() for result in found.values()]
    return markdown_table(*leaderboard_rows([result for result in results if result.split in ("test", "wire")]))


def _readme_score(facts: Facts) -> str:
    result = facts.results.get("crf", {}).get("test")
    if result is None:
        return "(no stored result)\n"
    lines = [
        f"{name:24} P {score.precision:.3f}  R {score.recall:.3f}  F1 {score.f1:.3f}"
        for name, score in result.scores.items()
        if name in ("actors", "actors.overlap", "triggers.classified")
    ]
    signature = result.signature.replace("+".join(result.layers), "actors+triggers", 1)
    return "```\n" + "\n".join([*lines, signature]) + "\n```\n"
