"""A pipeline's waiting line: requests that wait are answered together, one that finds nobody waiting is answered at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from serving.gateway.asks import Answer, Ask
from serving.gateway.errors import AnswerFailed, NotReady, Overloaded, TooLate
from serving.gateway.limits import Limits
from serving.gateway.pace import Pace

_Waiting = tuple[Ask, asyncio.Future[Answer]]
_QUICK_ROWS = 64  # so many are answered on the event loop at once, where the version is quick


class Line:
    """Takes requests on the event loop; a thread of its own answers them, so that the loop never waits for a model.

    Where the version is so quick that handing over to a thread would cost more than the answer, those that came in one turn of the loop
    are answered together on it; while one at a time comes, each is answered where it stands.

    Args:
        answer: sets the outcome of every request it is given; called for one micro-batch at a time.
        quick: whether what answers now is so quick.
        unseen: is told of each request that no model sees because of its caller's deadline: "refused" at once, or "dropped" from the line.
    """

    def __init__(
        self,
        name: str,
        answer: Callable[[list[Ask]], None],
        limits: Limits,
        quick: Callable[[], bool] = lambda: False,
        unseen: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._name, self._answer, self._limits, self._quick, self._unseen = name, answer, limits, quick, unseen
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._gathered: list[_Waiting] = []  # came in this turn of the loop
        self._pace = Pace()  # of the thread
        self._began: float | None = None  # when the thread began what it is at
        self._alone, self._in_turn = False, 0  # whether one at a time comes; how many were answered so in this turn
        self._open = True
        self.waiting_rows = 0  # changed on the loop only
        self._thread_rows = 0  # of those, what the thread has; changed on the loop only
        self._thread = threading.Thread(target=self._work, name=f"line-{name}", daemon=True)
        self._thread.start()

    async def ask(self, ask: Ask) -> Answer:
        """Wait for the answer to a request.

        Raises:
            Overloaded: too many rows wait already.
            NotReady: the gateway is stopping, or the request waited too long.
            TooLate: its deadline is past, or will be before its turn comes.
            BadRequest: a number in it is too large for the version.
            AnswerFailed: the version could not answer.
        """
        if not self._open:
            raise NotReady("The gateway is stopping.", "Ask another one.")
        if self.waiting_rows and self.waiting_rows + ask.rows > self._limits.waiting_rows:
            raise Overloaded(f"{self.waiting_rows} rows wait for '{self._name}', no more are taken.", "Try again in a second.")
        wait = self._wait()
        if wait > self._limits.wait_seconds:
            raise Overloaded(f"A request for '{self._name}' would wait {wait:.1f} s, no more are taken.", "Try again in a second.")
        if ask.deadline is not None and time.perf_counter() + wait >= ask.deadline:
            self._unseen("refused")
            raise TooLate(f"A request for '{self._name}' would not be answered before its deadline.", "Allow more time, or try again.")
        quick = not self._thread_rows and ask.rows <= _QUICK_ROWS and self._quick()
        if quick and self._alone:
            return self._answer_here(ask)
        future: asyncio.Future[Answer] = self._loop.create_future()
        self.waiting_rows += ask.rows
        if not quick:
            self._thread_rows += ask.rows
            self._queue.put((ask, future))
        else:
            if not self._gathered:
                self._loop.call_soon(self._answer_gathered)
            self._gathered.append((ask, future))
        return await (future if ask.deadline is None else self._until(ask.deadline, future))

    def close(self) -> None:
        """Take no more requests; those that wait are still answered."""
        self._open = False
        self._queue.put(None)

    def join(self, seconds: float) -> None:
        """Wait until those that waited when the line was closed are answered."""
        self._thread.join(seconds)

    def _wait(self) -> float:
        """Foretell how long a request would wait: as the pace says, or as long as the thread is at what it does, where that is more."""
        began, rows = self._began, self._thread_rows
        at_it = 0.0 if began is None else time.perf_counter() - began  # what took longer than foretold will not be over at once
        return max(at_it, self._pace.seconds(rows, -(-rows // self._limits.batch_rows)))

    async def _until(self, deadline: float, future: asyncio.Future[Answer]) -> Answer:
        """Wait no longer than the caller does; what a model has begun by then is logged, answered or not."""
        timer = self._loop.call_later(deadline - time.perf_counter(), self._give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    def _give_up(self, future: asyncio.Future[Answer]) -> None:
        if not future.done():
            future.set_exception(TooLate(f"The request for '{self._name}' was not answered before its deadline.", "Try again."))

    def _answer_due(self, batch: list[_Waiting]) -> int:
        """Have those answered whose callers still wait; return how many rows those are."""
        now = time.perf_counter()
        due = [ask for ask, _ in batch if ask.deadline is None or now < ask.deadline]
        if due:
            self._answer(due)
        for ask, _ in batch if len(due) < len(batch) else ():
            if ask.deadline is not None and now >= ask.deadline:
                ask.outcome = TooLate(f"The request for '{self._name}' waited beyond its deadline.", "Try again.")
                self._unseen("dropped")
        return sum(ask.rows for ask in due)

    def _answer_here(self, ask: Ask) -> Answer:
        if not self._in_turn:
            self._loop.call_soon(self._end_turn)
        self._in_turn += 1
        self._answer([ask])
        if isinstance(ask.outcome, Answer):
            return ask.outcome
        raise ask.outcome or AnswerFailed(f"'{self._name}' gave no answer.")

    def _end_turn(self) -> None:
        self._alone, self._in_turn = self._in_turn == 1, 0

    def _answer_gathered(self) -> None:
        """Answer what came in this turn; what is more than a few, or what the thread must not be overtaken by, goes to the thread."""
        batch, self._gathered = self._gathered, []
        self._alone = len(batch) == 1
        rows = sum(ask.rows for ask, _ in batch)
        if self._open and (rows > _QUICK_ROWS * 4 or self._thread_rows):
            self._thread_rows += rows
            for one in batch:
                self._queue.put(one)
            return
        self._answer_due(batch)
        self._settle(batch)

    def _work(self) -> None:
        going = True
        while going:
            taken = [self._queue.get()]
            rows = 0
            while taken[-1] is not None and (rows := rows + taken[-1][0].rows) < self._limits.batch_rows:
                try:
                    taken.append(self._queue.get_nowait())
                except Empty:
                    break
            going = taken[-1] is not None
            batch = [one for one in taken if one is not None]
            if batch:
                self._began = started = time.perf_counter()
                answered = self._answer_due(batch)
                self._began = None
                self._loop.call_soon_threadsafe(self._leave, batch, answered, time.perf_counter() - started)

    def _leave(self, batch: list[_Waiting], answered: int, seconds: float) -> None:
        self._thread_rows -= sum(ask.rows for ask, _ in batch)
        if answered:
            self._pace.saw(answered, seconds)
        self._settle(batch)

    def _settle(self, batch: list[_Waiting]) -> None:
        for ask, future in batch:
            self.waiting_rows -= ask.rows
            if future.done():  # the caller went away; the answer is in the log all the same
                continue
            if isinstance(ask.outcome, Answer):
                future.set_result(ask.outcome)
            else:
                future.set_exception(ask.outcome or AnswerFailed(f"'{self._name}' gave no answer."))
