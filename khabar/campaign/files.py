"""The files of a campaign: exports, accounts, findings and what was accepted, decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from khabar import jsonl
from khabar.adjudicate import Decision
from khabar.campaign.archive import Archive
from khabar.campaign.audit import FAST, LOST, Finding
from khabar.campaign.config import ASSISTED, BLIND, Campaign, labels_version
from khabar.campaign.studio import ADJUDICATE
from khabar.errors import Issue, KhabarError
from khabar.label_studio.desk import read_export
from khabar.label_studio.server import annotator_email
from khabar.types import Annotation
from khabar.validate import nearest

Json = dict[str, Any]
ACCOUNTS, MANIFEST, FINDINGS, ACCEPTED, DECISIONS, REPLACED, ANSWERS = (
    "exports/accounts.json",
    "exports/manifest.json",
    "findings.json",
    "accepted.jsonl",
    "decisions.jsonl",
    "replaced.jsonl",
    "answers.json",
)


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an export belongs to: the campaign, and the labels that it was annotated with.

    `archive_lines` and `archive_chain` say how long the archive's log was, so that a log that was cut is found.
    """

    campaign: str
    labels: str
    archive_lines: int = 0
    archive_chain: str = ""


class Accepted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding that the manager accepts, and why; with `use`, the version that counts instead."""

    finding: str
    reason: str
    use: str = ""


def archive_of(campaign: Campaign) -> Archive:
    """Give the campaign's archive of versions.

    Args:
        campaign: the campaign.
    """
    return Archive(campaign.path("archive"))


def read_manifest(campaign: Campaign) -> Manifest | None:
    """Read what the exports belong to; None before the first synchronisation.

    Args:
        campaign: the campaign.
    """
    path = campaign.path(MANIFEST)
    return jsonl.read_json(path, Manifest) if path.exists() else None


def read_accounts(campaign: Campaign) -> dict[str, str]:
    """Read whose the account numbers are; empty before the first synchronisation.

    Args:
        campaign: the campaign.
    """
    path = campaign.path(ACCOUNTS)
    return jsonl.read_json(path, dict[str, str]) if path.exists() else {}


def read_accepted(campaign: Campaign) -> dict[str, Accepted]:
    """Read what was accepted, by finding; a later word on the same finding counts.

    Args:
        campaign: the campaign.
    """
    path = campaign.path(ACCEPTED)
    return {item.finding: item for item in jsonl.read_list(path, Accepted)} if path.exists() else {}


def read_findings(campaign: Campaign) -> list[Finding]:
    """Read what the last synchronisation found, and what was found before and must not be passed over (`lasting`).

    Args:
        campaign: the campaign.
    """
    path = campaign.path(FINDINGS)
    return jsonl.read_json(path, list[Finding]) if path.exists() else []


def open_findings(campaign: Campaign) -> list[Finding]:
    """Read what was found and nobody has accepted.

    Args:
        campaign: the campaign.
    """
    accepted = read_accepted(campaign)
    return [item for item in read_findings(campaign) if item.id not in accepted]


def accept(campaign: Campaign, name: str, *, reason: str, use: str = "") -> Accepted:
    """Accept a finding, so that it no longer stands in the way; what was found stays on record.

    Args:
        campaign: the campaign.
        name: the finding's id.
        reason: why.
        use: the version in the archive that counts instead of what Label Studio holds (its hash, or the
            beginning of it).

    Raises:
        KhabarError: finding-unknown; usage, without a reason, or with a version where none can count.
    """
    findings = {item.id: item for item in read_findings(campaign)}
    if name not in findings:
        raise KhabarError(_unknown(campaign, name, ", ".join(findings) or "no finding", nearest(name, findings)))
    if not reason.strip():
        issue = Issue(code="usage", where=name, found="no reason", expected="one", fix="Say why with --reason.")
        raise KhabarError(issue)
    if use:
        _require_usable(findings[name])
    word = Accepted(finding=name, reason=reason, use=_version(campaign, findings[name], use) if use else "")
    kept = [*read_accepted(campaign).values(), word]
    jsonl.write_records(campaign.path(ACCEPTED), {item.finding: item for item in kept}.values())
    return word


def _require_usable(found: Finding) -> None:
    # Only what is there, in an annotator's own project, can be replaced in the exports.
    if found.code in LOST:
        fix = "`khabar campaign restore` brings the archived version back; --reason alone accepts that it is gone."
    elif not found.seen:
        fix = "Its author saves what should count in Label Studio; --reason alone accepts what was found."
    elif found.project.split("/")[2:3] == [ADJUDICATE]:
        fix = "The adjudicator saves the answer again; --reason alone accepts what was found."
    else:
        return
    expected = "a finding about an annotator's work that is there"
    raise KhabarError(Issue(code="usage", where=found.id, found=f"--use for {found.code}", expected=expected, fix=fix))


def _version(campaign: Campaign, found: Finding, use: str) -> str:
    known = [v.object for v in archive_of(campaign).versions() if v.key == found.key and v.project == found.project]
    matching = sorted({name for name in known if name.startswith(use)})
    if len(matching) != 1:
        expected = ", ".join(name[:12] for name in dict.fromkeys(known)) or "none is kept"
        raise KhabarError(_unknown(campaign, f"version {use}", expected, ""))
    return matching[0]


def _unknown(campaign: Campaign, found: str, expected: str, hint: str) -> Issue:
    return Issue(
        code="finding-unknown",
        where=f"campaign {campaign.name!r}",
        found=found,
        expected=expected,
        fix=f"`khabar campaign status` lists what was found.{hint}",
    )


def chosen_versions(campaign: Campaign) -> dict[tuple[str, str], Json]:
    """Read the versions that count instead of what Label Studio holds, by project and annotation.

    Args:
        campaign: the campaign.
    """
    accepted = read_accepted(campaign)
    archive = archive_of(campaign)
    return {
        (item.project, item.key): archive.read(accepted[item.id].use)
        for item in read_findings(campaign)
        if item.seen and item.id in accepted and accepted[item.id].use
    }


def read_work(campaign: Campaign) -> tuple[dict[str, list[Annotation]], list[Issue]]:
    """Read every annotator's exported work, also that of those who left the campaign after it was done.

    Args:
        campaign: the campaign.

    Returns:
        Annotations by annotator, and every issue of the exports. Work with an issue of hands, shape or
        ontology is left out, unless it was accepted.

    Raises:
        KhabarError: file-missing before the first synchronisation; project-changed, where the exports were
            made with other labels; campaign-foreign.
    """
    _require_own(campaign)
    accounts = read_accounts(campaign)
    work: dict[str, list[Annotation]] = {}
    issues: list[Issue] = []
    for name in (*campaign.config.annotators, *_former(campaign)):
        path = campaign.path("exports", f"{name}.json")
        tasks = jsonl.read_json(path, list[Json]) if path.exists() else []
        found, problems = read_export(tasks, accounts, campaign.documents, email=annotator_email(name), author=name)
        bad = {issue.doc_id for issue in problems} - _accepted_documents(campaign, name)
        work[name] = [item for item in found if item.doc_id not in bad]
        issues += [issue for issue in problems if issue.doc_id in bad or not issue.doc_id]
    return work, issues


def _former(campaign: Campaign) -> list[str]:
    files = campaign.path("exports").glob("*.json")
    return sorted({file.stem for file in files} - {*campaign.config.annotators, "accounts", "manifest"})


def read_arms(campaign: Campaign) -> dict[str, str]:
    """Read in which arm each document was opened, from the tasks that the archive has.

    Args:
        campaign: the campaign.
    """
    found: dict[str, str] = {}
    for version in archive_of(campaign).versions():
        if version.kind == "task":
            found.setdefault(version.doc_id, ASSISTED if version.project.count("/") == 3 else BLIND)
    return found


def _accepted_documents(campaign: Campaign, name: str) -> set[str]:
    accepted = read_accepted(campaign)
    return {
        item.issue.doc_id
        for item in read_findings(campaign)
        if item.seen and item.id in accepted and item.project.split("/")[2:3] == [name] and item.code != FAST
    }


def _require_own(campaign: Campaign) -> None:
    path = campaign.path(MANIFEST)
    manifest = jsonl.read_json(path, Manifest)
    if manifest.campaign != campaign.name:
        raise KhabarError(
            Issue(
                code="campaign-foreign",
                where=str(path),
                found=f"exports of campaign {manifest.campaign!r}",
                expected=repr(campaign.name),
                fix="Each campaign has a folder of its own.",
            )
        )
    if manifest.labels != labels_version():
        raise KhabarError(
            Issue(
                code="project-changed",
                where=str(path),
                found=f"exports made with labels {manifest.labels}",
                expected=labels_version(),
                fix="Read them with the khabar that they were made with, or annotate again in a new campaign.",
            )
        )


def read_decisions(campaign: Campaign) -> list[Decision]:
    """Read the adjudicators' decisions.

    Args:
        campaign: the campaign.
    """
    path = campaign.path(DECISIONS)
    return jsonl.read_list(path, Decision) if path.exists() else []


def read_answers(campaign: Campaign) -> dict[str, str]:
    """Read which answers of Label Studio were taken: the hash of each, by annotation.

    Args:
        campaign: the campaign.
    """
    path = campaign.path(ANSWERS)
    return jsonl.read_json(path, dict[str, str]) if path.exists() else {}


def by_document(decisions: Iterable[Decision]) -> Mapping[str, list[Decision]]:
    """Group decisions by document.

    Args:
        decisions: in any order.
    """
    found: dict[str, list[Decision]] = {}
    for decision in decisions:
        found.setdefault(decision.doc_id, []).append(decision)
    return found
