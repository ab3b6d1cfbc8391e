"""The labelling configuration, generated from the ontology."""

from __future__ import annotations

from xml.etree import ElementTree

from khabar.ontology import Ontology, ontology

TEXT = "text"
# Arabic is scrambled by default: Label Studio lays every line out left to right.
STYLE = """
.lsf-richtext__line{display:block;min-height:1.2em;unicode-bidi:plaintext;text-align:start}
.lsf-richtext__container br{display:none}
.htx-highlight{unicode-bidi:plaintext} .htx-highlight::after{unicode-bidi:isolate}
.khabar-bar{position:sticky;top:0;z-index:5;background:var(--color-neutral-background,#fff);padding:4px 0}
"""


def labeling_config(labels: Ontology | None = None) -> str:
    """Write the XML configuration of a project.

    Args:
        labels: the ontology; the shipped one by default.

    Returns:
        XML with label controls for entities and events, attributes per region, relation labels.
    """
    known = labels or ontology()
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Style").text = STYLE
    bar = ElementTree.SubElement(view, "View", className="khabar-bar")
    _entities(bar, known)
    _events(bar, known)
    ElementTree.SubElement(view, "Text", name=TEXT, value="$text", granularity="symbol")
    _attributes(view, known)
    relations = ElementTree.SubElement(view, "Relations")
    for name in (*known.role_names, *known.link_names):
        ElementTree.SubElement(relations, "Relation", value=name)
    ElementTree.indent(view, "  ")
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _entities(bar: ElementTree.Element, known: Ontology) -> None:
    control = ElementTree.SubElement(bar, "Labels", name="entity", toName=TEXT, showInline="true")
    for entity in known.entities:
        ElementTree.SubElement(
            control,
            "Label",
            value=entity.name,
            background=entity.color,
            hotkey=entity.hotkey,
            hint=entity.definition,
        )


def _events(bar: ElementTree.Element, known: Ontology) -> None:
    control = ElementTree.SubElement(bar, "Labels", name="event", toName=TEXT, showInline="true")
    for event in known.events:
        ElementTree.SubElement(
            control,
            "Label",
            value=event.name,
            background=known.colors[event.name],
            hotkey=event.hotkey,
            hint=event.definition,
        )


def _attributes(view: ElementTree.Element, known: Ontology) -> None:
    for attribute in known.attributes:
        owners = ("entity", "event") if attribute.of == "both" else (attribute.of,)
        for owner in owners:
            name = attribute.name if len(owners) == 1 else f"{owner}_{attribute.name}"
            control = ElementTree.SubElement(
                view,
                "Choices",
                name=name,
                toName=TEXT,
                perRegion="true",
                whenTagName=owner,
                choice="single",
                showInline="true",
            )
            for value in attribute.values:
                ElementTree.SubElement(control, "Choice", value=value)
    ElementTree.SubElement(
        view,
        "TextArea",
        name="referent",
        toName=TEXT,
        perRegion="true",
        whenTagName="entity",
        maxSubmissions="1",
        rows="1",
        editable="true",
        placeholder="key of the actor or place",
    )
