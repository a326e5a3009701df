"""Batch renamer. ren.py [--dry] FILES... ; run with python3.13 from the root. Ambiguous attributes go to renames/lsp.txt"""
import ast, pathlib, re, sys, collections, builtins
ROOTS=('peftcore','app','pages','tests')
files=sorted(p for r in ROOTS for p in pathlib.Path(r).rglob('*.py'))
SRC={p:p.read_text() for p in files}
TREE={p:ast.parse(s) for p,s in SRC.items()}
def dotted(p): return '.'.join(p.with_suffix('').parts).removesuffix('.__init__')
MODULE={dotted(p):p for p in files}
# ---- scopes
class Scope:
    def __init__(s,node,parent,qual,kind): s.node,s.parent,s.qual,s.kind=node,parent,qual,kind; s.bound={}; s.names=[]; s.imports={}; s.children=[]; s.globals=set(); s.args=[]
    def add(s,name,pos=None): s.bound.setdefault(name,[]).append(pos)
class File: pass
INFO={}
def analyse(p):
    f=File(); f.scopes=[]; f.attrs=[]; f.calls=[]; f.imports=[]; f.strings=[]; f.classes={}
    tree=TREE[p]
    top=Scope(tree,None,'','module'); f.top=top; f.scopes.append(top)
    def new(node,parent,qual,kind):
        s=Scope(node,parent,qual,kind); parent.children.append(s); f.scopes.append(s); return s
    def join(s,n):
        q=s.qual if s.kind!='comp' else s.qual
        return (q+'.' if q else '')+n
    def visit(n,s):
        if isinstance(n,(ast.FunctionDef,ast.AsyncFunctionDef,ast.Lambda)):
            if not isinstance(n,ast.Lambda):
                s.add(n.name,('def',n))
                for d in n.decorator_list: visit(d,s)
                if n.returns: visit(n.returns,s)
            a=n.args
            for d in a.defaults+[x for x in a.kw_defaults if x]: visit(d,s)
            allargs=a.posonlyargs+a.args+a.kwonlyargs+([a.vararg] if a.vararg else [])+([a.kwarg] if a.kwarg else [])
            for x in allargs:
                if x.annotation: visit(x.annotation,s)
            c=new(n,s,join(s,n.name) if not isinstance(n,ast.Lambda) else s.qual,'func' if not isinstance(n,ast.Lambda) else 'comp')
            for x in allargs: c.add(x.arg,('arg',x)); c.args.append(x)
            for b in (n.body if isinstance(n.body,list) else [n.body]): visit(b,c)
            return
        if isinstance(n,ast.ClassDef):
            s.add(n.name,('def',n))
            for d in n.decorator_list+n.bases+[k.value for k in n.keywords]: visit(d,s)
            c=new(n,s,join(s,n.name),'class'); f.classes[c.qual]=c
            for b in n.body: visit(b,c)
            return
        if isinstance(n,(ast.ListComp,ast.SetComp,ast.DictComp,ast.GeneratorExp)):
            c=new(n,s,s.qual,'comp')
            for i,g in enumerate(n.generators):
                visit(g.iter,s if i==0 else c); visit(g.target,c)
                for x in g.ifs: visit(x,c)
            for k in ('elt','key','value'):
                if hasattr(n,k): visit(getattr(n,k),c)
            return
        if isinstance(n,ast.NamedExpr):
            t=s
            while t.kind=='comp' and not isinstance(t.node,ast.Lambda): t=t.parent
            t.add(n.target.id,('name',n.target)); t.names.append(n.target); visit(n.value,s); return
        if isinstance(n,ast.Name):
            if isinstance(n.ctx,(ast.Store,ast.Del)) and n.id not in s.globals: s.add(n.id,('name',n))
            s.names.append(n); return
        if isinstance(n,(ast.Import,ast.ImportFrom)):
            f.imports.append((n,s))
            for a in n.names:
                if isinstance(n,ast.ImportFrom):
                    full=f'{n.module}.{a.name}'
                    s.imports[a.asname or a.name]=('mod',full) if full in MODULE else ('obj',n.module,a.name,bool(a.asname))
                else:
                    s.imports[a.asname or a.name.split('.')[0]]=('mod',a.name if a.asname else a.name.split('.')[0])
            return
        if isinstance(n,ast.Attribute): f.attrs.append((n,s))
        if isinstance(n,ast.Call): f.calls.append((n,s))
        if isinstance(n,ast.Constant) and isinstance(n.value,str): f.strings.append((n,s))
        if isinstance(n,ast.ExceptHandler) and n.name: s.add(n.name,('exc',n))
        if isinstance(n,(ast.Global,ast.Nonlocal)): s.globals|=set(n.names)
        for c in ast.iter_child_nodes(n): visit(c,s)
    for b in tree.body: visit(b,top)
    INFO[p]=f
