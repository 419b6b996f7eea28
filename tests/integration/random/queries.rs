//! Queries with random conditions, orders, limits, counts and joins.

use super::values::{Maker, Table};

impl Maker {
    pub fn page(&mut self) -> String {
        let limit = [0, 1, 3, 10, 20, 21, 100][self.random.usize(..7)];
        let offset = [0, 0, 2, 25][self.random.usize(..4)];
        match self.chance(80) {
            true if offset > 0 => format!(" LIMIT {limit} OFFSET {offset}"),
            true => format!(" LIMIT {limit}"),
            false if limit > 0 => format!(" FETCH FIRST {limit} ROWS WITH TIES"),
            false => String::new(),
        }
    }

    /// A query over one table.
    pub fn query(&mut self, table: &Table) -> String {
        let condition = match self.random.u32(..12) {
            0 => "true".to_owned(),
            1..4 => self.condition(table, "t"),
            4..7 => format!("{} AND {}", self.condition(table, "t"), self.condition(table, "t")),
            _ => self.conditions(table, "t", 3),
        };
        // Lists below an owner are asked for when the owner is known.
        let owner = table.columns.iter().find(|column| column.name == self.one(&["organization_id", "user_id"]));
        let condition = match owner.filter(|_| table.name.contains("members") && self.chance(50)) {
            Some(owner) => {
                let known = Maker::quoted(&owner.values[self.random.usize(..owner.values.len())]);
                format!("{condition} AND t.{} = {}", owner.name, self.value("text", known))
            }
            None => condition,
        };
        self.query_where(table, &condition)
    }

    /// A query over objects that Clerk lists below parents: those of a few parents, given or joined.
    pub fn query_below(&mut self, table: &Table) -> String {
        self.needs_nested_loops = true;
        let condition = self.conditions(table, "t", 2);
        let columns: Vec<_> = table.columns.iter().filter(|column| table.parents.contains(&column.name)).collect();
        let parent = columns[self.random.usize(..columns.len())];
        let (name, column) = (&table.name, &parent.name);
        let parents: Vec<_> = (0..1 + self.random.usize(..5)).map(|_| Maker::quoted(&self.raw(parent))).collect();
        let array = format!("ARRAY[{}]::text[]", parents.join(", "));
        let parents_table = match &**column {
            "user_id" => Some(("users", "user_id")),
            "organization_id" => Some(("organizations", "organization_id")),
            "statement_id" => Some(("billing_statements", "billing_statement_id")),
            "subject" if name == "m2m_tokens" => Some(("machines", "machine_id")),
            "subject" => Some(("users", "user_id")),
            _ => None,
        };
        match (self.random.u32(..8), parents_table) {
            (0, Some((of, id))) => {
                format!(
                    "SELECT p.{id}, t.* FROM clerk.{of} p JOIN clerk.{name} t ON t.{column} = p.{id} WHERE {condition}"
                )
            }
            (1, Some((of, id))) => {
                let array = self.value("text[]", array);
                format!(
                    "SELECT p.{id}, t.{column}, t.{} FROM clerk.{of} p LEFT JOIN clerk.{name} t ON t.{column} = p.{id} AND {condition}
                      WHERE p.{id} = ANY ({array})",
                    table.key
                )
            }
            (2, _) => {
                format!("SELECT x, (SELECT count(*) FROM clerk.{name} t WHERE t.{column} = x) FROM unnest({array}) x")
            }
            (3, _) => format!(
                "SELECT t.* FROM unnest({array}) x, LATERAL (SELECT * FROM clerk.{name} t WHERE t.{column} = x AND {condition}) t"
            ),
            (4, _) => {
                let array = self.value("text[]", array);
                self.query_where(table, &format!("t.{column} = ANY ({array}) AND {condition}"))
            }
            (5, _) => self.query_where(table, &format!("t.{column} IN ({}) AND {condition}", parents.join(", "))),
            _ => {
                let value = self.value("text", parents[0].clone());
                let and = if self.chance(50) { format!(" AND {condition}") } else { String::new() };
                self.query_where(table, &format!("t.{column} = {value}{and}"))
            }
        }
    }

    /// A query over the rows that the condition leaves.
    pub fn query_where(&mut self, table: &Table, condition: &str) -> String {
        let (name, key) = (&table.name, &table.key);
        let column = &table.columns[self.random.usize(..table.columns.len())].name;
        // Most tables have the time of creation, whether Clerk sorts by it or not.
        let created_at = table.columns.iter().find(|column| column.name == "created_at").map(|column| &*column.name);
        let mut sorts = vec![&**column];
        sorts.extend(created_at.into_iter().cycle().take(3));
        sorts.extend(table.sorts.iter().map(|sort| &**sort));
        let sort = self.one(&sorts).to_owned();
        let last = created_at.map_or_else(|| format!("{column}::text"), str::to_owned);
        // Clerk has no list of all objects of such a table.
        let of_all = if table.parents.is_empty() { "true" } else { condition };
        let way = self.one(&["", "DESC", "DESC", "NULLS FIRST", "DESC NULLS LAST"]).to_owned();
        match self.random.u32(..12) {
            0..4 => format!("SELECT t.* FROM clerk.{name} t WHERE {condition}"),
            4 | 5 => {
                format!("SELECT {sort} FROM clerk.{name} t WHERE {condition} ORDER BY {sort} {way}{}", self.page())
            }
            6 => format!(
                "SELECT {key}, {sort} FROM clerk.{name} t WHERE {condition} ORDER BY {sort} {way}, {key}{}",
                self.page()
            ),
            7 | 8 => format!("SELECT count(*) FROM clerk.{name} t WHERE {condition}"),
            9 => format!(
                "SELECT count(*), count(*) FILTER (WHERE {column} IS NULL), count(DISTINCT {column}), max({last}) FROM clerk.{name} t WHERE {condition}"
            ),
            10 => format!(
                "SELECT count(*) FROM (SELECT 1 FROM clerk.{name} t WHERE {condition} FETCH FIRST {} ROWS ONLY) s",
                self.random.u32(..30)
            ),
            _ => format!(
                "SELECT EXISTS (SELECT FROM clerk.{name} t WHERE {condition}), {column}, count(*) FROM clerk.{name} t WHERE {of_all} GROUP BY {column}"
            ),
        }
    }

