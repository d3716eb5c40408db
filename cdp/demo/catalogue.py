"""What the shop sells and where its people live: constants of the demo.

Belongs here: products, prices, pages, countries, names, clients. Does not belong here: anything
drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass

SHOP_URL = "https://shop.tributary-demo.example"
STAFF_DOMAIN = "tributary-demo.example"
KIOSK_EMAIL = "kiosk@tributary-demo.example"
"""Typed in at the shared terminal of the stores, on many people's orders."""


@dataclass(frozen=True)
class Country:
    """Where people live, and how their phone numbers and money are written there."""

    code: str
    weight: float
    currency: str
    locale: str
    language: str
    timezone: str
    dial: str
    trunk: str
    phone_prefixes: tuple[str, ...]
    cities: tuple[tuple[str, str, str], ...]


def _prefixes(stem: str, first: int, count: int) -> tuple[str, ...]:
    return tuple(f"{stem}{first + number}" for number in range(count))


_US_AREAS = [
    "201",
    "202",
    "203",
    "205",
    "206",
    "207",
    "208",
    "209",
    "210",
    "212",
    "213",
    "214",
    "215",
    "216",
    "217",
    "218",
    "219",
    "224",
    "225",
    "228",
]

COUNTRIES = (
    Country(
        "US", 0.34, "USD", "en-US", "en", "America/New_York", "+1", "", tuple(_US_AREAS),
        (("New York", "NY", "10001"), ("Boston", "MA", "02108"), ("Austin", "TX", "73301")),
    ),
    Country(
        "GB", 0.2, "GBP", "en-GB", "en", "Europe/London", "+44", "0", _prefixes("7", 40, 20),
        (("London", "Greater London", "N1 9GU"), ("Leeds", "West Yorkshire", "LS1 4AP")),
    ),
    Country(
        "DE", 0.26, "EUR", "de-DE", "de", "Europe/Berlin", "+49", "0",
        ("1511", "1512", "1514", "1515", "1516", "1517", "1520", "1521", "1522", "1523",
         "1525", "1526", "1573", "1575", "1577", "1578", "1590", "1601", "1602", "1603"),
        (("Berlin", "BE", "10115"), ("München", "BY", "80331"), ("Köln", "NW", "50667")),
    ),
    Country(
        "FR", 0.12, "EUR", "fr-FR", "fr", "Europe/Paris", "+33", "0", _prefixes("", 61, 8),
        (("Paris", "Île-de-France", "75001"), ("Lyon", "Auvergne-Rhône-Alpes", "69001")),
    ),
    Country(
        "ES", 0.08, "EUR", "es-ES", "es", "Europe/Madrid", "+34", "", _prefixes("", 61, 9),
        (("Madrid", "MD", "28001"), ("A Coruña", "GA", "15001")),
    ),
)  # fmt: skip

CURRENCIES = ("USD", "EUR", "GBP")

GIVEN_NAMES = [
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Emma",
    "Felix",
    "Grace",
    "Henry",
    "Ida",
    "Jonas",
    "Karl",
    "Lena",
    "Maria",
    "Noah",
    "Olivia",
    "Paul",
    "Quinn",
    "Rosa",
    "Simon",
    "Tara",
    "Uma",
    "Victor",
    "Wendy",
    "Xavier",
    "Yara",
    "Zoe",
    "Liam",
    "Mia",
    "Oscar",
    "Ella",
    "Hugo",
    "Alice",
    "Louis",
    "Chloé",
    "José",
    "Núria",
    "Jürgen",
    "Zoë",
    "Ahmed",
    "Fatima",
    "Wei",
    "Yuki",
    "Priya",
    "Arjun",
    "Sofia",
    "Mateo",
    "Lucía",
    "Amélie",
    "Björn",
    "Siân",
]
FAMILY_NAMES = [
    "Smith",
    "Jones",
    "Taylor",
    "Brown",
    "Wilson",
    "Miller",
    "Davis",
    "Garcia",
    "Martinez",
    "Lopez",
    "Müller",
    "Schmidt",
    "Schneider",
    "Fischer",
    "Weber",
    "Wagner",
    "Becker",
    "Hoffmann",
    "Schäfer",
    "Koch",
    "Bauer",
    "Richter",
    "Klein",
    "Wolf",
    "Schröder",
    "Neumann",
    "Martin",
    "Bernard",
    "Dubois",
    "Thomas",
    "Robert",
    "Petit",
    "Durand",
    "Leroy",
    "Moreau",
    "Simon",
    "Laurent",
    "Lefèvre",
    "Rousseau",
    "O'Brien",
    "Murphy",
    "Kelly",
    "Walsh",
    "Nguyen",
    "Chen",
    "Patel",
    "Khan",
    "Ali",
    "Singh",
    "Ibrahim",
    "Núñez",
    "Muñoz",
    "Ortega",
    "Ramos",
]
MAIL_DOMAINS = ("mail.example", "post.example", "inbox.example", "web.example")