for p in files: analyse(p)
def lookup(name,s):
    """scope that binds name, or None"""
    first=True
    while s:
        if name in s.globals and s.kind=='func':
            s=s.parent; first=False
            while s and not (name in s.bound or name in s.imports): s=s.parent
            return s
        if (name in s.bound or name in s.imports) and not (s.kind=='class' and not first): return s
        if s.kind!='comp': first=False
        s=s.parent
    return None
# ---- class hierarchy by simple names
CL=collections.defaultdict(list)  # simple name -> [(path, scope)]
for p,f in INFO.items():
    for q,c in f.classes.items(): CL[q.split('.')[-1]].append((p,c))
def members(c):
    out=set(c.bound)
    for k in c.children:
        if k.kind=='func' and k.args:
            slf=k.args[0].arg
            def walk(s):
                for n in ast.walk(s.node):
                    if isinstance(n,ast.Attribute) and isinstance(n.ctx,(ast.Store,ast.Del)) and isinstance(n.value,ast.Name) and n.value.id==slf: out.add(n.attr)
            walk(k)
    return out
MEM={}; KEYOF={}
for p,f in INFO.items():
    for q,c in f.classes.items(): MEM[(p,q)]=members(c)
def bases(c):
    for b in c.node.bases:
        n=b.value if isinstance(b,ast.Subscript) else b
        yield n.attr if isinstance(n,ast.Attribute) else getattr(n,'id','')
UP=collections.defaultdict(set)
for p,f in INFO.items():
    for q,c in f.classes.items():
        for b in bases(c):
            cand=[(pp,cc.qual) for pp,cc in CL.get(b,[]) ]
            if len(cand)>1:
                same=[x for x in cand if x[0]==p]
                imp=f.top.imports.get(b)
                if same: cand=same
                elif imp and imp[0]=='obj': cand=[x for x in cand if dotted(x[0])==imp[1]] or cand
            UP[(p,q)]|=set(cand)
DOWN=collections.defaultdict(set)
for k,v in UP.items():
    for b in v: DOWN[b].add(k)
def family(key):
    seen={key}; todo=[key]
    while todo:
        k=todo.pop()
        for x in UP[k]|DOWN[k]:
            if x not in seen: seen.add(x); todo.append(x)
    return seen
# ---- read renames
TOP={}; LOCAL={}; ATTR=collections.defaultdict(dict); import json; LIB=set(json.load(open('renames/libattrs.json'))); PARAM=[]; LSP=[]; bad=[]
args=[a for a in sys.argv[1:] if not a.startswith('--')]
def classof(p,q):
    return q in INFO[p].classes
for a in args:
    for i,line in enumerate(pathlib.Path(a).read_text().splitlines(),1):
        raw=line; line=line.split('#')[0].strip()
        if not line: continue
        w=line.split()
        if len(w)!=3: bad.append(f'{a}:{i} format {raw}'); continue
        path,old,new=w; p=pathlib.Path(path); new=new.split('.')[-1]
        if p not in INFO: bad.append(f'{a}:{i} no file {path}'); continue
        f=INFO[p]
        if ':' in old:
            q,v=old.split(':'); LOCAL[(p,q,v)]=(new,f'{a}:{i}')
        elif '(' in old:
            q,v=old[:-1].split('('); PARAM.append((p,q,v,new,f'{a}:{i}'))
        elif '.' in old:
            q,v=old.rsplit('.',1)
            if q in f.classes: ATTR[v][(p,q)]=(new,f'{a}:{i}',line)
            else: bad.append(f'{a}:{i} no class {q}: {line}')
        else:
            if old not in f.top.bound: bad.append(f'{a}:{i} no top-level {old} in {path}'); continue
            if new in f.top.bound or new in f.top.imports:
                if (p,new) not in TOP: bad.append(f'{a}:{i} {new} exists in {path}: {line}')
            TOP[(p,old)]=(new,f'{a}:{i}')
