"""InfluxDB's line protocol."""

from services.stores.usage import Call


def test_a_call_is_one_line_whatever_its_tags_contain() -> None:
    call = Call(5, "t\n1", "a b,c=d", "/v1/news/{id}", "GET", 404, 1.25)
    assert call.line() == (
        r"call,account=a\ b\,c\=d,method=GET,route=/v1/news/{id},status=404,token=t\ 1"
        " latency_ms=1.250,count=1i,errors=1i 5"
    )
