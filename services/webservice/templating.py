"""The templates' environment: our filters, and escaping of everything that is not `Markup`."""

import aiohttp_jinja2
import jinja2
from aiohttp import web

from runtime import clock
from services.webservice.rendering import chart, wording


def set_up(app: web.Application) -> jinja2.Environment:
    """Give the application our templates; a name a template misspells is an error."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("services.webservice"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ago": lambda at: wording.ago(at, now=clock.now()),
        "moment": wording.moment,
        "day": wording.day,
        "signed": wording.signed,
        "price": wording.price,
        "count": wording.count,
        "topic": wording.topic,
        "paragraphs": wording.paragraphs,
        "web_address": wording.web_address,
        "host": wording.host,
        "meter": chart.meter,
    }
    environment.globals |= {"labels": wording.LABELS, "signs": wording.SIGNS}
    return environment
