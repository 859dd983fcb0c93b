"""Questions and answers of the lab's name server."""

from ipaddress import IPv4Network

import pytest

from lab import dns
from lab.dns import Answer, Kind, Rcode

QUERY = bytes.fromhex("beef010000010000000000000663656e7472650377656203636f6d0000010001")


def test_a_question_is_read_with_its_number_name_and_kind():
    question = dns.parse(QUERY)

    assert question is not None
    assert (question.number, question.name, question.kind) == (0xBEEF, "centre.web.com", Kind.A)


@pytest.mark.parametrize("length", range(len(QUERY)))
def test_a_question_that_was_cut_off_is_none(length):
    assert dns.parse(QUERY[:length]) is None


def test_an_answer_is_no_question():
    assert dns.parse(QUERY[:2] + b"\x81" + QUERY[3:]) is None


def test_a_name_is_read_without_its_capitals():
    question = dns.parse(QUERY.replace(b"centre", b"CENtre"))

    assert question is not None
    assert question.name == "centre.web.com"
    assert b"CENtre" in dns.reply(question, Answer(Rcode.NO_ERROR))


def test_a_reply_repeats_the_question_and_carries_the_addresses():
    question = dns.parse(QUERY)
    assert question is not None

    reply = dns.reply(question, Answer(Rcode.NO_ERROR, ("192.0.2.1", "192.0.2.2")))

    assert reply[:12] == bytes.fromhex("beef81800001000200000000")
    assert reply[12 : len(QUERY)] == QUERY[12:]
    assert reply[len(QUERY) :] == bytes.fromhex(
        "c00c000100010000003c0004c0000201c00c000100010000003c0004c0000202"
    )


def test_a_refusal_carries_its_code_and_no_address():
    question = dns.parse(QUERY)
    assert question is not None

    assert dns.reply(question, Answer(Rcode.REFUSED))[2:8] == bytes.fromhex("818500010000")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ip-10-98-0-4", "10.98.0.4"),
        ("ip-10-98-0-4.eu-central-1.compute.internal", "10.98.0.4"),
        ("ip-10-98-0-4.example", None),
        ("ip-192-0-2-1", None),
        ("ip-ten", None),
        ("deb.example", None),
    ],
)
def test_an_instances_name_leads_to_its_address(name, address):
    assert dns.instance_address(name, IPv4Network("10.98.0.0/24")) == address
