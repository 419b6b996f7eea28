//! Queries in which local rows meet Clerk's.

use super::tables::Side;

use crate::random::values::Maker;

/// What is joined: a FROM clause with `r.n`, which tells the local rows apart, and a condition.
struct Joined {
    from: String,
    condition: String,
}

impl Maker {
    /// What is looked up: a column of the local row, or what is made of it.
    fn outer_value(&mut self, alias: &str, key: &str) -> String {
        let column = format!("{alias}.{key}");
        match self.random.u32(..22) {
            0 => format!("lower({column})"),
            1 => format!("coalesce({column}, {alias}.other)"),
            2 => format!("{column} || ''"),
            3 => format!("CASE WHEN {alias}.flag THEN {column} ELSE {alias}.other END"),
            4 => format!("nullif({column}, '')"),
            5 => format!("trim({column})"),
            6 => format!("{alias}.ids[1]"),
            7 => format!("(SELECT {column})"),
            8 => format!("{alias}.other"),
            9 => self.value("text", "'user_ada'".to_owned()),
            _ => column,
        }
    }

    /// A condition that Clerk can look rows up for.
    fn lookup(&mut self, side: &Side, u: &str, r: &str) -> String {
        let pick = |maker: &mut Maker| side.keys[maker.random.usize(..side.keys.len())];
        let ((column, key), (other_column, other_key)) = (pick(self), pick(self));
        let (value, other) = (self.outer_value(r, key), self.outer_value(r, other_key));
        let (one, two) = (format!("{u}.{column} = {value}"), format!("{u}.{other_column} = {other}"));
        match self.random.u32(..24) {
            0 => format!("{u}.{column} = ANY ({r}.ids)"),
            1 => format!("{u}.{column} = ANY (ARRAY[{value}, {r}.other, NULL])"),
            2 => format!("{u}.{column} IN ({value}, {r}.ids[2], 'user_bob')"),
            3 => format!("({one} OR {u}.{column} = {r}.other)"),
            4 => format!("({one} OR {two})"),
            5 => format!("(({one} AND {r}.flag) OR ({two} AND {r}.flag IS NOT TRUE))"),
            6 => format!("({u}.{column}, {u}.{other_column}) = ({r}.{key}, {r}.{other_key})"),
            7 => format!("{one} AND {two}"),
            8 => format!("{u}.{column} IS NOT DISTINCT FROM {value}"),
            9 => format!("{u}.{column} = ANY ({r}.ids) AND {two}"),
            10 => format!("{value} = {u}.{column}"),
            11..15 => format!("{one} AND {}", self.further(side, u, r)),
            _ => one,
        }
    }

    /// A condition beside the lookup: on one side, or on both.
    fn further(&mut self, side: &Side, u: &str, r: &str) -> String {
        let id = side.ids[0];
        match self.random.u32(..10) {
            0 => format!("length({u}.{id}) > {r}.amount * 6"),
            1 => format!("{u}.{id}::text <> {r}.other"),
            2 => format!("{r}.amount > 2"),
            3 => format!("{r}.flag"),
            4 => format!("coalesce({u}.{}::text, '') >= {r}.other", side.keys[0].0),
            5 => format!("({r}.amount < 4 OR {u}.{id} > {r}.user_id)"),
            _ => self.condition(&side.table, u),
        }
    }

    /// Local rows: a table or what is made of one.
    fn local(&mut self, alias: &str) -> String {
        let table = self.one(&["few", "few", "few", "many", "many", "none"]);
        match self.random.u32(..14) {
            0 => format!("(SELECT DISTINCT * FROM own.{table}) {alias}"),
            1 => format!("(SELECT * FROM own.{table} WHERE part <> 2 OFFSET 0) {alias}"),
            2 => format!(
                "(SELECT * FROM own.few WHERE flag UNION ALL SELECT * FROM own.few WHERE flag IS NOT TRUE) {alias}"
            ),
            3 => format!("(SELECT p.* FROM own.{table} p JOIN own.few q ON q.n = p.n % 30) {alias}"),
            _ => format!("own.{table} {alias}"),
        }
    }