    /// A query that joins users with local rows, with memberships and organizations, or each with itself.
    pub fn join(&mut self, users: &Table, memberships: &Table) -> String {
        let condition = self.conditions(users, "u", 1);
        let other = self.conditions(memberships, "m", 1);
        let by = self.one(&["user_id", "user_id", "email", "external_id", "username", "created_at", "phone_number"]);
        let rows = self.one(&["few", "few", "many"]);
        let join = self.one(&["JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"]);
        let not = self.one(&["", "NOT "]);
        let users_of = format!("clerk.users u WHERE u.{by} = r.{by} AND {condition}");
        match self.random.u32(..12) {
            0 => format!("SELECT r.n, u.user_id FROM own.{rows} r JOIN clerk.users u ON u.{by} = r.{by} WHERE {condition}"),
            1 => format!("SELECT r.n, u.user_id FROM own.{rows} r {join} clerk.users u USING ({by})"),
            2 => format!("SELECT r.n, u.user_id FROM own.{rows} r LEFT JOIN clerk.users u ON u.{by} = r.{by} AND {condition}"),
            3 => format!("SELECT r.n, s.* FROM own.{rows} r, LATERAL (SELECT u.user_id, u.email FROM {users_of}) s"),
            4 => format!("SELECT r.n, s FROM own.few r LEFT JOIN LATERAL (SELECT created_at FROM {users_of} ORDER BY created_at DESC LIMIT 1) s ON true ORDER BY r.n"),
            5 => format!("SELECT r.n FROM own.{rows} r WHERE {not}EXISTS (SELECT FROM {users_of})"),
            6 => format!("SELECT r.n FROM own.{rows} r WHERE r.{by} {not}IN (SELECT u.{by} FROM clerk.users u WHERE {condition})"),
            7 => format!(
                "SELECT r.n, (SELECT count(*) FROM clerk.organization_memberships m WHERE m.organization_id = r.organization_id AND {other}),
                   (SELECT count(*) FROM clerk.organization_memberships m WHERE m.organization_id = r.organization_id AND m.user_id = r.user_id),
                   (SELECT count(*) FROM {users_of}) FROM own.few r"
            ),
            8 => format!(
                "SELECT u.user_id, m.membership_id, o.name FROM clerk.users u {join} clerk.organization_memberships m USING (user_id)
                   LEFT JOIN clerk.organizations o USING (organization_id) WHERE {condition} AND {other}"
            ),
            9 => format!(
                "SELECT u.user_id, w.user_id FROM clerk.users u JOIN clerk.users w ON w.{by} = u.{by} WHERE {condition}
                   UNION ALL SELECT m.role, u.email FROM clerk.organization_memberships m, clerk.users u WHERE u.user_id = m.user_id AND {other}"
            ),
            10 => format!(
                "WITH s AS (SELECT u.* FROM clerk.users u WHERE {condition}) SELECT s.user_id, r.n, m.role FROM s JOIN own.few r USING ({by})
                   JOIN clerk.organization_memberships m ON m.user_id = s.user_id AND m.organization_id = r.organization_id"
            ),
            _ => format!("SELECT u.user_id, r.n FROM clerk.users u JOIN own.{rows} r USING ({by}) WHERE {condition} FOR UPDATE OF u"),
        }
    }

    /// The query, prepared if it has parameters, under some of the settings that shape plans.
    pub fn statements(&mut self, query: String) -> String {
        let mut statements = String::new();
        for setting in ["hashjoin", "mergejoin", "nestloop", "sort", "memoize", "material", "hashagg"] {
            if self.chance(12) && !(setting == "nestloop" && self.needs_nested_loops) {
                statements += &format!("SET enable_{setting} = off; ");
            }
        }
        if self.chance(50) {
            statements += &format!(
                "SET TimeZone = '{}'; ",
                self.one(&["Asia/Kolkata", "America/New_York", "Pacific/Kiritimati"])
            );
        }
        let Some(parameters) = self.parameters.take() else { return statements + &query };
        statements += &format!("SET plan_cache_mode = {}; ", self.one(&["force_custom_plan", "force_generic_plan"]));
        let in_parentheses = |list: Vec<&str>| match list.is_empty() {
            true => String::new(),
            false => format!("({})", list.join(", ")),
        };
        let types = in_parentheses(parameters.iter().map(|(kind, _)| &**kind).collect());
        let values = in_parentheses(parameters.iter().map(|(_, value)| &**value).collect());
        format!("{statements}PREPARE q{types} AS {query}; EXECUTE q{values}")
    }
}
