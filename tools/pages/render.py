"""Renders notebooks and Markdown documents as the insides of pages, with nbconvert.

    python tools/pages/render.py ROOT < FILES > PAGES

FILES is a JSON list of paths below ROOT (.ipynb, .md). PAGES is a JSON list of {"file", "html"} in the same order. A
document is rendered as a notebook of one cell, so that there is one way for both. What a page must not hold (scripts,
formulas, anything from the network, an image without a description, a table without header cells) ends the run with
one line for each such file on stderr and exit code 1. Driven by tools/pages/render.ts.

The HTML is normalised: every attribute has double quotes, `& < > "` are escaped in text and attributes, there are no
comments, and headings have no attributes. tools/pages/ relies on that where it changes links and headings.
"""

import json
import re
import sys
import warnings
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup, Comment
from bs4.formatter import HTMLFormatter
from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from traitlets.config import Config

# Elements that run, load or embed something, or that change the page around them.
FORBIDDEN = "script iframe frame object embed form link meta base portal"
CODE_URL = re.compile(r"^\s*(javascript|vbscript|data:text)", re.IGNORECASE)
REMOTE_URL = re.compile(r"^\s*([a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
REMOTE_STYLE = re.compile(r"@import|url\(\s*['\"]?(?!data:|#)", re.IGNORECASE)


class Refused(Exception):
    """What a page must not hold."""


def refused(what):
    raise Refused(f"{what} cannot be shown on the site; show it as an image, a table or text")


class SiteRenderer(IPythonRenderer):
    """Markdown without formulas and diagrams: both would need a script from the network."""

    def block_math(self, body):
        raise Refused(f"a formula, {body.strip()[:60]!r}: the site renders none; write it as code, or `\\$` for a dollar")

    inline_math = block_math

    def latex_environment(self, name, body):
        return self.block_math(body)

    def block_mermaidjs(self, code):
        return refused("a mermaid diagram")


def check_element(element):
    """Refuses an element that runs something, asks the network or cannot be read aloud."""
    if element.name in FORBIDDEN.split():
        refused(f"<{element.name}>")
    if element.name == "img" and not element.get("alt", "").strip():
        raise Refused(f"an image without a description: {str(element)[:100]}; say what it shows (alt)")
    if element.name == "table" and element.find("th") is None:
        raise Refused(f"a table without header cells: {element.get_text(' ', strip=True)[:60]!r}")
    if element.name == "style" and REMOTE_STYLE.search(element.string or ""):
        refused("a style sheet that loads something")
    for name, value in element.attrs.items():
        value = " ".join(value) if isinstance(value, list) else value
        if name.startswith("on") or name == "srcdoc":
            refused(f'the attribute {name}="{value[:40]}"')
        if CODE_URL.match(value) and name in ("href", "src", "xlink:href", "action", "formaction"):
            refused(f'the address {name}="{value[:40]}"')
        if REMOTE_URL.match(value) and name not in ("href", "title", "alt"):
            refused(f'something from the network, {name}="{value[:80]}",')
        if name == "style" and REMOTE_STYLE.search(value):
            refused("a style that loads something")


# A table of exploreTable with its script behind it; the site has one script for all of them.
TABLE = re.compile(r'(<div class="explore-table".*</div>)<script>(?:(?!</script>).)*</script>\s*', re.DOTALL)


def checked(html):
    """HTML of a cell or an output, as it is but for the script of a table to explore. Raises Refused."""
    table = TABLE.fullmatch(html)
    html = table.group(1) if table else html
    for element in BeautifulSoup(html, "html.parser").find_all(True):
        check_element(element)
    return html


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def described(output):
    """An output in words: its text form, `[figure: Learning curves]` without the brackets."""
    text = " ".join(output.data.get("text/plain", "").split())
    text = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    return escaped(text or "image made by the cell above")


def script_json(value):
    """JSON that may stand in a script element: `<` would end it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


class SiteExporter(HTMLExporter):
    """HTMLExporter with the template beside this file."""

    def __init__(self):
        config = Config()
        config.TemplateExporter.extra_template_basedirs = [str(Path(__file__).parent)]
        super().__init__(config=config, template_name="template")
        for one in (checked, described, refused, script_json):
            self.register_filter(one.__name__, one)

    @pass_context
    def markdown2html(self, context, source):
        attachments = context.get("cell", {}).get("attachments", {})
        renderer = SiteRenderer(escape=False, attachments=attachments, exclude_anchor_links=True)
        return MarkdownWithMath(renderer=renderer).render(source)


def wrap(soup, element, **attributes):
    element.wrap(soup.new_tag("div", attrs=attributes))


def normalised(html):
    """The page's inside: no comments, header cells with a scope, what may be wider than the page in a scrolling box."""
    soup = BeautifulSoup(html, "html.parser")
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for heading in soup.find_all(re.compile(r"^h[1-6]$")):
        heading.attrs = {}
    for cell in soup.select("thead th"):
        cell["scope"] = "col"
    for table in soup.find_all("table"):
        if "scroll" not in table.parent.get("class", []):
            wrap(soup, table, **{"class": "scroll", "tabindex": "0", "role": "group", "aria-label": "Table"})
    for pre in soup.find_all("pre"):
        pre["tabindex"] = "0"
    for image in soup.select("p > img"):
        image["class"] = "paper"
    return soup.decode(formatter=HTMLFormatter(entity_substitution=escaped, void_element_close_prefix=""))


def read(path):
    if path.suffix == ".ipynb":
        return nbformat.read(path, as_version=4)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(path.read_text(encoding="utf-8"))])


def main(root):
    warnings.simplefilter("ignore")  # what cannot be shown is an error here
    exporter = SiteExporter()
    pages, problems = [], []
    for file in json.load(sys.stdin):
        try:
            html, _ = exporter.from_notebook_node(read(Path(root) / file))
        except Refused as problem:
            problems.append(f"{file}: {problem}")
            continue
        pages.append({"file": file, "html": normalised(html)})
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    json.dump(pages, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
