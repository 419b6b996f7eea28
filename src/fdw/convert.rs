//! How a JSON value becomes a value of a column's type.
//!
//! A value that does not fit is an error; only what is absent or null becomes NULL.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::HashMap;
use std::ffi::c_void;

use clerk_api::Locator;
use clerk_api::catalog::{Column, Kind, Object};
use clerk_api::json;
use pgrx::{IntoDatum, PgSqlErrorCode, pg_sys};
use serde_json::value::RawValue;

use crate::options;
use crate::pg::encoding::{from_server, to_c_string, to_text};

/// Between 1970-01-01, from which Clerk counts, and 2000-01-01, from which Postgres does.
const EPOCH_DAYS: i64 = 10_957;
const EPOCH_MICROSECONDS: i64 = EPOCH_DAYS * 86_400_000_000;

/// The catalogue's column that a table's column shows, unless it was given a path of its own.
pub fn column_of(relation: pg_sys::Oid, number: i16, object: &'static Object) -> Option<&'static Column> {
    if column_path(relation, number).is_some() {
        return None;
    }
    // SAFETY: catalog look-ups; get_attname raises an error for a column that does not exist.
    let (name, declared) =
        unsafe { (from_server(pg_sys::get_attname(relation, number, false)), pg_sys::get_atttype(relation, number)) };
    object.column(&name, is_scalar(base_type(declared)))
}

/// The path that a table's column was given.
fn column_path(relation: pg_sys::Oid, number: i16) -> Option<String> {
    // SAFETY: a catalog look-up that gives a list of DefElems.
    unsafe { options::from_def_elems(pg_sys::GetForeignColumnOptions(relation, number)) }.remove("path")
}

thread_local! {
    /// The types of the catalogue's kinds by their names, which are looked up once in each backend.
    static TYPES: RefCell<HashMap<&'static str, pg_sys::Oid>> = RefCell::default();
}

/// The type that represents best what a column of this kind holds: see [`Kind::sql_type`].
pub fn type_oid(kind: Kind) -> pg_sys::Oid {
    let name = kind.sql_type();
    if let Some(oid) = TYPES.with_borrow(|types| types.get(name).copied()) {
        return oid;
    }
    let (mut oid, mut typmod) = (pg_sys::InvalidOid, -1);
    // SAFETY: takes a C string and places for both answers, and raises an error for what is no type. Without an
    // error context, errors are raised.
    unsafe {
        #[cfg(feature = "pg15")]
        pg_sys::parseTypeString(to_c_string(name), &mut oid, &mut typmod, false);
        #[cfg(not(feature = "pg15"))]
        pg_sys::parseTypeString(to_c_string(name), &mut oid, &mut typmod, std::ptr::null_mut());
    }
    TYPES.with_borrow_mut(|types| types.insert(name, oid));
    oid
}

/// Neither JSON nor an array.
fn is_scalar(base: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up.
    !matches!(base, pg_sys::JSONOID | pg_sys::JSONBOID)
        && unsafe { pg_sys::get_element_type(base) } == pg_sys::InvalidOid
}

/// The type below a domain, else the type itself.
fn base_type(declared: pg_sys::Oid) -> pg_sys::Oid {
    base_type_and_typmod(declared, -1).0
}

/// The type below a domain and the modifier that the domain gives it, else what was given.
pub fn base_type_and_typmod(declared: pg_sys::Oid, mut typmod: i32) -> (pg_sys::Oid, i32) {
    // SAFETY: a catalog look-up that sets the modifier of a domain.
    unsafe { (pg_sys::getBaseTypeAndTypmod(declared, &mut typmod), typmod) }
}

/// A column of a foreign table, ready to take values.
pub struct ColumnConverter {
    /// The column's number in the table, from 1.
    pub number: i16,
    pub name: String,
    /// Where its values lie in Clerk's objects.
    pub locator: Locator,
    /// A query parameter that Clerk needs to send them.
    pub extra_param: Option<(&'static str, &'static str)>,
    declared: pg_sys::Oid,
    declared_typmod: i32,
    /// That of the type below a domain.
    typmod: i32,
    is_phone: bool,
    conversion: Conversion,
    domain: Option<Domain>,
}

/// What becomes of the JSON text.
enum Conversion {
    Bool,
    Int2,
    Int4,
    Int8,
    Float8,
    Text,
    Json,
    Timestamp,
    Timestamptz,
    Date,
    /// What the type's own input function makes of it.
    Input {
        reads: Reads,
        /// In an UnsafeCell, because an input function may keep notes in it.
        function: Box<UnsafeCell<pg_sys::FmgrInfo>>,
        parameter: pg_sys::Oid,
    },
}

/// What a type's input function is given.
enum Reads {
    /// JSON text as it is.
    Json,
    /// A number's digits.
    Number,
    /// A string, and nothing else.
    String,
    /// A string, or any other JSON as its text.
    Text,
    /// An array as Postgres writes one.
    Array,
}

/// A domain's conditions, which are checked on every value, NULL included.
struct Domain {
    oid: pg_sys::Oid,
    memory: pg_sys::MemoryContext,
    cache: Cell<*mut c_void>,
}

/// Why a value does not fit.
pub struct Misfit {
    pub problem: String,
    pub code: PgSqlErrorCode,
}

impl ColumnConverter {
    /// Prepares a column; what it needs for all rows lives in `memory`.
    ///
    /// # Safety
    /// `attribute` belongs to the relation's open descriptor; `memory` outlives the target.
    pub unsafe fn new(
        relation: pg_sys::Oid,
        attribute: &pg_sys::FormData_pg_attribute,
        object: &'static Object,
        memory: pg_sys::MemoryContext,
    ) -> Self {
        let (number, declared, declared_typmod) = (attribute.attnum, attribute.atttypid, attribute.atttypmod);
        // SAFETY: a name is a C string.
        let name = unsafe { from_server(attribute.attname.data.as_ptr()) };
        let column = column_of(relation, number, object);
        let locator = match (column_path(relation, number), column) {
            (Some(path), _) => Locator::Path(path.split('.').map(str::to_owned).collect()),
            (None, Some(column)) => column.source.into(),
            (None, None) => Locator::Path(vec![name.clone()]),
        };
        let (base, typmod) = base_type_and_typmod(declared, declared_typmod);
        ColumnConverter {
            number,
            name,
            locator,
            extra_param: column.and_then(|column| column.extra_param),
            declared,
            declared_typmod,
            typmod,
            is_phone: column.is_some_and(|column| column.kind == Kind::Phone),
            // SAFETY: the caller's.
            conversion: unsafe { Conversion::of(base, typmod, memory) },
            domain: (base != declared).then(|| Domain {
                oid: declared,
                memory,
                cache: Cell::new(std::ptr::null_mut()),
            }),
        }
    }

    /// Prepares a column of the catalogue, of the type that says most about it.
    ///
    /// # Safety
    /// `memory` outlives the target.
    pub unsafe fn of_column(number: i16, column: &'static Column, memory: pg_sys::MemoryContext) -> Self {
        let declared = type_oid(column.kind);
        ColumnConverter {
            number,
            name: column.name.to_owned(),
            locator: column.source.into(),
            extra_param: column.extra_param,
            declared,
            declared_typmod: -1,
            typmod: -1,
            is_phone: column.kind == Kind::Phone,
            // SAFETY: the caller's.
            conversion: unsafe { Conversion::of(declared, -1, memory) },
            domain: None,
        }
    }

    /// The type as it was declared, for error messages.
    pub fn type_name(&self) -> String {
        // SAFETY: a catalog look-up that gives a C string.
        unsafe {
            let given = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN as u16;
            from_server(pg_sys::format_type_extended(self.declared, self.declared_typmod, given))
        }
    }

    /// The value in the current memory context; `None` for NULL.
    ///
    /// # Errors
    /// A value that does not fit. Input functions raise errors of their own.
    pub fn convert(&self, value: Option<&str>) -> Result<Option<pg_sys::Datum>, Misfit> {
        let datum = value.map(|value| self.datum(value)).transpose()?;
        if let Some(domain) = &self.domain {
            let mut cache = domain.cache.get();
            // SAFETY: the value is of the domain's base type; the cache was made by an earlier call or is null.
            unsafe {
                let value = datum.unwrap_or(pg_sys::Datum::null());
                pg_sys::domain_check(value, datum.is_none(), domain.oid, &mut cache, domain.memory);
            }
            domain.cache.set(cache);
        }
        Ok(datum)
    }

    fn datum(&self, value: &str) -> Result<pg_sys::Datum, Misfit> {
        Ok(match &self.conversion {
            Conversion::Bool => match value {
                "true" => true.into(),
                "false" => false.into(),
                _ => return Err(Misfit::kind(value)),
            },
            Conversion::Int2 => narrow::<i16>(self.integer(value)?)?.into(),
            Conversion::Int4 => narrow::<i32>(self.integer(value)?)?.into(),
            Conversion::Int8 => self.integer(value)?.into(),
            Conversion::Float8 => {
                let number: f64 = self.number(value)?.parse().map_err(|_| Misfit::kind(value))?;
                if number.is_infinite() {
                    return Err(Misfit::range());
                }
                return Ok(number.into_datum().unwrap_or(pg_sys::Datum::null()));
            }
            Conversion::Text => to_text(&json::string(value).unwrap_or(value.into())),
            Conversion::Json => to_text(value),
            Conversion::Timestamp => self.scaled(microseconds(integer(value)?)?, pg_sys::timestamp_scale),
            Conversion::Timestamptz => self.scaled(microseconds(integer(value)?)?, pg_sys::timestamptz_scale),
            Conversion::Date => {
                microseconds(integer(value)?)?;
                narrow::<i32>(integer(value)?.div_euclid(86_400_000) - EPOCH_DAYS)?.into()
            }
            Conversion::Input { reads, function, parameter } => {
                let text = match reads {
                    Reads::Json => value.into(),
                    Reads::Number => self.number(value)?,
                    Reads::String => json::string(value).ok_or_else(|| Misfit::kind(value))?,
                    Reads::Text => json::string(value).unwrap_or(value.into()),
                    Reads::Array => array_literal(value).ok_or_else(|| Misfit::kind(value))?.into(),
                };
                let text = to_c_string(&text);
                // SAFETY: fmgr_info_cxt has set the FmgrInfo up for the type's input function, which takes a C string.
                // The function may write to the FmgrInfo, to which no reference exists.
                unsafe { pg_sys::InputFunctionCall(function.get(), text, *parameter, self.typmod) }
            }
        })
    }

    /// A number as it stands, or the digits of a phone number.
    fn number<'j>(&self, value: &'j str) -> Result<std::borrow::Cow<'j, str>, Misfit> {
        match json::kind(value) {
            "number" => Ok(value.into()),
            "string" if self.is_phone => {
                let digits: String = value.chars().filter(char::is_ascii_digit).collect();
                if digits.is_empty() { Err(Misfit::kind(value)) } else { Ok(digits.into()) }
            }
            _ => Err(Misfit::kind(value)),
        }
    }

    fn integer(&self, value: &str) -> Result<i64, Misfit> {
        integer(&self.number(value)?)
    }

    /// A time rounded to the declared number of digits.
    fn scaled(&self, microseconds: i64, scale: unsafe fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum) -> pg_sys::Datum {
        if self.typmod < 0 {
            return microseconds.into();
        }
        let arguments = [Some(microseconds.into()), Some(self.typmod.into())];
        // SAFETY: the scale functions take a time and its type modifier, and give a time.
        unsafe { pgrx::fcinfo::direct_function_call_as_datum(scale, &arguments) }.unwrap_or(microseconds.into())
    }
}

