"""Who is no visitor: bots, by the list that the `crawler-user-agents` package maintains, and the
company's own networks.

Belongs here: the verdict on a user agent and on an address. Does not belong here: which events
carry them, or what is left out because of it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import cache

import pyarrow as pa


@cache
def _bots() -> re.Pattern[str]:
    # One alternation: a user agent is scanned once instead of once for each of the patterns.
    import crawleruseragents

    patterns = (
        re.sub(r"\\/", "/", each["pattern"]) for each in crawleruseragents.CRAWLER_USER_AGENTS_DATA
    )
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


def judge_user_agents(agents: pa.Table) -> pa.Table:
    """Tell bots from people.

    Args:
        agents: `user_agent` text, distinct.

    Returns:
        `user_agent` text, `is_bot` BOOLEAN.
    """
    search = _bots().search
    verdicts = [search(agent) is not None for agent in agents["user_agent"].to_pylist()]
    return pa.table(
        {
            "user_agent": agents["user_agent"].cast(pa.string()),
            "is_bot": pa.array(verdicts, pa.bool_()),
        }
    )


def judge_addresses(addresses: pa.Table, networks: Iterable[str]) -> pa.Table:
    """Tell the company's own addresses from visitors'.

    Args:
        addresses: `ip` text, distinct; text that is no address is nobody's own.
        networks: CIDR networks of the company.

    Returns:
        `ip` text, `is_internal` BOOLEAN.
    """
    own = [ipaddress.ip_network(network, strict=False) for network in networks]
    verdicts = [_inside(text, own) for text in addresses["ip"].to_pylist()]
    return pa.table(
        {
            "ip": addresses["ip"].cast(pa.string()),
            "is_internal": pa.array(verdicts, pa.bool_()),
        }
    )


def _inside(text: str, own: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    if not own:
        return False
    address = _address(text)
    return address is not None and any(address in network for network in own)


_WITH_PORT = re.compile(r"(?P<v4>[\d.]+):\d+|\[(?P<v6>[^\]]+)\](?::\d+)?")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of whoever asked: of a list of proxies the first, without a port."""
    told = text.split(",")[0].strip()
    if found := _WITH_PORT.fullmatch(told):
        told = found["v4"] or found["v6"]
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        return None
    # An address of version 4 as a socket of version 6 tells it.
    return getattr(address, "ipv4_mapped", None) or address
