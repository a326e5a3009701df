#!/usr/bin/env python3
"""Type-aware renames over a Python project, by driving basedpyright-langserver.

    rename.py [--root DIR] [--dry] [--leftovers] [FILE]      (no FILE: stdin)

One rename a line:  PATH OLD NEW
    peftcore/mix.py Mix MemberMixture            class, function or module variable
    peftcore/mix.py Mix.linear apply_linear      method, field or self.attribute (and its overrides)
    peftcore/runs.py Run.perform(worn) adapted   parameter (and that of overriding methods)
    peftcore/runs.py Run.perform:told result     local variable, comprehension variables included
"""
import argparse, ast, bisect, builtins, io, json, keyword, os, queue, re, subprocess, sys
import threading, time, tokenize
from pathlib import Path
from urllib.parse import quote, unquote, urlparse

HERE = Path(__file__).resolve().parent
FUNCS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Refused(Exception):
    pass


# ------------------------------------------------------------------------------- text positions
def lines_of(text):  # as LSP and ast count them: \n, \r\n, \r only (not \f, \x1c, ...)
    return re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)


class Source:
    """One file: text, tree, scopes; positions are (line from 0, character column)."""

    def __init__(self, path, text, base=None, shifts=None):
        self.path, self.text = path, text
        self.base = base or lines_of(text)  # what the server knows: it keeps its types that way
        self.shifts = shifts or {}  # line → {column in base: (length there, length now)}
        self._parsed = None

    def from_base(self, line, a, b):
        """Column and length now of what is at [a, b) of a line of the base."""
        here = self.shifts.get(line, {})
        moved = sum(now - was for col, (was, now) in here.items() if col < a)
        return a + moved, here[a][1] if a in here and here[a][0] == b - a else b - a

    def to_base(self, line, col):
        moved = 0
        for start, (was, now) in sorted(self.shifts.get(line, {}).items()):
            if start + moved < col:
                moved += now - was
        return col - moved

    def edited(self, text, places, was, now):
        shifts = {line: dict(cols) for line, cols in self.shifts.items()}
        for line, col in places:
            start = self.to_base(line, col)
            first = self.shifts.get(line, {}).get(start, (was, was))[0]
            shifts.setdefault(line, {})[start] = (first, now)
        return Source(self.path, text, self.base, shifts)

    def parsed(self):
        if self._parsed is None:
            self.lines = lines_of(self.text)
            self.tree = ast.parse(self.text)
            self._parsed = True
            self.scopes = Scopes(self)
        return self

    def at(self, lineno, byte_col):
        line = self.lines[lineno - 1]
        return lineno - 1, len(line.encode()[:byte_col].decode(errors="replace"))

    def pos(self, node):
        return self.at(node.lineno, node.col_offset)

    def name_pos(self, node, name):
        """Where the name stands in a def, class, alias, except-handler or match pattern."""
        line, col = self.pos(node)
        end = (node.end_lineno - 1) if not hasattr(node, "body") else line + 3
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        if isinstance(node, (*FUNCS, ast.ClassDef)):
            word = re.compile(rf"(?:def|class)\s+({re.escape(name)})(?!\w)")
        elif isinstance(node, (ast.alias, ast.ExceptHandler, ast.MatchAs)) and getattr(node, "asname", getattr(node, "name", None)) == name and not (isinstance(node, ast.alias) and node.asname is None):
            word = re.compile(rf"as\s+({re.escape(name)})(?!\w)")
            if isinstance(node, ast.MatchAs) and node.pattern is None:
                word = re.compile(rf"(?<!\w)({re.escape(name)})(?!\w)")
        for n in range(line, min(end, len(self.lines) - 1) + 1):
            found = word.search(self.lines[n], col if n == line else 0)
            if found:
                return n, found.start(found.re.groups)
        raise Refused(f"cannot locate {name!r} near {self.path}:{line + 1}")


