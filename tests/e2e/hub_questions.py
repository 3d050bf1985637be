"""Questions to SQL about one table, each with the answer that its rows give: conditions of all kinds, and what is left to add up.

The answers are worked out here from plain rows, by SQL's rules: three-valued logic, NaN equal to itself and above all.
"""

import operator

from hub_model import POOLS, order


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(value, kind):
    if value is None:
        return "NULL"
    if kind == "bool":
        return "true" if value else "false"
    if kind == "int":
        return f"CAST('{value}' AS BIGINT)"
    if kind == "float":
        return f"CAST('{value}' AS DOUBLE)"
    if kind == "date":
        return f"(DATE '1970-01-01' + CAST({value} AS INTEGER))"
    if kind == "timestamp":
        return f"make_timestamptz(CAST('{value}' AS BIGINT))"
    return "'" + value.replace("'", "''") + "'"


COMPARISONS = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class Condition:
    """A WHERE clause, and what it says of a row: True, False or None."""

    def __init__(self, text, test):
        self.text = text
        self.test = test

    def both(self, other):
        def test(row):
            answers = {self.test(row), other.test(row)}
            return False if False in answers else None if None in answers else True

        return Condition(f"({self.text}) AND ({other.text})", test)

    def either(self, other):
        def test(row):
            answers = {self.test(row), other.test(row)}
            return True if True in answers else None if None in answers else False

        return Condition(f"({self.text}) OR ({other.text})", test)

    def negated(self):
        def test(row):
            answer = self.test(row)
            return None if answer is None else not answer

        return Condition(f"NOT ({self.text})", test)


def compared(sql, name, column, bound):
    compare, of_bound = COMPARISONS[name], order(bound[0])
    return Condition(
        f"{sql} {name} {literal(*bound)}",
        lambda row: None if row[column] is None else compare(order(row[column]), of_bound))


def simple_condition(random, columns, rows):
    column = random.randrange(len(columns))
    name, kind = columns[column]
    sql = quoted(name)
    there = [row[column] for row in rows if row[column] is not None]

    def some_value():
        return random.choice(there) if there and random.random() < 0.6 else random.choice(POOLS[kind])

    dice = random.random()
    if dice < 0.12:
        return Condition(f"{sql} IS NULL", lambda row: row[column] is None)
    if dice < 0.2:
        return Condition(f"{sql} IS NOT NULL", lambda row: row[column] is not None)
    if dice < 0.3:
        values = [some_value() for _ in range(random.randint(1, 4))]
        orders = [order(value) for value in values]
        text = ", ".join(literal(value, kind) for value in values)
        return Condition(
            f"{sql} IN ({text})", lambda row: None if row[column] is None else order(row[column]) in orders)
    if dice < 0.4:
        low, high = some_value(), some_value()
        return Condition(
            f"{sql} BETWEEN {literal(low, kind)} AND {literal(high, kind)}",
            lambda row: None if row[column] is None else order(low) <= order(row[column]) <= order(high))
    if dice < 0.5 and kind == "text":
        prefix = some_value()[:2]
        return Condition(
            f"starts_with({sql}, {literal(prefix, kind)})",
            lambda row: None if row[column] is None else row[column].startswith(prefix))
    if dice < 0.5 and kind == "float":
        return Condition(f"isnan({sql})", lambda row: None if row[column] is None else row[column] != row[column])
    return compared(sql, random.choice(list(COMPARISONS)), column, (some_value(), kind))


def some_condition(random, columns, rows):
    condition = simple_condition(random, columns, rows)
    dice = random.random()
    if dice < 0.15:
        condition = condition.both(simple_condition(random, columns, rows))
    elif dice < 0.3:
        condition = condition.either(simple_condition(random, columns, rows))
    return condition.negated() if random.random() < 0.1 else condition


def bounds(values):
    there = sorted((value for value in values if value is not None), key=order)
    return (there[0], there[-1]) if there else (None, None)


def plain(name, kind):
    """A column as Python compares it."""
    if kind == "date":
        return f"({name} - DATE '1970-01-01')"
    return f"epoch_us({name})" if kind == "timestamp" else name


def aggregates(columns):
    """SELECT items: per column the minimum, the maximum, how many, and how many different."""
    items = ["count(*)"]
    for name, kind in columns:
        sql = quoted(name)
        items += [plain(f"min({sql})", kind), plain(f"max({sql})", kind), f"count({sql})"]
    return items


def expected_aggregates(columns, rows):
    answers = [len(rows)]
    for column in range(len(columns)):
        values = [row[column] for row in rows]
        answers += [*bounds(values), sum(value is not None for value in values)]
    return answers


def same_value(found, expected):
    """-0.0 and 0.0 are one value to min and max."""
    if found is None or expected is None:
        return found is None and expected is None
    return type(found) is type(expected) and order(found) == order(expected)
