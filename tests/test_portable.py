"""The project imports on systems without POSIX."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
POSIX_ONLY = {"fcntl", "resource", "pwd", "grp", "termios", "pty"}
# What only POSIX has is hidden from our own modules; packages may look and do without.
IMPORTS = f"""
import builtins, importlib, pkgutil
import peftcore

MISSING = {POSIX_ONLY!r}
real = builtins.__import__

def refusing(name, globals=None, locals=None, fromlist=(), level=0):
    ours = str((globals or {{}}).get("__name__", "")).startswith("peftcore")
    if ours and name.partition(".")[0] in MISSING:
        raise ImportError(f"{{name}} is imported by {{globals['__name__']}}")
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = refusing
failed = []
for info in pkgutil.walk_packages(peftcore.__path__, "peftcore."):
    if info.name == "peftcore.__main__" or info.name.startswith("peftcore.rating.migrations."):
        continue  # run, not imported: by python -m and by alembic
    try:
        importlib.import_module(info.name)
    except ImportError as error:
        failed.append(f"{{info.name}}: {{error}}")
print("\\n".join(failed))
"""


def test_every_module_imports_where_posix_modules_are_missing():
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr[-2000:]


def test_no_page_imports_what_only_posix_has():
    """Imports inside functions count too: a page draws on every system."""
    found = {
        f"{path.relative_to(ROOT)} imports {alias}"
        for folder in ("app", "pages")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for alias in imported_names(node)
        if alias.partition(".")[0] in POSIX_ONLY
    }
    assert not found


def imported_names(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
