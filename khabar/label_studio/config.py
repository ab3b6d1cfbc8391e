"""The labelling configuration, generated from the ontology."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from xml.etree import ElementTree

from khabar.ontology import EntityType, EventType, Ontology, ontology

Element = ElementTree.Element

TEXT = "text"
QUESTION, REASON, GENERAL = "question", "reason", "general"
# Keys of the attributes' values in their order, which the ontology does not hold. A key is free of Label Studio's
# own shortcuts and of the labels' keys.
KEYS = {
    "attribution": ("shift+1", "shift+2", "shift+3"),
    "polarity": ("shift+4", "shift+5"),
    "actuality": ("shift+6", "shift+7", "shift+8", "shift+9"),
    "event_loaded": ("shift+o", "shift+0"),
    "kind": ("shift+q", "shift+w", "shift+e"),
    "entity_loaded": ("shift+r", "shift+t"),
}
# The first lines: Arabic is scrambled by default, Label Studio lays every line out left to right. It also puts
# the whole through an HTML sanitizer: no ">" and no "&" in it.
STYLE = """
.lsf-richtext__line{display:block;min-height:1.2em;unicode-bidi:plaintext;text-align:start}
.lsf-richtext__container{line-height:1.9} .lsf-richtext__container br{display:none}
.htx-highlight{unicode-bidi:plaintext} .htx-highlight::after{unicode-bidi:isolate}
.khabar-bar{position:sticky;top:0;z-index:5;display:flex;flex-wrap:wrap;align-items:center;gap:3px 14px;
 padding:4px 0;margin-bottom:8px;background:var(--color-neutral-background,#fff);
 border-bottom:1px solid var(--color-neutral-border,#ccc)}
.khabar-bar .lsf-labels{display:contents}
.khabar-group{display:flex;flex-wrap:wrap;align-items:center;gap:2px 4px}
.khabar-group h4{margin:0 2px 0 0 !important;font-size:11px;line-height:16px;font-weight:600;letter-spacing:0}
.khabar-bar .lsf-label{height:20px;margin:0;padding:0 5px;font-size:12px;line-height:18px}
.khabar-bar .lsf-label__hotkey{margin-left:5px;font-size:10px}
.khabar-attributes{flex:0 0 100%;display:flex;flex-wrap:wrap;align-content:flex-start;gap:2px 16px;min-height:44px}
.khabar-bar .lsf-choices{display:flex;gap:0 8px;min-height:20px;margin:0}
.khabar-bar .lsf-choices_hidden{display:none}
.khabar-bar .lsf-choice{margin:0;padding:0}
.khabar-bar .lsf-choice label{font-size:12px;line-height:18px;min-height:18px}
.khabar-bar .lsf-choice label span{padding:0 2px}
.khabar-bar .lsf-hint{font-size:9px;font-weight:400;top:0;margin-left:2px}
.khabar-bar .lsf-text-area,.khabar-bar .ant-form-item,.khabar-bar [data-testid=textarea-regions]{margin:0 !important}
.khabar-bar input[type=text],.khabar-bar [data-testid=htx-textbox-content]{min-height:20px;height:20px;
 padding:0 5px;font-size:12px;line-height:18px;min-width:16em}
.khabar-bar .ant-form-item-control-input{min-height:20px}
.khabar-bar [data-testid=htx-textbox-content] p{font-size:12px;line-height:18px;margin:0 52px 0 0}
.khabar-bar .lsf-textarea__actions button{height:18px;padding:0}
.khabar-decision{flex:0 0 100%;display:flex;flex-wrap:wrap;align-items:center;gap:2px 12px;padding-bottom:4px;
 border-bottom:1px solid var(--color-neutral-border,#ccc)}
.khabar-decision h4{flex:0 0 100%;margin:0 !important;max-height:90px;overflow:auto;white-space:pre-line;
 unicode-bidi:plaintext;text-align:start;font-size:13px;line-height:18px;letter-spacing:0}
.khabar-decision .lsf-text-area{flex:1 1 24em}
.lsf-modal-ls__content:has(table){width:min(1000px,92vw) !important}
.lsf-modal-ls__body p,.lsf-modal-ls__body ul,.lsf-modal-ls__body table{margin:0 0 10px}
.lsf-modal-ls__body h1,.lsf-modal-ls__body h2,.lsf-modal-ls__body h3{margin:16px 0 8px;line-height:1.3}
.lsf-modal-ls__body ul{list-style:disc;padding-inline-start:20px} .lsf-modal-ls__body ol{padding-inline-start:20px}
.lsf-modal-ls__body td{border-top:1px solid var(--color-neutral-border,#ccc);padding:3px 8px;vertical-align:top;
 unicode-bidi:plaintext;text-align:start}
.htx-highlight[data-label]::after{padding:1px 3px;margin:0 3px;border-radius:2px}
.khabar-bar:has(.khabar-entity .lsf-label_selected):has(.khabar-event .lsf-label_selected)::after{flex:0 0 100%;
 content:"Two labels are chosen, an entity's and an event's: press the key of the wrong one again.";
 padding:0 5px;font-size:12px;font-weight:600;background:#ffd54d;color:#000}
.khabar-attributes:not(:has(.khabar-attribute:not([style*=none])))::before{font-size:12px;opacity:.7;
 content:"Click a marked span: its attributes appear here. What is not ticked has its first value."}
.lsf-labels-list *{color:var(--color-neutral-content,#222) !important}
"""


def labeling_config(labels: Ontology | None = None, *, adjudication: bool = False) -> str:
    """Write the XML configuration of a project.

    Args:
        labels: the ontology; the shipped one by default.
        adjudication: whether the page asks for a decision: the task's `question` above the text,
            a reason that must be given, and whether it belongs in the guidelines' log.

    Returns:
        XML with label controls for entities and events, attributes per region, relation labels.
    """
    known = labels or ontology()
    view = Element("View", className="khabar")
    ElementTree.SubElement(view, "Style").text = STYLE + "\n".join(_label_rules(known)) + "\n"
    bar = ElementTree.SubElement(view, "View", className="khabar-bar")
    if adjudication:
        _decision(bar)
    _entities(bar, known)
    _events(bar, known)
    _attributes(bar, known)
    ElementTree.SubElement(view, "Text", name=TEXT, value="$text", granularity="symbol", showLabels="true")
    relations = ElementTree.SubElement(view, "Relations")
    for name in (*known.role_names, *known.link_names):
        ElementTree.SubElement(relations, "Relation", value=name)
    ElementTree.indent(view, "  ")
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _label_rules(known: Ontology) -> Iterator[str]:
    """Paint the label behind a span in its full colour: the span itself has a pale mixture of it."""
    for entity in known.entities:
        yield _rule(f'[data-label$=":{entity.name}"]', f'[title="{entity.name}"]', entity.color)
    for family in known.families:
        yield _rule(f'[data-label*=":{family.name}."]', f'[title^="{family.name}."]', family.color)


def _rule(span: str, button: str, color: str) -> str:
    text = readable_on(color)
    return (
        f".htx-highlight{span}::after{{background:{color};color:{text}}}"
        f" .khabar-bar .lsf-label_selected {button}{{color:{text}}}"
    )


def readable_on(color: str) -> str:
    """Choose black or white text, whichever contrasts more with a background (WCAG 2.2, relative luminance).

    Args:
        color: as #rrggbb.
    """
    channels = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#fff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000"


def _labels(bar: Element, name: str) -> Element:
    return ElementTree.SubElement(bar, "Labels", name=name, toName=TEXT, showInline="true")


def _group(parent: Element, title: str, kind: str, attributes: Mapping[str, str] | None = None) -> Element:
    group = ElementTree.SubElement(parent, "View", {"className": f"khabar-group khabar-{kind}", **(attributes or {})})
    ElementTree.SubElement(group, "Header", value=title, size="5")
    return group


def _entities(bar: Element, known: Ontology) -> None:
    control = _labels(bar, "entity")
    for title in dict.fromkeys(entity.group for entity in known.entities):
        members = [entity for entity in known.entities if entity.group == title]
        _add_labels(_group(control, f"{title}s", "entity"), members, known)


def _events(bar: Element, known: Ontology) -> None:
    control = _labels(bar, "event")
    for family in known.families:
        members = [event for event in known.events if event.family == family.name]
        _add_labels(_group(control, family.name, "event"), members, known)


def _add_labels(group: Element, members: Iterable[EntityType | EventType], known: Ontology) -> None:
    for member in members:
        ElementTree.SubElement(
            group,
            "Label",
            value=member.name,
            background=known.colors[member.name],
            hotkey=member.hotkey,
            hint=member.definition,
            # The family stands before its labels; what is saved and what stands at the span is `value`.
            html=member.name.rpartition(".")[2],
        )


def attribute_keys(known: Ontology, owner: str) -> dict[str, dict[str, str]]:
    """Give the key of each attribute's values, by the name of the attribute's control.

    Args:
        known: the ontology.
        owner: entity or event.
    """
    own = [attribute for attribute in known.attributes if attribute.of in (owner, "both")]
    names = [attribute.name if attribute.of != "both" else f"{owner}_{attribute.name}" for attribute in own]
    return {
        name: dict(zip(attribute.values, KEYS[name], strict=True)) for name, attribute in zip(names, own, strict=True)
    }


def _attributes(bar: Element, known: Ontology) -> None:
    row = ElementTree.SubElement(bar, "View", className="khabar-attributes")
    for owner in ("event", "entity"):
        for name, keys in attribute_keys(known, owner).items():
            _choices(row, owner, name, keys)
    group = _of_region(row, "referent", "entity")
    ElementTree.SubElement(
        group,
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


def _of_region(row: Element, title: str, owner: str) -> Element:
    return _group(row, title, "attribute", {"visibleWhen": "region-selected", "whenTagName": owner})


def _choices(row: Element, owner: str, name: str, keys: Mapping[str, str]) -> None:
    control = ElementTree.SubElement(
        _of_region(row, name.removeprefix(f"{owner}_"), owner),
        "Choices",
        name=name,
        toName=TEXT,
        perRegion="true",
        whenTagName=owner,
        choice="single",
        showInline="true",
    )
    for value, key in keys.items():
        ElementTree.SubElement(control, "Choice", value=value, hotkey=key)


def _decision(bar: Element) -> None:
    panel = ElementTree.SubElement(bar, "View", className="khabar-decision")
    ElementTree.SubElement(panel, "Header", value=f"${QUESTION}", size="5")
    ElementTree.SubElement(
        panel,
        "TextArea",
        name=REASON,
        toName=TEXT,
        required="true",
        requiredMessage="Give a reason for the decision.",
        maxSubmissions="1",
        rows="1",
        editable="true",
        placeholder="reason of the decision",
    )
    control = ElementTree.SubElement(panel, "Choices", name=GENERAL, toName=TEXT, choice="single", showInline="true")
    ElementTree.SubElement(
        control, "Choice", value=GENERAL, hotkey="0", html="general: it belongs in the guidelines' log"
    )
