"""What Mailer makes of a real SMTP server, whatever that server does."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.notifier.delivery.addresses import Party
from services.notifier.delivery.domain import Accepted, Deferred, Rejected
from services.notifier.delivery.message import Content, Head, build_message
from services.notifier.delivery.smtp import Mailer, TlsMode
from tests.news import WAIT_SECONDS
from tests.parts.certificates import Certificate, make_certificate
from tests.parts.process import refusing_port
from tests.parts.smtp import Drop, Hang, Reply, SmtpServer, Step

SENDER = "steward@group.example"
READER = "ana@north.example"
MESSAGE = build_message(
    Head("delivery-1", "window-1", Party("Steward", SENDER), Party("Ana", READER), datetime(2026, 6, 1, tzinfo=UTC)),
    Content("A subject", "First line\n.\nA line after a lone dot, ü\n", "<p>Words</p>"),
)
MAIL_STEPS: tuple[Step, ...] = ("mail", "rcpt", "data", "content")
SESSION_STEPS: tuple[Step, ...] = ("connect", "starttls", "auth")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def server_tls(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


def plain_mailer(server: SmtpServer, timeout: float = WAIT_SECONDS) -> Mailer:
    return Mailer(host="127.0.0.1", port=server.port, sender=SENDER, tls=TlsMode.NONE, timeout=timeout)


def protected_mailer(
    server: SmtpServer, ca_file: Path | None, tls: TlsMode = TlsMode.STARTTLS, password: str | None = None
) -> Mailer:
    username = "steward" if password else None
    return Mailer(
        host="127.0.0.1",
        port=server.port,
        sender=SENDER,
        tls=tls,
        username=username,
        password=password,
        timeout=WAIT_SECONDS,
        ca_file=ca_file,
    )


async def test_what_is_accepted_arrives_whole_at_the_one_recipient() -> None:
    async with SmtpServer() as server:
        outcome = await plain_mailer(server).send(MESSAGE, READER)
    assert outcome == Accepted(250, "2.0.0 taken over")
    [received] = server.messages
    assert (received.mail_from, received.rcpt_to) == (SENDER, READER)
    assert received.message["Message-ID"] == "<delivery-1@group.example>"
    body = received.message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == ["First line", ".", "A line after a lone dot, ü"]


@pytest.mark.parametrize("step", [*MAIL_STEPS, "connect"])
async def test_a_4xx_answer_defers_at_every_step(step: Step) -> None:
    async with SmtpServer() as server:
        server.script(step, Reply("451 4.3.0 busy, come back"))
        outcome = await plain_mailer(server).send(MESSAGE, READER)
    assert outcome == Deferred(451, "4.3.0 busy, come back")
    assert server.messages == []


@pytest.mark.parametrize("step", [*MAIL_STEPS, "connect"])
async def test_a_5xx_answer_rejects_and_blames_the_address_only_at_rcpt(step: Step) -> None:
    async with SmtpServer() as server:
        server.script(step, Reply("550 5.1.1 no such user"))
        outcome = await plain_mailer(server).send(MESSAGE, READER)
    assert outcome == Rejected(550, "5.1.1 no such user", recipient_refused=step == "rcpt")
    assert server.messages == []


@pytest.mark.parametrize("code", [450, 550])
@pytest.mark.parametrize("step", ["starttls", "auth"])
async def test_an_answer_before_the_mail_counts_by_its_code_too(
    step: Step, code: int, server_tls: ssl.SSLContext, certificate: Certificate
) -> None:
    async with SmtpServer(tls_context=server_tls, credentials=("steward", "right")) as server:
        # The client offers each of the two mechanisms that the server lists.
        server.script(step, *[Reply(f"{code} not now")] * 2)
        outcome = await protected_mailer(server, certificate.ca, password="right").send(MESSAGE, READER)
    expected = Deferred(450, "not now") if code == 450 else Rejected(550, "not now", recipient_refused=False)
    assert outcome == expected


async def test_a_refused_relay_is_not_held_against_the_address() -> None:
    async with SmtpServer() as server:
        server.script("rcpt", Reply("554 5.7.1 relay access denied"))
        outcome = await plain_mailer(server).send(MESSAGE, READER)
    assert outcome == Rejected(554, "5.7.1 relay access denied", recipient_refused=False)


@pytest.mark.parametrize("step", ["connect", "ehlo", *MAIL_STEPS, "accepted"])
async def test_a_server_that_hangs_at_any_step_defers_when_the_one_timeout_ends(step: Step) -> None:
    async with SmtpServer() as server:
        server.script(step, Hang())
        outcome = await plain_mailer(server, timeout=0.4).send(MESSAGE, READER)
    assert outcome == Deferred(None, f"127.0.0.1:{server.port} gave no answer within 0.4 s")


@pytest.mark.parametrize("step", ["connect", "ehlo", *MAIL_STEPS, "accepted"])
async def test_a_connection_dropped_at_any_step_defers(step: Step) -> None:
    async with SmtpServer() as server:
        # Refused EHLO makes the client try HELO on the same connection, which is gone by then.
        server.script(step, Drop())
        outcome = await plain_mailer(server).send(MESSAGE, READER)
    assert isinstance(outcome, Deferred)
    assert outcome.code is None
    assert outcome.text.startswith(f"127.0.0.1:{server.port}: ")


async def test_a_message_kept_by_a_server_that_dropped_after_data_comes_again_under_the_same_id() -> None:
    async with SmtpServer() as server:
        server.script("accepted", Drop())
        mailer = plain_mailer(server)
        assert isinstance(await mailer.send(MESSAGE, READER), Deferred)
        assert isinstance(await mailer.send(MESSAGE, READER), Accepted)
    assert [received.message["Message-ID"] for received in server.messages] == ["<delivery-1@group.example>"] * 2


@pytest.mark.parametrize("action", [Hang(), Drop(), Reply("421 4.3.0 shutting down"), Reply("garbage")])
async def test_what_was_accepted_stays_accepted_however_the_server_says_goodbye(action: Hang | Drop | Reply) -> None:
    async with SmtpServer() as server:
        server.script("quit", action)
        # The goodbye may take what is left of the timeout, and a server that hangs makes it do so.
        timeout = 10.0 if isinstance(action, Hang) else WAIT_SECONDS
        outcome = await plain_mailer(server, timeout).send(MESSAGE, READER)
    assert isinstance(outcome, Accepted)


@pytest.mark.parametrize("answer", ["HTTP/1.1 400 Bad Request", "999 what", "250-never ends\r\n250-" + "x" * 40_000])
async def test_an_answer_that_is_not_smtp_defers(answer: str) -> None:
    async with SmtpServer() as server:
        server.script("mail", Reply(answer))
        outcome = await plain_mailer(server).send(MESSAGE, READER)
    assert isinstance(outcome, Deferred)
    assert len(outcome.text) <= 200


async def test_a_refused_connection_defers() -> None:
    with refusing_port() as port:
        mailer = Mailer(host="127.0.0.1", port=port, sender=SENDER, tls=TlsMode.NONE, timeout=WAIT_SECONDS)
        outcome = await mailer.send(MESSAGE, READER)
    assert isinstance(outcome, Deferred)
    assert outcome.text.startswith(f"127.0.0.1:{port}: ")


async def test_starttls_with_a_trusted_certificate_and_a_login_delivers(
    server_tls: ssl.SSLContext, certificate: Certificate
) -> None:
    async with SmtpServer(tls_context=server_tls, credentials=("steward", "right")) as server:
        outcome = await protected_mailer(server, certificate.ca, password="right").send(MESSAGE, READER)
    assert isinstance(outcome, Accepted)
    assert len(server.messages) == 1


async def test_tls_from_the_first_byte_delivers(server_tls: ssl.SSLContext, certificate: Certificate) -> None:
    async with SmtpServer(tls_context=server_tls, implicit_tls=True) as server:
        outcome = await protected_mailer(server, certificate.ca, TlsMode.TLS).send(MESSAGE, READER)
    assert isinstance(outcome, Accepted)


@pytest.mark.parametrize("tls", [TlsMode.STARTTLS, TlsMode.TLS])
async def test_an_untrusted_certificate_defers_says_so_and_sends_nothing(
    tls: TlsMode, server_tls: ssl.SSLContext
) -> None:
    async with SmtpServer(tls_context=server_tls, implicit_tls=tls is TlsMode.TLS) as server:
        outcome = await protected_mailer(server, None, tls).send(MESSAGE, READER)
    assert isinstance(outcome, Deferred)
    assert outcome.text.startswith(f"127.0.0.1:{server.port}: its certificate is not trusted: ")
    assert server.commands == []


async def test_a_server_without_starttls_gets_no_mail_when_starttls_is_asked_for(certificate: Certificate) -> None:
    async with SmtpServer() as server:
        outcome = await protected_mailer(server, certificate.ca).send(MESSAGE, READER)
    assert isinstance(outcome, Deferred)
    assert "STARTTLS" in outcome.text
    assert server.commands == []


async def test_a_wrong_password_is_not_held_against_the_address(
    server_tls: ssl.SSLContext, certificate: Certificate
) -> None:
    async with SmtpServer(tls_context=server_tls, credentials=("steward", "right")) as server:
        outcome = await protected_mailer(server, certificate.ca, password="wrong").send(MESSAGE, READER)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.recipient_refused) == (535, False)


@pytest.mark.parametrize(
    "address",
    [
        "ana@north.example>\r\nRCPT TO:<all@north.example",
        "ana\r\n@north.example",
        "ana @north.example",
        '"ana>\r\nDATA"@north.example',
        "ana@north.example SIZE=1",
        "ana@[127.0.0.1]",
        "ana@",
        "@north.example",
        "ana",
        "",
        "ana@north..example",
        "a" * 65 + "@north.example",
        "ana@" + "x" * 64 + ".example",
        "\ud800@north.example",
    ],
)
async def test_what_is_no_address_is_rejected_without_a_connection(address: str) -> None:
    async with SmtpServer() as server:
        outcome = await plain_mailer(server).send(MESSAGE, address)
    assert isinstance(outcome, Rejected)
    assert outcome.recipient_refused
    assert server.commands == []


async def test_a_domain_in_its_own_script_travels_as_a_labels() -> None:
    async with SmtpServer() as server:
        assert isinstance(await plain_mailer(server).send(MESSAGE, "ana@Straße.example"), Accepted)
    assert server.messages[0].rcpt_to == "ana@xn--strae-oqa.example"


async def test_a_local_part_beyond_ascii_travels_by_smtputf8() -> None:
    async with SmtpServer(smtputf8=True) as server:
        assert isinstance(await plain_mailer(server).send(MESSAGE, "jürgen@north.example"), Accepted)
    assert server.messages[0].rcpt_to == "jürgen@north.example"


async def test_a_local_part_beyond_ascii_is_rejected_where_the_server_lacks_smtputf8() -> None:
    async with SmtpServer() as server:
        outcome = await plain_mailer(server).send(MESSAGE, "jürgen@north.example")
    assert isinstance(outcome, Rejected)
    assert outcome.recipient_refused
    assert server.commands == []


async def test_a_hanging_server_holds_up_no_other_send() -> None:
    async with SmtpServer() as slow, SmtpServer() as quick:
        slow.script("connect", Hang())
        stuck = asyncio.create_task(plain_mailer(slow).send(MESSAGE, READER))
        assert isinstance(await plain_mailer(quick).send(MESSAGE, READER), Accepted)
        assert not stuck.done()
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