    /// Local rows joined with one of Clerk's tables.
    fn joined(&mut self, side: &Side) -> Joined {
        let (local, on) = (self.local("r"), self.lookup(side, "u", "r"));
        let condition = match self.chance(35) {
            true => self.further(side, "u", "r"),
            false => "true".to_owned(),
        };
        let clerk = format!("clerk.{} u", side.table.name);
        let from = match self.random.u32(..10) {
            0..3 => format!("{local} LEFT JOIN {clerk} ON {on}"),
            3 => format!("{clerk} RIGHT JOIN {local} ON {on}"),
            4 => format!("{clerk} JOIN {local} ON {on}"),
            5 => return Joined { from: format!("{local}, {clerk}"), condition: format!("{on} AND {condition}") },
            _ => format!("{local} JOIN {clerk} ON {on}"),
        };
        Joined { from, condition }
    }

    /// The query that shows joined rows, or what is computed from them.
    fn shown(&mut self, side: &Side, joined: &Joined) -> String {
        let Joined { from, condition } = joined;
        let ids = side.ids("u");
        let id = format!("u.{}", side.ids[0]);
        match self.random.u32(..14) {
            0 => format!("SELECT count(*), count({id}), count(DISTINCT {id}), sum(r.n) FROM {from} WHERE {condition}"),
            1 => format!("SELECT DISTINCT r.part, {id} FROM {from} WHERE {condition}"),
            2 | 3 => format!("SELECT r.n, {ids} FROM {from} WHERE {condition} ORDER BY r.n, {ids}{}", self.page()),
            4 => format!("SELECT r.n, {ids} FROM {from} WHERE {condition} ORDER BY {ids}, r.n DESC{}", self.page()),
            5 => format!("SELECT r.n FROM {from} WHERE {condition} LIMIT {}", self.random.u32(..40)),
            6 => format!("SELECT {id}, count(*), max(r.n) FROM {from} WHERE {condition} GROUP BY {id}"),
            7 => format!("SELECT r.n, u::text FROM {from} WHERE {condition}"),
            8 => format!("SELECT r.*, u.* FROM {from} WHERE {condition}"),
            9 => format!(
                "SELECT EXISTS (SELECT FROM {from} WHERE {condition}), (SELECT count(*) FROM {from} WHERE {condition})"
            ),
            _ => format!("SELECT r.n, {ids} FROM {from} WHERE {condition}"),
        }
    }