EDITS=collections.defaultdict(dict) # path -> {(line,col): (oldlen,new)}
done=collections.Counter()
def edit(p,line,col,old,new,tag):
    src=SRC[p].splitlines()[line-1].encode()
    if src[col:col+len(old.encode())].decode(errors='replace')!=old: bad.append(f'{tag} position mismatch {p}:{line}:{col} {old}'); return
    k=(line,col)
    if k in EDITS[p] and EDITS[p][k][1]!=new: bad.append(f'{tag} conflict {p}:{line} {old}->{new} vs {EDITS[p][k][1]}'); return
    EDITS[p][k]=(old,new); done[tag]+=1
def def_pos(p,n):
    line=SRC[p].splitlines()[n.lineno-1]; m=re.search(r'\b(?:def|class)\s+('+n.name+r')\b',line); return n.lineno,len(line[:m.start(1)].encode())
def attr_pos(n):
    return n.end_lineno,n.end_col_offset-len(n.attr.encode())
def alias_positions(p,node,a):
    return a.lineno,a.col_offset
# captures check
def would_capture(s,new):
    t=s
    return new in s.bound or new in s.imports
def rename_binding(p,scope,old,new,tag):
    """all Name nodes resolving to scope, args, defs, except names"""
    if would_capture(scope,new) : bad.append(f'{tag} {new} already bound in {p} {scope.qual or "module"} ({old})')
    for kind,n in scope.bound.get(old,[]):
        if kind=='arg': edit(p,n.lineno,n.col_offset,old,new,tag)
        elif kind=='def': edit(p,*def_pos(p,n),old,new,tag)
        elif kind=='exc':
            line=SRC[p].splitlines()[n.lineno-1]; m=re.search(r'\bas ('+old+r')\b',line); edit(p,n.lineno,m.start(1),old,new,tag)
    def walk(s):
        for n in s.names:
            if n.id==old and lookup(old,s) is scope:
                edit(p,n.lineno,n.col_offset,old,new,tag)
                t=s
                while t is not scope:
                    if new in t.bound or new in t.imports: bad.append(f'{tag} {new} shadows in {p}:{n.lineno}')
                    t=t.parent
        for c in s.children: walk(c)
        for n in ast.walk(s.node) if s.kind=='func' else ():
            if isinstance(n,(ast.Global,ast.Nonlocal)) and old in n.names and s is not scope:
                pass
    walk(scope)
    # uses that already read the new name through this scope: captured
    def walk2(s):
        for n in s.names:
            if n.id==new and isinstance(n.ctx,ast.Load):
                t=lookup(new,s)
                u=s
                inside=False
                while u:
                    if u is scope: inside=True
                    u=u.parent
                if inside and (t is None or (t is not scope and t in ancestors(scope))):
                    bad.append(f'{tag} {new} in {p}:{n.lineno} would be captured (renaming {old})')
        for c in s.children: walk2(c)
    if scope.kind!='class': walk2(scope)
def ancestors(s):
    out=[]; s=s.parent
    while s: out.append(s); s=s.parent
    return out
# --- top-level
mod_obj={}
for (p,old),(new,tag) in TOP.items():
    rename_binding(p,INFO[p].top,old,new,tag)
    mod_obj[(dotted(p),old)]=(new,tag)
for p,f in INFO.items():   # a package that hands a name on
    for node,s in f.imports:
        if isinstance(node,ast.ImportFrom) and s is f.top:
            for a in node.names:
                if (node.module,a.name) in mod_obj and not a.asname:
                    mod_obj[(dotted(p),a.name)]=mod_obj[(node.module,a.name)]
