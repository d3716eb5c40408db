"""The canonical contract: the entities a source can bring, their columns and types.

Belongs here: names, types and meaning of canonical columns (the wire formats' section on non-event
sources, and events). Does not belong here: how any source's own columns map to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal[
    "text",
    "identifier",
    "code",
    "timestamp",
    "date",
    "money",
    "quantity",
    "integer",
    "boolean",
    "json",
]
"""An `identifier` is text or a number. Some senders write an empty object or list where they have
none; taken for text, that would be one id of many people. A `code` is a name that is compared with
others, such as a purpose or a type of identifiers: sources write those as they like, staging in
small letters and without blanks around."""

WAREHOUSE_TYPES: dict[ColumnType, str] = {
    "text": "varchar",
    "identifier": "varchar",
    "code": "varchar",
    "timestamp": "timestamp",
    "date": "date",
    "money": "decimal(18,4)",
    "quantity": "decimal(18,4)",
    "integer": "bigint",
    "boolean": "boolean",
    "json": "varchar",
}


@dataclass(frozen=True)
class Column:
    """One canonical column."""

    type: ColumnType
    description: str


@dataclass(frozen=True)
class Entity:
    """One canonical entity.

    Attributes:
        grain: what one row is.
        key: the columns that identify a row.
        evidence: of a mutable row, the columns that say who it is about, and when it was so.
        subject: of an entity about somebody whom it names by any identifier, the columns that do.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: dict[str, Column]
    evidence: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()


def _columns(**described: tuple[ColumnType, str]) -> dict[str, Column]:
    return {name: Column(kind, text) for name, (kind, text) in described.items()}


WHOLE_NAME = "The whole name, where the source has no parts of it."

EVENTS = Entity(
    "events",
    "One row per event, the first landing of its key.",
    (),
    _columns(
        message_id=(
            "identifier",
            "The producer's id of the message; null where it sent none.",
        ),
        event_type=(
            "text",
            "identify, track, page, screen, group or alias, in lower case.",
        ),
        event_name=(
            "text",
            "Name of a track call, or of a page or screen, as it was sent.",
        ),
        anonymous_id=("identifier", "The device's or browser's own id."),
        user_id=("identifier", "The id that the company gave the person."),
        previous_id=("identifier", "The id that an alias call replaces."),
        group_id=("identifier", "The company or account that a group call names."),
        email=("identifier", "E-mail address as it was sent."),
        phone=("identifier", "Phone number as it was sent."),
        first_name=("text", "Given name of the person it is about, as it was sent."),
        last_name=("text", "Surname of that person, as it was sent."),
        full_name=("text", WHOLE_NAME),
        external_ids=("json", "JSON list of ids of other systems (type, id)."),
        order_id=("identifier", "The order that the event is about."),
        value=("money", "Revenue or value in the event's own currency."),
        currency=("text", "ISO 4217 code of the value, in upper case."),
        product_id=("identifier", "The product that the event is about."),
        category=("text", "Category of that product."),
        url=("text", "Address of the page."),
        page_path=("text", "Path of the page."),
        referrer=("text", "Address the visitor came from."),
        user_agent=("text", "The client's user agent."),
        ip=("text", "The client's address."),
        campaign_source=("text", "Source of the campaign that brought the visitor."),
        campaign_medium=("text", "Medium of that campaign."),
        campaign_name=("text", "Name of that campaign."),
        traits=("json", "JSON object of the traits sent with the event."),
        properties=("json", "JSON object of the event's own properties."),
        occurred_at=(
            "timestamp",
            "When it happened, UTC, corrected for the device's clock.",
        ),
        received_at=("timestamp", "When the collector had it, UTC."),
    ),
)

CONTACTS = Entity(
    "contacts",
    "One row per contact of a source, its latest version.",
    ("contact_id",),
    _columns(
        contact_id=("identifier", "The source's id of the contact, kept exactly."),
        email=("identifier", "E-mail address as the source has it."),
        phone=("identifier", "Phone number as the source has it."),
        phone_country=(
            "text",
            "ISO 3166 country that a national phone number is read in.",
        ),
        first_name=("text", "Given name."),
        last_name=("text", "Surname."),
        full_name=("text", WHOLE_NAME),
        birth_date=("date", "Date of birth."),
        street=("text", "Street and number."),
        city=("text", "City."),
        postal_code=("text", "Postal code, leading zeros kept."),
        region=("text", "State or region."),
        country=("text", "ISO 3166 code or name, as the source has it."),
        language=("text", "Preferred language."),
        company=("text", "Company the contact belongs to."),
        created_at=("timestamp", "When the source created the contact, UTC."),
        updated_at=("timestamp", "When the source last changed the contact, UTC."),
        deleted_at=(
            "timestamp",
            "When the source deleted the contact, UTC; null while it lives.",
        ),
        merged_into_id=("identifier", "The contact that the source merged this one into."),
        merged_ids=(
            "text",
            "Contacts that the source merged into this one, parted by semicolons.",
        ),
    ),
    evidence=(
        "contact_id",
        "email",
        "phone",
        "phone_country",
        "first_name",
        "last_name",
        "full_name",
        "birth_date",
        "street",
        "city",
        "postal_code",
        "region",
        "country",
        "language",
        "company",
        "created_at",
        "updated_at",
        "merged_into_id",
        "merged_ids",
    ),
)

