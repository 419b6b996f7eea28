//! Finds the clauses of a query that compare a column of a foreign table with values, however they are written.
//!
//! This file only analyzes the planner's expressions. [`clerk_api::pushdown`] decides whether Clerk can evaluate a
//! comparison.

use clerk_api::catalog::{Column, Kind, Object};
use clerk_api::pushdown::{Condition, Operator};
use pgrx::{PgList, is_a, pg_sys};
use serde::{Deserialize, Serialize};

use crate::fdw::convert;
use crate::pg::encoding::{from_server, to_text};

/// The type of a value that a column is compared with, and how it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueKind {
    Text,
    TextArray,
    Boolean,
    /// Unix milliseconds, as an integer of 2, 4 or 8 bytes.
    Integer(u8),
    Timestamp,
    Timestamptz,
    /// A `date` that is compared with a `timestamptz`, as midnight in the session's time zone.
    DateInZone,
    /// A `date` that is compared with a `timestamp`, as midnight.
    DateAtMidnight,
    /// A `timestamp` that is compared with a `timestamptz`, as that time in the session's time zone.
    TimestampInZone,
    /// A `date` that is compared with a `date`.
    Date,
}

/// A clause that compares one column with values that are the same for all rows of its table. Clerk may be able to
/// evaluate it.
pub struct PushableClause {
    pub column: &'static Column,
    pub operator: Operator,
    /// The values that the column is compared with. `Equal` may have several, of which any may match; the other
    /// operators have one, and `Is` has none.
    pub values: Vec<ComparedValue>,
}

/// A value that a column is compared with.
pub struct ComparedValue {
    pub expression: *mut pg_sys::Expr,
    pub kind: ValueKind,
}

impl PushableClause {
    /// The comparison without its values, for [`clerk_api::pushdown`].
    pub fn condition(&self) -> Condition {
        let has_one_value =
            self.values.len() <= 1 && self.values.iter().all(|value| value.kind != ValueKind::TextArray);
        Condition { column: self.column, operator: self.operator, has_one_value }
    }
}

/// A foreign table as one relation of the query that is being planned.
#[derive(Clone, Copy)]
pub struct ForeignRel {
    pub root: *mut pg_sys::PlannerInfo,
    /// The index of the relation in the query's range table.
    pub relid: pg_sys::Index,
    /// The table's oid.
    pub relation: pg_sys::Oid,
    pub object: &'static Object,
}

impl ForeignRel {
    /// The column and the values that a clause compares; `None` if it is not a comparison of one column with values of
    /// types that can be sent to Clerk.
    ///
    /// # Safety
    /// The clause must be an expression or a RestrictInfo of the query that `self.root` plans.
    pub unsafe fn pushable_clause(&self, clause: *mut pg_sys::Expr) -> Option<PushableClause> {
        // SAFETY: the caller guarantees an expression or a RestrictInfo. The tag at the beginning of a node says to
        // which type it may be cast, and the parts of an expression are expressions of the same query.
        unsafe {
            match (*clause).type_ {
                pg_sys::NodeTag::T_RestrictInfo => {
                    self.pushable_clause((*clause.cast::<pg_sys::RestrictInfo>()).clause)
                }
                pg_sys::NodeTag::T_OpExpr => self.operator_clause(clause.cast()),
                pg_sys::NodeTag::T_ScalarArrayOpExpr => self.array_clause(clause.cast()),
                pg_sys::NodeTag::T_BoolExpr => self.boolean_clause(clause.cast()),
                pg_sys::NodeTag::T_BooleanTest => {
                    let test: *mut pg_sys::BooleanTest = clause.cast();
                    match (*test).booltesttype {
                        pg_sys::BoolTestType::IS_TRUE => self.boolean_column((*test).arg, true),
                        pg_sys::BoolTestType::IS_FALSE => self.boolean_column((*test).arg, false),
                        _ => None,
                    }
                }
                _ => self.boolean_column(clause, true),
            }
        }
    }

    /// A boolean column by itself, as the condition that it has the given value.
    ///
    /// # Safety
    /// The expression must be one of the query that `self.root` plans.
    unsafe fn boolean_column(&self, expression: *mut pg_sys::Expr, value: bool) -> Option<PushableClause> {
        // SAFETY: the caller guarantees an expression of the query.
        let ColumnRef { column, declared } = unsafe { self.column(expression) }?;
        (column.kind == Kind::Boolean && declared.base == pg_sys::BOOLOID).then(|| PushableClause {
            column,
            operator: Operator::Is(value),
            values: Vec::new(),
        })
    }

