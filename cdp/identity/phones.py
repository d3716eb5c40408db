"""Phone numbers to one spelling.

Belongs here: E.164 by the `phonenumbers` library. Does not belong here: which rows have phones.
"""

from __future__ import annotations

from functools import cache

import phonenumbers


def e164(value: str, default_country: str) -> str | None:
    """The E.164 form of a number; None where it is no possible one, or nobody knows the country.

    Args:
        value: a number, or `country:number` for one of a country.
        default_country: ISO 3166 country of a number that names none.
    """
    country, colon, number = value.partition(":")
    if not colon or country.lower() == "tel":
        region, number = default_country.upper(), value
    else:
        # Read in another country, the number would be somebody else's.
        found = _region(country)
        if found is None:
            return None
        region = found
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    # What can be dialled within a town only is the number of many, and so is a filler.
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    if len(set(phonenumbers.national_significant_number(parsed))) == 1:
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def _region(country: str) -> str | None:
    """The region of a country that is told by its code or by its name in any language."""
    told = country.strip().replace(".", "")
    if told.upper() in phonenumbers.SUPPORTED_REGIONS:
        return told.upper()
    return _OTHER_NAMES.get(told.casefold()) or _regions_by_name().get(told.casefold())


_OTHER_NAMES = {
    **dict.fromkeys(("usa", "united states of america", "america"), "US"),
    **dict.fromkeys(("uk", "great britain", "britain", "england", "scotland", "wales"), "GB"),
    "uae": "AE",
    "holland": "NL",
    "czech republic": "CZ",
    "turkey": "TR",
    "korea": "KR",
}
"""What people call countries besides their names."""


@cache
def _regions_by_name() -> dict[str, str]:
    # Imported by who needs it: the names of all countries in all languages take a while to load.
    from phonenumbers.geodata.locale import LOCALE_DATA

    found: dict[str, set[str]] = {}
    for region, names in LOCALE_DATA.items():
        for name in names.values():
            found.setdefault(str(name).casefold(), set()).add(region)
    return {
        name: next(iter(regions))
        for name, regions in found.items()
        if len(regions) == 1 and regions <= phonenumbers.SUPPORTED_REGIONS
    }
