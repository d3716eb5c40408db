"""CHECK: the gates between stages, as Great Expectations suites.

Belongs here: what each stage's tables must hold (one module a stage), measuring it in the
warehouse, judging it with Great Expectations and recording the verdict. Nothing else imports that
library, and here too it is imported where it is needed, since that takes seconds.
Does not belong here: what follows from a verdict (`cdp.warehouse.publishing` refuses to publish,
`orchestration` stops the run and sends the alert).

The way of a check: a stage's module gives `Check`s (`expectations.checks`), those that the models'
YAML files ask for are added (`expectations.declared`), the warehouse computes all numbers of a
table in one pass (`expectations.measuring`), and Great Expectations holds each number against its
bounds (`expectations.judging`). Only numbers leave the warehouse, so no result holds a row's value.
"""
