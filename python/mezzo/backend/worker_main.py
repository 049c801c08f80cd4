"""The process in which `mezzo.backend` compiles and runs models; `worker_process` starts it and describes what the two
say to each other. Its argument is a folder for files; it ends when its stdin does."""

import os
import pickle
import struct
import sys
from typing import Any, BinaryIO

import mezzo


class Models:
    """Compiled models, by number."""

    def __init__(self, folder: str):
        self._folder = folder
        self._sessions: dict[int, mezzo.InferenceSession] = {}
        self._next = 0

    def compile(self, model: bytes, options: dict[str, Any]) -> int:
        key, self._next = self._next, self._next + 1
        source, output = (os.path.join(self._folder, f"m{key}.{kind}") for kind in ("onnx", "so"))
        with open(source, "wb") as file:
            file.write(model)
        try:
            mezzo.compile(source, output, in_process=True, **options)
            self._sessions[key] = mezzo.InferenceSession(output, threads=1)
        finally:
            self._remove(key)
        return key

    def run(self, key: int, inputs: Any) -> list[Any]:
        session = self._sessions[key]
        if not isinstance(inputs, dict):
            names = [argument.name for argument in session.get_inputs()]
            if len(inputs) != len(names):
                raise mezzo.Error(f"{len(inputs)} inputs for a model that has {len(names)}")
            inputs = dict(zip(names, inputs))
        return session.run(None, inputs)

    def forget(self, key: int) -> None:
        self._sessions.pop(key, None)

    def _remove(self, key: int) -> None:
        """An open model needs its files no more, and a failed one leaves none but its reproducer."""
        for name in os.listdir(self._folder):
            if name.startswith(f"m{key}."):
                os.remove(os.path.join(self._folder, name))


def serve(models: Models, requests: BinaryIO, answers: BinaryIO) -> None:
    while len(head := requests.read(8)) == 8:
        (length,) = struct.unpack("<Q", head)
        function, arguments = pickle.loads(requests.read(length))
        try:
            answer = ("ok", getattr(models, function)(*arguments))
        except mezzo.InternalError as error:
            answer = ("internal", str(error))
        except (mezzo.Error, TypeError) as error:
            answer = ("error", str(error))
        data = pickle.dumps(answer)
        answers.write(struct.pack("<Q", len(data)) + data)
        answers.flush()


def main() -> None:
    # Whatever a library might print must not get between the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        serve(Models(sys.argv[1]), sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
