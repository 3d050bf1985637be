"""Random histories of a hub, and what each snapshot of each layer must then hold: plain dictionaries, no code of the hub.

A value is None, bool, int, float, str, a date as days and a timestamp as microseconds since 1970.
"""

import math
import random

LAYERS = ["raw", "clean", "train", "rejected"]
MAX = 2**63 - 1
POOLS = {
    "bool": [False, True],
    "int": [0, 1, -1, 7, 2**53 + 1, MAX, -MAX - 1],
    "float": [0.0, -0.0, 1.5, -2.25, 0.1, 1e300, 5e-324, 123456789.125, math.nan, math.inf, -math.inf],
    "text": [
        "", "a", "A", " a ", "it's", '"q"', "é", "日本", "🙂", "line\nbreak", "NULL", "nan", "\\x00", "%", "a\tb", "z" * 300,
        "\u007f", "\uffff", "e\u0301", "-0", "2026-01-01", "true", ";--",
    ],
    "date": [0, -1, 19_000, -700_000, 2_900_000, 11_016],
    "timestamp": [0, -1, 1_700_000_000_123_456, -62_000_000_000_000_000, 253_000_000_000_000_000, 999_999],
}
KEYS = {
    "int": list(range(-6, 40)),
    "text": ["", "a", "b", "it's", "é", "日本", "🙂", "x y", "A", "0", "%", '"'] + [f"k{n}" for n in range(24)],
    "date": list(range(19_000, 19_030)),
    "timestamp": [n * 3_600_000_000 for n in range(-4, 26)],
    "bool": [False, True],
}
COLUMN_NAMES = ["x", "Value", "two words", 'quo"te', "größe", "select", "日", "a-b", "it's", "_", "1st", "percent%", "key", "order"]
DATASETS = ["vitals", 'odd "name"', "Größe", "two words", "t"]


