"""Where messages of the Segment spec hold what the contract asks for.

Belongs here: paths into a message, in Segment's form and in the forms seen in the wild. Does not
belong here: SQL.
"""

from __future__ import annotations

SEGMENT_PATHS: dict[str, tuple[str, ...]] = {
    "message_id": ("$.messageId", "$.message_id"),
    "event_type": ("$.type",),
    "event_name": ("$.event", "$.name", "$.properties.name"),
    "anonymous_id": ("$.anonymousId", "$.anonymous_id"),
    "user_id": ("$.userId", "$.user_id"),
    "previous_id": ("$.previousId", "$.previous_id"),
    "group_id": ("$.groupId", "$.group_id", "$.context.groupId"),
    "email": (
        "$.traits.email",
        "$.context.traits.email",
        "$.context.traits.Email",
    ),
    "phone": ("$.traits.phone", "$.context.traits.phone"),
    "first_name": (
        "$.traits.firstName",
        "$.traits.first_name",
        "$.context.traits.firstName",
        "$.context.traits.first_name",
    ),
    "last_name": (
        "$.traits.lastName",
        "$.traits.last_name",
        "$.context.traits.lastName",
        "$.context.traits.last_name",
    ),
    "full_name": ("$.traits.name", "$.context.traits.name"),
    "external_ids": ("$.context.externalIds", "$.context.externalId"),
    "order_id": ("$.properties.order_id", "$.properties.orderId"),
    "value": ("$.properties.revenue", "$.properties.value", "$.properties.total"),
    "currency": ("$.properties.currency",),
    "product_id": (
        "$.properties.product_id",
        "$.properties.productId",
        "$.properties.products[0].product_id",
    ),
    "category": ("$.properties.category", "$.properties.products[0].category"),
    "url": ("$.properties.url", "$.context.page.url"),
    "page_path": ("$.properties.path", "$.context.page.path"),
    "referrer": ("$.properties.referrer", "$.context.page.referrer"),
    "user_agent": ("$.context.userAgent", "$.context.user_agent"),
    "ip": ("$.context.ip", "$.request_ip"),
    "campaign_source": ("$.context.campaign.source",),
    "campaign_medium": ("$.context.campaign.medium",),
    "campaign_name": ("$.context.campaign.name",),
    "traits": ("$.traits", "$.context.traits"),
    "properties": ("$.properties",),
}
"""Where a Segment or RudderStack message holds each canonical column; the first that is there."""

NAMES = ("first_name", "last_name", "full_name")
"""Columns that are filled from text alone: a number or an object is no name."""

OF_THE_SUBJECT = "$.traits."
"""Begins the paths of the traits of what a call is about, which is a company in a group call.
Traits in the context are the person's in every call."""
