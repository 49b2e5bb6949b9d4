"""Reads a report page back: its elements, tables, texts and embedded data."""

import json
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """Elements in their order as [tag, attributes, text within], with the tables' cells as texts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self._open = []
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {[element[0] for element in self._open]}"

    def handle_starttag(self, tag, attrs):
        element = [tag, dict(attrs), "", []]
        self.elements.append(element)
        for outer in self._open:
            outer[3].append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open[-1][0] == tag, f"{tag} ends {self._open[-1][0]}"
        self._open.pop()

    def handle_data(self, data):
        for element in self._open:
            element[2] += data

    def find(self, tag=None, **attributes):
        """The elements with this tag and these attributes (class_ for class)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            element
            for element in self.elements
            if tag in (None, element[0]) and all(element[1].get(name) == value for name, value in wanted.items())
        ]

    def table(self, element):
        """A table's lines as lists of texts."""
        return [
            [" ".join(cell[2].split()) for cell in row[3] if cell[0] in ("td", "th")]
            for row in element[3]
            if row[0] == "tr"
        ]

    def drawings(self):
        """The embedded figures and colours."""
        (element,) = self.find("script", id="drawings")
        return json.loads(element[2])
