from __future__ import annotations

import ipaddress
import json
import resource
import socket
from datetime import timedelta

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from positions.alerts import http, outbox, services
from positions.alerts.addresses import BlockedError, is_reachable
from positions.alerts.base import Config, DeliveryError, Message
from positions.alerts.channels.webhook import Webhook, make_secret
from positions.alerts.models import Delivery
from riskhub import clock
from tests.alerts.receivers import Answer, listen, serve_hook
from tests.factories import NOW, make_incident, make_position

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
SECRET = make_secret()


@pytest.fixture
def loopback(settings):
    settings.OUTBOUND_ALLOW = LOOPBACK


def make_message(**payload):
    return Message("msg_1", {"type": "channel.test", **payload}, clock.now())


def send(url, *, secret=SECRET, **payload):
    Webhook().send(make_message(**payload), Config({"url": url, "secret": secret}))


def test_the_reference_verifier_accepts_the_signature(loopback):
    with serve_hook() as hook:
        send(hook.url, text="Grüße — ∑")

    ((headers, body),) = hook.requests
    assert Verifier(SECRET).verify(body, headers) == {"type": "channel.test", "text": "Grüße — ∑"}
    assert headers["webhook-id"] == "msg_1"
    assert headers["content-type"] == "application/json"


def test_the_reference_verifier_refuses_a_changed_body_and_another_secret(loopback):
    with serve_hook() as hook:
        send(hook.url)

    ((headers, body),) = hook.requests
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(make_secret()).verify(body, headers)


def test_while_secrets_rotate_each_of_them_verifies(loopback):
    new = make_secret()

    with serve_hook() as hook:
        send(hook.url, secret=f"{new} {SECRET}")

    ((headers, body),) = hook.requests
    for secret in (new, SECRET):
        Verifier(secret).verify(body, headers)


@pytest.mark.parametrize(
    ("status", "is_retryable", "is_disabling"),
    [
        (301, False, False),
        (400, False, False),
        (404, False, False),
        (408, True, False),
        (410, False, True),
        (429, True, False),
        (500, True, False),
        (503, True, False),
    ],
)
def test_only_2xx_is_accepted(loopback, status, is_retryable, is_disabling):
    with serve_hook(Answer(status=status)) as hook, pytest.raises(DeliveryError) as caught:
        send(hook.url)

    error = caught.value
    assert str(error) == f"HTTP {status}"
    assert (error.retryable, error.disable) == (is_retryable, is_disabling)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), (" 120 ", 120), ("999999999", 86_400), ("soon", None), ("-1", None)],
)
def test_retry_after_is_read(loopback, header, seconds):
    answer = Answer(status=429, headers=(("Retry-After", header),))

    with serve_hook(answer) as hook, pytest.raises(DeliveryError) as caught:
        send(hook.url)

    assert caught.value.retry_after_s == seconds


def test_a_redirect_is_not_followed(loopback):
    with serve_hook() as inner:
        answer = Answer(status=302, headers=(("Location", inner.url),))
        with serve_hook(answer) as hook, pytest.raises(DeliveryError, match="HTTP 302"):
            send(hook.url)

    assert (len(hook.requests), inner.requests) == (1, [])


def test_an_endless_answer_is_cut_off(loopback):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with serve_hook(Answer(is_endless=True)) as hook:
        reply = http.post(hook.url, body=b"{}", headers={})

    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(reply.body) == http.MAX_BODY
    assert grown_kb < 10_240


def test_a_slow_drip_ends_with_the_time_of_the_whole_exchange(loopback):
    answer = Answer(body=b"x" * 100, drip_s=0.1)
    started = clock.monotonic_s()

    with serve_hook(answer) as hook, pytest.raises(DeliveryError, match="No answer") as caught:
        http.post(hook.url, body=b"{}", headers={}, timeout_s=0.5)

    assert caught.value.retryable
    assert clock.monotonic_s() - started < 5


def test_a_receiver_that_accepts_and_says_nothing_times_out(loopback):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        started = clock.monotonic_s()

        with pytest.raises(DeliveryError, match=r"No answer within 0\.2 s") as caught:
            http.post(url, body=b"{}", headers={}, timeout_s=0.2)

    assert caught.value.retryable
    assert clock.monotonic_s() - started < 5


def test_a_port_that_nobody_listens_on_is_worth_another_try(loopback):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(DeliveryError, match="connection failed") as caught:
        send(f"http://127.0.0.1:{port}/")

    assert caught.value.retryable


def test_proxies_of_the_environment_are_not_used(loopback, monkeypatch):
    with serve_hook() as proxy, serve_hook() as hook:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        send(hook.url)

    assert (len(hook.requests), proxy.requests) == (1, [])


