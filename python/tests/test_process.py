"""A worker's process, over a real socket."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from exchange import assign_frame, group, read_values, reload_frame, work_frame
from headrace.wire import frames
from headrace.wire.frames import Frame, decode_frame, encode_frame
from material import SECOND, Events, create_log, plan, statistical, write_log

PLAN = plan([statistical("sum", "sum", "delay", 60 * SECOND)])
PATIENCE_MS = 20_000


class Engine:
    """A ROUTER and one worker."""

    def __init__(self, folder: Path) -> None:
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.setsockopt(zmq.LINGER, 0)
        address = f"ipc://{folder}/s"
        self.router.bind(address)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headrace.worker", "--connect", address, "--identity", "w1"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )

    def receive(self) -> Frame:
        assert self.router.poll(PATIENCE_MS), "the worker did not answer"
        identity, data = self.router.recv_multipart()
        assert identity == b"w1"
        return decode_frame(data)

    def send(self, data: bytes) -> None:
        self.router.send_multipart([b"w1", data])

    def wait(self) -> int:
        return self.process.wait(PATIENCE_MS / 1000)

    def errors(self) -> bytes:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.router.close()
        self.context.term()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    engine.close()


def test_a_whole_life(engine: Engine, tmp_path: Path) -> None:
    hello = engine.receive()
    assert hello.type == frames.HELLO
    assert hello.header["pid"] == engine.process.pid
    create_log(tmp_path / "log.db")
    events = Events(np.arange(1, 5) * SECOND, [0, 1, 0, 1], [1.0, 2.0, 4.0, 8.0])
    write_log(tmp_path / "log.db", events[:2])
    engine.send(reload_frame({"p": PLAN}))
    engine.send(assign_frame(tmp_path / "log.db", 2, {0: 3, 1: 4}, shard_count=2))
    assert engine.receive().type == frames.READY
    os.kill(engine.process.pid, signal.SIGINT)  # meant for the engine
    engine.send(work_frame(2, 4, [group("p", [0, 1], 9 * SECOND)], [events[2:]]))
    _, (block,) = read_values(engine.receive().data, PLAN)
    assert (block["sum"], block["lease"]) == ([5.0, 10.0], [3, 4])
    engine.send(b"nonsense")
    assert engine.receive().type == frames.ERROR
    engine.send(work_frame(4, 4, [group("p", [1], 9 * SECOND)]))
    _, (block,) = read_values(engine.receive().data, PLAN)
    assert block["sum"] == [10.0]
    engine.send(encode_frame(frames.DRAIN, {}))
    assert engine.wait() == 0


def test_the_end_of_its_input_ends_it(engine: Engine) -> None:
    engine.receive()
    assert engine.process.stdin is not None
    engine.process.stdin.write(b"nothing that matters")
    engine.process.stdin.flush()
    engine.send(encode_frame(99, {}))
    assert engine.receive().type == frames.ERROR
    engine.process.stdin.close()
    engine.process.stdin = None
    assert engine.wait() == 0


def test_sigterm_ends_it(engine: Engine) -> None:
    engine.receive()
    engine.process.terminate()
    assert engine.wait() == 0


def test_sigabrt_writes_the_stack(engine: Engine) -> None:
    engine.receive()
    engine.process.send_signal(signal.SIGABRT)
    assert engine.wait() == -signal.SIGABRT
    errors = engine.errors()
    assert b"Current thread" in errors
    assert b"in serve" in errors


def test_a_failed_assignment_ends_it(engine: Engine, tmp_path: Path) -> None:
    engine.receive()
    engine.send(reload_frame({"p": PLAN}))
    engine.send(assign_frame(tmp_path / "none.db", 2, {0: 3}))
    assert engine.wait() == 1
    errors = engine.errors()
    assert b"unable to open database file" in errors


def test_help_is_complete() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "headrace.worker", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert "--connect ADDRESS" in done.stdout
    assert "--identity NAME" in done.stdout
    assert "standard input is closed" in " ".join(done.stdout.split())
