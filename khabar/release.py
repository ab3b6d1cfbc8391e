"""Everything that is derived from the annotations: splits, card, and the documents' numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from khabar import docs, jsonl
from khabar.adjudicate import Decision
from khabar.agreement import Agreed, AgreementReport, measure, measure_linking
from khabar.audit import Concord, Question, Rate, Verdict, concord, rates
from khabar.corpus import COMPOSED_SPLITS, GoldSet
from khabar.describe import describe
from khabar.label_studio.config import labeling_config
from khabar.linking import NIL, is_named, read_links
from khabar.registry import read_registry
from khabar.report.agreement import agreement_markdown
from khabar.results import Result
from khabar.splits import File, build_files, front_matter, losses
from khabar.style import Style, styles
from khabar.workspace import PROJECTS, Workspace

FILLED = (
    "README.md",
    "annotations/guidelines.md",
    "annotations/audit/README.md",
    "evaluation/PROTOCOL.md",
    "evaluation/LEADERBOARD.md",
)
HUB: dict[str, Any] = {
    "pretty_name": "khabar",
    "license": "cc-by-4.0",
    "language": ["en", "ar"],
    "task_categories": ["token-classification"],
    "task_ids": ["named-entity-recognition"],
    "tags": ["event-extraction", "conflict", "attribution", "synthetic", "newspapers"],
    "size_categories": ["n<1K"],
    "annotations_creators": ["machine-generated"],
    "language_creators": ["machine-generated", "found"],
    "multilinguality": ["multilingual"],
    "source_datasets": ["original"],
}


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """The files of the splits, and every fact that the documents state."""

    files: tuple[File, ...]
    facts: docs.Facts


def measure_agreement(workspace: Workspace, *, gamma: bool = False) -> dict[str, AgreementReport]:
    """Measure the annotators' agreement on each project, as exported.

    Args:
        workspace: the corpus.
        gamma: whether gamma is computed too: it takes twenty seconds, and only agreement.json holds it.
    """
    found = {}
    for project in PROJECTS:
        documents = {document.doc_id: document for document in workspace.documents(project)}
        work = [annotation for name in workspace.annotators for annotation in workspace.work(project, name)]
        found[project] = measure(work, documents, gamma=gamma)
    return found


def stored_results(folder: Path) -> dict[str, dict[str, Result]]:
    """Read the kept results of every system: results/<split>.json in each folder.

    Args:
        folder: evaluation/baselines or evaluation/submissions.
    """
    systems: dict[str, dict[str, Result]] = {}
    for path in sorted(folder.glob("*/results/*.json")):
        systems.setdefault(path.parent.parent.name, {})[path.stem] = jsonl.read_json(path, Result)
    return systems


def collect(root: Path, workspace: Workspace, *, gamma: bool = False) -> Release:
    """Build the splits in memory and gather every number.

    Args:
        root: the checkout.
        workspace: its annotations.
        gamma: whether agreement is measured with gamma, as agreement.json has it.
    """
    gold = workspace.gold_sets()
    files = build_files(gold, workspace.recipes)
    facts = docs.Facts(
        descriptions={name: describe(gold_set) for name, gold_set in gold.items()},
        losses=losses(gold),
        agreement=measure_agreement(workspace, gamma=gamma),
        results={
            **stored_results(root / "evaluation" / "baselines"),
            **stored_results(root / "evaluation" / "submissions"),
        },
        front={**HUB, **front_matter(files, workspace.recipes)},
        recipes=tuple(workspace.recipes),
        styles=_styles(gold),
        audit=_audits(workspace.folder / "audit"),
        concord=_concord(workspace.folder / "audit" / "adjudicators"),
        across=_across(workspace, gold),
        linking=_linking_agreement(workspace),
    )
    return Release(files=tuple(files), facts=facts)


def _styles(gold: Mapping[str, GoldSet]) -> dict[str, dict[str, tuple[Style, ...]]]:
    groups = {"composed": [gold[name] for name in COMPOSED_SPLITS], "wire": [gold["wire"]]}
    return {
        name: {lang: tuple(item for part in parts for item in styles(part, lang).values()) for lang in ("en", "ar")}
        for name, parts in groups.items()
    }


def _audits(folder: Path) -> dict[str, dict[str, Rate]]:
    folders = sorted(path.parent for path in folder.glob("*/verdicts.jsonl"))
    return {
        path.name: rates(
            jsonl.read_list(path / "sample.jsonl", Question), jsonl.read_list(path / "verdicts.jsonl", Verdict)
        )
        for path in folders
    }


def _concord(folder: Path) -> dict[str, dict[str, Concord]]:
    names = ("first", "second", "third")
    return {
        path.name: concord(*(jsonl.read_list(path / f"{name}.jsonl", Decision) for name in names))
        for path in sorted(folder.iterdir() if folder.is_dir() else ())
    }


def _linking_agreement(workspace: Workspace) -> dict[str, Agreed]:
    storylines = {document.doc_id: document.storyline for document in workspace.documents("composed")}
    return measure_linking(workspace.linking, read_links(workspace.folder / "audit" / "linking"), storylines)


def _across(workspace: Workspace, gold: Mapping[str, GoldSet]) -> docs.Across:
    registry, linking = read_registry(workspace.folder / "registry"), workspace.linking
    named = [m.entity for part in gold.values() for item in part.annotations for m in item.mentions if is_named(m)]
    nil = sum(entity.startswith(f"{NIL}/") for entity in named)
    return docs.Across(
        resolved=len(named) - nil,
        nil=nil,
        clusters=len(linking.clusters),
        in_several=sum(len({trigger[0] for trigger in cluster.triggers}) > 1 for cluster in linking.clusters),
        conflicts=len(linking.conflicts),
        conflicting_storylines=len({conflict.storyline for conflict in linking.conflicts}),
        actors=len(registry.actors),
        places=len(registry.places),
    )


def _blocks(release: Release) -> dict[str, str]:
    return {**docs.ontology_blocks(), **docs.fact_blocks(release.facts)}


def render_card(root: Path, release: Release) -> str:
    """Write the card with its YAML and its numbers.

    Args:
        root: the checkout.
        release: what was collected.
    """
    text = docs.fill(jsonl.read_text(root / "dataset_card.md"), _blocks(release), where="dataset_card.md")
    return docs.front_matter(text, release.facts.front)


def render_documents(root: Path, release: Release) -> dict[str, str]:
    """Write every document with generated parts, by its path.

    Args:
        root: the checkout.
        release: what was collected.
    """
    blocks = _blocks(release)
    texts = {name: docs.fill(jsonl.read_text(root / name), blocks, where=name) for name in FILLED}
    texts["dataset_card.md"] = render_card(root, release)
    texts["annotations/label_studio/khabar.xml"] = labeling_config()
    texts["annotations/agreement.md"] = "\n".join(
        agreement_markdown(report, title=f"Agreement: {project}") for project, report in release.facts.agreement.items()
    )
    texts["annotations/agreement.json"] = jsonl.json_bytes(release.facts.agreement).decode()
    return texts
