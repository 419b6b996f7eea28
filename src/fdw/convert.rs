//! Converts JSON values to values of a column's type.
//!
//! A value that does not fit the type is an error. Only a value that is absent or null becomes NULL.

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

/// The days from 1970-01-01, the epoch of Clerk's times, to 2000-01-01, the epoch of Postgres'.
const EPOCH_DAYS: i64 = 10_957;
const EPOCH_MICROSECONDS: i64 = EPOCH_DAYS * 86_400_000_000;

/// The column of the catalogue that a table's column shows; `None` if there is none or if the option `path` is set.
pub fn catalog_column(relation: pg_sys::Oid, number: i16, object: &'static Object) -> Option<&'static Column> {
    if column_path(relation, number).is_some() {
        return None;
    }
    // SAFETY: get_attname returns a C string, or raises an error for a column that does not exist.
    let name = unsafe { from_server(pg_sys::get_attname(relation, number, false)) };
    // SAFETY: get_atttype takes any oid and number.
    let declared = unsafe { pg_sys::get_atttype(relation, number) };
    object.column(&name, is_scalar(base_type(declared)))
}

/// Where the values of a table's column are in Clerk's objects.
pub fn locator(relation: pg_sys::Oid, number: i16, object: &'static Object) -> Locator {
    if let Some(path) = column_path(relation, number) {
        return Locator::Path(path.split('.').map(str::to_owned).collect());
    }
    match catalog_column(relation, number, object) {
        Some(column) => column.source.into(),
        // SAFETY: get_attname returns a C string, or raises an error for a column that does not exist.
        None => Locator::Path(vec![unsafe { from_server(pg_sys::get_attname(relation, number, false)) }]),
    }
}

/// The option `path` of a table's column.
fn column_path(relation: pg_sys::Oid, number: i16) -> Option<String> {
    // SAFETY: GetForeignColumnOptions returns null or a list of DefElems.
    unsafe { options::from_def_elems(pg_sys::GetForeignColumnOptions(relation, number)) }.remove("path")
}

thread_local! {
    /// The oids of the types that stand for the catalogue's kinds, by their names. Each is looked up once in a backend.
    static TYPES: RefCell<HashMap<&'static str, pg_sys::Oid>> = RefCell::default();
}

/// The type that represents a kind of column best: see [`Kind::sql_type`].
pub fn type_oid(kind: Kind) -> pg_sys::Oid {
    let name = kind.sql_type();
    if let Some(oid) = TYPES.with_borrow(|types| types.get(name).copied()) {
        return oid;
    }
    let (mut oid, mut typmod) = (pg_sys::InvalidOid, -1);
    // SAFETY: parseTypeString takes a C string and two pointers to write the type and its modifier to. For a name that
    // is no type it raises an error, because false or a null error context says that errors are not to be saved.
    unsafe {
        #[cfg(feature = "pg15")]
        pg_sys::parseTypeString(to_c_string(name), &mut oid, &mut typmod, false);
        #[cfg(not(feature = "pg15"))]
        pg_sys::parseTypeString(to_c_string(name), &mut oid, &mut typmod, std::ptr::null_mut());
    }
    TYPES.with_borrow_mut(|types| types.insert(name, oid));
    oid
}

/// Whether a type is neither JSON nor an array.
fn is_scalar(base: pg_sys::Oid) -> bool {
    // SAFETY: get_element_type takes any oid.
    let is_array = || unsafe { pg_sys::get_element_type(base) } != pg_sys::InvalidOid;
    !matches!(base, pg_sys::JSONOID | pg_sys::JSONBOID) && !is_array()
}

/// The base type of a domain; any other type itself.
fn base_type(declared: pg_sys::Oid) -> pg_sys::Oid {
    base_type_and_typmod(declared, -1).0
}

/// The base type of a domain with the type modifier that the domain sets; any other type and its modifier themselves.
pub fn base_type_and_typmod(declared: pg_sys::Oid, mut typmod: i32) -> (pg_sys::Oid, i32) {
    // SAFETY: getBaseTypeAndTypmod raises an error for an oid that is no type, and writes the modifier to `typmod`.
    unsafe { (pg_sys::getBaseTypeAndTypmod(declared, &mut typmod), typmod) }
}

/// Converts the values of one column.
pub struct ColumnConverter {
    /// The column's number in the table, from 1.
    pub number: i16,
    pub name: String,
    /// Where the values are found in Clerk's objects.
    pub locator: Locator,
    /// A query parameter without which Clerk does not send the values.
    pub extra_param: Option<(&'static str, &'static str)>,
    declared: pg_sys::Oid,
    declared_typmod: i32,
    /// The type modifier of the base type, if the declared type is a domain.
    typmod: i32,
    is_phone: bool,
    conversion: Conversion,
    domain: Option<Domain>,
}

/// How the JSON text is converted.
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
    /// By the type's input function.
    Input {
        form: InputForm,
        /// In an UnsafeCell, because an input function may keep its cache in it.
        function: Box<UnsafeCell<pg_sys::FmgrInfo>>,
        parameter: pg_sys::Oid,
    },
}

