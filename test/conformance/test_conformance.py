"""Every node test of ONNX that is not in refused.txt passes; in CI a shard of them, another one each day."""

import os
import time

import conformance
import pytest
import suite

SHARDS = 8
SHARD = int(os.environ.get("MEZZO_CONFORMANCE_SHARD", time.time() // 86400)) % SHARDS


@pytest.fixture(scope="module")
def verdicts() -> list[suite.Verdict]:
    refused = conformance.read_refused()
    functions = {name: test for name, test in suite.cases("static").items() if name not in refused}
    return suite.run(dict(list(functions.items())[SHARD::SHARDS]), jobs=2)


def test_cases_pass(verdicts):
    failed = [f"{v.case}: {v.kind}: {v.message}" for v in verdicts if v.kind != "passed"]
    again = f"MEZZO_CONFORMANCE_SHARD={SHARD} ctest -R conformance"
    assert not failed, f"{len(failed)} of {len(verdicts)} cases of shard {SHARD} ({again}):\n" + "\n".join(failed)


def test_there_are_cases(verdicts):
    assert len(verdicts) > 50
