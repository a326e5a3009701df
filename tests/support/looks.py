"""What a browser sees wrong on a page: labels over each other, controls that are cut, rules of axe.

All is measured from boxes as they are drawn, in our own components' roots too.
"""

from __future__ import annotations

EVERYWHERE = """
const everywhere = (selector, root = document) => {
  const found = [...root.querySelectorAll(selector)];
  for (const each of root.querySelectorAll('*'))
    if (each.shadowRoot) found.push(...everywhere(selector, each.shadowRoot));
  return found;
};
"""
# Of a label the middle of its height is compared: a box is taller than the letters in it.  Turned
# labels are compared as they lie, by the separating axes of their corners.
OVERLAPS = f"""() => {{
  {EVERYWHERE}
  const corners = (text) => {{
    const box = text.getBBox(), at = text.getScreenCTM();
    const [top, bottom] = [box.y + 0.25 * box.height, box.y + 0.75 * box.height];
    const [left, right] = [box.x + 1, box.x + box.width - 1];
    return [[left, top], [right, top], [right, bottom], [left, bottom]].map(
      ([x, y]) => [at.a * x + at.c * y + at.e, at.b * x + at.d * y + at.f]);
  }};
  const sides = (one, other) => [[one, 0], [one, 1], [other, 0], [other, 1]];
  const apart = (one, other) => sides(one, other).some(([box, side]) => {{
    const [from, to] = [box[side], box[side + 1]];
    const axis = [from[1] - to[1], to[0] - from[0]];
    const reach = (points) => points.map(([x, y]) => x * axis[0] + y * axis[1]);
    const [a, b] = [reach(one), reach(other)];
    return Math.max(...a) <= Math.min(...b) || Math.max(...b) <= Math.min(...a);
  }});
  const whole = {{opacityProperty: true, visibilityProperty: true}};
  const seen = (text) => text.textContent.trim() && text.checkVisibility(whole)
    && !text.closest('.hoverlayer, .modebar') && text.getBoundingClientRect().width > 2
    && getComputedStyle(text).fillOpacity !== '0';
  const found = [];
  for (const svg of everywhere('.js-plotly-plot, svg.attention-row, svg')) {{
    if (svg.matches('svg') && (svg.closest('.js-plotly-plot') || svg.clientWidth < 100)) continue;
    const lines = everywhere('text', svg).filter(seen).flatMap(
      (text) => text.querySelector('tspan.line') ? [...text.querySelectorAll('tspan.line')] : text);
    const labels = lines.filter((line) => line.textContent.trim() && line.getBBox().width).map(
      (line) => [line.textContent.trim().slice(0, 30), corners(line)]);
    for (let i = 0; i < labels.length; i++) for (let j = 0; j < i; j++)
      if (!apart(labels[i][1], labels[j][1])) found.push(`${{labels[j][0]}} | ${{labels[i][0]}}`);
  }}
  return found;
}}"""
# A control is cut where it leaves the window or a box that hides or scrolls what is too wide;
# tables scroll by themselves.  What a button says must fit into it; a list shows the rest on click.
CUT = f"""() => {{
  {EVERYWHERE}
  const main = document.querySelector('[data-testid="stMain"]');
  const parent = (each) => each.parentElement ?? each.getRootNode().host;
  const wide = '[data-testid="stDataFrame"], .js-plotly-plot, table, pre, [data-testid="stCode"]';
  const found = [];
  const controls = 'button, input:not([type="range"]), textarea, a[href], [role="slider"]';
  for (const control of everywhere(controls, main)) {{
    if (!control.checkVisibility({{opacityProperty: true, visibilityProperty: true}}))
      continue;
    const box = control.getBoundingClientRect();
    if (box.width < 4 || box.height < 4 || control.closest(wide)) continue;
    const name = (control.ariaLabel || control.textContent || control.value || '').trim();
    const style = getComputedStyle(control);
    if (style.opacity === '0' || style.clipPath !== 'none') continue;  // drawn by another element
    let cut = box.left < -1 || box.right > innerWidth + 1 ? 'window' : '';
    for (let each = parent(control); each && each !== main && !cut; each = parent(each)) {{
      const [own, around] = [getComputedStyle(each), each.getBoundingClientRect()];
      const beyond = box.right > around.right + 2 || box.left < around.left - 2;
      if (own.overflowX !== 'visible' && beyond)
        cut = each.dataset.testid || each.className.slice(0, 40);
    }}
    if (cut) found.push(`${{name.slice(0, 40)}} by ${{cut}}`);
  }}
  for (const label of everywhere('button p', main))
    if (label.checkVisibility() && label.scrollWidth > label.clientWidth + 1
        && getComputedStyle(label).overflowX !== 'visible')
      found.push(`${{label.textContent.slice(0, 40)}} in its button`);
  return found;
}}"""
SIDEWAYS = """() => {
  const main = document.querySelector('[data-testid="stMain"]');
  return main.scrollWidth - main.clientWidth;
}"""
# Streamlit marks up its own list of pages with headings between the items; that is not ours.
OURS = {"include": [["body"]], "exclude": [['[data-testid="stSidebarNav"]']]}


def grave_faults(page):
    """Return what axe calls serious or critical, of our own elements."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=OURS).response["violations"]
    return [
        (each["id"], each["help"], [node["html"][:200] for node in each["nodes"]][:3])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
