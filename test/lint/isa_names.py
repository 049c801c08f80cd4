"""passes/ names no instruction set: what a machine can do is asked of targets/Target.h.

Comments count as well. A comment that explains a pass by one machine is a sign that the pass knows that machine.
"""

import re

import repo

# Most names occur in no English word and may stand anywhere, in any case. The others need a border: "sse" lies in
# "assert" and in "passes", "sm" and "arm" in half of the dictionary.
NAMES = re.compile(
    r"""
      (?i:avx | x86 | vnni | neon | ptx | aarch64 | i8mm | dotprod | amdgcn | riscv)
    | (?<![A-Za-z]) s{1,2}se [0-9]* (?![a-z])             # sse, ssse3, sse_width
    | (?<![A-Z]) S{2,3}E [0-9]* (?![A-Z][A-Z])            # hasSSE4, SSEWidth; not ASSERT
    | (?<![A-Za-z]) Ss{1,2}e [0-9_A-Z]                    # Sse2
    | (?<![A-Za-z]) (?i:sm_? [0-9]{2,3} a?) (?![0-9a-z])  # sm_80, sm_90a
    | (?<![A-Za-z]) (?:amx | sve2? | sme2?) (?![A-Za-z])
    | (?<![A-Z]) (?:AMX | SVE2? | SME2?) (?![A-Z])
    | (?<![A-Z]) (?:Amx | Sve2? | Sme2?) (?![a-z])
    """,
    re.VERBOSE,
)


def check(root, build):
    for path in repo.present(root):
        if not path.startswith("passes/"):
            continue
        for number, text in repo.lines(root, path):
            for match in NAMES.finditer(text):
                message = f"'{match.group()}' names an instruction set; ask targets/Target.h for a fact instead"
                yield repo.Violation(path, number, message)


if __name__ == "__main__":
    repo.main(check)