impl Conversion {
    unsafe fn of(base: pg_sys::Oid, typmod: i32, memory: pg_sys::MemoryContext) -> Self {
        let reads = match base {
            pg_sys::BOOLOID => return Conversion::Bool,
            pg_sys::INT2OID => return Conversion::Int2,
            pg_sys::INT4OID => return Conversion::Int4,
            pg_sys::INT8OID => return Conversion::Int8,
            pg_sys::FLOAT8OID => return Conversion::Float8,
            pg_sys::TEXTOID => return Conversion::Text,
            pg_sys::VARCHAROID if typmod < 0 => return Conversion::Text,
            pg_sys::JSONOID => return Conversion::Json,
            pg_sys::TIMESTAMPOID => return Conversion::Timestamp,
            pg_sys::TIMESTAMPTZOID => return Conversion::Timestamptz,
            pg_sys::DATEOID => return Conversion::Date,
            pg_sys::JSONBOID => Reads::Json,
            pg_sys::NUMERICOID | pg_sys::FLOAT4OID => Reads::Number,
            pg_sys::UUIDOID => Reads::String,
            base if is_scalar(base) => Reads::Text,
            _ => Reads::Array,
        };
        let mut parameter = pg_sys::InvalidOid;
        let function = Box::new(UnsafeCell::new(pg_sys::FmgrInfo::default()));
        // SAFETY: every type that a column can have has an input function; what that function keeps lives in `memory`.
        unsafe {
            let mut input = pg_sys::InvalidOid;
            pg_sys::getTypeInputInfo(base, &mut input, &mut parameter);
            pg_sys::fmgr_info_cxt(input, function.get(), memory);
        }
        Conversion::Input { reads, function, parameter }
    }
}

