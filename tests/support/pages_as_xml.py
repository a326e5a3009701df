"""Read HTML and SVG strictly: every tag closed, in order; what is there and what it asks for."""

from html.parser import HTMLParser

VOID = {"meta", "input", "br", "img", "hr", "link"}


class Page(HTMLParser):
    """The elements of a page, in order, and its text; AssertionError for a tag left open."""

    def __init__(self, markup):
        super().__init__()
        self.elements, self.text, self._open = [], "", []
        self.feed(markup)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, f"{tag} closed that is not open"
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & {*self._open}:
            self.text += data

    def find(self, tag):
        """The attributes of every element of a name."""
        return [attributes for name, attributes in self.elements if name == tag]