/// The form of the text that a type's input function gets.
enum InputForm {
    /// The JSON text unchanged.
    Json,
    /// A JSON number as it is written, or the digits of a phone number.
    Number,
    /// The contents of a JSON string; other JSON values do not fit.
    String,
    /// The contents of a JSON string, or the text of any other JSON value.
    Text,
    /// An array in the syntax of Postgres.
    Array,
}

/// A domain, whose constraints are checked for every value, NULL included.
struct Domain {
    oid: pg_sys::Oid,
    /// The memory context of what domain_check keeps in `cache`.
    memory: pg_sys::MemoryContext,
    cache: Cell<*mut c_void>,
}

/// The reason why a value does not fit the type.
pub struct Misfit {
    pub problem: String,
    pub code: PgSqlErrorCode,
}

impl ColumnConverter {
    /// A converter for a column of a table. What it needs for all rows is allocated in `memory`.
    ///
    /// # Safety
    /// `attribute` must be an attribute of the relation, and `memory` must outlive the converter.
    pub unsafe fn new(
        relation: pg_sys::Oid,
        attribute: &pg_sys::FormData_pg_attribute,
        object: &'static Object,
        memory: pg_sys::MemoryContext,
    ) -> Self {
        let (number, declared, declared_typmod) = (attribute.attnum, attribute.atttypid, attribute.atttypmod);
        // SAFETY: attname is a NameData, which ends with a NUL.
        let name = unsafe { from_server(attribute.attname.data.as_ptr()) };
        let column = catalog_column(relation, number, object);
        let locator = locator(relation, number, object);
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
            // SAFETY: the caller guarantees that `memory` outlives the converter and with it the conversion.
            conversion: unsafe { Conversion::of(base, typmod, memory) },
            domain: (base != declared).then(|| Domain {
                oid: declared,
                memory,
                cache: Cell::new(std::ptr::null_mut()),
            }),
        }
    }

    /// A converter for a column of the catalogue, to the type that represents it best.
    ///
    /// # Safety
    /// `memory` must outlive the converter.
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
            // SAFETY: the caller guarantees that `memory` outlives the converter and with it the conversion.
            conversion: unsafe { Conversion::of(declared, -1, memory) },
            domain: None,
        }
    }

    /// The declared type, for error messages.
    pub fn type_name(&self) -> String {
        // SAFETY: format_type_extended returns a C string, or raises an error for an oid that is no type.
        unsafe {
            let flags = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN as u16;
            from_server(pg_sys::format_type_extended(self.declared, self.declared_typmod, flags))
        }
    }

    /// Converts a JSON value to a datum in the current memory context; `None` stands for an absent value and for NULL.
    ///
    /// # Errors
    /// Fails if the value does not fit. Input functions and domains raise errors of their own instead.
    pub fn convert(&self, value: Option<&str>) -> Result<Option<pg_sys::Datum>, Misfit> {
        let datum = value.map(|value| self.datum(value)).transpose()?;
        if let Some(domain) = &self.domain {
            let mut cache = domain.cache.get();
            // SAFETY: `conversion` was made for the domain's base type, so the datum is of that type. The cache is null
            // or was made by an earlier call for the same domain, in memory that outlives the converter.
            unsafe {
                let value = datum.unwrap_or(pg_sys::Datum::null());
                pg_sys::domain_check(value, datum.is_none(), domain.oid, &mut cache, domain.memory);
            }
            domain.cache.set(cache);
        }
        Ok(datum)
    }

    /// Converts a JSON value that is not null to the base type.
    fn datum(&self, value: &str) -> Result<pg_sys::Datum, Misfit> {
        Ok(match &self.conversion {
            Conversion::Bool => match value {
                "true" => true.into(),
                "false" => false.into(),
                _ => return Err(Misfit::wrong_kind(value)),
            },
            Conversion::Int2 => narrow::<i16>(self.integer(value)?)?.into(),
            Conversion::Int4 => narrow::<i32>(self.integer(value)?)?.into(),
            Conversion::Int8 => self.integer(value)?.into(),
            Conversion::Float8 => {
                let text = self.number(value)?;
                let number: f64 = text.parse().map_err(|_| Misfit::wrong_kind(value))?;
                // As in Postgres, a number that is too small for the type does not become zero.
                if number.is_infinite() || (number == 0.0 && !json::is_zero(&text)) {
                    return Err(Misfit::out_of_range());
                }
                return Ok(number.into_datum().unwrap_or(pg_sys::Datum::null()));
            }
            Conversion::Text => to_text(&json::string(value).unwrap_or(value.into())),
            Conversion::Json => to_text(value),
            Conversion::Timestamp => self.rounded(microseconds(integer(value)?)?, pg_sys::timestamp_scale),
            Conversion::Timestamptz => self.rounded(microseconds(integer(value)?)?, pg_sys::timestamptz_scale),
            Conversion::Date => {
                microseconds(integer(value)?)?;
                narrow::<i32>(integer(value)?.div_euclid(86_400_000) - EPOCH_DAYS)?.into()
            }
            Conversion::Input { form, function, parameter } => {
                let text = match form {
                    InputForm::Json => value.into(),
                    InputForm::Number => self.number(value)?,
                    InputForm::String => json::string(value).ok_or_else(|| Misfit::wrong_kind(value))?,
                    InputForm::Text => json::string(value).unwrap_or(value.into()),
                    InputForm::Array => array_literal(value).ok_or_else(|| Misfit::wrong_kind(value))?.into(),
                };
                let text = to_c_string(&text);
                // SAFETY: fmgr_info_cxt has set the FmgrInfo up for the type's input function, which takes a C string.
                // The function may write to the FmgrInfo, to which no reference exists.
                unsafe { pg_sys::InputFunctionCall(function.get(), text, *parameter, self.typmod) }
            }
        })
    }

    /// A JSON number as it is written, or the digits of a phone number.
    fn number<'j>(&self, value: &'j str) -> Result<std::borrow::Cow<'j, str>, Misfit> {
        match json::kind(value) {
            "number" => Ok(value.into()),
            "string" if self.is_phone => {
                let digits: String = value.chars().filter(char::is_ascii_digit).collect();
                if digits.is_empty() { Err(Misfit::wrong_kind(value)) } else { Ok(digits.into()) }
            }
            _ => Err(Misfit::wrong_kind(value)),
        }
    }

    fn integer(&self, value: &str) -> Result<i64, Misfit> {
        integer(&self.number(value)?)
    }

    /// A time, rounded to the declared number of fractional digits.
    fn rounded(&self, microseconds: i64, scale: unsafe fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum) -> pg_sys::Datum {
        if self.typmod < 0 {
            return microseconds.into();
        }
        let arguments = [Some(microseconds.into()), Some(self.typmod.into())];
        // SAFETY: both callers pass timestamp_scale or timestamptz_scale, which take a time and a type modifier by
        // value and return a time.
        unsafe { pgrx::fcinfo::direct_function_call_as_datum(scale, &arguments) }.unwrap_or(microseconds.into())
    }
}

