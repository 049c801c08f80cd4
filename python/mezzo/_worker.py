"""The child process in which models are compiled; `_child` starts it and describes what the two say to each other."""

import json
import os
import sys
from typing import Any

from mezzo import _mezzo


def answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"results": [getattr(_mezzo, function)(*arguments) for function, arguments in request["calls"]]}
    except _mezzo.Error as error:
        return {"error": str(error), "internal": False}
    except _mezzo.InternalError as error:
        return {"error": str(error), "internal": True}


def main() -> None:
    # Whatever a library might print must not get between the answer and the parent.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        json.dump(answer(json.load(sys.stdin)), out)


if __name__ == "__main__":
    main()