for p,f in INFO.items():
    for n in TREE[p].body:
        if isinstance(n,ast.Assign) and getattr(n.targets[0],'id','')=='__all__':
            for c in n.value.elts:
                if (dotted(p),c.value) in mod_obj: edit(p,c.lineno,c.col_offset+1,c.value,mod_obj[(dotted(p),c.value)][0],'all')
for p,f in INFO.items():
    for node,s in f.imports:
        if isinstance(node,ast.ImportFrom):
            for a in node.names:
                key=(node.module,a.name)
                if key in mod_obj:
                    new,tag=mod_obj[key]
                    edit(p,a.lineno,a.col_offset,a.name,new,tag)
                    if not a.asname:
                        if new in s.bound or new in s.imports: bad.append(f'{tag} import {new} collides in {p}:{node.lineno}')
                        def walk(t):
                            for n in t.names:
                                if n.id==a.name and lookup(a.name,t) is s:
                                    edit(p,n.lineno,n.col_offset,a.name,new,tag)
                                    u=t
                                    while u is not s:
                                        if new in u.bound or new in u.imports: bad.append(f'{tag} {new} shadowed in {p}:{n.lineno}')
                                        u=u.parent
                            for c in t.children: walk(c)
                        walk(s)
    for n,s in f.attrs:
        # module attribute?
        m=module_of=None
        v=n.value
        if isinstance(v,ast.Name):
            sc=lookup(v.id,s)
            if sc and v.id in sc.imports and sc.imports[v.id][0]=='mod': m=sc.imports[v.id][1]
        elif isinstance(v,ast.Attribute):
            try: d=ast.unparse(v)
            except Exception: d=''
            if d in MODULE: m=d
        n._module=m
        if m and (m,n.attr) in mod_obj:
            new,tag=mod_obj[(m,n.attr)]; edit(p,*attr_pos(n),n.attr,new,tag)
# --- params and locals
def scopes_at(p,q): return [s for s in INFO[p].scopes if s.qual==q and s.kind=='func']
for (p,q,v),(new,tag) in LOCAL.items():
    q2=q.replace('.<lambda>','')
    ss=[s for s in INFO[p].scopes if s.qual==q2 and s.kind in('func','comp')]
    ss=[s for s in ss if v in s.bound]
    if q2 in('','<module>'):
        ss=[s for s in INFO[p].scopes if s.qual=='' and v in s.bound]
    if not ss: bad.append(f'{tag} no local {v} in {p} {q}'); continue
    for s in ss:
        if v in s.bound: rename_binding(p,s,v,new,tag)
FN=collections.defaultdict(list)
for (p,q,v,new,tag) in PARAM:
    name=q.split('.')[-1]; parts=q.split('.')
    owner='.'.join(parts[:-1])
    targets=[]
    if q in INFO[p].classes: owner=q; name='__init__'
    if owner in INFO[p].classes:
        for (pp,qq) in family((p,owner)):
            for s in scopes_at(pp,f'{qq}.{name}'):
                if v in s.bound: targets.append((pp,s))
    else: targets=[(p,s) for s in scopes_at(p,q) if v in s.bound]
    if not targets: bad.append(f'{tag} no parameter {v} of {q} in {p}'); continue
    for pp,s in targets:
        if not any(k=='arg' for k,_ in s.bound[v]): bad.append(f'{tag} {v} is no parameter in {pp} {s.qual}'); continue
        rename_binding(pp,s,v,new,tag)
    callee=[name] if name!='__init__' else [qq.split('.')[-1] for _,qq in family((p,owner))]+(['super().__init__'])
    for pp,f in INFO.items():
        for c,s in f.calls:
            fn=c.func; cn=fn.attr if isinstance(fn,ast.Attribute) else getattr(fn,'id','')
            if cn in callee:
                for k in c.keywords:
                    if k.arg==v: edit(pp,k.lineno,k.col_offset,v,new,tag)
