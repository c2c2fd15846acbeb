"""A worker: holds the rows of its shards and computes what it is asked.

``python -m headrace.worker --connect ipc://… --identity NAME`` is started by the engine, not by hand. It
takes frames (:mod:`headrace.wire.frames`) one by one, in one thread, and never reads a clock for a value."""

import argparse
import ctypes
import faulthandler
import io
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import zmq
from numpy.typing import NDArray

from headrace.compute import Values, compute
from headrace.expressions.request import texts_column
from headrace.functions.limits import Budget
from headrace.memory.dictionaries import Dictionaries
from headrace.memory.log import Log
from headrace.memory.rows import FAR
from headrace.memory.shards import Needs, Shards
from headrace.plans import Plans
from headrace.wire import frames
from headrace.wire.answer import encode_values
from headrace.wire.columns import decode_columns
from headrace.wire.frames import (
    AssignHeader,
    Frame,
    GroupAnswer,
    GroupHeader,
    ReloadHeader,
    SchemaSpec,
    WorkHeader,
    decode_frame,
    encode_frame,
)

BEAT_S: Final = 0.25
"""Pause between two signs of progress while loading."""

PARENT_CHECK_MS: Final = 1000

CALLS_S: Final = 5.0
"""How long all calls of Python features for one frame may take: half of what the engine takes for a hang."""


