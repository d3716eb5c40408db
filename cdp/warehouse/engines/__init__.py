"""The engines that can hold the warehouse, one small adapter each.

Belongs here: whatever differs from engine to engine outside SQL models (whose differences are in
`dbt_project/macros/engine/`). Does not belong here: what any table means.
"""
