"""Where rows come from is said in pipeline.yaml; a secret in it is refused, and not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.pipeline_files import load_pipeline
from adapters.settings import read_settings
from contracts.errors import SpecError

REST = """\
name: demand
task: regression
columns: {time: at, target: y, features: {numeric: [a]}}
train: {holdout: 7d, estimator: sklearn.linear_model.Ridge}
gates: [{metric: mae, max: 10}]
rollout: {stages: [{kind: shadow, loss: absolute_error}]}
"""


def load(folder: Path, source: str, rest: str = REST) -> object:
    (folder / "demand").mkdir(exist_ok=True)
    (folder / "demand" / "pipeline.yaml").write_text(f"{rest}source: {{{source}}}\n")
    (folder / "demand" / "params.yaml").write_text("seed: 0\n")
    return load_pipeline(read_settings(folder / "home", folder), "demand").spec.source


@pytest.mark.parametrize(
    "source",
    [
        "kind: http, url: 'https://user:hush@host/rows.csv'",
        "kind: http, url: 'https://hush@host/rows.csv'",
        "kind: http, url: 'https://host/rows.csv?api_key=hush'",
        "kind: http, url: 'https://host/rows.csv?X-Amz-Signature=hush'",
        "kind: http, url: 'ftp://user:hush@host/rows.csv'",
        "kind: http, url: 'https://host/rows.csv', authorization_env: 'Bearer hush'",
        "kind: dvc, repo: 'https://user:hush@host/repo.git', path: rows.csv",
        "kind: sql, url: 'postgresql://user:hush@host/db', table: sales",
        "kind: sql, url_env: 'postgresql://user:hush@host/db', table: sales",
    ],
)
def test_a_secret_is_refused_with_what_to_do_and_is_not_repeated(tmp_path: Path, source: str) -> None:
    with pytest.raises(SpecError, match="environment variable") as caught:
        load(tmp_path, source)
    assert "hush" not in str(caught.value)
    assert "pipeline.yaml:7: source" in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "kind: http, url: 'https://${USER}:${PASSWORD}@host/rows.csv?token=${TOKEN}&format=csv'",
        "kind: http, url: '${ROWS_URL}', format: csv",
        "kind: dvc, repo: 'git@host:team/repo.git', path: data/rows.csv",
        "kind: dvc, repo: 'ssh://git@host/team/repo.git', path: data",
        "kind: sql, url_env: DATABASE_URL, query: 'SELECT 1'",
        "kind: s3, bucket: rows, prefix: in/",
    ],
)
def test_what_holds_no_secret_is_accepted(tmp_path: Path, source: str) -> None:
    assert load(tmp_path, source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("kind: sql, url_env: A", "name either table or query"),
        ("kind: sql, url_env: A, table: t, query: q", "name either table or query"),
        ("kind: s3, bucket: b", "name either key (one object) or prefix"),
        ("kind: s3, bucket: b, prefix: p, version: v", "version belongs to one object; name its key"),
        ("kind: http, url: 'ftp://host/x.csv'", "this address begins with http:// or https://"),
        ("kind: dvc, repo: r, path: ../x.csv", "write it without / in front and without .. in it."),
        ("kind: http, url: 'https://host/x.csv', sha256: abc", "source.sha256: String should match pattern"),
        ("kind: http, url: 'https://host/x.csv', max_size: 1", "source.max_size: unknown key."),
    ],
)
def test_a_contradiction_is_named(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, source)
    assert message in str(caught.value)


def test_a_database_is_asked_by_one_time_column(tmp_path: Path) -> None:
    rest = REST.replace("time: at", "time: {from: [day, hour], format: '%Y %H'}")
    with pytest.raises(SpecError, match=r"put it together in source\.query and name it under columns\.time"):
        load(tmp_path, "kind: sql, url_env: A, table: t", rest)