_CATEGORIES = (
    ("Home > Kitchen", "Kettle Pan Grinder Scale Toaster"),
    ("Home > Living", "Lamp Cushion Rug Shelf Mirror"),
    ("Garden > Tools", "Spade Shears Hose Rake Trowel"),
    ("Sports > Cycling", "Helmet Saddle Pump Lock Light"),
    ("Sports > Running", "Shoes Jacket Bottle Belt Socks"),
    ("Electronics > Audio", "Speaker Headphones Earbuds Turntable Radio"),
    ("Books > Travel", "Atlas Guide Map Diary Phrasebook"),
    ("Toys > Wooden", "Blocks Train Puzzle Castle Abacus"),
)
_BRANDS = ("Norrland", "Tidewater", "Ambleside", "Kestrel")
_PRICES = (1990, 490, 3490, 8990, 1290, 5990, 2490, 14990, 990, 4290, 19990, 2990, 7490)


@dataclass(frozen=True)
class Product:
    """One thing that the shop sells; the price is in cents of each currency."""

    sku: str
    title: str
    category: str
    brand: str
    cents: dict[str, int]

    @property
    def path(self) -> str:
        """Path of its page."""
        return f"/products/{self.sku.lower()}"


def _products() -> tuple[Product, ...]:
    found: list[Product] = []
    for category, nouns in _CATEGORIES:
        for noun in nouns.split():
            for brand in _BRANDS:
                number = len(found)
                usd = _PRICES[number * 5 % len(_PRICES)]
                # Price points end in 90 cents in every currency.
                cents = {
                    "USD": usd,
                    "EUR": usd * 95 // 10_000 * 100 + 90,
                    "GBP": usd * 82 // 10_000 * 100 + 90,
                }
                title = f"{brand} {noun}"
                found.append(Product(f"P{number:04d}", title, category, brand, cents))
    return tuple(found)


PRODUCTS = _products()

STATIC_PAGES = (
    ("/", "Welcome"),
    ("/sale", "Sale"),
    ("/about", "About us"),
    ("/help/shipping", "Shipping"),
    ("/cart", "Your cart"),
    ("/checkout", "Checkout"),
    ("/checkout/thanks", "Thank you"),
    ("/account", "Your account"),
)

BROWSERS = (
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/137.0.0.0 Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.4 Safari/605.1.15"
    ),
    "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/137.0.0.0 Mobile Safari/537.36"
    ),
)
APPS = (
    (
        "Android",
        "15",
        "Google",
        "Pixel 9",
        "Dalvik/2.1.0 (Linux; U; Android 15; Pixel 9)",
    ),
    (
        "iOS",
        "18.4",
        "Apple",
        "iPhone16,2",
        "Tributary/4.2 (iPhone; iOS 18.4; Scale/3.00)",
    ),
)
BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; "
        "+https://openai.com/gptbot)"
    ),
)
"""User agents of crawlers that name themselves."""

CAMPAIGNS = (
    None,
    {"name": "spring-sale", "source": "newsletter", "medium": "email"},
    {"name": "brand", "source": "google", "medium": "cpc", "term": "kettle"},
    {
        "name": "retargeting",
        "source": "facebook",
        "medium": "paid_social",
        "content": "b",
    },
    {"name": "summer", "source": "instagram", "medium": "social"},
)
