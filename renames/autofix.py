import re,pathlib,collections,sys
M=collections.defaultdict(dict)
for f in ('lsp_run1','lsp_run5','lsp_run4','lsp_run_r1'):
    for l in open(f'renames/{f}.txt'):
        w=l.split()
        if len(w)==3:
            c,a=w[1].rsplit('.',1); M[a][c.split('.')[-1]]=w[2]
# all class attr renames too
T={}
for f in ('R1','R2','R3','R4','R5'):
    for l in open(f'renames/{f}.txt'):
        w=l.split('#')[0].split()
        if len(w)==3 and '(' not in w[1] and ':' not in w[1]:
            if '.' in w[1]: 
                c,a=w[1].rsplit('.',1); M[a].setdefault(c.split('.')[-1],w[2])
            else: T[(w[0],w[1])]=w[2]
bymod=collections.defaultdict(dict)
for (p,o),n in T.items():
    d=p.removesuffix('.py').replace('/','.').removesuffix('.__init__'); bymod[d][o]=n
    bymod[d.rsplit('.',1)[0]].setdefault(o,n)
log=open(sys.argv[1]).read(); done=0; left=[]
for m in set(re.findall(r"^([^:\s]+):(\d+): AttributeError: (.*)$",log,re.M)):
    f,n,msg=m; n=int(n)
    a=re.match(r"(?:type object )?'(\w+)' object has no attribute '(\w+)'",msg); b=re.match(r"module '([\w.]+)' has no attribute '(\w+)'",msg)
    old=new=None
    if a:
        old=a[2]; opts=M.get(old,{})
        new=opts.get(a[1]) or (next(iter(set(opts.values()))) if len(set(opts.values()))==1 else None)
    elif b: old=b[2]; new=bymod.get(b[1],{}).get(old)
    if not new: left.append((f,n,msg)); continue
    p=pathlib.Path(f); L=p.read_text().splitlines(keepends=True)
    hit=False
    for i in range(n-1,min(n+6,len(L))):
        s=re.sub(rf'\.{old}\b',f'.{new}',L[i])
        if s!=L[i]: L[i]=s; hit=True; break
    # same attr elsewhere in this test file: replace all when file is a test and attr unambiguous
    if hit:
        p.write_text(''.join(L)); done+=1
    else: left.append((f,n,msg))
print(done,'fixed'); print('\n'.join(map(str,left)))