    /// `NOT column`, and `column = a OR column = b`.
    ///
    /// # Safety
    /// The expression must be one of the query that `self.root` plans.
    unsafe fn boolean_clause(&self, expression: *mut pg_sys::BoolExpr) -> Option<PushableClause> {
        // SAFETY: the caller guarantees a BoolExpr of the query, whose arguments are expressions of the same query.
        unsafe {
            let arguments = PgList::<pg_sys::Expr>::from_pg((*expression).args);
            match (*expression).boolop {
                pg_sys::BoolExprType::NOT_EXPR => self.boolean_column(arguments.get_ptr(0)?, false),
                pg_sys::BoolExprType::OR_EXPR => {
                    let mut clauses = arguments.iter_ptr().map(|argument| self.pushable_clause(argument));
                    let mut combined = clauses.next()??;
                    for clause in clauses {
                        let clause = clause?;
                        if clause.column.name != combined.column.name || clause.operator != Operator::Equal {
                            return None;
                        }
                        combined.values.extend(clause.values);
                    }
                    // A request can name several texts, any of which may match, but not several times or booleans.
                    let is_text = |value: &ComparedValue| matches!(value.kind, ValueKind::Text | ValueKind::TextArray);
                    let are_texts = combined.values.iter().all(is_text);
                    (combined.operator == Operator::Equal && are_texts).then_some(combined)
                }
                _ => None,
            }
        }
    }

    /// `column = ANY (array)` and `column IN (…)`.
    ///
    /// # Safety
    /// The expression must be one of the query that `self.root` plans.
    unsafe fn array_clause(&self, expression: *mut pg_sys::ScalarArrayOpExpr) -> Option<PushableClause> {
        // SAFETY: the caller guarantees a ScalarArrayOpExpr of the query, whose arguments are expressions of the same
        // query.
        unsafe {
            let sides = PgList::<pg_sys::Expr>::from_pg((*expression).args);
            let (left, right) = (sides.get_ptr(0)?, sides.get_ptr(1)?);
            let ColumnRef { column, declared } = self.column(left)?;
            ((*expression).useOr
                && (*expression).opno.to_u32() == pg_sys::TextEqualOperator
                && is_deterministic((*expression).inputcollid)
                && declared.is_text(column)
                && pg_sys::exprType(right.cast()) == pg_sys::TEXTARRAYOID
                && self.is_same_for_all_rows(right))
            .then(|| PushableClause {
                column,
                operator: Operator::Equal,
                values: vec![ComparedValue { expression: right, kind: ValueKind::TextArray }],
            })
        }
    }

    /// `column operator value` and `value operator column`.
    ///
    /// # Safety
    /// The expression must be one of the query that `self.root` plans.
    unsafe fn operator_clause(&self, expression: *mut pg_sys::OpExpr) -> Option<PushableClause> {
        // SAFETY: the caller guarantees an OpExpr of the query, whose arguments are expressions of the same query.
        // get_commutator returns InvalidOid for an operator without one, which matches no operator below.
        unsafe {
            let sides = PgList::<pg_sys::Expr>::from_pg((*expression).args);
            let (left, right) = (sides.get_ptr(0)?, sides.get_ptr(1)?);
            let (column_ref, value, operator) = match self.column(left) {
                Some(column_ref) => (column_ref, right, (*expression).opno),
                None => (self.column(right)?, left, pg_sys::get_commutator((*expression).opno)),
            };
            if !self.is_same_for_all_rows(value) {
                return None;
            }
            let ColumnRef { column, declared } = column_ref;
            let clause = |operator, kind| {
                Some(PushableClause { column, operator, values: vec![ComparedValue { expression: value, kind }] })
            };
            let value_type = pg_sys::exprType(value.cast());
            let is_deterministic = is_deterministic((*expression).inputcollid);
            match operator.to_u32() {
                _ if declared.is_text(column) && value_type == pg_sys::TEXTOID => match operator.to_u32() {
                    LIKE if is_deterministic => clause(Operator::Like, ValueKind::Text),
                    ILIKE if is_deterministic && lowercases_like_clerk((*expression).inputcollid) => {
                        clause(Operator::ILike, ValueKind::Text)
                    }
                    pg_sys::TextEqualOperator if is_deterministic => clause(Operator::Equal, ValueKind::Text),
                    _ => None,
                },
                BOOLEAN_EQUALITY if column.kind == Kind::Boolean && declared.base == pg_sys::BOOLOID => {
                    clause(Operator::Equal, ValueKind::Boolean)
                }
                _ if column.kind == Kind::Time && declared.is_exact => {
                    let TimeComparison { family, kind } = time_comparison(declared.base, value_type)?;
                    let operator = match pg_sys::get_op_opfamily_strategy(operator, family) as u32 {
                        pg_sys::BTLessStrategyNumber => Operator::Below,
                        pg_sys::BTLessEqualStrategyNumber => Operator::AtMost,
                        pg_sys::BTEqualStrategyNumber => Operator::Equal,
                        pg_sys::BTGreaterEqualStrategyNumber => Operator::AtLeast,
                        pg_sys::BTGreaterStrategyNumber => Operator::Above,
                        _ => return None,
                    };
                    clause(operator, kind)
                }
                _ => None,
            }
        }
    }

