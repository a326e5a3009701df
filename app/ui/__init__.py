"""What every page draws with: widgets, charts, forms, links, panels."""
