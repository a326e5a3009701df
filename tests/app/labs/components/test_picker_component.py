"""What the browser gets to draw the map of components."""

from app.labs.components import picker_component
from peftcore.adapters import component_map


def test_the_browser_is_told_every_cell_by_name_and_size():
    found = component_map.shipped_map("tiny-t5")
    data = picker_component.map_data(found)
    cells = [c for stack in data["stacks"] for row in stack["rows"] for c in row["cells"] if c]
    assert {cell["name"] for cell in [*cells, *data["words"]]} == set(found.sizes)
    assert cells[0]["words"] == "Encoder, layer 1, layer norm: 384 numbers"
    assert set(data["on"]) < set(found.sizes)
