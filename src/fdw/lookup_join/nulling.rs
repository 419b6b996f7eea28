//! Tells in a plan's expressions by which outer joins the columns may have become null.
//!
//! From PostgreSQL 16 on, a column above an outer join that can make it null is another expression than the same column
//! below. The executor's row of a lookup join has each column once, so all expressions of the plan must name it as the
//! plan's output does; Postgres refuses a plan whose expressions differ.

/// Does nothing: before PostgreSQL 16 a column is the same expression above an outer join as below it.
///
/// # Safety
/// `row` must hold the TargetEntries of the joined row, and the other lists expressions, all of the query that is being
/// planned. `row` and `evaluated` must be copies that only the plan has.
#[cfg(feature = "pg15")]
pub unsafe fn align(
    _row: *mut pgrx::pg_sys::List,
    _target: *mut pgrx::pg_sys::List,
    _evaluated: &[*mut pgrx::pg_sys::List],
) {
}

#[cfg(not(feature = "pg15"))]
pub use since_16::align;

#[cfg(not(feature = "pg15"))]
mod since_16 {
    use std::collections::HashMap;
    use std::ffi::c_void;

    use pgrx::{PgList, is_a, pg_guard, pg_sys};

    /// A column, or an expression that Postgres keeps to evaluate it below an outer join.
    #[derive(PartialEq, Eq, Hash)]
    enum Leaf {
        Column(i32, i16),
        Placeholder(pg_sys::Index),
    }

    /// By which outer joins each leaf may have become null.
    type Nulling = HashMap<Leaf, *mut pg_sys::Bitmapset>;

    /// What is done with the leaves of an expression.
    struct Walk {
        nulling: Nulling,
        /// Whether what is known is written to the leaves, or what they say becomes known.
        writes: bool,
    }

    /// Makes the columns of the joined row the same as those of the join's target, and those of the expressions that are
    /// evaluated on it the same as those of the row.
    ///
    /// # Safety
    /// `row` must hold the TargetEntries of the joined row, and the other lists expressions, all of the query that is
    /// being planned. `row` and `evaluated` must be copies that only the plan has.
    pub unsafe fn align(row: *mut pg_sys::List, target: *mut pg_sys::List, evaluated: &[*mut pg_sys::List]) {
        // SAFETY: the caller guarantees lists of expressions or TargetEntries of the query. Those that are written to
        // belong to the plan alone.
        unsafe {
            let mut known = Walk { nulling: Nulling::new(), writes: false };
            walk(target.cast(), (&raw mut known).cast());
            known.writes = true;
            walk(row.cast(), (&raw mut known).cast());
            // Columns that the join does not return keep what they say.
            let mut of_row = Walk { nulling: Nulling::new(), writes: false };
            for entry in PgList::<pg_sys::TargetEntry>::from_pg(row).iter_ptr() {
                visit((*entry).expr.cast(), &mut of_row);
            }
            of_row.writes = true;
            for expressions in evaluated {
                walk((*expressions).cast(), (&raw mut of_row).cast());
            }
        }
    }

    /// Visits the leaves of an expression.
    ///
    /// # Safety
    /// The node must be an expression of the query or null, and the context a [`Walk`].
    #[pg_guard]
    unsafe extern "C-unwind" fn walk(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        // SAFETY: the caller guarantees the node and the context. Postgres calls this again for the parts of the node.
        unsafe {
            if !node.is_null() && !visit(node, &mut *context.cast::<Walk>()) {
                pg_sys::expression_tree_walker(node, Some(walk), context);
            }
        }
        false
    }

    /// Notes or writes what a leaf says. Returns false for a node that is none, or an expression that the row does not have
    /// as a column of its own, so that its parts count.
    ///
    /// # Safety
    /// The node must be an expression of the query.
    unsafe fn visit(node: *mut pg_sys::Node, walk: &mut Walk) -> bool {
        // SAFETY: the caller guarantees an expression, whose tag says of which type it is.
        unsafe {
            let (leaf, relations) = if is_a(node, pg_sys::NodeTag::T_Var) {
                let var: *mut pg_sys::Var = node.cast();
                (Leaf::Column((*var).varno, (*var).varattno), &raw mut (*var).varnullingrels)
            } else if is_a(node, pg_sys::NodeTag::T_PlaceHolderVar) {
                let placeholder: *mut pg_sys::PlaceHolderVar = node.cast();
                (Leaf::Placeholder((*placeholder).phid), &raw mut (*placeholder).phnullingrels)
            } else {
                return false;
            };
            let is_column = matches!(leaf, Leaf::Column(..));
            if !walk.writes {
                walk.nulling.insert(leaf, *relations);
                return is_column;
            }
            match walk.nulling.get(&leaf) {
                Some(known) => {
                    *relations = *known;
                    true
                }
                None => is_column,
            }
        }
    }
}
