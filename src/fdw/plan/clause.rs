//! Which column of a foreign table a clause of a query compares with what, whichever way it is written.
//!
//! Everything here looks at the planner's expressions; whether Clerk can evaluate a comparison is decided by
//! [`clerk_api::pushdown`].

use clerk_api::catalog::{Column, Kind, Object};
use clerk_api::pushdown::{Condition, Operator};
use pgrx::{PgList, is_a, pg_sys};
use serde::{Deserialize, Serialize};

use crate::fdw::convert;
use crate::pg::encoding::{from_server, to_text};

/// The type of a value's expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueKind {
    Text,
    TextArray,
    Boolean,
    /// Unix milliseconds, of 2, 4 or 8 bytes.
    Integer(u8),
    Timestamp,
    Timestamptz,
    /// Compared with a `timestamptz`: midnight in the session's time zone.
    DateInZone,
    /// Compared with a `timestamp`: midnight.
    DateAtMidnight,
    /// Compared with a `timestamptz`: that time in the session's time zone.
    TimestampInZone,
    /// Compared with a `date`.
    Date,
}

/// A clause that compares one column with values that are the same for all rows of its table.
pub struct PushableClause {
    pub column: &'static Column,
    pub operator: Operator,
    /// What it is compared with: for `Equal` any of these, else the one.
    pub values: Vec<(*mut pg_sys::Expr, ValueKind)>,
}

impl PushableClause {
    /// The comparison without its values.
    pub fn condition(&self) -> Condition {
        let is_single = self.values.len() <= 1 && self.values.iter().all(|(_, kind)| *kind != ValueKind::TextArray);
        Condition { column: self.column, operator: self.operator, has_one_value: is_single }
    }
}

/// A foreign table as one relation of the query that is being planned.
#[derive(Clone, Copy)]
pub struct ForeignRel {
    pub root: *mut pg_sys::PlannerInfo,
    /// Its number in the query's range table.
    pub relid: pg_sys::Index,
    /// The table's oid.
    pub relation: pg_sys::Oid,
    pub object: &'static Object,
}

impl ForeignRel {
    /// What a clause compares, if that is one column with values that can be sent to Clerk.
    ///
    /// # Safety
    /// The clause is an expression or a RestrictInfo of the query that is being planned.
    pub unsafe fn pushable_clause(&self, clause: *mut pg_sys::Expr) -> Option<PushableClause> {
        // SAFETY: node tags tell what a pointer points to.
        unsafe {
            match (*clause).type_ {
                pg_sys::NodeTag::T_RestrictInfo => {
                    self.pushable_clause((*clause.cast::<pg_sys::RestrictInfo>()).clause)
                }
                pg_sys::NodeTag::T_OpExpr => self.operation(clause.cast()),
                pg_sys::NodeTag::T_ScalarArrayOpExpr => self.any_of(clause.cast()),
                pg_sys::NodeTag::T_BoolExpr => self.combination(clause.cast()),
                pg_sys::NodeTag::T_BooleanTest => {
                    let test: *mut pg_sys::BooleanTest = clause.cast();
                    match (*test).booltesttype {
                        pg_sys::BoolTestType::IS_TRUE => self.flag((*test).arg, true),
                        pg_sys::BoolTestType::IS_FALSE => self.flag((*test).arg, false),
                        _ => None,
                    }
                }
                _ => self.flag(clause, true),
            }
        }
    }

    /// A boolean column by itself.
    unsafe fn flag(&self, expression: *mut pg_sys::Expr, value: bool) -> Option<PushableClause> {
        // SAFETY: the caller's.
        let (column, declared) = unsafe { self.column(expression) }?;
        (column.kind == Kind::Boolean && declared.base == pg_sys::BOOLOID).then(|| PushableClause {
            column,
            operator: Operator::Is(value),
            values: Vec::new(),
        })
    }

    /// `NOT column`, and `column = a OR column = b`.
    unsafe fn combination(&self, expression: *mut pg_sys::BoolExpr) -> Option<PushableClause> {
        // SAFETY: the caller's; the arguments are expressions.
        unsafe {
            let parts = PgList::<pg_sys::Expr>::from_pg((*expression).args);
            match (*expression).boolop {
                pg_sys::BoolExprType::NOT_EXPR => self.flag(parts.get_ptr(0)?, false),
                pg_sys::BoolExprType::OR_EXPR => {
                    let mut parts = parts.iter_ptr().map(|part| self.pushable_clause(part));
                    let mut all = parts.next()??;
                    for part in parts {
                        let part = part?;
                        if part.column.name != all.column.name || part.operator != Operator::Equal {
                            return None;
                        }
                        all.values.extend(part.values);
                    }
                    // Any of several texts can be asked for, but neither several moments nor both flags.
                    let is_text = |kind| matches!(kind, ValueKind::Text | ValueKind::TextArray);
                    let are_texts = all.values.iter().all(|(_, kind)| is_text(*kind));
                    (all.operator == Operator::Equal && are_texts).then_some(all)
                }
                _ => None,
            }
        }
    }