impl Misfit {
    fn kind(value: &str) -> Self {
        let kind = match json::kind(value) {
            kind @ ("array" | "object") => format!("an {kind}"),
            kind => format!("a {kind}"),
        };
        Misfit { problem: format!("cannot take {kind}"), code: PgSqlErrorCode::ERRCODE_FDW_INVALID_DATA_TYPE }
    }

    fn range() -> Self {
        Misfit {
            problem: "cannot take a number of that size".to_owned(),
            code: PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        }
    }
}

/// A whole number, however it is written.
fn integer(value: &str) -> Result<i64, Misfit> {
    if let Ok(number) = value.parse() {
        return Ok(number);
    }
    if json::kind(value) != "number" {
        return Err(Misfit::kind(value));
    }
    /// Up to here a double tells every whole number from the next.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value.parse::<f64>() {
        Ok(number) if number.fract() != 0.0 => Err(Misfit {
            problem: "cannot take a number with a fraction".to_owned(),
            code: PgSqlErrorCode::ERRCODE_FDW_INVALID_DATA_TYPE,
        }),
        Ok(number) if number.abs() <= EXACT => Ok(number as i64),
        _ => Err(Misfit::range()),
    }
}

fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T, Misfit> {
    T::try_from(number).map_err(|_| Misfit::range())
}

/// Unix milliseconds as Postgres counts time.
fn microseconds(milliseconds: i64) -> Result<i64, Misfit> {
    // Postgres' own limits: 4714-11-24 BC, and 294277 AD, exclusive.
    const RANGE: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;
    milliseconds
        .checked_mul(1000)
        .and_then(|microseconds| microseconds.checked_sub(EPOCH_MICROSECONDS))
        .filter(|microseconds| RANGE.contains(microseconds))
        .ok_or_else(Misfit::range)
}

/// An array in the form that Postgres reads; `None` if the JSON is none.
fn array_literal(value: &str) -> Option<String> {
    let elements: Vec<&RawValue> = serde_json::from_str(value).ok()?;
    let elements = elements.into_iter().map(|element| match element.get() {
        "null" => "NULL".to_owned(),
        nested if nested.starts_with('[') => array_literal(nested).unwrap_or_default(),
        other => {
            let text = json::string(other).unwrap_or(other.into());
            format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
        }
    });
    Some(format!("{{{}}}", elements.collect::<Vec<_>>().join(",")))
}