def exact(value):
    """Something to compare and to sort by: NaN equals itself, -0.0 does not equal 0.0, True is not 1."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value)
    return repr(value)


def exact_row(row):
    return tuple(exact(value) for value in row)


def order(value):
    """As SQL orders the values of one column: NaN is above all."""
    if isinstance(value, float):
        return (1, 0.0) if math.isnan(value) else (0, value)
    return (0, value)


def for_driver(value, kind):
    if value is None or kind in ("bool", "int", "text", "timestamp"):
        return value
    if kind == "float":
        return exact(value) if math.isfinite(value) else str(value)
    return date_text(value)


def from_driver(value, kind):
    return float(value) if kind == "float" and value is not None else value


def date_text(days):
    """ISO 8601 by arithmetic, since datetime ends at the year 1."""
    days += 719_468
    era, day = divmod(days, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day_of_year = day - (365 * year + year // 4 - year // 100)
    month = (5 * day_of_year + 2) // 153
    year += era * 400 + (1 if month >= 10 else 0)
    return f"{year:04d}-{month + 3 if month < 10 else month - 9:02d}-{day_of_year - (153 * month + 2) // 5 + 1:02d}"


def transforms_of(kind):
    """How a column of this type may be partitioned."""
    # DuckDB itself makes no folder of a long text.
    by_value = {"float": [], "text": [], "date": ["identity", "year", "month", "day"], "timestamp": ["identity", "year", "month", "day", "hour"]}
    return ["bucket(2)", "bucket(5)"] + by_value.get(kind, ["identity"])


def some_layout(random, columns):
    """Most tables have no partition, since each value costs a file."""
    dice, sort = random.random(), random.random()
    chosen = random.sample(columns, min(len(columns), 0 if dice < 0.6 else 1 if dice < 0.9 else 2))
    partition = [(random.choice(transforms_of(kind)), name) for name, kind in chosen]
    return partition, [name for name, _ in random.sample(columns, 0 if sort < 0.7 else 1 if sort < 0.9 else 2)]


class Table:
    """One table from its making to its drop, or to its next columns."""

    def __init__(self, name, columns, key, partition=(), sort=()):
        self.partition = list(partition)  # [(transform, column)]
        self.sort = list(sort)
        self.name = name  # (layer, dataset)
        self.columns = columns  # [(name, type)]
        self.key = key  # names
        self.rows = {}  # key -> row
        self.events = {}  # snapshot -> [(change type, row)]
        self.created = None
        self.goes_on_from = None  # (the table with the columns from before, what makes its rows ours)

    @property
    def types(self):
        return [kind for _, kind in self.columns]

    def key_of(self, row):
        return tuple(exact(value) for (name, _), value in zip(self.columns, row) if name in self.key)

    def definition(self):
        return {"layer": self.name[0], "dataset": self.name[1], "columns": self.columns, "key": self.key,
                "partition": self.partition, "sort": self.sort}


class Columns:
    """Columns of a table on their way to others: each knows which it was before."""

    def __init__(self, random, table):
        self.random = random
        self.table = table
        self.now = [(name, kind, place) for place, (name, kind) in enumerate(table.columns)]

    def is_key(self, place):
        return place is not None and self.table.columns[place][0] in self.table.key

    def edit(self):
        others = [index for index, (_, _, place) in enumerate(self.now) if not self.is_key(place)]
        names = {name for name, _, _ in self.now}
        # One that goes and one that comes under its name would be the same column.
        new = [name for name in COLUMN_NAMES if name not in names and name not in dict(self.table.columns)]
        free = [name for name in COLUMN_NAMES if name not in names]
        dice = self.random.random()
        if dice < 0.3 and new:
            column = (self.random.choice(new), self.random.choice(list(POOLS)), None)
            self.now.insert(self.random.choice([len(self.now), self.random.randint(0, len(self.now))]), column)
        elif dice < 0.5 and len(others) > 1:
            del self.now[self.random.choice(others)]
        elif dice < 0.75 and free:
            index = self.random.randrange(len(self.now))
            self.now[index] = (self.random.choice(free), *self.now[index][1:])
        elif dice < 0.8:
            self.random.shuffle(self.now)
        else:
            whole = [index for index in others if self.now[index][1] == "int"]
            for index in whole[:1]:
                self.now[index] = (self.now[index][0], "float", self.now[index][2])

    def widens(self):
        return any(place is not None and kind != self.table.columns[place][1] for _, kind, place in self.now)

    def renamed(self):
        """New name -> old name."""
        before = self.table.columns
        return {name: before[place][0] for name, _, place in self.now if place is not None and name != before[place][0]}

    def altered(self):
        """The table with these columns, and the rows that it has."""
        names = {self.table.columns[place][0]: name for name, _, place in self.now if place is not None}
        columns = [(name, kind) for name, kind, _ in self.now]
        table = Table(self.table.name, columns, [names[name] for name in self.table.key])
        kinds = dict(columns)
        kept = [(transform, names[name]) for transform, name in self.table.partition if name in names]
        table.partition = [key for key in kept if key[0] in transforms_of(kinds[key[1]])]
        table.sort = [names[name] for name in self.table.sort if name in names]
        table.goes_on_from = (self.table, self.row)
        for row in map(self.row, self.table.rows.values()):
            table.rows[table.key_of(row)] = row
        return table

    def row(self, before):
        return tuple(
            None if place is None or before[place] is None else float(before[place]) if kind == "float" else before[place]
            for _, kind, place in self.now)


class Change:
    """What one commit does to one table: the row of each key before and after, or None."""

    def __init__(self, table):
        self.table = table
        self.pairs = {}

    def put(self, row):
        key = self.table.key_of(row)
        self.pairs[key] = (self.table.rows.get(key), row)

    def remove(self, key):
        self.pairs[key] = (self.table.rows[key], None)

    def request(self):
        rows = []
        for before, after in self.pairs.values():
            for sign, row in ((-1, before), (1, after)):
                if row is not None:
                    rows.append([sign] + [for_driver(value, kind) for value, kind in zip(row, self.table.types)])
        return {"layer": self.table.name[0], "dataset": self.table.name[1], "rows": rows}

    def apply(self):
        events = []
        for key, (before, after) in self.pairs.items():
            if before is not None and after is not None:
                events += [("update_preimage", before), ("update_postimage", after)]
            elif before is not None:
                events.append(("delete", before))
            else:
                events.append(("insert", after))
            if after is None:
                del self.table.rows[key]
            else:
                self.table.rows[key] = after
        return events


class History:
    """Makes commits at random and keeps what they come to. take() says what to commit, committed() what it became."""

    def __init__(self, seed, inline_rows_max=6):
        self.random = random.Random(seed)
        self.inline_rows_max = inline_rows_max
        self.tables = {}  # name -> Table, those alive
        self.states = {}  # snapshot -> {name: (Table, {key: row})}
        self.tags = {}  # name -> snapshot
        self.feeds_from = 0  # retention leaves no changes of snapshots before this one
        self.pending = []

    # ---- making commits

    def first(self):
        names = self.random.sample([(layer, dataset) for layer in LAYERS for dataset in DATASETS], self.random.choice([1, 2, 2, 3]))
        made = [self.new_table(name) for name in names]
        return self.plan([], made, [self.some_rows(table) for table in made if self.random.random() < 0.8])

    def take(self):
        """The next commits: mostly one, now and then a burst."""
        count = self.random.choice([1, 1, 1, 1, 1, 3])
        return [self.one_commit() for _ in range(count)]

    def one_commit(self):
        dice = self.random.random()
        if dice < 0.06:
            old = self.random.choice(list(self.tables.values()))
            new = self.new_table(old.name)
            return self.plan([old], [new], [self.some_rows(new)])
        if dice < 0.09:
            return self.plan([], [self.new_table(self.new_name())], [])
        if dice < 0.17:
            return self.alteration(self.random.choice(list(self.tables.values())))
        chosen = self.random.sample(list(self.tables.values()), self.random.randint(1, len(self.tables)))
        changes = [change for change in map(self.some_change, chosen) if change.pairs]
        return self.plan([], [], changes) if changes else self.one_commit()

    def some_change(self, table):
        dice = self.random.random()
        if dice < 0.15 and table.rows:
            return self.remove_many(table)
        if dice < 0.30 and self.states:
            return self.revert(table)
        return self.some_rows(table)

    def some_rows(self, table):
        change = Change(table)
        large = self.random.random() < 0.35
        for _ in range(self.random.randint(self.inline_rows_max + 1, 40) if large else self.random.randint(1, 4)):
            row = self.new_row(table)
            key = table.key_of(row)
            if key in change.pairs:
                continue
            if key in table.rows and self.random.random() < 0.4:
                change.remove(key)
            elif key in table.rows and self.random.random() < 0.1:
                change.put(table.rows[key])  # an update that changes nothing
            else:
                change.put(row)
        return change

    def remove_many(self, table):
        change = Change(table)
        keep = self.random.choice([0.0, 0.0, 0.3, 0.7])
        for key in list(table.rows):
            if self.random.random() >= keep:
                change.remove(key)
        if not change.pairs:
            change.remove(next(iter(table.rows)))
        for _ in range(self.random.choice([0, 0, 2])):
            change.put(self.new_row(table))
        return change

    def revert(self, table):
        """Back to what an older snapshot of this table had, for the keys that one snapshot changed."""
        change = Change(table)
        known = [number for number, state in self.states.items() if state.get(table.name, (None,))[0] is table]
        if len(known) < 2:
            return change
        at = self.random.randrange(len(known) - 1)
        before, after = self.states[known[at]][table.name][1], self.states[known[at + 1]][table.name][1]
        for key in set(before) | set(after):
            if before.get(key) is after.get(key) or before.get(key) is table.rows.get(key):
                continue
            if key in before:
                change.put(before[key])
            elif key in table.rows:
                change.remove(key)
        return change

    def foreign(self, table):
        """The change of a commit that another program is to make; it is in the model at once."""
        change = self.some_rows(table)
        self.plan([], [], [change])
        return change

    def alteration(self, old):
        """Columns that come, go, move, become float or get other names; every snapshot keeps those that it had."""
        columns = Columns(self.random, old)
        lays_out = self.random.random() < 0.3
        for _ in range(self.random.choice([0, 1] if lays_out else [1, 1, 2, 3])):
            columns.edit()
        new = columns.altered()
        if lays_out:
            new.partition, new.sort = some_layout(self.random, new.columns)
        if new.columns == old.columns and (new.partition, new.sort) == (old.partition, old.sort):
            return self.one_commit()
        change = self.some_rows(new) if self.random.random() < 0.4 else Change(new)
        # To become float is an update of each row to its own content.
        rewrites = columns.widens() or self.has_new_buckets(columns, new)
        same = [row for key, row in new.rows.items() if rewrites and key not in change.pairs]
        request = self.plan([], [new], [change] if change.pairs else [], same)
        request["alter"] = [{**new.definition(), "renamed": columns.renamed()}]
        request["create"] = []
        return request

    def has_new_buckets(self, columns, new):
        """A partition with buckets has all rows: DuckDB passes over files without."""
        before, names = columns.table, columns.renamed()
        same = [(transform, names.get(name, name)) for transform, name in new.partition] == before.partition
        return not same and any(transform.startswith("bucket") for transform, _ in new.partition)

    def plan(self, drops, creates, changes, rewritten=()):
        events = []
        for table in drops:
            del self.tables[table.name]
        for table in creates:
            self.tables[table.name] = table
        for change in changes:
            events.append((change.table, change.apply()))
        for row in rewritten:
            events.append((creates[0], [("update_preimage", row), ("update_postimage", row)]))
        state = {name: (table, dict(table.rows)) for name, table in self.tables.items()}
        self.pending.append((creates, events, state))
        return {
            "drop": [{"layer": table.name[0], "dataset": table.name[1]} for table in drops],
            "create": [table.definition() for table in creates],
            "changes": [change.request() for change in changes],
        }

    def committed(self, snapshots):
        for snapshot, (creates, events, state) in zip(snapshots, self.pending):
            assert snapshot is not None and snapshot not in self.states, f"snapshots {snapshots}"
            for table in creates:
                self.begin(table, snapshot)
            for table, changes in events:
                table.events.setdefault(snapshot, []).extend(changes)
            self.states[snapshot] = state
        self.pending = []

    def begin(self, table, snapshot):
        """An altered table has told its past in its new columns."""
        table.created = snapshot
        if table.goes_on_from is None:
            return
        before, in_new_columns = table.goes_on_from
        table.created = before.created
        table.events = {
            number: [(kind, in_new_columns(row)) for kind, row in changes] for number, changes in before.events.items()}

    def collection(self):
        """What to tell the driver of the next round of retention."""
        tag = {}
        if self.random.random() < 0.3:
            name = f"tag {len(self.tags)}"
            self.tags[name] = self.random.choice(list(self.states))
            tag = {"tag": name, "at": self.tags[name]}
        return {"keep": self.random.randint(1, len(self.states)), **tag}

    def collected(self, keep):
        newest = sorted(self.states)[-keep:]
        gone = set(self.states) - set(newest) - set(self.tags.values())
        for number in gone:
            del self.states[number]
        if gone:
            self.feeds_from = max(self.feeds_from, newest[0] + 1)

    def compaction(self):
        """What to tell the driver of the next compaction."""
        return {
            "rows_max": self.random.choice([1, 5, 1000]),
            "older_rows_min": self.random.choice([1, 3, 100]),
            "files_min": self.random.choice([1, 2, 2, 3, 10]),
            "background": self.random.random() < 0.5,
        }

    def maintained(self, snapshots):
        """Snapshots that hold what the one before them holds."""
        for snapshot in snapshots:
            assert snapshot not in self.states, f"snapshots {snapshots}"
            self.states[snapshot] = {name: (table, dict(table.rows)) for name, table in self.tables.items()}

    # ---- tables and rows

    def new_name(self):
        free = [(layer, dataset) for layer in LAYERS for dataset in DATASETS if (layer, dataset) not in self.tables]
        # DuckDB takes names that differ only in case for one.
        return self.random.choice(free)

    def new_table(self, name):
        key_types = self.random.choice([["int"], ["int"], ["text"], ["date"], ["timestamp"], ["text", "int"], ["int", "bool"]])
        names = self.random.sample(COLUMN_NAMES, len(key_types) + self.random.randint(1, 6))
        columns = [(n, k) for n, k in zip(names, key_types)]
        columns += [(n, self.random.choice(list(POOLS))) for n in names[len(key_types):]]
        key = [n for n, _ in columns[: len(key_types)]]
        self.random.shuffle(columns)
        return Table(name, columns, key, *some_layout(self.random, columns))

    def new_row(self, table):
        return tuple(self.new_value(kind, name in table.key) for name, kind in table.columns)

    def new_value(self, kind, is_key):
        if is_key:
            return self.random.choice(KEYS[kind])
        dice = self.random.random()
        if dice < 0.15:
            return None
        if dice < 0.6:
            return self.random.choice(POOLS[kind])
        return {
            "bool": lambda: self.random.random() < 0.5,
            "int": lambda: self.random.randint(-100, 100),
            "float": lambda: self.random.uniform(-100, 100),
            "text": lambda: self.random.choice("abcé日") * self.random.randint(1, 5),
            "date": lambda: self.random.randint(-20_000, 40_000),
            "timestamp": lambda: self.random.randint(-(10**15), 4 * 10**15),
        }[kind]()
