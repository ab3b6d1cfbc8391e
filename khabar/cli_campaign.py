"""The commands `khabar campaign …`. Each can be run again at any time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from khabar.console import make_console, show_json, show_table, working
from khabar.errors import Issue, KhabarError

if TYPE_CHECKING:
    from khabar.adjudicate import Decision
    from khabar.campaign.config import Campaign
    from khabar.campaign.queue import Knot
    from khabar.campaign.studio import Studio
    from khabar.campaign.sync import Synced

campaign_app = typer.Typer(
    no_args_is_help=True,
    help="Campaigns of annotation in Label Studio: open, status, sync, agreement, adjudicate, close.",
)

Where = Annotated[Path, typer.Argument(metavar="CAMPAIGN", help="campaign.toml, or the folder that holds it")]
Data = Annotated[Path, typer.Option(envvar="KHABAR_DATA", help="the data folder of the running Label Studio")]
Sources = Annotated[Path | None, typer.Option(envvar="KHABAR_SOURCES", help="the folder of the wire articles")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Who = Annotated[str, typer.Argument(metavar="ANNOTATOR", help="a model among the campaign's annotators")]
DATA = Path(".khabar/label_studio")


def _campaign(where: Path, sources: Path | None) -> Campaign:
    from khabar.campaign.config import load_campaign

    return load_campaign(where, sources=sources)


def _studio(where: Path, data: Path, sources: Path | None) -> Studio:
    from khabar.campaign.studio import Studio

    return Studio(_campaign(where, sources), data)


@campaign_app.command("open")
def open_(
    where: Where,
    round_: Annotated[
        list[str] | None, typer.Option("--round", help="a round to open too; the first by default")
    ] = None,
    backend: Annotated[str, typer.Option(help="the address of a model that predicts live (khabar serve-model)")] = "",
    data: Data = DATA,
    sources: Sources = None,
) -> None:
    """Make the campaign's projects, tasks and accounts; what is there stays."""
    from khabar.campaign.opening import open_campaign
    from khabar.campaign.studio import working_on

    studio = _studio(where, data, sources)
    with working_on(studio.campaign), working("reading the campaign") as say:
        for line in open_campaign(
            studio, rounds=round_ or (), backend=backend, tick=lambda title: say(f"filling {title}")
        ):
            typer.echo(line)


@campaign_app.command()
def status(
    where: Where,
    watch: Annotated[float, typer.Option(min=0, help="look again every so many seconds, until Ctrl+C")] = 0,
    data: Data = DATA,
    sources: Sources = None,
    as_json: AsJson = False,
) -> None:
    """Show what is done and what remains, each annotator's pace, and the oldest work that no export has."""
    from khabar.campaign.files import open_findings
    from khabar.campaign.status import look
    from khabar.report.campaign import findings_table, status_table

    studio = _studio(where, data, sources)
    if as_json:
        show_json(look(studio))
        return
    if not watch:
        show_table(status_table(look(studio)))
        found = open_findings(studio.campaign)
        if found:
            show_table(findings_table(found))
        return
    _watch(studio, watch)


def _watch(studio: Studio, seconds: float) -> None:
    from rich.live import Live

    from khabar.campaign.status import look
    from khabar.report.campaign import status_table

    seen = look(studio)
    with Live(status_table(seen), console=make_console(), auto_refresh=False) as live:
        while True:
            time.sleep(seconds)
            trouble = ""
            try:
                seen = look(studio)
            except KhabarError as error:
                if error.code != "server-lost":
                    raise
                trouble = "Label Studio does not answer; this is what was seen last"
                # It may come back under another address.
                studio = type(studio)(studio.campaign, studio.data)
            live.update(status_table(seen, trouble=trouble), refresh=True)


@campaign_app.command()
def sync(where: Where, data: Data = DATA, sources: Sources = None, as_json: AsJson = False) -> None:
    """Keep everything that Label Studio holds, and list what should not be so; exit code 1 where there is any."""
    from khabar.campaign.studio import working_on
    from khabar.campaign.sync import synchronise

    studio = _studio(where, data, sources)
    with working_on(studio.campaign), working("exporting"):
        done = synchronise(studio)
    if as_json:
        show_json(done)
    else:
        _tell_synced(done)
    if done.open:
        raise typer.Exit(1)


def _tell_synced(done: Synced) -> None:
    from khabar.report.campaign import findings_table

    new = ", ".join(f"{count} {kind}s" for kind, count in done.new.items() if count) or "nothing"
    typer.echo(f"new: {new}; {done.annotations} annotations are there, all of them kept")
    if done.accepted:
        typer.echo(f"accepted before: {len(done.accepted)} findings")
    if done.open:
        show_table(findings_table(done.open))


