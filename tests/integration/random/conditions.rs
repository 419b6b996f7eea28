//! Conditions that nobody thought of.

use super::values::{Column, Maker, Table};

impl Maker {
    /// A condition on one column of the table.
    pub fn condition(&mut self, table: &Table, alias: &str) -> String {
        let column = self.column(table);
        self.condition_on(column, alias)
    }

    fn condition_on(&mut self, column: &Column, alias: &str) -> String {
        let name = format!("{alias}.{}", column.name);
        let operator = self.one(&["=", "=", "=", "<>", "<", "<=", ">", ">="]);
        if self.chance(4) {
            return format!("{name} IS {}NULL", self.one(&["", "NOT "]));
        }
        match &*column.kind {
            "boolean" => match self.random.u32(..6) {
                0 => name,
                1 => format!("NOT {name}"),
                2 => format!("{name} IS {}{}", self.one(&["", "NOT "]), self.one(&["TRUE", "FALSE", "UNKNOWN"])),
                3 => format!("{name} IS DISTINCT FROM {}", self.value("boolean", "true".to_owned())),
                _ => {
                    let value = self.one(&["true", "false"]).to_owned();
                    format!("{name} {} {}", self.one(&["=", "<>", ">="]), self.value("boolean", value))
                }
            },
            "text" | "character varying" => self.about_text(column, &name, operator),
            "integer" => {
                let value = self.random.i32(0..5).to_string();
                format!("{name} {operator} {}", self.value("integer", value))
            }
            _ => match self.random.u32(..10) {
                0 | 1 => format!("{name} BETWEEN {} AND {}", self.time(column), self.time(column)),
                2 => format!("{} {operator} {name}", self.time(column)),
                3 => format!("{name} IN ({}, {})", self.time(column), self.time(column)),
                4 => format!("{name} IS NOT DISTINCT FROM {}", self.time(column)),
                _ => format!("{name} {operator} {}", self.time(column)),
            },
        }
    }

    pub fn about_text(&mut self, column: &Column, name: &str, operator: &str) -> String {
        let many = 1 + self.random.usize(..5);
        let mut list: Vec<_> = (0..many).map(|_| Maker::quoted(&self.raw(column))).collect();
        let one = Maker::quoted(&self.raw(column));
        let not = self.one(&["", "", "", "NOT "]);
        match self.random.u32(..20) {
            0..4 => format!("{name} = {}", self.value("text", one)),
            4 => format!("{} {operator} {name}", self.value("text", one)),
            5 | 6 => {
                let list: Vec<_> = list.into_iter().map(|value| self.value("text", value)).collect();
                format!("{name} {not}IN ({})", list.join(", "))
            }
            7..10 => {
                if self.chance(20) {
                    list.push("NULL".to_owned());
                }
                if self.chance(5) {
                    list.clear();
                }
                let array = self.value("text[]", format!("ARRAY[{}]::text[]", list.join(", ")));
                format!("{name} {} ({array})", self.one(&["= ANY", "= ANY", "= ANY", "<> ALL", "= ALL", "<> ANY"]))
            }
            10..13 if column.has_patterns => {
                let pattern = Maker::quoted(&self.pattern(column));
                format!("{name} {not}{} {}", self.one(&["LIKE", "ILIKE"]), self.value("text", pattern))
            }
            13 => format!("{name} IS {not}DISTINCT FROM {}", self.value("text", one)),
            14 => format!("coalesce({name}, '') = {}", self.value("text", one)),
            15 => format!(
                "CASE WHEN {name} = {} THEN {} ELSE true END",
                self.value("text", one),
                self.one(&["NULL", "false"])
            ),
            16 => format!("({name}, 1) {operator} ({}, 2)", self.value("text", one)),
            17 => format!("({name} = {}) IS NOT {}", self.value("text", one), self.one(&["TRUE", "FALSE", "NULL"])),
            18 => format!("{name} = ANY(ARRAY(SELECT x FROM unnest(ARRAY[{}]) x))", list.join(", ")),
            _ => format!("{name} {operator} {}", self.value("text", one)),
        }
    }

    /// Conditions and what AND, OR and NOT make of them.
    pub fn conditions(&mut self, table: &Table, alias: &str, depth: u32) -> String {
        match self.random.u32(..10) {
            0 | 1 if depth > 0 => {
                let parts: Vec<_> = (0..2).map(|_| self.conditions(table, alias, depth - 1)).collect();
                format!("({})", parts.join(" OR "))
            }
            2..6 if depth > 0 => {
                let parts: Vec<_> =
                    (0..2 + self.random.usize(..2)).map(|_| self.conditions(table, alias, depth - 1)).collect();
                format!("({})", parts.join(" AND "))
            }
            6 if depth > 0 => format!("NOT ({})", self.conditions(table, alias, depth - 1)),
            // Several values of one column.
            7 => {
                let column = self.column(table);
                let parts: Vec<_> = (0..2).map(|_| self.condition_on(column, alias)).collect();
                format!("({})", parts.join(self.one(&[" OR ", " AND "])))
            }
            _ => self.condition(table, alias),
        }
    }
}
