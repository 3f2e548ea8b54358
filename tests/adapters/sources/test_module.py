"""A source of one's own is one file beside pipeline.yaml; the one in the docs is ingested here as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.pipeline_files import load_pipeline
from adapters.settings import Settings, read_settings
from adapters.sources import look, read_new_rows
from contracts.errors import OutsideError, SpecError
from flows.stages.ingest import ingest
from tests.file_site import Site, serving

ROOT = Path(__file__).parents[3]
SPEC = {
    "name": "stations",
    "task": "regression",
    "columns": {"time": "at", "key": ["id"], "target": "warmth", "label_delay": "0s", "features": {"numeric": ["wind"]}},
    "train": {"holdout": "1h", "estimator": "sklearn.linear_model.Ridge"},
    "gates": [{"metric": "mae", "max": 5}],
    "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
}


def written(folder: Path, code: str | None, **source: object) -> Settings:
    pipeline = folder / "pipelines" / "stations"
    pipeline.mkdir(parents=True)
    told = {"kind": "module", "module": "readings", "options": {"url": "${STATIONS_URL}"}} | source
    (pipeline / "pipeline.yaml").write_text(json.dumps(SPEC | {"source": told}))
    (pipeline / "params.yaml").write_text("seed: 1\nestimator: {}\n")
    if code is not None:
        (pipeline / "readings.py").write_text(code)
    return read_settings(folder / "home", folder / "pipelines")


def page(site: Site, number: int, hours: range, following: str | None) -> None:
    rows = [{"id": hour, "at": f"2026-01-01T{hour:02}:00", "wind": hour / 2, "warmth": 1.0 * hour} for hour in hours]
    (site.folder / f"page-{number}.json").write_text(json.dumps({"readings": rows, "next": following}))


def test_the_file_of_the_docs_is_all_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "how-to" / "write-a-source.md").read_text(), re.DOTALL)
    settings = written(tmp_path, code)
    assert sorted(path.name for path in (tmp_path / "pipelines" / "stations").iterdir()) == ["params.yaml", "pipeline.yaml", "readings.py"]
    (tmp_path / "site").mkdir()
    with serving(tmp_path / "site") as site:
        monkeypatch.setenv("STATIONS_URL", site.url)
        page(site, 1, range(3), "/page-2.json")
        page(site, 2, range(3, 5), None)
        assert ingest(settings, load_pipeline(settings, "stations")).new_rows == 5
        page(site, 2, range(3, 9), None)
        found = ingest(settings, load_pipeline(settings, "stations"))
        assert (found.new_rows, found.snapshot.rows) == (4, 9), "what is known is left out"
        site.answer = 503
        with pytest.raises(OutsideError, match=r"readings\.py:13: HTTPError: HTTP Error 503"):
            ingest(settings, load_pipeline(settings, "stations"))
    rows = DataRepo(settings).frame(found.snapshot)
    assert rows["id"].tolist() == list(range(9))
    assert rows["warmth"].tolist() == [float(one) for one in range(9)]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, "readings.py does not exist."),
        ("import nowhere_at_all", "readings.py does not run: ModuleNotFoundError: No module named 'nowhere_at_all'."),
        ("x = 1", "readings.py has no function tables(asked)."),
        ("def tables(asked):\n    yield 1 / 0", "readings.py:2: ZeroDivisionError: division by zero."),
        ("def tables(asked):\n    yield [1]", "readings.py yielded list."),
    ],
)
def test_what_is_wrong_with_the_file_is_said_with_its_line(code: str | None, message: str, tmp_path: Path) -> None:
    settings = written(tmp_path, code, options={})
    spec = load_pipeline(settings, "stations").spec
    with pytest.raises(SpecError, match=re.escape(message)):
        read_new_rows(spec, None, None)


def test_it_is_told_what_is_known_and_has_a_folder_of_its_own_and_doctor_looks_at_it(tmp_path: Path) -> None:
    code = "def tables(asked):\n    (asked.kept / 'asked').write_text(str(asked.after))\n    yield 'here', asked.options['rows']\n"
    settings = written(tmp_path, code, options={"rows": "none"})
    spec = load_pipeline(settings, "stations").spec
    assert look(spec, tmp_path / "kept").endswith("readings.py gives tables(asked)")
    with pytest.raises(SpecError, match="yielded tuple"):
        read_new_rows(spec, pd.Timestamp("2026-01-01", tz="UTC").to_pydatetime(), None, tmp_path / "kept")
    assert (tmp_path / "kept" / "asked").read_text() == "2026-01-01 00:00:00+00:00"


@pytest.mark.parametrize("options", [{"token": "abc"}, {"url": "https://me:abc@example.org"}, {"url": "https://example.org?api_key=abc"}])
def test_a_secret_among_the_options_is_refused_and_not_repeated(options: dict[str, str], tmp_path: Path) -> None:
    settings = written(tmp_path, "", options=options)
    with pytest.raises(SpecError, match="secret") as raised:
        load_pipeline(settings, "stations")
    assert "abc" not in raised.value.message


def test_where_the_file_lies_is_not_in_the_digest_of_the_spec(tmp_path: Path) -> None:
    one, other = (load_pipeline(written(tmp_path / name, "", options={}), "stations") for name in ("one", "other"))
    assert one.spec_digest == other.spec_digest
