"""What the browser is told of the map."""

from app.labs.components import picker_component
from peftcore.adapters import component_map


def test_the_browser_is_told_every_cell_by_name_and_size():
    found = component_map.shipped_map("tiny-t5")
    told = picker_component.map_data(found)
    cells = [c for stack in told["stacks"] for row in stack["rows"] for c in row["cells"] if c]
    assert {cell["name"] for cell in [*cells, *told["words"]]} == set(found.sizes)
    assert cells[0]["words"] == "Encoder, layer 1, layer norm: 384 numbers"
    assert set(told["on"]) < set(found.sizes)
