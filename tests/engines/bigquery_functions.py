"""What BigQuery knows, and what a statement asks for that it does not.

Belongs here: names of functions, of types and of reserved words, and finding others in SQL. Does
not belong here: any statement of the project.

Functions are those of "All functions" in Google's reference of GoogleSQL for BigQuery
(https://cloud.google.com/bigquery/docs/reference/standard-sql/functions-all), without the families
that no warehouse of customers asks for (geography, sketches, encryption, machine learning); types
and reserved words are those of "Data types" and "Lexical structure and syntax" there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words(
    """
    ABS ANY_VALUE APPROX_COUNT_DISTINCT APPROX_QUANTILES APPROX_TOP_COUNT ARRAY ARRAY_AGG
    ARRAY_CONCAT ARRAY_CONCAT_AGG ARRAY_FIRST ARRAY_LAST ARRAY_LENGTH ARRAY_REVERSE ARRAY_SLICE
    ARRAY_TO_STRING ASCII AVG BIT_AND BIT_COUNT BIT_OR BIT_XOR BOOL BYTE_LENGTH CAST CEIL
    CEILING CHAR_LENGTH CHARACTER_LENGTH CHR COALESCE CODE_POINTS_TO_BYTES CODE_POINTS_TO_STRING
    CONCAT CONTAINS_SUBSTR CORR COUNT COUNTIF CUME_DIST CURRENT_DATE CURRENT_DATETIME
    CURRENT_TIME CURRENT_TIMESTAMP DATE DATE_ADD DATE_DIFF DATE_FROM_UNIX_DATE DATE_SUB
    DATE_TRUNC DATETIME DATETIME_ADD DATETIME_DIFF DATETIME_SUB DATETIME_TRUNC DENSE_RANK DIV
    ENDS_WITH ERROR EXISTS EXP EXTRACT FARM_FINGERPRINT FIRST_VALUE FLOAT64 FLOOR FORMAT
    FORMAT_DATE FORMAT_DATETIME FORMAT_TIMESTAMP FROM_BASE64 FROM_HEX GENERATE_ARRAY
    GENERATE_DATE_ARRAY GENERATE_TIMESTAMP_ARRAY GENERATE_UUID GREATEST GROUPING IEEE_DIVIDE IF
    IFNULL INITCAP INSTR INT64 IS_INF IS_NAN JSON_ARRAY JSON_EXTRACT JSON_EXTRACT_ARRAY
    JSON_EXTRACT_SCALAR JSON_EXTRACT_STRING_ARRAY JSON_KEYS JSON_OBJECT JSON_QUERY
    JSON_QUERY_ARRAY JSON_REMOVE JSON_SET JSON_STRIP_NULLS JSON_TYPE JSON_VALUE JSON_VALUE_ARRAY
    LAG LAST_DAY LAST_VALUE LAX_BOOL LAX_FLOAT64 LAX_INT64 LAX_STRING LEAD LEAST LEFT LENGTH LN
    LOG LOG10 LOGICAL_AND LOGICAL_OR LOWER LPAD LTRIM MAKE_INTERVAL MAX MAX_BY MD5 MIN MIN_BY
    MOD NORMALIZE NORMALIZE_AND_CASEFOLD NTH_VALUE NTILE NULLIF OCTET_LENGTH PARSE_BIGNUMERIC
    PARSE_DATE PARSE_DATETIME PARSE_JSON PARSE_NUMERIC PARSE_TIMESTAMP PERCENT_RANK
    PERCENTILE_CONT PERCENTILE_DISC POW POWER RAND RANGE_BUCKET RANK REGEXP_CONTAINS
    REGEXP_EXTRACT REGEXP_EXTRACT_ALL REGEXP_INSTR REGEXP_REPLACE REGEXP_SUBSTR REPEAT REPLACE
    REVERSE RIGHT ROUND ROW_NUMBER RPAD RTRIM SAFE_ADD SAFE_CAST SAFE_CONVERT_BYTES_TO_STRING
    SAFE_DIVIDE SAFE_MULTIPLY SAFE_NEGATE SAFE_SUBTRACT SESSION_USER SHA1 SHA256 SHA512 SIGN
    SPLIT SQRT STARTS_WITH STDDEV STDDEV_POP STDDEV_SAMP STRING STRING_AGG STRPOS STRUCT SUBSTR
    SUBSTRING SUM TIME TIMESTAMP TIMESTAMP_ADD TIMESTAMP_DIFF TIMESTAMP_MICROS TIMESTAMP_MILLIS
    TIMESTAMP_SECONDS TIMESTAMP_SUB TIMESTAMP_TRUNC TO_BASE64 TO_CODE_POINTS TO_HEX TO_JSON
    TO_JSON_STRING TRANSLATE TRIM TRUNC UNICODE UNIX_DATE UNIX_MICROS UNIX_MILLIS UNIX_SECONDS
    UNNEST UPPER VAR_POP VAR_SAMP VARIANCE
    """
)

TYPES = _words(
    """
    ARRAY BIGDECIMAL BIGNUMERIC BOOL BOOLEAN BYTES BIGINT BYTEINT DATE DATETIME DECIMAL FLOAT64
    GEOGRAPHY INT INT64 INTEGER INTERVAL JSON NUMERIC RANGE SMALLINT STRING STRUCT TIME
    TIMESTAMP TINYINT
    """
)

RESERVED = _words(
    """
    ALL AND ANY ARRAY AS ASC ASSERT_ROWS_MODIFIED AT BETWEEN BY CASE CAST COLLATE CONTAINS
    CREATE CROSS CUBE CURRENT DEFAULT DEFINE DESC DISTINCT ELSE END ENUM ESCAPE EXCEPT EXCLUDE
    EXISTS EXTRACT FALSE FETCH FOLLOWING FOR FROM FULL GROUP GROUPING GROUPS HASH HAVING IF
    IGNORE IN INNER INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LIKE LIMIT LOOKUP MERGE NATURAL
    NEW NO NOT NULL NULLS OF ON OR ORDER OUTER OVER PARTITION PRECEDING PROTO QUALIFY RANGE
    RECURSIVE RESPECT RIGHT ROLLUP ROWS SELECT SET SOME STRUCT TABLESAMPLE THEN TO TREAT TRUE
    UNBOUNDED UNION UNNEST USING WHEN WHERE WINDOW WITH WITHIN
    """
)

_NO_CALL = (RESERVED - _words("CONTAINS ENUM HASH LOOKUP NEW PROTO TREAT")) | frozenset(
    {"OFFSET", "OPTIONS", "ORDINAL", "INSERT", "SAFE_OFFSET", "VALUES"}
)
"""Words that a parenthesis follows without a call."""

_TABLES = {"INTO", "TABLE", "VIEW", "EXISTS", "INSERT"}
"""What stands before the name of a table, behind which columns stand in parentheses."""


def lacking(sql: str) -> set[str]:
    """What of a statement BigQuery does not have: functions, types, forms."""
    found = set()
    for tree in sqlglot.parse(sql, dialect="bigquery"):
        if isinstance(tree, exp.Command):
            found.add(f"no statement: {tree.name}")
        if tree is not None and any(_of_several_columns(each) for each in tree.find_all(exp.In)):
            found.add("IN a query of several columns")
    tokens = sqlglot.tokenize(sql, read="bigquery")
    return found.union(_functions(tokens), _types(tokens), _forms(tokens), _decimals(sql))


def _of_several_columns(membership: exp.In) -> bool:
    """BigQuery compares with the one column of a query, which may be a struct."""
    query = membership.args.get("query")
    return query is not None and len(query.unnest().named_selects) > 1


def _functions(tokens: Sequence[Token]) -> Iterator[str]:
    for position, (token, after) in enumerate(pairwise(tokens)):
        name = token.text.upper()
        if (
            after.token_type is not TokenType.L_PAREN
            or token.token_type in (TokenType.IDENTIFIER, TokenType.STRING)
            or not re.fullmatch(r"[A-Z_]\w*", name)
        ):
            continue
        first = _first_part(tokens, position)
        if _word(tokens, first - 1) in _TABLES:
            continue
        path = [_word(tokens, each) for each in range(first, position + 1, 2)]
        if path[:-1] == ["SAFE"]:
            # The prefix makes null of an error, and a function of nothing else.
            path = path[1:]
        if len(path) > 1 or path[0] not in FUNCTIONS | TYPES | _NO_CALL:
            yield f"function {'.'.join(path)}"


def _first_part(tokens: Sequence[Token], position: int) -> int:
    """Where the name begins that ends at a position: `a.b.c` is one name."""
    while position > 1 and tokens[position - 1].token_type is TokenType.DOT:
        position -= 2
    return position


def _word(tokens: Sequence[Token], position: int) -> str:
    return tokens[position].text.upper() if 0 <= position < len(tokens) else ""


def _types(tokens: Sequence[Token]) -> Iterator[str]:
    """Words that stand where a type does, and are none."""
    for position in _places_of_types(tokens):
        word = _word(tokens, position)
        if re.fullmatch(r"[A-Z_]\w*", word) and word not in TYPES:
            yield f"type {word}"


def _places_of_types(tokens: Sequence[Token]) -> Iterator[int]:
    """After AS in a cast, after the name of a column that is made, in an array and in a struct."""
    opened: list[str] = []
    for position, token in enumerate(tokens):
        before, after = _word(tokens, position - 1), _word(tokens, position + 1)
        if token.token_type is TokenType.L_PAREN:
            opened.append("columns" if _is_made(tokens, position) else before)
        elif token.token_type is TokenType.R_PAREN and opened:
            opened.pop()
        elif token.text.upper() == "AS" and opened and opened[-1] in ("CAST", "SAFE_CAST"):
            yield position + 1
        elif token.token_type is TokenType.LT and before in ("ARRAY", "STRUCT", "RANGE"):
            opened.append("<")
        elif token.token_type is TokenType.GT and opened and opened[-1] == "<":
            opened.pop()
        changed = (before, token.text.upper()) == ("DATA", "TYPE")
        added = (_word(tokens, position - 2), before) == ("ADD", "COLUMN") and after != "NOT"
        if changed or added:
            yield position + 1
        if opened and opened[-1] in ("columns", "<") and token.text in ("(", ",", "<"):
            # The name of a field may be left out, and that of a column may not.
            named = opened[-1] == "columns" or _word(tokens, position + 2) not in "(<,>"
            yield position + 2 if named else position + 1


def _is_made(tokens: Sequence[Token], position: int) -> bool:
    """Whether the parenthesis opens the columns of a table that is made."""
    before = _first_part(tokens, position - 1) - 1
    if [_word(tokens, each) for each in range(before - 2, before + 1)] == ["IF", "NOT", "EXISTS"]:
        before -= 3
    return _word(tokens, before) == "TABLE"


def _forms(tokens: Sequence[Token]) -> Iterator[str]:
    for token, after in pairwise(tokens):
        name, other = token.text.upper(), after.text.upper()
        if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            if token.token_type is after.token_type is TokenType.STRING:
                yield "two texts side by side"
            continue
        if name in ("UNION", "INTERSECT") and other not in ("ALL", "DISTINCT"):
            yield f"{name} without ALL or DISTINCT"
        if name == "EXCEPT" and other not in ("ALL", "DISTINCT", "("):
            yield "EXCEPT without ALL or DISTINCT"
        if name == "FILTER" and other == "(":
            yield "an aggregate's FILTER"
        if name in ("::", "->", "->>", "//", "%", "ILIKE", "SIMILAR", "ANTI", "SEMI", "ASOF"):
            yield f"operator {name}"
        if name == "DISTINCT" and other == "ON":
            yield "DISTINCT ON"
        plain = after.token_type not in (TokenType.IDENTIFIER, TokenType.STRING)
        if name == "AS" and plain and other in RESERVED - _AFTER_AS:
            yield f"reserved word {other} as a name"
        if after.token_type is TokenType.STRING and name in _OTHER_TYPES:
            yield f"type {name}"
        if name == "*" and other in ("EXCLUDE", "RENAME"):
            yield f"operator * {other}"


_AFTER_AS = _words("SELECT WITH STRUCT ARRAY INTERVAL RANGE")
"""Reserved words that begin a query or a type."""

_OTHER_TYPES = _words(
    """
    BLOB CHAR DOUBLE FLOAT4 FLOAT8 HUGEINT REAL TEXT TIMESTAMPTZ TIMESTAMP_NTZ TIMESTAMP_LTZ
    UBIGINT UUID VARCHAR VARIANT
    """
)
"""Types of the other engines, which may stand before a text that is a value of them."""


def _decimals(sql: str) -> Iterator[str]:
    for name, places, behind in re.findall(
        r"\b((?:BIG)?(?:NUMERIC|DECIMAL))\((\d+),\s*(\d+)\)", sql, re.IGNORECASE
    ):
        whole, most = (38, 38) if name.upper().startswith("BIG") else (29, 9)
        if int(behind) > most or int(places) - int(behind) > whole:
            yield f"type {name}({places}, {behind})"
