"""Identifiers with a word of the private dialect: file, and definitions. Usage: dialect.py PATHS..."""
import ast,re,sys
from pathlib import Path
D=("survey terrain ground parcel hands desk seat office shelf worn wear wearing dress told said held kin bury tend "
   "enlist dismiss reckon mend nought performing surveying probing weighing asking landscaping anatomy dissect").split()
def hit(name):
    name=re.sub(r"held_?out|ground_?truth","",name,flags=re.I)
    return [w for w in re.findall(r"[A-Z]?[a-z]+",name) if w.lower() in D or w.lower().removesuffix('s') in D]
tot=0
for r in sys.argv[1:] or ['peftcore','app','pages']:
    for p in ([Path(r)] if r.endswith('.py') else sorted(Path(r).rglob('*.py'))):
        if 'migrations' in p.parts: continue
        c={}
        for n in ast.walk(ast.parse(p.read_text())):
            name=getattr(n,'name',None) or getattr(n,'id',None) or getattr(n,'arg',None) or getattr(n,'attr',None)
            if isinstance(name,str) and hit(name): c.setdefault(name,[]).append(getattr(n,'lineno',0))
        for k,v in sorted(c.items()): print(f'{p}: {k} x{len(v)} lines {v[:8]}'); tot+=len(v)
print('total',tot)