@campaign_app.command()
def agreement(
    where: Where,
    page: Annotated[
        Path | None, typer.Option("--html", help="write one self-contained page, differences in their texts")
    ] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="write a report in Markdown")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write the figures as JSON")] = None,
    gamma: Annotated[bool, typer.Option("--gamma/--no-gamma", help="compute gamma, which takes longest")] = True,
    sources: Sources = None,
    as_json: AsJson = False,
) -> None:
    """Measure the agreement on what was exported, before anything is decided."""
    from khabar import jsonl
    from khabar.campaign.closing import agreement_of, exported
    from khabar.campaign.status import gaps_of
    from khabar.report.agreement import agreement_markdown, agreement_tables
    from khabar.report.agreement_page import agreement_page
    from khabar.report.campaign import gaps_lines

    campaign = _campaign(where, sources)
    _require_synced(campaign)
    with working("measuring"):
        report, gaps = agreement_of(campaign, gamma=gamma), gaps_of(campaign)
    if output:
        jsonl.write_json(output, report)
    if markdown:
        jsonl.write_bytes(markdown, agreement_markdown(report).encode())
    if page:
        jsonl.write_bytes(
            page,
            agreement_page(report, work=exported(campaign), documents=campaign.documents, title=campaign.name).encode(),
        )
    if as_json:
        show_json({**msgspec.structs.asdict(report), "gaps": gaps})
        return
    show_table(agreement_tables(report))
    for line in gaps_lines(gaps):
        typer.echo(line)


def _require_synced(campaign: Campaign) -> None:
    from khabar.campaign.files import MANIFEST

    path = campaign.path(MANIFEST)
    if not path.exists():
        raise KhabarError(
            Issue(
                code="file-missing",
                where=str(path),
                found="no exports of the campaign",
                expected="what `khabar campaign sync` brings home",
                fix="Run `khabar campaign sync` first.",
            )
        )


@campaign_app.command()
def adjudicate(
    where: Where,
    queue: Annotated[Path | None, typer.Option(help="write the open questions as JSON lines, and ask nobody")] = None,
    decisions: Annotated[Path | None, typer.Option(help="take decisions from JSON lines")] = None,
    revise: Annotated[bool, typer.Option("--revise", help="let them replace earlier ones")] = False,
    data: Data = DATA,
    sources: Sources = None,
    as_json: AsJson = False,
) -> None:
    """Put what annotators differ on before the adjudicators, and take what they decided."""
    from khabar.campaign.adjudication import finished_versions, set_stale_aside, take_decisions, undecided
    from khabar.campaign.studio import working_on

    campaign = _campaign(where, sources)
    issues: tuple[Issue, ...] = ()
    say = typer.echo if not as_json else _keep_quiet
    with working_on(campaign):
        if revise or decisions or queue:
            _require_synced(campaign)
        if revise:
            say(f"decisions set aside, about what is no longer a difference: {len(set_stale_aside(campaign))}")
        if decisions:
            say(f"decisions taken: {take_decisions(campaign, _read_decisions(decisions), revise=revise)}")
        elif not queue:
            issues = _by_label_studio(_studio(where, data, sources), say)
        left, finished = undecided(campaign), len(finished_versions(campaign))
        if queue:
            _write_queue(campaign, queue, left.queue)
            say(f"written: {queue}")
    if as_json:
        show_json({"questions": len(left.queue), "differences": left.differences, "decided": left.decided})
    elif finished:
        typer.echo(f"{left.decided} differences decided, {left.differences} left in {len(left.queue)} questions")
    else:
        asked = campaign.config.per_document
        typer.echo(f"no document is finished by as many annotators as asked ({asked}): there is nothing to decide yet")
    if issues:
        raise KhabarError(issues)


def _read_decisions(path: Path) -> list[Decision]:
    from khabar import jsonl
    from khabar.adjudicate import Decision

    return jsonl.read_list(path, Decision)


def _write_queue(campaign: Campaign, path: Path, queue: Sequence[Knot]) -> None:
    from khabar import jsonl
    from khabar.campaign.adjudication import questions

    jsonl.write_records(path, questions(campaign, queue))


def _keep_quiet(line: str) -> None:
    """Say nothing: what a program reads is JSON alone."""


def _by_label_studio(studio: Studio, tell: Callable[[str], None]) -> tuple[Issue, ...]:
    from khabar.campaign.asking import collect, open_queue
    from khabar.campaign.sync import synchronise

    with working("synchronising") as say:
        studio.remove_copies()
        # What is taken is exactly what was kept.
        snapshot = studio.snapshot()
        synchronise(studio, snapshot=snapshot)
        found = collect(studio, snapshot)
        tell(f"decisions taken: {found.new}")
        for line in open_queue(studio, tick=lambda title: say(f"filling {title}")):
            tell(line)
        # The questions, and the marks of ground truth, belong to what is kept.
        synchronise(studio)
    return found.issues


