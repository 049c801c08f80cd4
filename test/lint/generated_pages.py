"""docs/generated holds what TableGen writes: each page equals the one that the build has made in build/docs."""

import repo

FOLDER = "docs/generated"
REMEDY = "run ./dev docs and commit what it writes"


def check(root, build):
    made = {path.name for path in (build / "docs").glob("*.md")}
    if not made:
        yield repo.Violation(FOLDER, 1, "the build has made no pages to compare with: run ./dev build docs")
        return
    kept = {path.name for path in (root / FOLDER).glob("*.md")}
    for name in sorted(made | kept):
        path = f"{FOLDER}/{name}"
        if name not in kept:
            yield repo.Violation(path, 1, f"the page is missing: {REMEDY}")
        elif name not in made:
            yield repo.Violation(path, 1, "nothing writes this page: remove it, or let docs/CMakeLists.txt make it")
        else:
            here = (root / path).read_text(encoding="utf-8").split("\n")
            there = (build / "docs" / name).read_text(encoding="utf-8").split("\n")
            if here != there:
                same = next((i for i, (a, b) in enumerate(zip(here, there)) if a != b), min(len(here), len(there)))
                yield repo.Violation(path, same + 1, f"the page is not what the .td files say now: {REMEDY}")


if __name__ == "__main__":
    repo.main(check)