class Worker:
    """What a worker knows and does, apart from its process and socket."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet.

        Parameters
        ----------
        monotonic
            Seconds from an arbitrary start; for progress and durations only.
        """
        self.position = 0
        """All events up to here are applied."""
        self.draining = False
        self._monotonic = monotonic
        self._shards = Shards(Needs())
        self._log: Log | None = None
        self._dictionaries = Dictionaries(self._read_dictionary)
        self._plans = Plans(self._dictionaries.texts)
        self._budget = Budget(CALLS_S, monotonic)
        self._schemas: dict[str, SchemaSpec] = {}

    def hello(self) -> bytes:
        """Return the frame that a worker sends first."""
        header: frames.HelloHeader = {
            "pid": os.getpid(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        }
        return encode_frame(frames.HELLO, header)

    def handle(self, data: bytes) -> Iterator[bytes]:
        """Take a frame; yield the answers, each to be sent at once.

        Raises
        ------
        Exception
            Where a reload or an assignment fails: a worker without its rows is of no use, and should end.
        """
        try:
            frame = decode_frame(data)
            handler = {
                frames.RELOAD: self._reload,
                frames.ASSIGN: self._assign,
                frames.APPLY: self._work,
                frames.COMPUTE: self._work,
                frames.DRAIN: self._drain,
            }.get(frame.type)
            if handler is None:
                raise ValueError(f"a worker takes no frames of type {frame.type}")
        except Exception as error:
            traceback.print_exc()
            yield _error(0, error)
            return
        yield from handler(frame)

    def _drain(self, _: Frame) -> Iterator[bytes]:
        self.draining = True
        yield from ()

    def _reload(self, frame: Frame) -> Iterator[bytes]:
        header: ReloadHeader = frame.header
        self._schemas = header["schemas"]
        needs = Needs(header["plans"].values())
        covered = self._shards.needs.cover(needs)
        self._plans.replace(header["plans"], Path(header["folder"]).resolve(), same_rows=covered)
        if not covered:
            leases, count = self._shards.leases, self._shards.shard_count
            self._shards = Shards(needs, count)
            self._shards.own(leases)
            yield from self._load(self._shards, 0, self.position)
        self._plans.load_functions(self._shards.needs)

    def _assign(self, frame: Frame) -> Iterator[bytes]:
        header: AssignHeader = frame.header
        started = self._monotonic()
        self._log = Log(header["log"])
        count = int(header["shard_count"])
        if count != self._shards.shard_count:
            self._shards = Shards(self._shards.needs, count)
        wanted = {int(shard): int(lease) for shard, lease in header["shards"]}
        owned = {shard: lease for shard, lease in wanted.items() if shard in self._shards.leases}
        target = max(int(header["position"]), self.position)
        self._shards.own(owned)
        yield from self._load(self._shards, self.position, target)
        self.position = target
        fresh = Shards(self._shards.needs, count)
        fresh.own({shard: lease for shard, lease in wanted.items() if shard not in owned})
        yield from self._load(fresh, 0, target)
        self._shards.take(fresh)
        ready: frames.ReadyHeader = {
            "position": self.position,
            "rows": self._shards.row_count(),
            "load_ms": round((self._monotonic() - started) * 1000, 3),
        }
        yield encode_frame(frames.READY, ready)

    def _load(self, shards: Shards, after: int, until: int) -> Iterator[bytes]:
        """Read events of the log into shards; yield beats."""
        if until <= after or not shards.leases or not shards.needs.sources or self._log is None:
            return
        self._dictionaries.forget()
        beat = _Beat(self._monotonic, until - after)
        for batch in self._log.read(after, until):
            shards.append(batch.schema, batch.columns, batch.positions, batch.keep)
            yield from beat.progress(len(batch.positions))
        for rows in shards.all_rows():
            rows.settle()
            yield from beat.progress(0)

    def _work(self, frame: Frame) -> Iterator[bytes]:
        started = time.perf_counter()
        header: WorkHeader = frame.header
        id_ = int(header["id"])
        try:
            if int(header["previous"]) > self.position:
                yield from self._load(self._shards, self.position, int(header["position"]))
                self.position = int(header["position"])
            offset = self._apply(frame)
            self.position = max(self.position, int(header["position"]))
            groups = self._asked(header["groups"], frame.data, offset)
        except Exception as error:
            # Some rows may have been taken and others not: forget all; the next frame makes the log be read.
            traceback.print_exc()
            leases, needs = self._shards.leases, self._shards.needs
            self._shards = Shards(needs, self._shards.shard_count)
            self._shards.own(leases)
            self.position = 0
            yield _error(id_, error)
            return
        self._budget.begin()
        answers: list[GroupAnswer] = []
        blocks: list[bytes] = []
        calling = sum(self._plans.calls(asked.group["hash"]) for asked in groups)
        for asked in groups:
            budget = self._budget
            if self._plans.calls(asked.group["hash"]):
                budget = self._budget.share(calling)
                calling -= 1
            answer, block = self._answer(asked, budget)
            answers.append(answer)
            blocks.append(block)
        values: frames.ValuesHeader = {
            "id": id_,
            "position": self.position,
            "took_us": round((time.perf_counter() - started) * 1e6),
            "groups": answers,
        }
        yield encode_frame(frames.VALUES, values, b"".join(blocks))

    def _apply(self, frame: Frame) -> int:
        """Take the frame's events and dictionary entries; return where its groups' codes begin."""
        header: WorkHeader = frame.header
        for delta in header.get("dictionaries", ()):
            self._dictionaries.grow(delta)
        offset = frame.body
        for batch in header.get("batches", ()):
            n, last = int(batch["n"]), int(batch["position"])
            schema = self._schema(str(int(batch["schema"])))
            dtypes: list[Any] = [column["dtype"] for column in schema["columns"]]
            columns, offset = decode_columns(frame.data, dtypes, n, offset)
            known = self.position - (last - n)
            if known >= n:
                continue
            keep = None
            late = batch.get("late")
            if late or known > 0:
                keep = np.arange(n) >= known
                keep[late or []] = False
            self._shards.append(schema, columns, np.arange(last - n + 1, last + 1), keep)
            self.position = last
        return offset

    def _schema(self, key: str) -> SchemaSpec:
        if key not in self._schemas and self._log is not None:
            self._schemas = {**self._log.schemas(), **self._schemas}
        return self._schemas[key]

    @staticmethod
    def _asked(groups: list[GroupHeader], data: bytes | memoryview, offset: int) -> list["_Asked"]:
        """Read whom each group asks for, and find what its requests bring."""
        read: list[_Asked] = []
        for group in groups:
            (codes,), offset = decode_columns(data, ("i4",), int(group["n"]), offset)
            size = int(group.get("request", 0))
            read.append(_Asked(group, codes, data[offset : offset + size]))
            offset += size
        return read

    def _answer(self, asked: "_Asked", budget: Budget) -> tuple[GroupAnswer, bytes]:
        """Compute one group; what goes wrong in it spoils no other."""
        group, codes, inputs = asked
        position = self.position
        if group["position"] is not None:
            position = min(position, int(group["position"]))
        answer: GroupAnswer = {
            "hash": group["hash"],
            "as_of": int(group["as_of"]),
            "position": position,
            "n": len(codes),
        }
        try:
            plan = self._plans.plan(group["hash"], self._shards.needs)
            fence = position if position < self.position else FAR
            values = compute(plan, self._shards, codes, int(group["as_of"]), fence, budget)
            texts: dict[int, Sequence[str | None]] = {
                row: self._dictionaries.texts_of(name, values.features[row].tolist())
                for row, name in plan.dictionaries.items()
            }
            texts.update(values.texts)
            if values.failures:
                answer["failures"] = values.failures
            block = encode_values(plan, codes, self._shards.lease_of(codes), values, texts)
            if inputs:
                block += self._of_request(group["hash"], values, texts, inputs)
        except Exception as error:
            traceback.print_exc()
            answer["error"] = {"code": "internal", "message": _describe(error)}
            return answer, b""
        return answer, block

    def _of_request(
        self, key: str, values: Values, texts: Mapping[int, Sequence[str | None]], block: bytes | memoryview
    ) -> bytes:
        """Return the columns of the features that depend on the request, of which `block` has the inputs."""
        stored = {
            name: texts_column(texts[row]) if row in texts else values.features[row]
            for row, name in enumerate(self._plans.names(key))
        }
        return self._plans.request(key).evaluate(stored, block, values.features.shape[1])

    def _read_dictionary(self, name: str) -> list[str]:
        return self._log.dictionary(name) if self._log is not None else []


class _Asked(NamedTuple):
    """A group of a frame, with its part of the body."""

    group: GroupHeader
    codes: NDArray[np.int32]
    inputs: bytes | memoryview
    """The block of the requests' inputs; empty where the group has none."""


class _Beat:
    """Says now and then how far a load has come."""

    def __init__(self, monotonic: Callable[[], float], total: int) -> None:
        self._monotonic = monotonic
        self._total = total
        self._loaded = 0
        self._last = monotonic()

    def progress(self, events: int) -> Iterator[bytes]:
        self._loaded += events
        now = self._monotonic()
        if now - self._last >= BEAT_S:
            self._last = now
            header: frames.BeatHeader = {"loaded": self._loaded, "total": self._total}
            yield encode_frame(frames.BEAT, header)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _error(id_: int, error: Exception) -> bytes:
    header: frames.ErrorHeader = {"id": id_, "code": "internal", "message": _describe(error)}
    return encode_frame(frames.ERROR, header)


def serve(connect: str, identity: str) -> None:
    """Take frames until told to drain, or until the engine is gone.

    Parameters
    ----------
    connect
        Address of the engine's ROUTER socket.
    identity
        Name of this incarnation.
    """
    parent = os.getppid()
    worker = Worker()
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.IDENTITY, identity.encode())
        socket.setsockopt(zmq.LINGER, 1000)
        socket.connect(connect)
        socket.send(worker.hello())
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(sys.stdin.fileno(), zmq.POLLIN)
        while not worker.draining:
            events = dict(poller.poll(PARENT_CHECK_MS))
            if socket in events:
                for answer in worker.handle(socket.recv()):
                    socket.send(answer)
            if os.getppid() != parent or (
                sys.stdin.fileno() in events and not os.read(sys.stdin.fileno(), 4096)
            ):
                socket.setsockopt(zmq.LINGER, 0)
                return


def _follow_parent() -> None:
    """Ask Linux to end this process with the thread that started it."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m headrace.worker",
        description="A worker of Headrace: computes features for the engine that starts it. It ends when its"
        " standard input is closed, so keep that open where you start one by hand.",
    )
    parser.add_argument(
        "--connect",
        required=True,
        metavar="ADDRESS",
        help="the engine's ZeroMQ address, such as ipc:///tmp/engine",
    )
    parser.add_argument(
        "--identity", required=True, metavar="NAME", help="name of this worker, never used before"
    )
    options = parser.parse_args(arguments)
    faulthandler.enable()  # SIGABRT, which the engine sends to a hung worker, writes the stack
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the engine, which drains its workers
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # a function could catch an exception
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what functions print is logged as they print it
    _follow_parent()
    serve(options.connect, options.identity)


if __name__ == "__main__":
    main()
