import subprocess,re,pathlib,sys
for _ in range(4):
    out=subprocess.run(['.venv/bin/ruff','check','-q','--output-format','concise','--select','E501','.'],capture_output=True,text=True).stdout
    todo=[]
    for l in out.splitlines():
        m=re.match(r'([^:]+):(\d+):',l)
        if m: todo.append((m[1],int(m[2])))
    if not todo: break
    for f,n in sorted(todo,reverse=True):
        p=pathlib.Path(f); L=p.read_text().splitlines(); s=L[n-1]; ind=s[:len(s)-len(s.lstrip())]; b=s.strip()
        m=re.match(r'^(yield |return )?(f?)"(.*)"([,)]*)$',b)
        m2=re.match(r'^(.*\S)  # (.*)$',s)
        d=re.match(r'^("""|)([A-Z`].*[^"])(""")?$',b)
        if m and not re.search(r'(?<!\\)"',m[3]):
            kw,fp,body,tail=m[1] or '',m[2],m[3],m[4]
            cut=98-len(ind)-len(fp)-2-(4 if kw else 0)
            # find last space before cut with balanced braces
            best=None
            for i in range(min(cut,len(body)-1),20,-1):
                if body[i-1]==' ' and body[:i].count('{')==body[:i].count('}'): best=i; break
            if not best: print('no cut',f,n); continue
            a,c=body[:best],body[best:]
            fa='f' if fp and '{' in a else ''; fc='f' if fp and '{' in c else ''
            if fa=='' and fp: a=a.replace('{{','{').replace('}}','}')
            if kw: new=[f'{ind}{kw}(',f'{ind}    {fa}"{a}"',f'{ind}    {fc}"{c}"{tail}',f'{ind})']
            else: new=[f'{ind}{fa}"{a}"',f'{ind}{fc}"{c}"{tail}']
            L[n-1:n]=new
        elif m2 and len(m2[1])<=100:
            L[n-1:n]=[f'{ind}# {m2[2][0].upper()+m2[2][1:]}.'.replace('..','.'),m2[1]]
        else: print('left',f,n,b[:110]); continue
        p.write_text('\n'.join(L)+'\n')
    subprocess.run(['.venv/bin/ruff','format','-q','.'])