@campaign_app.command()
def close(where: Where, sources: Sources = None, as_json: AsJson = False) -> None:
    """Make the gold, tell where each span comes from, and add general decisions to the guidelines' log."""
    from khabar.campaign.closing import close as finish
    from khabar.campaign.studio import working_on

    campaign = _campaign(where, sources)
    _require_synced(campaign)
    with working_on(campaign):
        closed = finish(campaign)
    counts = {
        "documents": len(closed.gold),
        "mentions": sum(len(item.mentions) for item in closed.gold),
        "events": sum(len(item.events) for item in closed.gold),
        "decisions": closed.decisions,
        "origins": len(closed.origins),
        "logged": closed.logged,
    }
    if as_json:
        show_json(counts)
        return
    typer.echo(
        f"gold: {counts['documents']} documents, {counts['mentions']} mentions, {counts['events']} events; "
        f"{counts['decisions']} decisions, {counts['logged']} new in the guidelines' log"
    )


@campaign_app.command()
def texts(
    where: Where,
    annotator: Who,
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder to write into")],
    data: Data = DATA,
    sources: Sources = None,
) -> None:
    """Write the texts that a model was given and has not done, in numbered sentences, and the guidelines."""
    from khabar.campaign.models import hand_out

    with working("reading the projects"):
        paths = hand_out(_studio(where, data, sources), annotator, output)
    typer.echo(f"{len(paths) - 1} texts and the guidelines: {output}")


@campaign_app.command()
def submit(
    where: Where,
    annotator: Who,
    work: Annotated[Path, typer.Argument(help="JSON lines: quotes in numbered sentences, or offsets")],
    data: Data = DATA,
    sources: Sources = None,
) -> None:
    """Save a model's work under its own account; a document in which something has no place is refused."""
    from khabar.campaign.models import hand_in, read_handed
    from khabar.campaign.studio import working_on

    studio = _studio(where, data, sources)
    with working_on(studio.campaign), working("reading the work") as say:
        given, issues = read_handed(work, studio.campaign, annotator)
        handed = hand_in(studio, annotator, given, tick=lambda doc_id: say(f"saving {doc_id}"))
    typer.echo(f"{annotator}: {handed.saved} documents saved, {handed.there} were there")
    if issues or handed.issues:
        raise KhabarError([*issues, *handed.issues])


@campaign_app.command()
def accept(
    where: Where,
    finding: Annotated[str, typer.Argument(help="the id of a finding, as sync and status list it")],
    reason: Annotated[str, typer.Option(help="why it may stand")],
    use: Annotated[str, typer.Option(help="the archived version that counts instead (the hash's beginning)")] = "",
    sources: Sources = None,
) -> None:
    """Accept a finding with a reason; what was found stays on record."""
    from khabar.campaign.files import accept as allow
    from khabar.campaign.studio import working_on

    campaign = _campaign(where, sources)
    with working_on(campaign):
        word = allow(campaign, finding, reason=reason, use=use)
    typer.echo(f"accepted: {word.finding}{f', version {word.use[:12]} counts after the next sync' if word.use else ''}")


@campaign_app.command()
def restore(where: Where, data: Data = DATA, sources: Sources = None) -> None:
    """Bring archived work back that the last sync missed in Label Studio, under its own account."""
    from khabar.campaign.restoring import restore as bring_back
    from khabar.campaign.studio import working_on

    studio = _studio(where, data, sources)
    with working_on(studio.campaign):
        number = 0
        for line in bring_back(studio):
            typer.echo(line)
            number += 1
    typer.echo(f"{number} annotations; run sync again")


@campaign_app.command()
def trace(
    where: Where,
    doc_id: Annotated[str, typer.Argument(help="a document of the closed campaign")],
    sources: Sources = None,
    as_json: AsJson = False,
) -> None:
    """Show who proposed each item of a document's gold, and who decided."""
    from khabar import jsonl
    from khabar.campaign.closing import TRACE, Origin
    from khabar.report.campaign import trace_table

    campaign = _campaign(where, sources)
    path = campaign.path(TRACE)
    origins = [item for item in jsonl.read_list(path, Origin) if item.doc_id == doc_id] if path.exists() else []
    if not origins:
        raise KhabarError(_no_trace(campaign, doc_id))
    if as_json:
        show_json(origins)
    else:
        show_table(trace_table(origins, campaign.documents[doc_id].text))


def _no_trace(campaign: Campaign, doc_id: str) -> Issue:
    from khabar.validate import nearest

    return Issue(
        code="document-unknown",
        where=f"campaign {campaign.name!r}",
        found=f"nothing about {doc_id!r} in the trace",
        expected="a document with gold",
        fix=f"Close the campaign first, or correct the id.{nearest(doc_id, campaign.rounds)}",
    )
