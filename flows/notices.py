"""Whom Prefect tells, by its own notification blocks, and the events of ours that it tells of."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from adapters.settings import Settings
from contracts.rollout import Act, DecisionRecord

if TYPE_CHECKING:
    from prefect.blocks.core import Block
    from prefect.client.orchestration import PrefectClient

NOTICE = "understudy.notice."  # events under this name are for people
_CHAT, _MAIL = "understudy-chat", "understudy-mail"
_NEWS = timedelta(hours=1)
_ACTS = {Act.PROMOTE: "promoted", Act.ROLLBACK: "rolled-back", Act.ABORT: "aborted", Act.PAUSE: "paused"}
_KINDS = {_CHAT: "custom-webhook", _MAIL: "slack-webhook"}


async def save_blocks(client: PrefectClient, settings: Settings) -> list[UUID]:
    """Keep one notification block for each address in the settings, and none for what is unset; return their ids."""
    from prefect.exceptions import ObjectNotFound

    saved = []
    for name, block in _blocks(settings).items():
        if block is not None:
            saved.append(await block.asave(name, overwrite=True, client=client))
            continue
        with suppress(ObjectNotFound):
            there = await client.read_block_document_by_name(name, _KINDS[name], include_secrets=False)
            await client.delete_block_document(there.id)
    return saved


def _blocks(settings: Settings) -> dict[str, Block | None]:
    from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
    from prefect.types import SecretDict
    from pydantic import SecretStr

    chat = settings.notify_url and CustomWebhookNotificationBlock(
        name="understudy",
        url="{{url}}",
        json_data={"text": "{{subject}}\n{{body}}"},  # what Slack, Mattermost, Rocket.Chat and Google Chat take
        secrets=SecretDict({"url": settings.notify_url}),  # whoever has the address may write there
    )
    # Prefect has no block for a mail server of one's own; this one hands any address that is not Slack's to Apprise as it is
    mail = settings.notify_email and SlackWebhook(url=SecretStr(settings.notify_email))
    return {_CHAT: chat or None, _MAIL: mail or None}


def tell(pipeline: str, kind: str, subject: str, body: str, number: UUID | None = None) -> None:
    """Say that something happened which people want to know; Prefect's server tells whom the settings name.

    Args:
        kind: what happened, such as `promoted`; the event is `understudy.notice.KIND`.
        number: the same one again is the same event.
    """
    from prefect.events import emit_event

    resource = {"prefect.resource.id": f"understudy.pipeline.{pipeline}", "prefect.resource.name": pipeline}
    emit_event(NOTICE + kind, resource=resource, payload={"pipeline": pipeline, "subject": subject, "body": body}, id=number)


def tell_decisions(pipeline: str, decisions: Iterable[DecisionRecord], now: datetime | None = None) -> list[str]:
    """Tell of every promotion, roll-back, abort and pause since the last call, whoever decided it; return what was told.

    How far it was told is kept in a Prefect variable; where there is none yet, only what is younger than an hour is news.
    """
    from prefect.variables import Variable

    name, now = f"understudy_told_{pipeline}", now or datetime.now(UTC)
    kept = Variable.get(name)
    told = None if kept is None else int(str(kept))
    done, newest = [], told or 0
    for one in sorted(decisions, key=lambda each: each.id):
        if one.id <= newest:
            continue
        newest = one.id
        if one.act in _ACTS and (told is not None or now - one.at <= _NEWS):
            done.append(_ACTS[one.act])
            version = f" version {one.version}" if one.version else ""
            tell(
                pipeline,
                _ACTS[one.act],
                f"{pipeline}: {_ACTS[one.act]}{version}",
                f"{one.reason} (by {one.actor})",
                uuid5(NAMESPACE_URL, f"understudy/{pipeline}/{one.id}/{one.at.isoformat()}"),
            )
    if newest != told:
        Variable.set(name, newest, overwrite=True)
    return done
