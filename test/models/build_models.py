"""Writes models that the tests use: build_models.py NAME ... -o FOLDER

For each NAME, FOLDER/NAME.onnx and, for each of its inputs, FOLDER/NAME.INPUT.npy. `--list` prints the names. One name
always gives the same bytes.
"""

import argparse
import os
import sys

import numpy as np

from builders.bad import BAD_MODELS
from builders.catalogue import CATALOGUE
from builders.graph import save


def write(name, folder):
    """Returns the path of the model."""
    path = os.path.join(folder, f"{name}.onnx")
    if name in BAD_MODELS:
        BAD_MODELS[name][0](path)
        return path
    graph = CATALOGUE[name]()
    save(graph.model(), path)
    for tensor, values in graph.feeds.items():
        np.save(os.path.join(folder, f"{name}.{tensor}.npy"), values)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("-o", dest="folder", default=".", metavar="FOLDER")
    parser.add_argument("--list", action="store_true", help="print all names")
    arguments = parser.parse_args()
    known = [*CATALOGUE, *BAD_MODELS]
    if arguments.list:
        print("\n".join(known))
        return 0
    unknown = [name for name in arguments.names if name not in known]
    if unknown or not arguments.names:
        print(f"build_models: no model '{' '.join(unknown)}': --list prints the names", file=sys.stderr)
        return 2
    os.makedirs(arguments.folder, exist_ok=True)
    for name in arguments.names:
        print(write(name, arguments.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
