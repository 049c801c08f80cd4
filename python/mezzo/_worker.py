"""The child process in which `mezzo.compile` works: a request comes in on stdin, an answer goes out on stdout.

The request is {"function", "arguments"} in JSON; the answer is {"result"}, or {"error", "internal"}.
"""

import json
import os
import sys

from mezzo import _mezzo


def answer(request: dict) -> dict:
    try:
        return {"result": getattr(_mezzo, request["function"])(*request["arguments"])}
    except _mezzo.Error as error:
        return {"error": str(error), "internal": False}
    except _mezzo.InternalError as error:
        return {"error": str(error), "internal": True}


def main():
    # Whatever a library might print must not get between the parent and the answer.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        json.dump(answer(json.load(sys.stdin)), out)


if __name__ == "__main__":
    main()