    /// The column of this table that an expression refers to, also through casts that do not change the value. `None`
    /// for any other expression and for columns that the catalogue does not know.
    ///
    /// # Safety
    /// The expression must be one of the query that `self.root` plans.
    pub unsafe fn column(&self, mut expression: *mut pg_sys::Expr) -> Option<ColumnRef> {
        // SAFETY: the caller guarantees an expression. Its tag says whether it is a RelabelType, whose argument is an
        // expression, or a Var.
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
            Some(ColumnRef { column, declared: DeclaredType { base, is_exact: typmod < 0 } })
        }
    }

    /// Whether an expression has the same value for all rows of the table.
    ///
    /// # Safety
    /// The expression must be one of the query that `self.root` plans.
    unsafe fn is_same_for_all_rows(&self, expression: *mut pg_sys::Expr) -> bool {
        // SAFETY: the caller guarantees an expression of the query that the root plans, which is what these functions
        // take.
        unsafe {
            let tables = pg_sys::pull_varnos(self.root, expression.cast());
            !pg_sys::bms_is_member(self.relid as i32, tables) && !pg_sys::contain_volatile_functions(expression.cast())
        }
    }
}

/// A reference to a column of a foreign table.
pub struct ColumnRef {
    pub column: &'static Column,
    pub declared: DeclaredType,
}

/// The type that a foreign table declares for a column.
pub struct DeclaredType {
    /// The base type, if the declared type is a domain, else the type itself.
    pub base: pg_sys::Oid,
    /// Whether values are as Clerk has them, because no type modifier rounds or cuts them.
    pub is_exact: bool,
}

impl DeclaredType {
    /// Whether the column is a text for Clerk as well. A table can declare columns of any kind as text.
    fn is_text(&self, column: &Column) -> bool {
        matches!(column.kind, Kind::Text | Kind::Phone)
            && matches!(self.base, pg_sys::TEXTOID | pg_sys::VARCHAROID)
            && self.is_exact
    }
}

const BOOLEAN_EQUALITY: u32 = pg_sys::BooleanEqualOperator;
const LIKE: u32 = pg_sys::OID_TEXT_LIKE_OP;
const ILIKE: u32 = pg_sys::OID_TEXT_ICLIKE_OP;

/// Whether a collation is deterministic. Under one that is not, texts can be equal or match a pattern that Clerk does
/// not find.
fn is_deterministic(collation: pg_sys::Oid) -> bool {
    // SAFETY: get_collation_isdeterministic raises an error for an oid that is no collation.
    collation == pg_sys::InvalidOid || unsafe { pg_sys::get_collation_isdeterministic(collation) }
}

/// Whether a collation converts letters to lower case as Clerk does. Under Turkish rules the lower case of `I` is not
/// `i`, so that a text could match here that Clerk does not find.
fn lowercases_like_clerk(collation: pg_sys::Oid) -> bool {
    if collation == pg_sys::InvalidOid {
        return false;
    }
    // SAFETY: F_LOWER_TEXT is the oid of lower(text), which takes a text and returns one. It raises an error for an oid
    // that is no collation. text_to_cstring returns a C string.
    unsafe {
        let lower = pg_sys::Oid::from(pg_sys::F_LOWER_TEXT);
        let lowered = pg_sys::OidFunctionCall1Coll(lower, collation, to_text("I"));
        from_server(pg_sys::text_to_cstring(lowered.cast_mut_ptr())) == "i"
    }
}

/// The btree operator family of the default operator class of a type; `None` unless the type is a number or a time that
/// a column of the catalogue can be declared as.
pub fn default_family(declared: pg_sys::Oid) -> Option<pg_sys::Oid> {
    /// The oid of the btree operator family `datetime_ops`, for which pgrx has no constant.
    const DATETIME_BTREE_FAM_OID: u32 = 434;
    match declared {
        pg_sys::INT8OID | pg_sys::INT4OID => Some(pg_sys::INTEGER_BTREE_FAM_OID),
        pg_sys::TIMESTAMPTZOID | pg_sys::TIMESTAMPOID | pg_sys::DATEOID => Some(DATETIME_BTREE_FAM_OID.into()),
        _ => None,
    }
}

/// How a time is compared with a value.
struct TimeComparison {
    /// The operator family of the comparison operators.
    family: pg_sys::Oid,
    kind: ValueKind,
}

/// How a time of a declared type is compared with a value of another type. `None` if the session's time zone decides
/// which time the *column* stands for: then the comparison cannot be translated for Clerk.
fn time_comparison(declared: pg_sys::Oid, value_type: pg_sys::Oid) -> Option<TimeComparison> {
    let kind = match (declared, value_type) {
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
    Some(TimeComparison { family: default_family(declared)?, kind })
}