HOSTILE = [
    "http://127.0.0.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[fc00::1]:{port}/",
    "http://[fec0::1]:{port}/",
    "http://[ff02::1]:{port}/",
    "http://[2001:db8::1]:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://10.0.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://192.168.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://192.0.0.1:{port}/",
    "http://198.18.0.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://240.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@example.com/",
    "http://user:pass@localhost:{port}/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}?@example.com/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127.0.0.1:{port}\r\nHost: example.com/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "http://[::1:{port}/",
    "http://127.0.0.1:99999/",
    "",
]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_a_hostile_url_is_blocked_before_anything_is_connected(pattern):
    with listen() as listener:
        with pytest.raises(BlockedError) as caught:
            send(pattern.replace("{port}", str(listener.port)))

        assert not caught.value.retryable
        assert not listener.was_connected_to


# What these mean is up to the machine's resolver; some do not resolve.
NAMES = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "ip6-localhost",
    "127.1",
    "127.000.000.001",
    "0",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_may_mean_this_machine_connects_nothing(name):
    with listen() as listener:
        with pytest.raises(DeliveryError):
            send(f"http://{name}:{listener.port}/")

        assert not listener.was_connected_to


def test_the_listener_of_these_tests_sees_a_connection_that_is_made(loopback):
    with listen() as listener:
        with pytest.raises(DeliveryError):
            http.post(f"http://127.0.0.1:{listener.port}/", body=b"{}", headers={}, timeout_s=0.1)

        assert listener.was_connected_to


def resolve_to(monkeypatch, *answers):
    """Have the resolver give these answers in turn."""
    turns, real = list(answers), socket.getaddrinfo

    def getaddrinfo(host, *rest, **how):
        if host[0].isdigit():
            return real(host, *rest, **how)
        return [(2, 1, 6, "", (number, 0)) for number in turns.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return turns


@pytest.mark.parametrize("numbers", [["10.0.0.7"], ["93.184.216.34", "127.0.0.1"]])
def test_a_name_with_a_private_address_is_blocked(monkeypatch, numbers):
    resolve_to(monkeypatch, numbers)

    with pytest.raises(BlockedError):
        send("https://hooks.example.com/")


def test_a_name_is_asked_once_so_that_a_second_answer_changes_nothing(monkeypatch, loopback):
    with serve_hook() as hook:
        left = resolve_to(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
        send(f"http://hooks.example.com:{hook.port}/")

    ((headers, _),) = hook.requests
    assert left == [["169.254.169.254"]]
    assert headers["host"] == f"hooks.example.com:{hook.port}"


def test_a_name_that_does_not_resolve_is_worth_another_try(monkeypatch):
    def getaddrinfo(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    with pytest.raises(DeliveryError, match="connection failed") as caught:
        send("https://hooks.example.com/")

    assert caught.value.retryable


@pytest.mark.parametrize(
    ("address", "allow", "is_allowed"),
    [
        ("93.184.216.34", [], True),
        ("2606:2800:220:1::1", [], True),
        ("64:ff9b::5db8:d822", [], True),
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], True),
        ("11.1.2.3", ["10.0.0.0/8"], True),
        ("192.168.1.1", ["10.0.0.0/8"], False),
        ("fd00::1", ["fd00::/8"], True),
    ],
)
def test_the_operators_own_networks_may_be_reached(address, allow, is_allowed):
    networks = [ipaddress.ip_network(each) for each in allow]

    assert is_reachable(ipaddress.ip_address(address), allow=networks) is is_allowed


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": "ftp://x", "secret": SECRET}, "must begin with"),
        ({"url": "https://u:p@example.com", "secret": SECRET}, "user name"),
        ({"secret": SECRET}, "must begin with"),
        ({"url": "https://example.com"}, "whsec_"),
        ({"url": "https://example.com", "secret": "whsec_c2hvcnQ="}, "24 to 64 bytes"),
        ({"url": "https://example.com", "secret": "whsec_!!"}, "24 to 64 bytes"),
    ],
)
def test_a_bad_configuration_is_told_why(fields, words):
    assert words in Webhook().find_problem(Config(fields))


def test_a_message_goes_from_the_outbox_to_the_receiver_with_one_id(team, loopback):
    with serve_hook(Answer(status=500)) as hook:
        fields = {"url": hook.url, "secret": SECRET}
        services.add_channel(team=team, kind="webhook", label="hook", fields=fields, now=NOW)
        incident = make_incident(make_position(team=team))
        now = clock.now()
        outbox.post(team_id=team.pk, told=[(incident, "first")], now=now)
        for at in (now, now + timedelta(seconds=6)):
            outbox.sweep(now=at, limit=10)

    delivery = Delivery.objects.get()
    (_, _), (headers, body) = hook.requests
    document = Verifier(SECRET).verify(body, headers)
    assert delivery.state == "sent"
    assert hook.ids == [delivery.message.uid] * 2
    assert document == json.loads(json.dumps(delivery.message.payload))
    assert len(body) < 20_000
