"""Where rows come from, as pipeline.yaml says it; a secret never stands in that file."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from contracts.duration import Duration, parse_duration
from contracts.strict import StrictModel

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRETS = re.compile(r"(?i)(^|[-_])(password|passwd|pwd|token|secret|sig|signature|key|apikey|credential)$")
_INSTEAD = "put it into an environment variable and write ${NAME} in its place"


def _without_secret(address: str) -> str:
    """Refuse an address with a secret in it; the message never repeats the secret."""
    try:
        parts = urlsplit(address)
        user, password = parts.username, parts.password
    except ValueError as error:
        raise ValueError(f"this is no address: {error}") from None
    written = password or (user if parts.scheme in {"http", "https"} else None)  # over HTTP a user's name alone is a token
    if written and "${" not in written:
        raise ValueError(f"the address holds a user's secret, which does not belong in this file; {_INSTEAD}")
    for name, value in parse_qsl(parts.query):
        if _SECRETS.search(name) and "${" not in value:
            raise ValueError(f"the address holds a secret ('{name}'), which does not belong in this file; {_INSTEAD}")
    return address


def _over_http(address: str) -> str:
    if not address.startswith(("http://", "https://", "${")):
        raise ValueError("this address begins with http:// or https://")
    return address


def _variable(name: str) -> str:
    if not _NAME.fullmatch(name):  # the message does not repeat it: it may be the secret itself
        raise ValueError("this is the name of an environment variable (letters, digits, underscores), never the secret itself")
    return name


def _relative(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError("this path is inside the repository: write it without / in front and without .. in it")
    return path


Address = Annotated[str, AfterValidator(_without_secret)]
Variable = Annotated[str, AfterValidator(_variable)]
Format = Literal["csv", "csv.gz", "tsv", "tsv.gz", "parquet", "jsonl", "jsonl.gz"]


class ColumnRules(StrictModel):
    """What happens where a batch has other columns than the snapshots before it."""

    appears: Literal["add", "ignore", "refuse"] = Field("add", description="a column that was never there: it is empty in older rows")
    disappears: Literal["refuse", "fill"] = Field("refuse", description="fill: rows without it have it empty; never key, time or target")
    type: Literal["refuse", "convert"] = Field("refuse", description="convert: a row whose value cannot be of the old type is set aside")


class Rows(StrictModel):
    """What all sources share: how late a row may come, how many are held at once, and what other columns mean."""

    lateness: Duration = Field(
        parse_duration("0s"), description="how far behind the newest row late rows and corrections (by columns.key) are still looked for"
    )
    part_rows: int = Field(1_000_000, ge=1, description="rows held in memory at once; a larger batch becomes several partitions")
    retention: Duration | None = Field(None, description="new snapshots leave out partitions that end so long before the newest row")
    on_change: ColumnRules = ColumnRules()

    @model_validator(mode="after")
    def _kept_while_corrected(self) -> Rows:
        if self.retention is not None and self.retention <= self.lateness:
            raise ValueError("source.retention must be longer than source.lateness: rows that may still be corrected are kept")
        return self


def _encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError(f"no text encoding is called '{name}'; write one such as utf-8, latin-1, cp1252 or utf-16") from None
    return name


class TableFiles(Rows):
    """What all sources of CSV, TSV, Parquet and JSON Lines files share."""

    delimiter: str = ","
    decimal: Literal[".", ","] = Field(".", description="of numbers in CSV and TSV files")
    encoding: Annotated[str, AfterValidator(_encoding)] = Field("utf-8", description="of text files: utf-8, latin-1, cp1252, utf-16, …")

    @model_validator(mode="after")
    def _told_apart(self) -> TableFiles:
        if self.delimiter == self.decimal:
            raise ValueError("delimiter and decimal are the same sign; files with decimal commas mostly have delimiter ';'")
        return self


class FileSource(TableFiles):
    """Rows from files on disk: CSV, gzip CSV, Parquet or JSON Lines; globs allowed; `${NAME}` is read from the environment."""

    kind: Literal["file"]
    path: str


class HttpSource(TableFiles):
    """Rows from one file behind an HTTP address; an unchanged file is not downloaded again."""

    kind: Literal["http"]
    url: Annotated[Address, AfterValidator(_over_http)] = Field(description="${NAME} is read from the environment")
    format: Format | None = Field(None, description="where the address's name does not tell it")
    authorization_env: Variable | None = Field(None, description="environment variable whose value is sent as the Authorization header")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="other bytes are refused")
    max_megabytes: int = Field(4096, ge=1, description="a larger file is refused")


class S3Source(TableFiles):
    """Rows from one object of an S3 API, or from all below a prefix."""

    kind: Literal["s3"]
    bucket: str
    key: str | None = Field(None, description="one object")
    prefix: str | None = Field(None, description="all objects whose key starts so; those named _… or .… are not data")
    version: str | None = Field(None, description="version id of the object")

    @model_validator(mode="after")
    def _one_or_many(self) -> S3Source:
        if (self.key is None) == (self.prefix is None):
            raise ValueError("name either key (one object) or prefix (all objects below it)")
        if self.version is not None and self.key is None:
            raise ValueError("version belongs to one object; name its key")
        return self


class SqlSource(Rows):
    """Rows of a table or a query of PostgreSQL or SQLite; only those after the newest snapshot leave the database."""

    kind: Literal["sql"]
    url_env: Variable = Field(description="environment variable that holds the database's SQLAlchemy URL")
    table: str | None = Field(None, description="name, or schema.name")
    query: str | None = Field(None, description="one SELECT; the time column is filtered around it")
    chunk_rows: int = Field(50_000, ge=1, description="rows fetched from the database at a time")

    @model_validator(mode="before")
    @classmethod
    def _no_url(cls, values: Any) -> Any:
        if isinstance(values, dict) and "url" in values:
            raise ValueError(
                "a database's address does not belong in this file; put it into an environment variable and name that under url_env"
            )
        return values

    @model_validator(mode="after")
    def _table_or_query(self) -> SqlSource:
        if (self.table is None) == (self.query is None):
            raise ValueError("name either table or query")
        return self


class DvcSource(TableFiles):
    """Rows of a data set in somebody else's DVC repository: one file, or all files of a folder."""

    kind: Literal["dvc"]
    repo: Address = Field(description="git URL or path; ${NAME} is read from the environment")
    path: Annotated[str, AfterValidator(_relative)] = Field(description="of the file or folder inside the repository")
    rev: str | None = Field(None, description="branch (followed as it moves), tag or commit; the default branch when null")
    remote: str | None = Field(None, description="name of the DVC remote, where it is not the repository's default")