def u16(line, col):
    return len(line[:col].encode("utf-16-le")) // 2


def from_u16(line, units):
    return len(line.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "replace"))


# ----------------------------------------------------------------------------------------- scopes
class Scope:
    def __init__(self, kind, node, parent):
        self.kind, self.node, self.parent = kind, node, parent
        self.binds, self.uses, self.outer = {}, [], set()  # binds: name → [pos]
        self.children = []
        if parent:
            parent.children.append(self)

    def chain(self):
        """The scopes in which a name used here is looked up, innermost first."""
        scope, out = self, [self]
        while scope.parent:
            scope = scope.parent
            if scope.kind != "class":
                out.append(scope)
        return out

    def find(self, name):
        for scope in self.chain():
            if name in scope.binds and name not in scope.outer:
                return scope
        return None

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


class Scopes(ast.NodeVisitor):
    def __init__(self, source):
        self.s, self.by_node, self.plain = source, {}, {}
        self.attrs, self.keywords = set(), set()
        self.now = self.top = Scope("module", source.tree, None)
        self.by_node[source.tree] = self.top
        self.generic_visit(source.tree)

    def bind(self, name, pos, scope=None):
        scope = scope or self.now
        scope.binds.setdefault(name, []).append(pos)
        self.plain[pos] = scope

    def inside(self, kind, node, visits, first=lambda: None):
        self.now = Scope(kind, node, self.now)
        self.by_node[node] = self.now
        first()
        for child in visits:
            self.visit(child)
        self.now = self.now.parent

    def args(self, a):
        for arg in [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg]:
            if arg:
                self.bind(arg.arg, self.s.pos(arg))

    def visit_func(self, node):
        self.bind(node.name, self.s.name_pos(node, node.name))
        a = node.args
        for child in [*node.decorator_list, *a.defaults, *a.kw_defaults, node.returns,
                      *(x.annotation for x in [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg] if x)]:
            if child:
                self.visit(child)
        self.inside("function", node, node.body, lambda: self.args(a))

    visit_FunctionDef = visit_AsyncFunctionDef = visit_func

    def visit_Lambda(self, node):
        for child in [*node.args.defaults, *node.args.kw_defaults]:
            if child:
                self.visit(child)
        self.inside("lambda", node, [node.body], lambda: self.args(node.args))

    def visit_ClassDef(self, node):
        self.bind(node.name, self.s.name_pos(node, node.name))
        for child in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(child)
        self.inside("class", node, node.body)

    def visit_comp(self, node):
        self.visit(node.generators[0].iter)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for n, g in enumerate(node.generators):
            parts += [g.target, *g.ifs] + ([g.iter] if n else [])
        self.inside("comp", node, parts)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comp

    def visit_NamedExpr(self, node):
        scope = self.now
        while scope.kind == "comp":
            scope = scope.parent
        self.bind(node.target.id, self.s.pos(node.target), scope)
        self.visit(node.value)

    def visit_Name(self, node):
        pos = self.s.pos(node)
        if isinstance(node.ctx, ast.Load):
            self.now.uses.append((node.id, pos))
            self.plain[pos] = self.now
        else:
            self.bind(node.id, pos)

    def visit_Attribute(self, node):
        line, col = self.s.at(node.end_lineno, node.end_col_offset)
        self.attrs.add((line, col - len(node.attr)))
        self.visit(node.value)

    def visit_keyword(self, node):
        if node.arg:
            self.keywords.add(self.s.pos(node))
        self.visit(node.value)

    def visit_alias(self, node):
        name = node.asname or node.name.split(".")[0]
        if name != "*":
            self.bind(name, self.s.name_pos(node, name))
        if node.asname:
            self.attrs.add(self.s.pos(node))  # the part before "as" binds nothing

    def visit_ExceptHandler(self, node):
        if node.name:
            self.bind(node.name, self.s.name_pos(node, node.name))
        self.generic_visit(node)

    def visit_MatchAs(self, node):
        if node.name:
            self.bind(node.name, self.s.name_pos(node, node.name))
        self.generic_visit(node)

    def visit_MatchStar(self, node):
        if node.name:
            self.bind(node.name, self.s.name_pos(node, node.name))

    def visit_Global(self, node):
        self.now.outer.update(node.names)

    visit_Nonlocal = visit_Global

    def scope_at(self, pos):
        """The scope of a plain name; inside strings, which ast places badly, the innermost body."""
        if pos in self.plain:
            return self.plain[pos]
        best = self.top
        for scope in self.top.walk():
            body = getattr(scope.node, "body", None)
            if scope.kind in ("function", "class") and body[0].lineno - 1 <= pos[0] <= scope.node.end_lineno - 1:
                best = scope
        return best


