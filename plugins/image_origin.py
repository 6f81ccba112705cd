"""How a picture came to be, by what programs wrote into it: image generators and their prompts, content credentials, edits, identities."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from triage.artifacts.imagenotes import TYPES, ImageNotes, Xmp, credentials_say, read_notes, read_xmp
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYNTHETIC = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia")
_SETTINGS = re.compile(r"(?:^|, )(Steps|Sampler|CFG scale|Seed|Size|Model hash|Model): ([^,\n]{1,200})")
_ORIGIN = {
    "CreatorTool": "creator_tool", "DocumentID": "document_id", "OriginalDocumentID": "original_document_id",
    "InstanceID": "instance_id",
    "CreateDate": "created", "ModifyDate": "modified", "DateCreated": "date_created", "SerialNumber": "serial",
    "LensSerialNumber": "lens_serial", "Lens": "lens", "creator": "creator", "Credit": "credit", "Source": "source",
    "DigitalSourceType": "source_type",
    "GPSLatitude": "gps_latitude", "GPSLongitude": "gps_longitude", "DerivedFrom": "derived_from",
}  # fmt: skip
_KEYWORDS = (("invokeai_metadata", "InvokeAI"), ("sd-metadata", "InvokeAI"), ("Dream", "Stable Diffusion"), ("fooocus_scheme", "Fooocus"))
_LONGEST = 8000


class ImageOrigin:
    """Findings ``generated`` (a picture made by a program, with its prompt), ``credentials`` (C2PA, unverified) and ``edited`` (XMP)."""

    name = "image_origin"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=TYPES, min_size=32)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield at most one finding of each kind."""
        notes = read_notes(item.read_at, item.type.name if item.type else "")
        packets = [read for packet in notes.xmp if (read := read_xmp(packet)) is not None]
        claim = credentials_say(notes.credentials) if b"c2pa" in notes.credentials else None
        made = _generator(notes, packets, claim)
        if made:
            yield item.finding("generated", f"says that it was made by an image generator: {made['generator']}", made)
        if claim is not None:
            by = claim.get("claim_generator", "")
            named = f" by {by}" if by else ""
            yield item.finding("credentials", f"has content credentials{named} (their signature was not checked)", claim)
        said = _edits(packets, notes)
        if said:
            by = said.get("creator_tool") or said.get("software") or ""
            yield item.finding("edited", f"was made or edited with {by}" if by else "has a history of its making", said)
        for why in notes.why:
            yield item.problem(why)
        if len(packets) < len(notes.xmp):
            yield item.problem("an XMP packet of a picture cannot be read")


def _generator(notes: ImageNotes, packets: list[Xmp], claim: dict[str, str] | None) -> dict[str, Any]:
    texts = notes.texts
    parameters = texts.get("parameters", "")
    if "Steps: " in parameters:
        prompt, _, rest = parameters.partition("\nNegative prompt: ")
        tail = parameters.rpartition("\nSteps: ")
        return {
            "generator": "Stable Diffusion web UI",
            "prompt": (prompt if rest else tail[0])[:_LONGEST],
            "negative_prompt": rest.partition("\nSteps: ")[0][:_LONGEST],
            **{name.lower().replace(" ", "_"): value for name, value in _SETTINGS.findall(f"Steps: {tail[2]}")},
        }
    if "workflow" in texts or _is_graph(texts.get("prompt", "")):
        return {"generator": "ComfyUI", "prompt": "; ".join(_prompts(texts.get("prompt", "")))[:_LONGEST]}
    for name, generator in _KEYWORDS:
        if name in texts:
            return {"generator": generator, "prompt": texts[name][:_LONGEST]}
    if texts.get("Software") == "NovelAI":
        return {"generator": "NovelAI", "prompt": texts.get("Description", "")[:_LONGEST]}
    if "Job ID:" in texts.get("Description", ""):
        return {"generator": "Midjourney", "prompt": texts["Description"][:_LONGEST]}
    claimed = claim or {}
    kinds = [packet.properties.get("DigitalSourceType", "").rpartition("/")[2] for packet in packets]
    for kind in (*kinds, claimed.get("source_type", "")):
        if kind in _SYNTHETIC:
            tool = next((p.properties["CreatorTool"] for p in packets if "CreatorTool" in p.properties), "")
            return {"generator": claimed.get("claim_generator") or tool or "one that is not named", "source_type": kind}
    return {}


def _is_graph(text: str) -> bool:
    return text.lstrip().startswith("{") and '"class_type"' in text


def _prompts(text: str) -> Iterator[str]:
    """Yield the texts in a graph of ComfyUI's nodes."""
    for match in re.finditer(r'"text": ("(?:[^"\\]|\\.){1,4000}")', text):
        try:
            yield json.loads(match[1])
        except ValueError:
            continue


def _edits(packets: list[Xmp], notes: ImageNotes) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for packet in packets:
        for name, key in _ORIGIN.items():
            value = packet.properties.get(name, "")
            if value:
                said.setdefault(key, value[:500])
        if packet.history:
            said.setdefault("history", packet.history)
    software = notes.texts.get("Software", "")
    if software:
        said["software"] = software[:500]
    return said


PLUGIN = ImageOrigin