    /// `column = ANY (array)`, and `IN`.
    unsafe fn any_of(&self, expression: *mut pg_sys::ScalarArrayOpExpr) -> Option<PushableClause> {
        // SAFETY: as above.
        unsafe {
            let sides = PgList::<pg_sys::Expr>::from_pg((*expression).args);
            let (left, right) = (sides.get_ptr(0)?, sides.get_ptr(1)?);
            let (column, declared) = self.column(left)?;
            ((*expression).useOr
                && (*expression).opno.to_u32() == pg_sys::TextEqualOperator
                && is_deterministic((*expression).inputcollid)
                && declared.is_text(column)
                && pg_sys::exprType(right.cast()) == pg_sys::TEXTARRAYOID
                && self.is_value(right))
            .then(|| PushableClause { column, operator: Operator::Equal, values: vec![(right, ValueKind::TextArray)] })
        }
    }

    /// `column operator value`, whichever way round.
    unsafe fn operation(&self, expression: *mut pg_sys::OpExpr) -> Option<PushableClause> {
        // SAFETY: as above; a commutator is an operator or invalid.
        unsafe {
            let sides = PgList::<pg_sys::Expr>::from_pg((*expression).args);
            let (left, right) = (sides.get_ptr(0)?, sides.get_ptr(1)?);
            let (side, value, operator) = match self.column(left) {
                Some(side) => (side, right, (*expression).opno),
                None => (self.column(right)?, left, pg_sys::get_commutator((*expression).opno)),
            };
            if !self.is_value(value) {
                return None;
            }
            let (column, declared) = side;
            let found = |operator, kind| Some(PushableClause { column, operator, values: vec![(value, kind)] });
            let given = pg_sys::exprType(value.cast());
            let is_deterministic = is_deterministic((*expression).inputcollid);
            match operator.to_u32() {
                _ if declared.is_text(column) && given == pg_sys::TEXTOID => match operator.to_u32() {
                    LIKE if is_deterministic => found(Operator::Like, ValueKind::Text),
                    ILIKE if is_deterministic && lowers_as_clerk((*expression).inputcollid) => {
                        found(Operator::ILike, ValueKind::Text)
                    }
                    pg_sys::TextEqualOperator if is_deterministic => found(Operator::Equal, ValueKind::Text),
                    _ => None,
                },
                BOOLEAN_EQUALITY if column.kind == Kind::Boolean && declared.base == pg_sys::BOOLOID => {
                    found(Operator::Equal, ValueKind::Boolean)
                }
                _ if column.kind == Kind::Time && declared.is_exact => {
                    let (family, kind) = time_value(declared.base, given)?;
                    let operator = match pg_sys::get_op_opfamily_strategy(operator, family) as u32 {
                        pg_sys::BTLessStrategyNumber => Operator::Below,
                        pg_sys::BTLessEqualStrategyNumber => Operator::AtMost,
                        pg_sys::BTEqualStrategyNumber => Operator::Equal,
                        pg_sys::BTGreaterEqualStrategyNumber => Operator::AtLeast,
                        pg_sys::BTGreaterStrategyNumber => Operator::Above,
                        _ => return None,
                    };
                    found(operator, kind)
                }
                _ => None,
            }
        }
    }

    /// The table's column that an expression is, below casts that change nothing, and how the table declares it.
    pub unsafe fn column(&self, mut expression: *mut pg_sys::Expr) -> Option<(&'static Column, Declared)> {
        // SAFETY: as above.
        unsafe {
            while is_a(expression.cast(), pg_sys::NodeTag::T_RelabelType) {
                expression = (*expression.cast::<pg_sys::RelabelType>()).arg;
            }
            if !is_a(expression.cast(), pg_sys::NodeTag::T_Var) {
                return None;
            }
            let var: *mut pg_sys::Var = expression.cast();
            if (*var).varno as pg_sys::Index != self.relid || (*var).varlevelsup != 0 || (*var).varattno <= 0 {
                return None;
            }
            let column = convert::catalog_column(self.relation, (*var).varattno, self.object)?;
            let (base, typmod) = convert::base_type_and_typmod((*var).vartype, (*var).vartypmod);
            Some((column, Declared { base, is_exact: typmod < 0 }))
        }
    }

