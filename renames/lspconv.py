import re,sys
cls={}
for f in sys.argv[2:]:
    for l in open(f):
        w=l.split('#')[0].split()
        if len(w)==3 and re.fullmatch(r'_?[A-Z]\w*',w[1]): cls[(w[0],w[1])]=w[2]
out=[]
for l in open(sys.argv[1]):
    w=l.split('#')[0].split()
    if len(w)!=3: continue
    c,a=w[1].rsplit('.',1); c='.'.join([cls.get((w[0],x),x) for x in c.split('.')])
    out.append(f'{w[0]} {c}.{a} {w[2]}')
print('\n'.join(out))
