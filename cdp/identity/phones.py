"""Phone numbers to one spelling.

Belongs here: E.164 by the `phonenumbers` library. Does not belong here: which rows have phones.
"""

from __future__ import annotations

import phonenumbers
import pyarrow as pa


def to_e164(raw: pa.Table, default_country: str) -> pa.Table:
    """Give each raw number its E.164 form.

    Args:
        raw: `birth` BIGINT, `raw_value` text: a number, or `CC:number` to be read in country CC.
        default_country: ISO 3166 country of numbers that name none.

    Returns:
        `birth` BIGINT, `raw_value` text, `e164` text: null where it is no possible number.
    """
    values = raw["raw_value"].to_pylist()
    e164 = pa.array([_one(value, default_country) for value in values], pa.string())
    return pa.table(
        {
            "birth": raw["birth"].cast(pa.int64()),
            "raw_value": raw["raw_value"].cast(pa.string()),
            "e164": e164,
        }
    )


def _one(value: str, default_country: str) -> str | None:
    country, colon, number = value.partition(":")
    if not (colon and len(country) == 2):
        country, number = default_country, value
    try:
        parsed = phonenumbers.parse(number, country.upper())
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