class SimulatorSource(Rows):
    """Rows that are made, not measured: seeded, the same for the same times on any machine."""

    kind: Literal["simulator"]
    world: Literal["ad_clicks"] = "ad_clicks"
    seed: int = 7
    start: str = Field("2026-01-01", description="first day, YYYY-MM-DD")
    rows_per_hour: int = Field(60, ge=1)
    shift_at: str | None = Field(None, description="day on which the concept shifts, YYYY-MM-DD")


def _without_secrets(options: dict[str, Any]) -> dict[str, Any]:
    for name, value in options.items():
        if isinstance(value, str) and "${" not in value and _SECRETS.search(name):
            raise ValueError(f"the option '{name}' holds a secret, which does not belong in this file; {_INSTEAD}")
        if isinstance(value, str) and "://" in value:
            _without_secret(value)
    return options


class ModuleSource(Rows):
    """Rows that the pipeline's own code brings: one Python file beside pipeline.yaml."""

    kind: Literal["module"]
    module: str = Field(pattern=r"^[A-Za-z_]\w*$", description="name of the file beside pipeline.yaml, without .py")
    options: Annotated[dict[str, Any], AfterValidator(_without_secrets)] = Field(
        {}, description="what its code is told; ${NAME} in a text is read from the environment"
    )
    _folder: Path | None = PrivateAttr(None)

    def beside(self, folder: Path) -> ModuleSource:
        """Return the same source, with the folder in which its file is."""
        known = self.model_copy()
        known._folder = folder
        return known

    @property
    def file(self) -> Path:
        """Where its code is."""
        return (self._folder or Path()) / f"{self.module}.py"


Source = Annotated[FileSource | HttpSource | S3Source | SqlSource | DvcSource | ModuleSource | SimulatorSource, Field(discriminator="kind")]


def refuse_unfit(source: object, *, one_time_column: bool, with_key: bool) -> None:
    """Raise where a source asks of `columns` what they do not give.

    Raises:
        ValueError: a database's time is made of several columns, or late rows are looked for without a key.
    """
    if isinstance(source, SqlSource) and not one_time_column:
        raise ValueError("a database is asked by one time column; put it together in source.query and name it under columns.time")
    if isinstance(source, Rows) and source.lateness and not with_key:
        raise ValueError("source.lateness tells late rows from known ones by columns.key, which is empty; name the columns of the key")
