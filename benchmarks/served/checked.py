"""Connections that ask without pause and keep every answer, so that each of them can be checked afterwards."""

from __future__ import annotations

import http.client
import json
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; times are of the monotonic clock, `version` is empty where it failed."""

    sent: float
    answered: float
    version: str = ""
    said: float = 0.0


class Asking(ABC):
    """So many connections that ask without pause, each in a thread of its own, as a context."""

    def __init__(self, connections: int) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(connections)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @abstractmethod
    def _ask(self, number: int) -> None:
        """Ask over one connection until told to stop."""


class Checked(Asking):
    """Connections on one URL.

    Args:
        body: one request of one row, in the Open Inference Protocol.
    """

    def __init__(self, url: str, body: bytes, connections: int) -> None:
        super().__init__(connections)
        self.answers: list[Answer] = []
        self._url, self._body = urlsplit(url), body

    def _ask(self, _number: int) -> None:
        connection = http.client.HTTPConnection(self._url.netloc, timeout=_TIMEOUT)
        while not self._stop.is_set():
            self.answers.append(self._one(connection))
        connection.close()

    def _one(self, connection: http.client.HTTPConnection) -> Answer:
        sent = time.monotonic()
        try:
            connection.request("POST", self._url.path, self._body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            read = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()  # the next request opens it again; this one counts as failed
            return Answer(sent, time.monotonic())
        answered = time.monotonic()
        if answer.status != http.client.OK:
            return Answer(sent, answered)
        told = json.loads(read)
        return Answer(sent, answered, told["model_version"], told["outputs"][0]["data"][0])
