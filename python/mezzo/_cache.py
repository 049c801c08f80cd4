"""Products that were compiled just in time: opened ones by key, over a folder of shared objects.

Both are bounded, and what was used last stays. Whatever lies in the folder may be deleted at any time, by anybody: it
is made again.
"""

import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from mezzo._mezzo import Error
from mezzo.session import InferenceSession

# Each opened product keeps threads, so there are few.
_OPEN_LIMIT = 16
_FOLDER_LIMIT = 4 << 30  # bytes
# A folder in which a process compiles, and that it left behind because it was killed.
_COMPILING = "compiling-"
_ABANDONED_AFTER = 24 * 3600  # seconds

_open: "OrderedDict[tuple[str, int], InferenceSession]" = OrderedDict()
_lock = threading.Lock()  # of the two dictionaries; nobody holds it for long
_turns: dict[str, threading.Lock] = {}  # held by the one who opens or compiles a key


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held them
    _turns.clear()


os.register_at_fork(after_in_child=_after_fork)


def session(key: str, threads: int, make: Callable[[str], None]) -> InferenceSession:
    """The product called `key`. Where there is none yet, make(path) compiles it to that path. Threads that ask for one
    key wait for one of them to make it; others do not wait."""
    with _lock:
        found = _open.get((key, threads))
        if found:
            _open.move_to_end((key, threads))
            return found
        turn = _turns.setdefault(key, threading.Lock())
    try:
        with turn:
            with _lock:
                found = _open.get((key, threads))
            if found is None:
                found = _open_file(key, threads, make)
            with _lock:
                _open[key, threads] = found
                while len(_open) > _OPEN_LIMIT:
                    _open.popitem(last=False)
            return found
    finally:
        with _lock:
            _turns.pop(key, None)


def _open_file(key: str, threads: int, make: Callable[[str], None]) -> InferenceSession:
    path = _folder() / f"linear-{key}.so"
    try:
        found = InferenceSession(path, threads=threads)
        os.utime(path)
        return found
    except (Error, OSError):  # not there, truncated, of another version, or for another CPU: it is made anew
        pass
    # Other processes may do the same: each compiles in a folder of its own, and the last one to finish wins. The file
    # is opened before it is shared, for from then on others may remove it.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=_COMPILING) as folder:
        output = os.path.join(folder, "linear.so")
        make(output)
        found = InferenceSession(output, threads=threads)
        os.replace(output, path)
    _evict(path.parent)
    return found


def _folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(base) / "mezzo"
    try:
        # What lies there is loaded as code: nobody else may write to it.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner, mode = folder.stat().st_uid, folder.stat().st_mode
    except OSError as error:
        raise Error(f"cannot use the cache folder '{folder}': {error.strerror}; set XDG_CACHE_HOME") from error
    if owner != os.getuid() or mode & 0o022:
        raise Error(f"others may write to the cache folder '{folder}', and code is loaded from it: set XDG_CACHE_HOME")
    return folder


def _evict(folder: Path) -> None:
    """Removes what was not used for longest, until the rest fits the limit."""
    files = []
    for entry in os.scandir(folder):
        try:
            status = entry.stat(follow_symlinks=False)
            if entry.name.startswith(_COMPILING):
                if time.time() - status.st_mtime > _ABANDONED_AFTER:
                    shutil.rmtree(entry.path, ignore_errors=True)
            else:
                files.append((status.st_mtime, status.st_size, entry.path))
        except FileNotFoundError:  # another process was faster
            pass
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > _FOLDER_LIMIT:
            Path(path).unlink(missing_ok=True)