ORDERS = Entity(
    "orders",
    "One row per order of a source, its latest version.",
    ("order_id",),
    _columns(
        order_id=("identifier", "The source's id of the order, kept exactly."),
        customer_id=("identifier", "The source's id of the customer; null for a guest."),
        anonymous_id=("identifier", "The device the order was placed from."),
        email=("identifier", "E-mail address given with the order."),
        phone=("identifier", "Phone number given with the order."),
        status=("text", "placed, paid, shipped, cancelled or refunded."),
        ordered_at=("timestamp", "When it was placed, UTC."),
        updated_at=("timestamp", "When the source last changed it, UTC."),
        currency=("text", "ISO 4217 code of its amounts."),
        total_amount=(
            "money",
            "What the customer pays; null where only lines carry amounts.",
        ),
        discount_amount=("money", "Discount within the total."),
        tax_amount=("money", "Tax within the total."),
        shipping_amount=("money", "Shipping within the total."),
        channel=("text", "Where it was sold: web, app, store, …"),
        country=("text", "Country it was sold to."),
        deleted_at=(
            "timestamp",
            "When the source deleted it, UTC; null while it lives.",
        ),
    ),
    evidence=("customer_id", "anonymous_id", "email", "phone", "country", "ordered_at"),
)

ORDER_LINES = Entity(
    "order_lines",
    "One row per line of an order, its latest version.",
    ("order_id", "line_number"),
    _columns(
        order_id=("identifier", "The order the line belongs to."),
        line_number=(
            "identifier",
            "The source's number of the line, else its position in the file.",
        ),
        product_id=("identifier", "The product sold."),
        quantity=("quantity", "How many."),
        unit_price=("money", "Price of one, in the order's currency."),
        discount_amount=("money", "Discount on the line."),
        line_amount=(
            "money",
            "What the line costs; quantity times unit price where missing.",
        ),
        updated_at=("timestamp", "When the source last changed it, UTC."),
        deleted_at=(
            "timestamp",
            "When the source deleted it, UTC; null while it lives.",
        ),
    ),
)

REFUNDS = Entity(
    "refunds",
    "One row per refund of a source, its latest version.",
    ("refund_id",),
    _columns(
        refund_id=("identifier", "The source's id of the refund, else the key of the row."),
        order_id=(
            "identifier",
            "The order it pays back; null where the source does not say.",
        ),
        customer_id=("identifier", "The customer it is paid to, where no order is named."),
        refunded_at=("timestamp", "When it was paid back, UTC."),
        amount=("money", "What was paid back, positive."),
        currency=("text", "ISO 4217 code of the amount."),
        reason=("text", "Why."),
        updated_at=("timestamp", "When the source last changed it, UTC."),
        deleted_at=(
            "timestamp",
            "When the source deleted it, UTC; null while it lives.",
        ),
    ),
    evidence=("customer_id", "refunded_at"),
)

PRODUCTS = Entity(
    "products",
    "One row per product of a source, its latest version.",
    ("product_id",),
    _columns(
        product_id=("identifier", "The source's id of the product."),
        name=("text", "Name of the product."),
        category=("text", "Path of its category."),
        brand=("text", "Brand."),
        price=("money", "List price."),
        currency=("text", "ISO 4217 code of the price."),
        updated_at=("timestamp", "When the source last changed it, UTC."),
        deleted_at=(
            "timestamp",
            "When the source deleted it, UTC; null while it lives.",
        ),
    ),
)

CONSENTS = Entity(
    "consents",
    "One row per consent record of a source.",
    ("consent_id",),
    _columns(
        consent_id=(
            "identifier",
            "The source's id of the record, else the fingerprint of the row.",
        ),
        subject_type=(
            "code",
            "Type of the identifier of the person, such as email or user_id.",
        ),
        subject_id=("identifier", "That identifier."),
        purpose=("code", "Purpose or category that was decided on."),
        state=("code", "granted, denied, withdrawn, expired or pending."),
        decided_at=("timestamp", "When the person decided, UTC."),
        valid_until=(
            "timestamp",
            "When the decision lapses, UTC; null where it does not.",
        ),
        jurisdiction=("text", "Law or country it was given under."),
        notice_version=("text", "Version of the notice that was shown."),
        method=("text", "How it was collected."),
        evidence=("json", "The raw evidence."),
    ),
    evidence=("subject_type", "subject_id", "decided_at"),
    subject=("subject_type", "subject_id"),
)

MEMBERSHIPS = Entity(
    "memberships",
    "One row per subject on a list (campaign, list, coupon) of a source.",
    ("list_id", "subject_id"),
    _columns(
        list_id=("identifier", "The source's id of the campaign, list or coupon."),
        subject_type=("code", "Type of the identifier of the person."),
        subject_id=("identifier", "That identifier."),
        joined_at=("timestamp", "When the person came onto it, UTC."),
        left_at=("timestamp", "When the person left it, UTC; null while on it."),
        updated_at=("timestamp", "When the source last changed it, UTC."),
        deleted_at=(
            "timestamp",
            "When the source deleted it, UTC; null while it lives.",
        ),
    ),
    evidence=("subject_type", "subject_id", "joined_at"),
    subject=("subject_type", "subject_id"),
)

ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        EVENTS,
        CONTACTS,
        Entity(
            "customers",
            "One row per customer of a source, its latest version.",
            CONTACTS.key,
            CONTACTS.columns,
            CONTACTS.evidence,
        ),
        ORDERS,
        ORDER_LINES,
        REFUNDS,
        PRODUCTS,
        CONSENTS,
        MEMBERSHIPS,
    )
}
"""Every canonical entity by name. `customers` has the columns of `contacts`: the key of a row is
then the id that orders carry as `customer_id`."""
