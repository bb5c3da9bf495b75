"""One shared HTTP session: no redirects, no cookies, a total deadline and a size limit."""

from __future__ import annotations

import codecs
import ssl
from functools import cache
from typing import TYPE_CHECKING

from venues.errors import TimedOut, Unreachable, UnreadableAnswer
from venues.wire import Answer, Sent

if TYPE_CHECKING:
    import aiohttp

_CONNECT_S = 5.0
_DNS_CACHE_S = 300
# The largest answer of any venue here, a list of markets, has some 3 MB.
_LARGEST = 32 * 1024 * 1024


class Dropped(Unreachable):
    """The connection broke before the answer was complete; it may be asked again at once."""


class Transport:
    """Sends requests over one session and one SSL context; lives on one event loop.

    A context costs 25 ms of processor time, and ccxt makes one for each account.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def send(self, sent: Sent, *, timeout_s: float) -> Answer:
        """Return the answer whatever its status is.

        The whole exchange has `timeout_s`, however slowly bytes drip in.
        Raises TimedOut, Unreachable or UnreadableAnswer (larger than any answer may be).
        """
        try:
            return await self._exchange(sent, timeout_s=timeout_s)
        except TimeoutError:
            failure: Exception = TimedOut("the venue did not answer in time")
        except (Unreachable, UnreadableAnswer) as error:
            failure = error
        # Raised outside the handler: aiohttp's errors carry the signed URL.
        raise failure

    async def close(self) -> None:
        """Close the session; the next request opens another."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(self, sent: Sent, *, timeout_s: float) -> Answer:
        import aiohttp
        from yarl import URL

        session = self._open()
        try:
            async with session.request(
                sent.method,
                URL(sent.url, encoded=True),
                data=sent.body.encode() if sent.body else None,
                headers=sent.headers,
                allow_redirects=False,
                timeout=_timeout(timeout_s),
            ) as response:
                return await _read(response)
        except aiohttp.ServerTimeoutError:
            raise TimeoutError from None
        except aiohttp.ClientSSLError:
            failure: Unreachable = Unreachable("its certificate is not valid for this host")
        except aiohttp.ClientConnectorError:
            failure = Unreachable("the host cannot be reached")
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError):
            failure = Dropped("the connection broke before the answer was complete")
        except (aiohttp.ClientError, ValueError):
            failure = Unreachable("the address or its answer is not HTTP")
        raise failure

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp
        import certifi

        if self._session is None:
            context = ssl.create_default_context(cafile=certifi.where())
            # No limits: how many accounts are read at once is decided above. No cookies: what
            # one account is given must not travel with another.
            connector = aiohttp.TCPConnector(ssl=context, limit=0, ttl_dns_cache=_DNS_CACHE_S)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._session


@cache
def _timeout(total_s: float) -> aiohttp.ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(total=total_s, sock_connect=min(total_s, _CONNECT_S))


async def _read(response: aiohttp.ClientResponse) -> Answer:
    chunks, size = [], 0
    # What has come, as it came: nearly every answer is one piece.
    while chunk := await response.content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > _LARGEST:
            raise UnreadableAnswer("the answer is larger than any answer may be")
    return _answer(response, b"".join(chunks))


def _answer(response: aiohttp.ClientResponse, body: bytes) -> Answer:
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        text, is_text = body.decode(), True
    except UnicodeDecodeError:
        text, is_text = body.decode("utf-8", errors="replace"), False
    return Answer(
        status=response.status,
        reason=response.reason or "",
        headers=dict(response.headers),
        text=text,
        is_text=is_text,
    )
