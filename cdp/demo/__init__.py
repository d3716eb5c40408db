"""The demo shop: people whose truth is known, and the traces that they leave in four sources.

Belongs here: generating the shop's sources and, beside them, the truth about them, for tests only.
Does not belong here: reading any warehouse table. No model, gate or command may read the truth.
"""

from cdp.demo.shop import DEFAULT_SEED, SHOP_END, DemoShop, ForeignFiles, generate

__all__ = ["DEFAULT_SEED", "SHOP_END", "DemoShop", "ForeignFiles", "generate"]
