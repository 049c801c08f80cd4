"""Finds the one function that a compiled model exports, without loading it.

Loading a shared object runs its code, so a file that is no model is refused before that. What is read is the dynamic
symbol table of a 64-bit little-endian ELF file: section headers (System V ABI, chapter 4) lead to it and to its names.
"""

import struct

from mezzo._mezzo import Error

_SHT_DYNSYM = 11


def api_symbol(path: str) -> str:
    """The name of `<prefix>_api`. Errors: a file that cannot be read, or is no compiled model."""
    try:
        with open(path, "rb") as file:
            names = list(_dynamic_symbols(file))
    except OSError as error:
        raise Error(f"cannot read '{path}': {error.strerror or error}") from error
    except (struct.error, ValueError, OverflowError):
        raise Error(f"'{path}' is no compiled model: make one with mezzo.compile") from None
    for name in names:
        if name.endswith("_api"):
            return name
    raise Error(f"'{path}' exports no model: make one with mezzo.compile")


def _dynamic_symbols(file):
    """The names of the symbols that the file defines for others."""

    def read(offset, size):
        file.seek(offset)
        data = file.read(size)
        if len(data) != size:
            raise ValueError("truncated")
        return data

    size = file.seek(0, 2)
    header = read(0, 64)
    if header[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not ELF64, little-endian")
    (sections_at,) = struct.unpack_from("<Q", header, 40)
    entry_size, count = struct.unpack_from("<HH", header, 58)

    def section(index):
        # type, offset, size, link: the fields at 4, 24, 32 and 40 of a header
        data = read(sections_at + index * entry_size, 64)
        return struct.unpack_from("<I", data, 4) + struct.unpack_from("<QQI", data, 24)

    for index in range(count):
        kind, offset, length, link = section(index)
        if kind != _SHT_DYNSYM:
            continue
        _, names_at, names_size, _ = section(link)
        if length > size or names_size > size:
            raise ValueError("truncated")
        symbols, names = read(offset, length), read(names_at, names_size)
        for name, _, _, home, _, _ in struct.iter_unpack("<IBBHQQ", symbols[: length - length % 24]):
            if home:  # 0: it is defined elsewhere
                yield names[name : names.index(b"\0", name)].decode("utf-8", "replace")