impl Conversion {
    /// The conversion to a base type with a type modifier.
    ///
    /// # Safety
    /// `memory` must outlive the conversion.
    unsafe fn of(base: pg_sys::Oid, typmod: i32, memory: pg_sys::MemoryContext) -> Self {
        let form = match base {
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
            pg_sys::JSONBOID => InputForm::Json,
            pg_sys::NUMERICOID | pg_sys::FLOAT4OID => InputForm::Number,
            pg_sys::UUIDOID => InputForm::String,
            base if is_scalar(base) => InputForm::Text,
            _ => InputForm::Array,
        };
        let mut parameter = pg_sys::InvalidOid;
        let function = Box::new(UnsafeCell::new(pg_sys::FmgrInfo::default()));
        // SAFETY: getTypeInputInfo writes to both pointers, or raises an error for an oid that is no type.
        // fmgr_info_cxt sets the FmgrInfo up. The input function allocates its cache in `memory`, which the caller
        // guarantees to outlive the conversion.
        unsafe {
            let mut input = pg_sys::InvalidOid;
            pg_sys::getTypeInputInfo(base, &mut input, &mut parameter);
            pg_sys::fmgr_info_cxt(input, function.get(), memory);
        }
        Conversion::Input { form, function, parameter }
    }
}

impl Misfit {
    fn wrong_kind(value: &str) -> Self {
        let kind = match json::kind(value) {
            kind @ ("array" | "object") => format!("an {kind}"),
            kind => format!("a {kind}"),
        };
        Misfit { problem: format!("cannot take {kind}"), code: PgSqlErrorCode::ERRCODE_FDW_INVALID_DATA_TYPE }
    }

    fn out_of_range() -> Self {
        Misfit {
            problem: "cannot take a number of that size".to_owned(),
            code: PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        }
    }
}

/// A whole number, which may be written with an exponent or a zero fraction.
fn integer(value: &str) -> Result<i64, Misfit> {
    if json::kind(value) != "number" {
        return Err(Misfit::wrong_kind(value));
    }
    json::integer(value).map_err(|error| match error {
        json::NoInteger::Fraction => Misfit {
            problem: "cannot take a number with a fraction".to_owned(),
            code: PgSqlErrorCode::ERRCODE_FDW_INVALID_DATA_TYPE,
        },
        json::NoInteger::OutOfRange => Misfit::out_of_range(),
    })
}

fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T, Misfit> {
    T::try_from(number).map_err(|_| Misfit::out_of_range())
}

/// Converts Unix milliseconds to Postgres' microseconds since 2000-01-01.
fn microseconds(milliseconds: i64) -> Result<i64, Misfit> {
    // Postgres' own limits of a timestamp: from 4714-11-24 BC, inclusive, to 294277-01-01 AD, exclusive.
    const RANGE: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;
    milliseconds
        .checked_mul(1000)
        .and_then(|microseconds| microseconds.checked_sub(EPOCH_MICROSECONDS))
        .filter(|microseconds| RANGE.contains(microseconds))
        .ok_or_else(Misfit::out_of_range)
}

/// A JSON array in the syntax of Postgres' arrays; `None` if the JSON value is no array.
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