    /// A query in which local rows meet Clerk's.
    pub fn lookup_join(&mut self, side: &Side, other: &Side) -> String {
        let (ids, name) = (side.ids("u"), &side.table.name);
        let (column, key) = side.keys[self.random.usize(..side.keys.len())];
        let not = self.one(&["", "NOT "]);
        match self.random.u32(..24) {
            0..3 => {
                let (local, on) = (self.local("r"), self.lookup(side, "u", "r"));
                format!("SELECT r.n, r.other FROM {local} WHERE {not}EXISTS (SELECT FROM clerk.{name} u WHERE {on})")
            }
            3 => {
                let (local, condition) = (self.local("r"), self.condition(&side.table, "u"));
                format!(
                    "SELECT r.n FROM {local} WHERE r.{key} {not}IN (SELECT u.{column} FROM clerk.{name} u WHERE {condition})"
                )
            }
            4 => {
                let (local, condition) = (self.local("r"), self.condition(&side.table, "u"));
                format!(
                    "SELECT {ids} FROM clerk.{name} u WHERE u.{column} IN (SELECT r.{key} FROM {local}) AND {condition}"
                )
            }
            5 => {
                let (local, further) = (self.local("r"), self.further(side, "u", "r"));
                format!(
                    "SELECT {ids} FROM clerk.{name} u WHERE EXISTS (SELECT FROM {local} WHERE r.{key} = u.{column} AND {further})"
                )
            }
            6 | 7 => {
                let joined = self.joined(side);
                let by = self.one(&["r.part = a.part", "r.amount + 1 > a.amount", "true", "a.flag"]);
                format!(
                    "SELECT a.n, s.* FROM own.few a, LATERAL (SELECT r.n AS m, {ids} FROM {} WHERE {} AND {by} OFFSET 0) s WHERE a.n < 8",
                    joined.from, joined.condition
                )
            }
            8 => {
                let joined = self.joined(side);
                format!(
                    "SELECT a.n, s.* FROM own.few a LEFT JOIN LATERAL (SELECT r.n AS m, {ids} FROM {} WHERE {} AND r.part = a.part ORDER BY r.n, {ids} LIMIT 3) s ON true ORDER BY a.n, s.m, {}",
                    joined.from,
                    joined.condition,
                    side.ids("s")
                )
            }
            9..12 => {
                let (joined, on) = (self.joined(side), self.lookup(other, "w", "r"));
                let join = self.one(&["JOIN", "LEFT JOIN"]);
                let Joined { from, condition } = &joined;
                // A comma binds less than JOIN does, so that it hides the tables before it.
                let from = from.replace(", clerk.", " CROSS JOIN clerk.");
                format!(
                    "SELECT r.n, {ids}, {} FROM {from} {join} clerk.{} w ON {on} WHERE {condition}",
                    other.ids("w"),
                    other.table.name
                )
            }
            12 => {
                let (local, on) = (self.local("r"), self.lookup(side, "u", "r"));
                let join = self.one(&["JOIN", "LEFT JOIN"]);
                format!(
                    "SELECT r.n, m.membership_id, {ids} FROM {local} JOIN clerk.organization_memberships m ON m.organization_id = r.organization_id {join} clerk.{name} u ON {on} AND u.{column} <> m.role"
                )
            }
            13 => {
                let (local, on) = (self.local("r"), self.lookup(side, "u", "r"));
                format!("SELECT r.n, (SELECT count(*) FROM clerk.{name} u WHERE {on}) FROM {local} WHERE r.n < 12")
            }
            14 => {
                let joined = self.joined(side);
                let materialized = self.one(&["", "MATERIALIZED ", "NOT MATERIALIZED "]);
                format!(
                    "WITH s AS {materialized}(SELECT r.n, {ids} FROM {} WHERE {}) SELECT a.*, b.n FROM s a JOIN s b ON b.n = a.n + 1",
                    joined.from, joined.condition
                )
            }
            15 => {
                let (local, on, more) = (self.local("r"), self.lookup(side, "u", "r"), self.lookup(other, "w", "r"));
                let again = self.one(&["", "NOT "]);
                format!(
                    "SELECT r.n, {ids} FROM {local} JOIN clerk.{name} u ON {on} WHERE {again}EXISTS (SELECT FROM clerk.{} w WHERE {more})",
                    other.table.name
                )
            }
            _ => {
                let joined = self.joined(side);
                self.shown(side, &joined)
            }
        }
    }

    /// The statement that writes local rows and shows which.
    pub fn written(&mut self, side: &Side) -> String {
        let (table, on) = (self.one(&["few", "many"]), self.lookup(side, "u", "r"));
        let name = &side.table.name;
        let not = self.one(&["", "NOT "]);
        match self.random.u32(..4) {
            0 => format!(
                "UPDATE own.{table} r SET amount = r.amount + 1 FROM clerk.{name} u WHERE {on} RETURNING r.n, r.amount"
            ),
            1 => format!("DELETE FROM own.{table} r USING clerk.{name} u WHERE {on} RETURNING r.n, r.other"),
            2 => format!(
                "UPDATE own.{table} r SET amount = 0 WHERE {not}EXISTS (SELECT FROM clerk.{name} u WHERE {on}) RETURNING r.n"
            ),
            _ => format!(
                "DELETE FROM own.{table} r WHERE {not}EXISTS (SELECT FROM clerk.{name} u WHERE {on}) RETURNING r.*"
            ),
        }
    }
}
