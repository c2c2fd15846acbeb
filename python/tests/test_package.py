import subprocess
import sys
from pathlib import Path

import headrace
import numpy as np
from material import SECOND, create_log, plan, random_events, statistical, write_log


def test_every_public_name_is_there() -> None:
    assert sorted(headrace.__all__) == headrace.__all__
    for name in headrace.__all__:
        assert hasattr(headrace, name)


def test_the_log_can_be_computed_from(tmp_path: Path) -> None:
    create_log(tmp_path / "log.db")
    events = random_events(np.random.default_rng(8), 50, entities=1)
    write_log(tmp_path / "log.db", events)
    of = plan([statistical("rows", "count", None, 1000 * SECOND)], retention=1000 * SECOND)
    shards = headrace.Shards(headrace.Needs([of]))
    shards.own({0: 1})
    for batch in headrace.Log(str(tmp_path / "log.db")).read(0, 50):
        shards.append(batch.schema, batch.columns, batch.positions, batch.keep)
    compiled = headrace.CompiledPlan(of, shards.needs)
    values = headrace.compute(compiled, shards, np.zeros(1, np.int32), 900 * SECOND)
    assert values.features.tolist() == [[50.0]]


def test_a_worker_does_without_pandas() -> None:
    code = "import sys, headrace.worker; print(sorted({'pandas', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout == "[]\n"
