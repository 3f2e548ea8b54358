"""export: a version for places without Understudy."""

from __future__ import annotations

from pathlib import Path

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.argument("pipeline")
@click.argument("version")
@click.option("--format", "kind", type=click.Choice(["wheel", "image", "onnx", "c"]), required=True, help="What is written.")
@click.option("--output", type=click.Path(path_type=Path), default=Path(), show_default="here", help="The folder it is written to.")
@click.pass_obj
def export(options: Options, pipeline: str, version: str, kind: str, output: Path) -> None:
    """Write VERSION as a wheel to import, a container's build context, ONNX, or C."""
    from adapters.settings import read_settings
    from understudy.export.c import write_c_files
    from understudy.export.image import write_image
    from understudy.export.onnx import write_onnx
    from understudy.export.source import source_of
    from understudy.export.wheel import write_wheel

    source = source_of(read_settings(options.home, options.pipelines), pipeline, version)
    written = {"wheel": write_wheel, "image": write_image, "onnx": write_onnx, "c": write_c_files}[kind](source, output)
    document = {"format": kind, "path": str(written), "pipeline": pipeline, "version": version, "digest": source.registered.model.digest}
    show(document, [f"Version {version} of '{pipeline}' ({source.registered.model.digest[:12]}): {written}"], as_json=options.as_json)