# -------------------------------------------------------------------------------- language server
class Server:
    def __init__(self, root, python):
        self.root, self.python, self.count, self.ready = root, python, 0, threading.Event()
        self.found = None
        log = open(HERE / "rename-server.log", "wb")
        self.proc = subprocess.Popen(
            [str(HERE / "venv/bin/basedpyright-langserver"), "--stdio"], cwd=root,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self.lock, self.answers = threading.Lock(), queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        uri = root.as_uri()
        self.ask("initialize", {
            "processId": os.getpid(), "rootUri": uri, "rootPath": str(root),
            "workspaceFolders": [{"uri": uri, "name": root.name}],
            "capabilities": {
                "general": {"positionEncodings": ["utf-16"]},
                "workspace": {"configuration": True, "workspaceFolders": True,
                              "workspaceEdit": {"documentChanges": True}},
                "textDocument": {"rename": {"prepareSupport": True},
                                 "diagnostic": {"dynamicRegistration": True}},  # pulled: never
            }})
        self.tell("initialized", {})
        self.tell("workspace/didChangeConfiguration", {"settings": None})

    def settings(self, section):
        analysis = {"extraPaths": [str(self.root), str(self.root / "tests")],
                    "exclude": ["**/.venv", "**/.*", "**/node_modules", "**/__pycache__"],
                    "typeCheckingMode": "off", "diagnosticMode": "openFilesOnly",
                    "autoSearchPaths": False, "useLibraryCodeForTypes": True, "logLevel": "Information"}
        whole = {"python": {"pythonPath": str(self.python), "analysis": analysis},
                 "basedpyright": {"analysis": analysis}, "pyright": {}}
        for part in (section or "").split("."):
            whole = whole.get(part, {}) if part else whole
        return whole

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        with self.lock:
            self.proc.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.proc.stdin.flush()

    def read(self):
        out = self.proc.stdout
        while True:
            size = None
            while (line := out.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            if size is None:
                self.answers.put(None)
                return
            message = json.loads(out.read(size))
            if "method" not in message:
                self.answers.put(message)
                continue
            params = message.get("params") or {}
            if message["method"] == "window/logMessage":
                if found := re.search(r"Found (\d+) source file|No source files", params["message"]):
                    self.found = int(found[1] or 0)
                    self.ready.set()
            if "id" in message:
                result = None
                if message["method"] == "workspace/configuration":
                    result = [self.settings(item.get("section")) for item in params["items"]]
                elif message["method"] == "workspace/applyEdit":
                    result = {"applied": False}
                self.send({"id": message["id"], "result": result})

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params, timeout=300):
        self.count += 1
        self.send({"id": self.count, "method": method, "params": params})
        end = time.time() + timeout
        while True:
            try:
                answer = self.answers.get(timeout=max(0.1, end - time.time()))
            except queue.Empty:
                raise Refused(f"the server gave no answer to {method} in {timeout} s") from None
            if answer is None:
                self.answers.put(None)
                raise Refused("the server has ended")
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise Refused(f"server: {answer['error'].get('message')}")
                return answer.get("result")

    def close(self):
        try:
            self.ask("shutdown", None, 5)
            self.tell("exit", None)
            self.proc.wait(5)
        except Exception:
            self.proc.kill()


# ---------------------------------------------------------------------------------------- project
class Project:
    def __init__(self, root, folders):
        self.root, self.files, self.renamed = root, {}, {}
        for folder in folders:
            for base, dirs, names in os.walk(root / folder):
                dirs[:] = sorted(d for d in dirs if not d.startswith(".") and d not in ("__pycache__", "node_modules"))
                for name in sorted(names):
                    path = Path(base, name)
                    if name.endswith(".py") and not path.is_symlink():
                        with open(path, encoding="utf-8", newline="") as f:
                            self.files[path.relative_to(root).as_posix()] = Source(
                                path.relative_to(root).as_posix(), f.read())

    def uri(self, rel):
        return (self.root / rel).as_uri()

    # -- classes and their families, found by name
    def classes(self):
        out = {}
        for rel, source in self.files.items():
            if "class " in source.text:
                for node, scope in source.parsed().scopes.by_node.items():
                    if scope.kind == "class":
                        out[rel, node] = None
        return out

    def families(self):
        index = self.classes()
        by_name, edges = {}, {}
        for rel, node in index:
            by_name.setdefault(node.name, []).append((rel, node))
        for rel, node in index:
            for base in node.bases:
                base = base.value if isinstance(base, ast.Subscript) else base
                name = base.id if isinstance(base, ast.Name) else getattr(base, "attr", None)
                options = by_name.get(name, [])
                if isinstance(base, ast.Name):
                    imported = self.imported(rel, name)
                    if imported:
                        name, ends = imported
                        options = [o for o in by_name.get(name, []) if o[0].endswith(ends)]
                        options = options or [o for o in by_name.get(name, []) if len(by_name[name]) == 1]
                    else:
                        options = [o for o in options if o[0] == rel]
                for option in options:
                    if option != (rel, node):
                        edges.setdefault((rel, node), set()).add(option)
        return edges

    def imported(self, rel, name):
        for node in ast.walk(self.files[rel].parsed().tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return alias.name, (node.module or "").split(".")[-1] + (".py" if node.module else "")
        return None

    def family(self, rel, node, defines):
        """The classes above and below this one that define the same member."""
        edges = self.families()
        down = {}
        for low, highs in edges.items():
            for high in highs:
                down.setdefault(high, set()).add(low)

        def reach(start, graph):
            seen, todo = set(), [start]
            while todo:
                for other in graph.get(todo.pop(), ()):
                    if other not in seen:
                        seen.add(other)
                        todo.append(other)
            return seen

        members, todo, around = {(rel, node)}, [(rel, node)], {(rel, node)}
        while todo:
            one = todo.pop()
            near = reach(one, edges) | reach(one, down)
            around |= near
            for other in near:
                if other not in members and defines(*other):
                    members.add(other)
                    todo.append(other)
        return members, around

    def member(self, rel, node, name):
        """Position of a member in a class: body first, else self.name = ... in a method."""
        source = self.files[rel].parsed()
        scope = source.scopes.by_node[node]
        if name in scope.binds:
            return scope.binds[name][0]
        for item in ast.walk(node):
            if isinstance(item, FUNCS) and item in source.scopes.by_node and source.scopes.by_node[item].parent is scope and item.args.args:
                me = item.args.args[0].arg
                for x in ast.walk(item):
                    if (isinstance(x, ast.Attribute) and x.attr == name and isinstance(x.ctx, ast.Store)
                            and isinstance(x.value, ast.Name) and x.value.id == me):
                        line, col = source.at(x.end_lineno, x.end_col_offset)
                        return line, col - len(name)
        return None

    def resolve(self, rel, qual):
        """The scope of a dotted name of classes and functions; a bare name may be nested if unique."""
        source = self.files[rel].parsed()
        scope = source.scopes.top
        for n, part in enumerate(filter(None, qual.split("."))):
            options = [s for s in scope.children if s.kind in ("class", "function") and s.node.name == part]
            if not options and n == 0:
                options = [s for s in source.scopes.top.walk() if s.kind in ("class", "function") and s.node.name == part]
                if len(options) > 1:
                    raise Refused(f"{part!r} is ambiguous: lines {', '.join(str(o.node.lineno) for o in options)}; qualify it")
            if not options and (rel, part) in self.renamed:
                now = self.renamed[rel, part]
                options = [s for s in scope.children if s.kind in ("class", "function") and s.node.name == now]
            if not options:
                raise Refused(f"no class or function {part!r} in {rel}")
            scope = options[-1]  # of overloads the implementation
        return scope

    def targets(self, rel, old):
        """[(file, position, scope that binds it)], last name, class family or None."""
        if found := re.fullmatch(r"([\w.]+)\((\w+)\)", old):
            scope, name = self.resolve(rel, found[1]), found[2]
            return self.param(rel, scope, name)
        if ":" in old:
            qual, name = old.rsplit(":", 1)
            scope = self.resolve(rel, qual)
            if scope.kind == "function" and name in {a.arg for a in ast.walk(scope.node.args) if isinstance(a, ast.arg)}:
                return self.param(rel, scope, name)
            out = []
            def look(s):
                if name in s.binds and name not in s.outer:
                    out.append((rel, s.binds[name][0], s))
                for c in s.children:
                    if c.kind in ("comp", "lambda"):
                        look(c)
            look(scope)
            if not out:
                raise Refused(f"{qual} binds no local {name!r}")
            return out, name, None
        qual, _, name = old.rpartition(".")
        scope = self.resolve(rel, qual)
        if scope.kind == "class":
            pos = self.member(rel, scope.node, name)
            if pos is None:
                raise Refused(f"class {qual} defines no {name!r} (rename it in the class that does)")
            members, around = self.family(rel, scope.node, lambda r, n: self.member(r, n, name))
            out = [(r, self.member(r, n, name), self.files[r].parsed().scopes.by_node[n]) for r, n in members]
            out.sort(key=lambda t: t[0] != rel)
            return out, name, around
        if name not in scope.binds:
            raise Refused(f"{rel} does not define {old!r}" + (f" (use {qual}:{name} or {qual}({name}))" if qual else ""))
        return [(rel, scope.binds[name][0], scope)], name, None

    def param(self, rel, scope, name):
        def args(s):
            return [a for a in ast.walk(s.node.args) if isinstance(a, ast.arg) and a.arg == name]
        if scope.kind == "class":
            scope = next((c for c in scope.children if c.kind == "function" and c.node.name == "__init__"), scope)
        if scope.kind != "function" or name not in scope.binds or not args(scope):
            raise Refused(f"no parameter {name!r}")
        out = []
        homes = [(rel, scope.parent.node)] if scope.parent.kind == "class" else []
        method = scope.node.name
        if homes and not (method.startswith("__") and method.endswith("__")):
            homes = self.family(rel, scope.parent.node, lambda r, n: any(
                isinstance(x, FUNCS) and x.name == method for x in n.body))[0]
        for r, n in homes:
            for c in self.files[r].parsed().scopes.by_node[n].children:
                if c.kind == "function" and c.node.name == method and args(c):
                    out.append((r, self.files[r].pos(args(c)[0]), c))
        if not homes:
            for c in scope.parent.children:  # overloads too
                if c.kind == "function" and c.node.name == method and args(c):
                    out.append((rel, self.files[rel].pos(args(c)[0]), c))
        return out, name, None

    # -- what a rename would capture
    def guard(self, targets, around, edits, old, new):
        for rel, node in around or ():
            if self.member(rel, node, new):
                raise Refused(f"class {node.name} in {rel} already has {new!r}")
        binders = {}
        for rel, pos, scope in targets:
            binders.setdefault(rel, set()).add(scope)
            if new in scope.binds:
                line = scope.binds[new][0][0] + 1
                raise Refused(f"{new!r} already exists in that scope, {rel}:{line}")
        for rel, places in edits.items():
            source = self.files[rel].parsed()
            sc = source.scopes
            mine = set(binders.get(rel, ()))
            for pos in places:
                before = source.lines[pos[0]][: pos[1]].rstrip()
                if pos in sc.attrs or pos in sc.keywords or (before.endswith(".") and pos not in sc.plain):
                    continue
                here = sc.scope_at(pos)
                home = here.find(old)
                if home is None:
                    continue  # a name in a string, say in __all__
                if pos in home.binds.get(old, ()):
                    mine.add(home)
                for scope in here.chain():
                    if new in scope.binds and new not in scope.outer:
                        raise Refused(f"{new!r} is bound at {rel}:{scope.binds[new][0][0] + 1} and would capture the use at line {pos[0] + 1}")
                    if scope is home:
                        break
            for home in mine:
                for scope in home.walk():
                    chain = scope.chain()
                    if home not in chain:
                        continue
                    for name, pos in scope.uses:
                        if name == new and not any(new in s.binds for s in chain[: chain.index(home)]):
                            raise Refused(f"{new!r} is used with another meaning at {rel}:{pos[0] + 1}, which the rename would capture")


def rename(project, server, rel, old, new, dry):
    rel = Path(rel).as_posix()
    if rel not in project.files:
        raise Refused(f"{rel} is not among the opened files")
    targets, name, around = project.targets(rel, old)
    new = re.split(r"[.:(]", new.rstrip(")"))[-1]
    if not new.isidentifier() or keyword.iskeyword(new):
        raise Refused(f"{new!r} is no identifier")
    if new == name:
        raise Refused("old and new name are the same")
    edits = {}
    for where, pos, _ in targets:
        if pos in edits.get(where, ()):
            continue  # came with another one
        source = project.files[where].parsed()
        assert source.lines[pos[0]][pos[1]:].startswith(name), (where, pos, name)
        before = source.to_base(*pos)
        answer = server.ask("textDocument/rename", {
            "textDocument": {"uri": project.uri(where)},
            "position": {"line": pos[0], "character": u16(source.base[pos[0]], before)},
            "newName": new})
        if not answer:
            raise Refused(f"the server renames nothing at {where}:{pos[0] + 1}")
        changes = [(c["textDocument"]["uri"], c["edits"]) if "textDocument" in c else (None, c)
                   for c in answer.get("documentChanges") or ()] or list((answer.get("changes") or {}).items())
        for uri, each in changes:
            if uri is None:
                raise Refused(f"the server wants more than text edits: {each}")
            path = Path(os.path.normpath(unquote(urlparse(uri).path)))
            there = path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else None
            if there not in project.files:
                raise Refused(f"would touch {path}, which is not among the opened files")
            other = project.files[there].parsed()
            for edit in each:
                start, end = edit["range"]["start"], edit["range"]["end"]
                line = other.base[start["line"]]
                a, b = from_u16(line, start["character"]), from_u16(line, end["character"])
                a, size = other.from_base(start["line"], a, b)
                line = other.lines[start["line"]][a:a + size]
                if start["line"] != end["line"] or line != name or edit["newText"] != new:
                    raise Refused(f"strange edit at {there}:{start['line'] + 1}: {line!r} → {edit['newText']!r}")
                edits.setdefault(there, set()).add((start["line"], a))
        if pos not in edits.get(where, ()):
            raise Refused(f"the server's edits miss the definition at {where}:{pos[0] + 1}")
    project.guard(targets, around, edits, name, new)
    fresh = {}
    for there, places in edits.items():
        lines = list(project.files[there].lines)
        for line, col in sorted(places, reverse=True):
            lines[line] = lines[line][:col] + new + lines[line][col + len(name):]
        fresh[there] = "".join(lines)
        try:
            ast.parse(fresh[there])
        except SyntaxError as error:
            raise Refused(f"{there} would no longer parse: {error}") from None
    if not dry:
        for there, text in fresh.items():
            with open(project.root / there, "w", encoding="utf-8", newline="") as f:
                f.write(text)
            project.files[there] = project.files[there].edited(text, edits[there], len(name), len(new))
    if not dry:
        parts = re.match(r"[\w.]+$", old) and old.rpartition(".")[2]
        if parts:
            project.renamed[rel, name] = new
    also = sorted({f"{r}:{p[0] + 1}" for r, p, _ in targets[1:]})
    return name, sum(map(len, edits.values())), len(edits), also


def leftovers(project, names):
    for name in names:
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        code, prose = [], []
        for rel, source in project.files.items():
            if not word.search(source.text):
                continue
            inner = set()
            for node in ast.walk(source.parsed().tree):  # names within f-strings
                if isinstance(node, ast.JoinedStr):
                    for x in ast.walk(node):
                        if getattr(x, "id", getattr(x, "attr", None)) == name and isinstance(x, (ast.Name, ast.Attribute)):
                            inner.add(x.end_lineno)
            code += [(rel, n) for n in inner]
            for t in tokenize.generate_tokens(io.StringIO(source.text).readline):
                if t.type == tokenize.NAME and t.string == name:
                    code.append((rel, t.start[0]))
                elif t.type in (tokenize.STRING, tokenize.COMMENT):
                    for found in word.finditer(t.string):
                        n = t.start[0] + t.string.count("\n", 0, found.start())
                        if n not in inner:
                            prose.append((rel, n))
        show = lambda places, most: " ".join(f"{r}:{n}" for r, n in places[:most]) + (" …" if len(places) > most else "")
        print(f"left {name}: {len(code)} in code {show(code, 5)} | {len(prose)} in text {show(prose, 3)}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("file", nargs="?", default="-")
    ap.add_argument("--root", default=".")
    ap.add_argument("--dry", action="store_true", help="only count")
    ap.add_argument("--leftovers", action="store_true", help="then list where the old names remain")
    ap.add_argument("--python", default=".venv/bin/python")
    ap.add_argument("--folders", default="peftcore,app,pages,tests")
    opts = ap.parse_args()
    text = sys.stdin.read() if opts.file == "-" else Path(opts.file).read_text()
    jobs = []
    for n, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line:
            jobs.append((n, line.split()))
    root = Path(opts.root).resolve()
    start = time.time()
    project = Project(root, opts.folders.split(","))
    server = Server(root, opts.python)
    failed, names = 0, []
    try:
        for rel, source in project.files.items():
            server.tell("textDocument/didOpen", {"textDocument": {
                "uri": project.uri(rel), "languageId": "python", "version": 1, "text": source.text}})
        if not server.ready.wait(120):
            print("warning: the server has not said that it found the source files", file=sys.stderr)
        print(f"# {len(project.files)} files open, server found {server.found}, {time.time() - start:.1f} s", flush=True)
        for n, parts in jobs:
            began = time.time()
            try:
                if len(parts) != 3:
                    raise Refused("not PATH OLD NEW")
                name, edits, files, also = rename(project, server, *parts, opts.dry)
                if name not in names:
                    names.append(name)
                print(f"ok   {' '.join(parts)}: {edits} edits in {files} files, {time.time() - began:.1f} s"
                      + (f"; with {' '.join(also)}" if also else ""), flush=True)
            except Exception as error:
                failed += 1
                kind = "" if isinstance(error, Refused) else f"{type(error).__name__}: "
                print(f"FAIL line {n}: {' '.join(parts)}: {kind}{error}", flush=True)
        if opts.leftovers:
            leftovers(project, names)
    finally:
        server.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
