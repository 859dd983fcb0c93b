from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from nacl.public import PrivateKey

from leader.term.mailbox import Mailbox
from runtime.errors import UnavailableError
from wire.messages import Leave, MalformedMessage
from wire.sealing import open_reply, public_text, seal_request

CURRENT, PREVIOUS, ASKER = (PrivateKey.generate() for _ in range(3))
MESSAGE = Leave(cluster="demo", instance="i-1", reason="x", at=datetime(2026, 11, 23, tzinfo=UTC))
KEY = public_text(ASKER.public_key)


def connected():
    """A mailbox, and the replies that it pushes by the name of their list."""
    pushed = {}

    async def answer(name, sealed):
        pushed[name] = sealed

    mailbox = Mailbox((CURRENT, PREVIOUS))
    mailbox.connect(SimpleNamespace(answer=answer))
    return mailbox, pushed


@pytest.mark.parametrize("own", [CURRENT, PREVIOUS])
async def test_a_reply_is_boxed_with_the_key_that_opened_its_request(own):
    mailbox, pushed = connected()
    opened = mailbox.open(seal_request(MESSAGE, sender=ASKER, leader=own.public_key))

    await mailbox.reply("list", MESSAGE, key=public_text(opened.sender), opened_by=opened.by)

    assert open_reply(pushed["list"], asker=ASKER, leaders=[own.public_key]) == MESSAGE


def test_a_request_for_another_leader_does_not_open():
    sealed = seal_request(MESSAGE, sender=ASKER, leader=PrivateKey.generate().public_key)

    with pytest.raises(MalformedMessage):
        connected()[0].open(sealed)


async def test_without_a_connection_no_reply_is_sent():
    mailbox, pushed = connected()
    mailbox.disconnect()

    assert not mailbox.is_connected
    with pytest.raises(UnavailableError, match="restarting"):
        await mailbox.reply("list", MESSAGE, key=KEY, opened_by=0)
    assert not pushed
