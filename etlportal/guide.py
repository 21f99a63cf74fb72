"""The guide for the plant's people: ``docs/guida.md`` as a page of the portal, behind its "?".

The same file is read on the repository, with its pictures beside it: hence addresses in it are
relative, and the page stands at the address of the folder.
"""

from functools import cache
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt

FOLDER = settings.BASE_DIR / "docs"
PICTURES = FOLDER / "immagini"


def urls(site: AdminSite) -> list[URLPattern]:
    def page(request: HttpRequest) -> HttpResponse:
        heads, body = rendered()
        context = site.each_context(request) | {"title": _("Guida"), "heads": heads, "body": body}
        return TemplateResponse(request, "admin/guide.html", context)

    return [
        path("guida/", site.admin_view(require_safe(page)), name="guida"),
        path(
            "guida/immagini/<slug:name>.png",
            site.admin_view(require_safe(picture), cacheable=True),
            name="guida_immagine",
        ),
    ]


def picture(request: HttpRequest, name: str) -> FileResponse:
    """A slug has no dot and no slash: it names a file of this folder, or none."""
    file = PICTURES / f"{name}.png"
    if not file.is_file():
        raise Http404
    headers = {"Cache-Control": "private, max-age=86400"}
    return FileResponse(file.open("rb"), content_type="image/png", headers=headers)


@cache
def rendered() -> tuple[list[tuple[str, str]], str]:
    """The chapters (anchor, title) and the HTML, without the document's title: the page has one.

    An anchor is what the repository's page makes of the heading. HTML in the text is shown as text.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse((FOLDER / "guida.md").read_text(encoding="utf-8"))[3:]
    heads: list[tuple[str, str]] = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            anchor = slugify(inline.content, allow_unicode=True)
            token.attrSet("id", anchor)
            if token.tag == "h2":
                heads.append((anchor, inline.content))
    body: Any = markdown.renderer.render(tokens, markdown.options, {})
    return heads, body
