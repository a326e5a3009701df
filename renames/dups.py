import ast,collections,re
from pathlib import Path
files=[p for r in ('peftcore','app','pages') for p in Path(r).rglob('*.py') if 'migrations' not in p.parts]
F=collections.defaultdict(set); C=collections.defaultdict(set)
for p in files:
    t=ast.parse(p.read_text())
    for n in t.body:
        if isinstance(n,ast.FunctionDef) and not n.name.startswith('_'): F[n.name].add(str(p))
    for n in ast.walk(t):
        if isinstance(n,ast.ClassDef) and n.name!='Config': C[n.name].add(str(p))
print('CLASSES defined in several files (goal: none)')
for k,v in sorted(C.items()):
    if len(v)>1: print(' ',k,sorted(v))
print('PUBLIC FUNCTIONS in three or more files (goal: < 25 names)')
for k,v in sorted(F.items()):
    if len(v)>2: print(' ',k,sorted(v))
