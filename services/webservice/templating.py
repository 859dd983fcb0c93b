"""Sets up Jinja with our filters. Jinja escapes all values that are not `Markup`."""

import aiohttp_jinja2
import jinja2
from aiohttp import web

from runtime import clock
from services.webservice.rendering import chart, formatting


def set_up(app: web.Application) -> jinja2.Environment:
    """Set up the templates and return the Jinja environment. Undefined names are errors."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("services.webservice"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ago": lambda at: formatting.ago(at, now=clock.now()),
        "moment": formatting.moment,
        "day": formatting.day,
        "signed": formatting.signed,
        "price": formatting.price,
        "count": formatting.count,
        "topic": formatting.topic,
        "paragraphs": formatting.paragraphs,
        "web_address": formatting.web_address,
        "host": formatting.host,
        "meter": chart.meter,
    }
    environment.globals |= {"labels": formatting.LABELS, "signs": formatting.SIGNS}
    return environment
