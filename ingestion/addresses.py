"""Which addresses a request may go to.

Belongs here: refusing loopback, private and link-local addresses, also after a redirect. Does not
belong here: making requests.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from ingestion.failures import SourceFailed

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Addresses of IPv4 hosts as networks without IPv4 write them (RFC 6052)."""


class ForbiddenAddress(SourceFailed):
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
        if not all(each.is_global for each in _meant(ip)):
            raise ForbiddenAddress(
                f"{parts.hostname} leads to an address that is not public; if that is meant, set "
                "`allow_private: true` in the source's options"
            )


def _meant(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """An address, and the IPv4 address that it carries inside where it is a tunnel's."""
    if isinstance(ip, ipaddress.IPv4Address):
        return [ip]
    carried = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in _NAT64:
        carried.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    inner = [each for each in carried if each is not None]
    # What stands inside an IPv4 address in another form decides, not the form.
    return [*inner] if ip.ipv4_mapped else [ip, *inner]
