"""Which addresses a request may go to.

Belongs here: refusing loopback, private and link-local addresses, also after a redirect. Does not
belong here: making requests.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit


class ForbiddenAddress(ValueError):
    """A request would reach an address inside the deployment's own network."""


def check_address(url: str, *, allow_private: bool) -> None:
    """Refuse a URL that leads inside, unless the source says by name that it may.

    Raises:
        ForbiddenAddress: not http or https, or one of the host's addresses is not public.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ForbiddenAddress(f"{parts.scheme or 'no scheme'}: expected an http or https address")
    if allow_private:
        return
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ForbiddenAddress(f"the host {parts.hostname} has no address") from error
    for *_, address in found:
        ip = ipaddress.ip_address(str(address[0]).split("%")[0])
        if not ip.is_global:
            raise ForbiddenAddress(
                f"{parts.hostname} leads to an address that is not public; if that is meant, set "
                "`allow_private: true` in the source's options"
            )
