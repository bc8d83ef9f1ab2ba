"""The one frame of the simulator's HTML pages: no script, no asset from elsewhere."""

from urllib.parse import urlsplit

from markupsafe import Markup
from werkzeug.wrappers import Request, Response

STYLE = Markup("""
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--main:#2450c8;--bad:#b3261e}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;margin:0;background:Canvas;color:CanvasText}
header{border-bottom:1px solid var(--line);padding:.8rem 1.5rem;display:flex;gap:1rem;align-items:baseline}
header b{font-size:1.05rem}
header span,small{opacity:.7}
main{max-width:76rem;margin:1.5rem auto;padding:0 1.5rem}
main.narrow{max-width:34rem}
h1{font-size:1.4rem;margin:.2rem 0 1rem}
h2{font-size:1.05rem;margin:0 0 .6rem}
section{border:1px solid var(--line);border-radius:10px;padding:1rem 1.2rem;margin:0 0 1.2rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(22rem,1fr));gap:1.2rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;font-size:.85rem}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.scroll{overflow:auto;max-height:24rem}
form.row{display:flex;flex-wrap:wrap;gap:.6rem;align-items:end}
form.row label{display:flex;flex-direction:column;font-size:.85rem;gap:.15rem}
input,select,button{ font:inherit; padding:.35rem .6rem; border:1px solid var(--line); border-radius:6px;
  background:Field; color:FieldText; max-width:100%}
button{cursor:pointer;background:var(--soft);color:inherit}
button.main{background:var(--main);border-color:var(--main);color:#fff}
:focus-visible{outline:2px solid var(--main);outline-offset:2px}
.choice{display:block;padding:.5rem .2rem}
fieldset{border:1px solid var(--line);border-radius:8px}
code{font-size:.88em}
.bad{color:var(--bad)}
.bad:empty{display:none}
.note{background:var(--soft);padding:.5rem .8rem;border-radius:6px}
@media(prefers-color-scheme:dark){:root{--main:#5b84f0;--bad:#ff8a80}
button.main{color:#000}}
""")


def page(title: str, body: Markup, *, status: int = 200, narrow: bool = False, form_to: str = "") -> Response:
    """One page; `form_to` is an address to which a form's answer may redirect (browsers check that too)."""
    html = Markup(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title} · Flipkart simulator</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        "<style>{style}</style></head><body><header><b>Flipkart simulator</b>"
        "<span>not Flipkart: made-up sellers, orders and people</span></header>"
        '<main class="{width}"><h1>{title}</h1>{body}</main></body></html>'
    ).format(title=title, style=STYLE, width="narrow" if narrow else "", body=body)
    response = Response(html, status, content_type="text/html; charset=utf-8")
    target = urlsplit(form_to)
    form_action = f"'self' {target.scheme}://{target.netloc}" if target.netloc else "'self'"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; "
        f"form-action {form_action}"
    )
    return response


def is_foreign(request: Request) -> bool:
    """Whether a browser sent this from another site's page (an absent Origin is a program, which may)."""
    origin = request.headers.get("Origin")
    return bool(origin) and origin != "null" and urlsplit(origin).netloc != request.host