# --- attributes
def definers(v): return {k for k,m in MEM.items() if v in m}
for v,who in ATTR.items():
    news={n for n,_,_ in who.values()}
    fam=set()
    for k in who: fam|=family(k)
    D=definers(v)
    outside=D-fam
    if v in LIB: outside=outside|{('library','')}
    if (len(news)>1 or outside) and v.startswith('_'):
        for k,(new,tag,line) in who.items():
            for (p,q) in family(k):
                c=INFO[p].classes[q]
                if v in c.bound: rename_binding(p,c,v,new,tag)
                for n,s in INFO[p].attrs:
                    if n.attr==v and isinstance(n.value,ast.Name):
                        u=s
                        while u and not (u.kind=='func' and u.parent is c): u=u.parent
                        if u and u.args and n.value.id==u.args[0].arg: edit(p,*attr_pos(n),v,new,tag)
        continue
    if len(news)>1 or outside:
        for k,(n,tag,line) in who.items(): LSP.append(f'{line}   # outside: {[str(a)+":"+b for a,b in outside][:3]} news {news}')
        continue
    new=news.pop(); tag=next(iter(who.values()))[1]
    for (p,q) in fam:
        c=INFO[p].classes[q]
        if v in c.bound: rename_binding(p,c,v,new,tag)
        if new in MEM[(p,q)]: bad.append(f'{tag} {new} is a member of {p} {q} already')
    for p,f in INFO.items():
        for n,s in f.attrs:
            if n.attr==v and not n._module: edit(p,*attr_pos(n),v,new,tag)
        for c,s in f.calls:
            fn=c.func; cn=fn.attr if isinstance(fn,ast.Attribute) else getattr(fn,'id','')
            if cn in {q.split('.')[-1] for _,q in fam} or cn in('replace','cls'):
                for k in c.keywords:
                    if k.arg==v and cn!='cls': edit(p,k.lineno,k.col_offset,v,new,tag)
                    elif k.arg==v and cn=='cls' and any(pp==p for pp,_ in fam): edit(p,k.lineno,k.col_offset,v,new,tag)
# --- strings in tests: setattr(..., "old", ...)
ATT1={v:next(iter(w.values()))[0] for v,w in ATTR.items() if len({n for n,_,_ in w.values()})==1}
TOPN=collections.defaultdict(set)
for (p,o),(n,t) in TOP.items(): TOPN[o].add(n)
for p,f in INFO.items():
    for c,s in f.calls:
        fn=c.func; cn=fn.attr if isinstance(fn,ast.Attribute) else getattr(fn,'id','')
        if cn in('setattr','delattr','getattr','hasattr','object') :
            for a in c.args[:2]:
                if isinstance(a,ast.Constant) and isinstance(a.value,str):
                    t=a.value; q=SRC[p].splitlines()[a.lineno-1].encode()
                    new=None
                    if re.fullmatch(r'\w+',t) and a is c.args[min(1,len(c.args)-1)]:
                        o=c.args[0]
                        if isinstance(o,ast.Name):
                            sc=lookup(o.id,s); im=sc and sc.imports.get(o.id)
                            if im and im[0]=='mod' and (im[1],t) in mod_obj: new=mod_obj[(im[1],t)][0]
                            elif not(im and im[0]=='mod') and t in ATT1: new=ATT1[t]
                        elif t in ATT1: new=ATT1[t]
                    elif re.fullmatch(r'[\w.]+',t):
                        m,o=t.rsplit('.',1)
                        if (m,o) in mod_obj: new=m+'.'+mod_obj[(m,o)][0]
                    if new and new!=t: edit(p,a.lineno,a.col_offset+1,t,new,'string')
print('\n'.join(bad)); print(len(bad),'problems;',sum(map(len,EDITS.values())),'edits in',len(EDITS),'files;',len(LSP),'for the server')
pathlib.Path('renames/lsp.txt').write_text('\n'.join(LSP)+'\n')
if '--dry' not in sys.argv:
    for p,es in EDITS.items():
        lines=SRC[p].splitlines(keepends=True)
        for (l,c),(old,new) in sorted(es.items(),reverse=True):
            b=lines[l-1].encode(); lines[l-1]=(b[:c]+new.encode()+b[c+len(old.encode()):]).decode()
        p.write_text(''.join(lines))
