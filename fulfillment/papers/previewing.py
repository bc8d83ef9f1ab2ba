"""A picture of a stored paper's first page, for a look at it without opening it. Belongs in the child process."""

import io

import pypdfium2

from .types import PaperRefused

MOST_PIXELS = 640  # of the longer side


def preview(pdf: bytes) -> bytes:
    """The first page as a PNG in grey, at most 640 pixels high or wide. Raises PaperRefused."""
    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as error:
        raise PaperRefused("it cannot be read as a PDF") from error
    try:
        page = document[0]
        picture = page.render(scale=MOST_PIXELS / max(page.get_size()), grayscale=True).to_pil()
        page.close()
    finally:
        document.close()
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=False)
    return out.getvalue()