    /// Whether an expression has the same value for all rows of the table.
    unsafe fn is_value(&self, expression: *mut pg_sys::Expr) -> bool {
        // SAFETY: as above.
        unsafe {
            let tables = pg_sys::pull_varnos(self.root, expression.cast());
            !pg_sys::bms_is_member(self.relid as i32, tables) && !pg_sys::contain_volatile_functions(expression.cast())
        }
    }
}

/// How a table declares a column.
pub struct Declared {
    /// The type below a domain.
    pub base: pg_sys::Oid,
    /// No type modifier rounds or cuts the value.
    pub is_exact: bool,
}

impl Declared {
    /// Whether a text is what Clerk has, too: anything can be declared as one.
    fn is_text(&self, column: &Column) -> bool {
        matches!(column.kind, Kind::Text | Kind::Phone)
            && matches!(self.base, pg_sys::TEXTOID | pg_sys::VARCHAROID)
            && self.is_exact
    }
}

const BOOLEAN_EQUALITY: u32 = pg_sys::BooleanEqualOperator;
const LIKE: u32 = pg_sys::OID_TEXT_LIKE_OP;
const ILIKE: u32 = pg_sys::OID_TEXT_ICLIKE_OP;

/// Under a nondeterministic collation more texts are equal, and like a pattern, than Clerk would find.
fn is_deterministic(collation: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up.
    collation == pg_sys::InvalidOid || unsafe { pg_sys::get_collation_isdeterministic(collation) }
}

/// Whether letters are lowered as Clerk does it. Under the rules of Turkish, `I` is not `i` in capitals: a text would
/// match here that Clerk does not find.
fn lowers_as_clerk(collation: pg_sys::Oid) -> bool {
    if collation == pg_sys::InvalidOid {
        return false;
    }
    // SAFETY: Postgres' own lower(text), of a text with a collation that the expression has.
    unsafe {
        let lower = pg_sys::Oid::from(pg_sys::F_LOWER_TEXT);
        let lowered = pg_sys::OidFunctionCall1Coll(lower, collation, to_text("I"));
        from_server(pg_sys::text_to_cstring(lowered.cast_mut_ptr())) == "i"
    }
}

/// The operator family in which values of a column of that declared type are usually compared, if it is a number or a
/// time.
pub fn family(declared: pg_sys::Oid) -> Option<pg_sys::Oid> {
    /// The family `datetime_ops` in pg_opfamily.
    const DATETIME_BTREE_FAM_OID: u32 = 434;
    match declared {
        pg_sys::INT8OID | pg_sys::INT4OID => Some(pg_sys::INTEGER_BTREE_FAM_OID),
        pg_sys::TIMESTAMPTZOID | pg_sys::TIMESTAMPOID | pg_sys::DATEOID => Some(DATETIME_BTREE_FAM_OID.into()),
        _ => None,
    }
}

/// In which operator family a time of that declared type is compared with a value of that type, and what the value is
/// then. Where the session's time zone decides what the *column* means, nothing can be told.
fn time_value(declared: pg_sys::Oid, given: pg_sys::Oid) -> Option<(pg_sys::Oid, ValueKind)> {
    let kind = match (declared, given) {
        (pg_sys::INT8OID, pg_sys::INT8OID) => ValueKind::Integer(8),
        (pg_sys::INT8OID, pg_sys::INT4OID) => ValueKind::Integer(4),
        (pg_sys::INT8OID, pg_sys::INT2OID) => ValueKind::Integer(2),
        (pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID) => ValueKind::Timestamptz,
        (pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPOID) => ValueKind::TimestampInZone,
        (pg_sys::TIMESTAMPTZOID, pg_sys::DATEOID) => ValueKind::DateInZone,
        (pg_sys::TIMESTAMPOID, pg_sys::TIMESTAMPOID) => ValueKind::Timestamp,
        (pg_sys::TIMESTAMPOID, pg_sys::DATEOID) => ValueKind::DateAtMidnight,
        (pg_sys::DATEOID, pg_sys::DATEOID) => ValueKind::Date,
        _ => return None,
    };
    Some((family(declared)?, kind))
}
