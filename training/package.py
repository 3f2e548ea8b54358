"""A fitted model as a package: the same fit gives the same bytes."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from contracts.package import FEATURES, MANIFEST, MODEL, Manifest

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # zip's first date


def package_files(model: Any, manifest: Manifest, feature_code: str | None) -> dict[str, bytes]:
    """Return the files of a package by name.

    Args:
        model: a fitted scikit-learn estimator that skops can write.
        manifest: of this model; its `trusted` is filled in here with the types that skops constructs only where they are declared.
        feature_code: text of the pipeline's feature module, or None.
    """
    import skops.io

    content = skops.io.dumps(model)
    manifest = manifest.model_copy(update={"trusted": tuple(sorted(skops.io.get_untrusted_types(data=content)))})
    files = {
        MODEL: canonical(content),
        MANIFEST: (json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n").encode(),  # columns stay in the spec's order
    }
    if feature_code is not None:
        files[FEATURES] = feature_code.encode()
    return files


def canonical(data: bytes) -> bytes:
    """Rewrite a skops archive so that equal models give equal bytes.

    skops names every object by its address in memory (`__id__`, and the names of array files) and stamps the archive with the time;
    all are replaced: addresses by their order of appearance in the schema, the time by a fixed date.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(contents.pop("schema.json"))
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}
    schema = _renumber(schema, numbers, names)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("schema.json", _LONG_AGO), json.dumps(schema, sort_keys=True))
        for old, new in sorted(names.items(), key=lambda pair: pair[1]):
            archive.writestr(zipfile.ZipInfo(new, _LONG_AGO), contents[old])
    return out.getvalue()


def _renumber(node: Any, numbers: dict[int, int], names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_renumber(one, numbers, names) for one in node]
    if not isinstance(node, dict):
        return node
    if node.get("__loader__") == "JsonNode":  # a plain value: whether two share an address is the interpreter's affair
        return {key: 0 if key == "__id__" else value for key, value in node.items()}
    renumbered: dict[str, Any] = {}
    for key, value in node.items():
        if key == "__id__":
            renumbered[key] = numbers.setdefault(value, len(numbers) + 1)
        elif key == "n_threads":  # scikit-learn's bin mapper keeps the machine's thread count; it decides nothing
            renumbered[key] = _renumber(value, numbers, names) | {"content": "1"}
        elif key == "file":
            ending = value.rpartition(".")[2]
            renumbered[key] = names.setdefault(value, f"{len(names) + 1:05d}.{ending}")
        else:
            renumbered[key] = _renumber(value, numbers, names)
    return renumbered
