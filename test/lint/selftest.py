"""A check that cannot fail checks nothing: every rule is shown files that break it, and files that do not.

Each case is a small repository, and the violations that the rule must find in it, as (path, line), and no others.
"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import commit_hygiene
import docs_code
import file_length
import generated_pages
import isa_names
import repo
import room_graph


def page(*lines):
    return "\n".join(lines) + "\n"


class Rules(unittest.TestCase):
    def expect(self, rule, files, wanted, git=False):
        """Checks that `rule` finds exactly the violations `wanted` in `files`, a map from path to text or bytes."""
        with tempfile.TemporaryDirectory(prefix="mezzo-lint-") as name:
            root = Path(name).resolve()
            for path, content in files.items():
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content if isinstance(content, bytes) else content.encode())
            if git:
                subprocess.run(["git", "init", "-q", name], check=True)
                subprocess.run(["git", "-C", name, "add", "."], check=True)
            found = list(rule.check(root, root / "build"))
            self.assertEqual(sorted((v.path, v.line) for v in found), sorted(wanted), found)

    def test_file_length(self):
        files = {
            "lib/Long.cpp": "\n" * 601,
            "cmake/Long.cmake": "\n" * 700,
            "lib/CMakeLists.txt": "\n" * 601,
            "lib/Just.cpp": "\n" * 600,
            "docs/long.md": "\n" * 5000,
        }
        self.expect(file_length, files, [("lib/Long.cpp", 601), ("cmake/Long.cmake", 601), ("lib/CMakeLists.txt", 601)])

    def test_isa_names(self):
        bad = "emitAvx2 hasSSE4 kSSEWidth isX86 NeonTable sm_80 use_sse2 x_vnni toPtx arm_neon hasAMX sve2 Ssse3 sm90a"
        good = "assert(passes); ASSERT MESSAGE essential resolve transmit smooth_2 armor prism_80 assessed SMEAR"
        files = {"passes/Bad.cpp": "\n".join(bad.split()), "passes/Good.cpp": good, "targets/X86/Spell.cpp": bad}
        self.expect(isa_names, files, [("passes/Bad.cpp", line) for line in range(1, len(bad.split()) + 1)])

    def test_room_graph(self):
        files = {
            "lib/Number/A.h": '#include "lib/Layout/B.h"\n#include "llvm/ADT/StringRef.h"\n#include "include/mezzo/model.h"\n',
            "lib/Number/Bad.cpp": '#include "dialects/Mezzo/Mezzo.h"\n#include "mlir/IR/Builders.h"\n#include "llvm/IR/Module.h"\n',
            "dialects/Mezzo/Mezzo.h": '#include "lib/Number/A.h"\n#include "dialects/Mezzo/MezzoOps.h.inc"\n',
            "dialects/Mezzo/MezzoOps.td": 'include "mlir/IR/OpBase.td"\ninclude "targets/X86/X86.td"\n',
            "targets/X86/X86.cpp": '#include "Spell.h"\n#include "passes/Passes.h"\n',
            "targets/X86/Spell.h": "",
            "passes/Good.cpp": '#include "targets/Target.h"\n#include "targets/Strategy.h"\n#include "targets/Common/Link.h"\n',
            "passes/Bad.cpp": '#include "targets/X86/Spell.h"\n  #  include "tools/driver/Session.h"\n#include "../test/Help.h"\n',
            "test/Help.h": '#include "runtime/pool.h"\n#include "passes/Passes.h"\n',
            "runtime/pool.c": '#include <pthread.h>\n#include <mezzo/model.h>\n#include "lib/Number/A.h"\n#include "llvm/ADT/StringRef.h"\n',
            "python/module.cpp": '#include "mezzo/compiler.h"\n#include "tools/driver/Session.h"\n#include "tools/mezzo/main.h"\n',
            "include/mezzo/model.h": '#include <stdint.h>\n#include "runtime/pool.h"\n',
        }
        wanted = [
            ("lib/Number/Bad.cpp", 1),
            ("lib/Number/Bad.cpp", 2),
            ("lib/Number/Bad.cpp", 3),
            ("dialects/Mezzo/MezzoOps.td", 2),
            ("targets/X86/X86.cpp", 2),
            ("passes/Bad.cpp", 1),
            ("passes/Bad.cpp", 2),
            ("passes/Bad.cpp", 3),
            ("runtime/pool.c", 3),
            ("runtime/pool.c", 4),
            ("python/module.cpp", 3),
            ("include/mezzo/model.h", 2),
        ]
        self.expect(room_graph, files, wanted)

    def test_commit_hygiene(self):
        files = {
            "good.txt": "networks/root/x, /workshop, src/work/y, \u00e9\n",
            "path.txt": "fine\nsee " + "/" + "work/main/x\n",
            "home.sh": "cd " + "/" + "home/somebody\n",
            "root.py": "open('" + "/" + "root')\n",
            "binary.bin": b"line\n\0\1",
            "latin.txt": b"one\ntwo\ncaf\xe9\n",
            "big.txt": "x" * ((1 << 20) + 1),
        }
        wanted = [("path.txt", 2), ("home.sh", 1), ("root.py", 1), ("binary.bin", 2), ("latin.txt", 3), ("big.txt", 1)]
        self.expect(commit_hygiene, files, wanted)
        self.expect(commit_hygiene, files, wanted, git=True)

    def test_only_tracked_files_are_checked(self):
        with tempfile.TemporaryDirectory(prefix="mezzo-lint-") as name:
            root = Path(name).resolve()
            subprocess.run(["git", "init", "-q", name], check=True)
            (root / ".gitignore").write_text("ignored.cpp\n")
            (root / "untracked.cpp").write_text("\n" * 601)
            (root / "ignored.cpp").write_text("\n" * 601)
            self.assertEqual(repo.tracked(root), [])
            self.assertEqual(repo.present(root), [".gitignore", "untracked.cpp"])

    def test_docs_commands(self):
        fence = "`" * 3
        text = page(
            fence + "console",  # 1
            "$ echo hello; echo there",
            "hello",
            "$ echo hello",  # 4: shows what is not printed
            "goodbye",
            "$ false",  # 6
            "$ echo 12 ms | \\",
            "    tee time.txt",
            "... ms",
            "$ cat time.txt",
            "$ apt-get install no-such-package",
            "$ ./dev test",
            "$ ./dev dance",  # 13
            "$ git clone somewhere/mezzo",
            "$ cd mezzo",
            "$ cd docs",
            "$ test -f page.md",
            "$ cd nowhere",  # 18
            fence,
            fence + "text",
            "$ false",
            fence,
        )
        files = {"docs/page.md": text, "dev": "echo '  test  runs the tests'\n", "other.md": text}
        self.expect(docs_code, files, [("docs/page.md", line) for line in (4, 6, 13, 18)])

    def test_docs_programs(self):
        fence = "`" * 3
        text = page(
            fence + "python run",
            "open('made.txt', 'w').write('1')",
            fence,
            fence + "python run",
            "assert open('made.txt').read() == '2'",  # 5
            fence,
            fence + "python",
            "this is not run",
            fence,
            fence + "c run -DANSWER=42",
            "int main(void) { return ANSWER == 42 ? 0 : 1; }",
            fence,
            fence + "c run",
            "int main(void) { return 3; }",  # 14
            fence,
            fence + "c run",
            "this does not compile",  # 17
            fence,
        )
        self.expect(docs_code, {"README.md": text}, [("README.md", line) for line in (5, 14, 17)])

    def test_docs_links(self):
        text = page(
            "# A Title, with `code`!",
            "[good](docs/page.md) [good](docs/page.md#second-part) [good](#a-title-with-code) [good](https://example.org/x)",
            "[bad](docs/none.md)",
            "[bad](docs/page.md#third-part)",
            "[bad](/etc/passwd) `[not a link](nowhere)`",
            "[bad](../outside.md)",
            "~~~",  # 7: never closed
            "[not a link](nowhere)",
        )
        files = {"README.md": text, "docs/page.md": "## Second part\n[up](../README.md)\n"}
        self.expect(docs_code, files, [("README.md", line) for line in (3, 4, 5, 6, 7)])

    def test_generated_pages(self):
        files = {
            "build/docs/good.md": "one\n",
            "docs/generated/good.md": "one\n",
            "build/docs/changed.md": "one\ntwo\n",
            "docs/generated/changed.md": "one\n2\n",
            "build/docs/longer.md": "one\ntwo\n",
            "docs/generated/longer.md": "one\n",
            "build/docs/missing.md": "one\n",
            "docs/generated/nobody.md": "one\n",
        }
        wanted = [("changed.md", 2), ("longer.md", 2), ("missing.md", 1), ("nobody.md", 1)]
        self.expect(generated_pages, files, [(f"docs/generated/{name}", line) for name, line in wanted])
        self.expect(generated_pages, {"docs/generated/good.md": "one\n"}, [("docs/generated", 1)])

    def test_programs_print_and_fail(self):
        for content, code in (("\n" * 601, 1), ("\n", 0)):
            with tempfile.TemporaryDirectory(prefix="mezzo-lint-") as name:
                Path(name, "x.cpp").write_text(content)
                script = Path(file_length.__file__)
                done = subprocess.run([sys.executable, str(script), name], stdout=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, code)
                self.assertEqual(done.stdout.startswith("x.cpp:601: "), code == 1)


if __name__ == "__main__":
    unittest.main()
