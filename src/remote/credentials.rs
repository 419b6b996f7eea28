//! Finds the API key for a query: in the user mapping, in Supabase Vault, in the server's options or in the
//! environment.

use pgrx::pg_sys;
use secrecy::SecretString;

use crate::error::{FdwError, OrRaise};
use crate::options::{self, Options};
use crate::pg::{sandbox, spi};

/// The name of the environment variable that Clerk's own libraries read the key from.
const KEY_VARIABLE: &str = "CLERK_SECRET_KEY";

/// A server with those places for its key that are not user mappings.
pub struct KeySource<'s> {
    pub server: &'s str,
    pub owner: pg_sys::Oid,
    pub options: &'s Options,
}

impl KeySource<'_> {
    /// The key from the first place that has one, for queries of a role.
    pub fn find(&self, role: pg_sys::Oid, mapping: Option<&UserMapping>) -> Result<SecretString, FdwError> {
        let mut looked_at = Vec::new();
        match mapping {
            Some(mapping) => match mapping.options.get("api_key") {
                Some(key) => return Ok(key.as_str().into()),
                None => looked_at.push("the user mapping, which has no api_key".to_owned()),
            },
            None => looked_at.push("user mappings, of which there is none for this role".to_owned()),
        }
        for option in ["api_key_id", "api_key_name"] {
            let Some(secret) = self.options.get(option) else { continue };
            match vault_secret(&[role, self.owner], option, secret) {
                Ok(key) => return Ok(key.into()),
                Err(problem) => looked_at.push(format!("Vault for the {option} \"{secret}\", {problem}")),
            }
        }
        match self.options.get("api_key") {
            Some(key) => return Ok(key.as_str().into()),
            None => looked_at.push("the server's options, which have no api_key".to_owned()),
        }
        // The environment belongs to the user who runs the server process. A role that is no superuser must not use its
        // key, and the key must not be sent to anyone but Clerk unless the server's options allow that.
        // SAFETY: superuser_arg looks any oid up in the catalog; a role that does not exist is no superuser.
        if !unsafe { pg_sys::superuser_arg(self.owner) } {
            looked_at.push(format!("not the environment's {KEY_VARIABLE}, since no superuser owns the server"));
        } else if !options::allows_environment_key(self.options) {
            looked_at.push(format!(
                "not the environment's {KEY_VARIABLE}, since api_url is not Clerk's own and the server does not say \
                 environment_key 'true'"
            ));
        } else {
            match std::env::var(KEY_VARIABLE) {
                Ok(key) if !key.is_empty() => return Ok(key.into()),
                _ => looked_at.push(format!("the environment of the server process, which has no {KEY_VARIABLE}")),
            }
        }
        Err(FdwError::NoKey { server: self.server.to_owned(), looked_at })
    }
}

/// The secret that Supabase Vault keeps under an id or a name, or the reason why it cannot be read. All of the roles
/// must be able to read it. A server's owner names the secret and says to which URL it is sent; a secret that only the
/// roles that query the server can read must not reach the owner that way.
pub fn vault_secret(roles: &[pg_sys::Oid], option: &str, id_or_name: &str) -> Result<String, String> {
    if !is_vault_trusted() {
        return Err("which is not installed in this database".to_owned());
    }
    for role in roles {
        if let Some(name) = cannot_read_vault(*role) {
            return Err(format!("which role \"{name}\" may not read"));
        }
    }
    // Supabase's wrappers accept a name where an id is expected, so this does as well.
    let condition = match option {
        "api_key_id" => "id::text = lower($1) OR name = $1",
        _ => "name = $1",
    };
    // The subquery makes the query return a row even if there is no secret.
    let query = format!("SELECT (SELECT decrypted_secret FROM vault.decrypted_secrets WHERE {condition} LIMIT 1)");
    let mut secret = None;
    for role in roles {
        secret = sandbox::run_as(*role, || query_value(&query, id_or_name));
        if secret.is_none() {
            break;
        }
    }
    secret.filter(|key| !key.is_empty()).ok_or("which has no such secret".to_owned())
}

/// The name of a role if it lacks the privileges to read Vault, else `None`.
fn cannot_read_vault(role: pg_sys::Oid) -> Option<String> {
    let query = "SELECT pg_get_userbyid($1::oid) WHERE NOT (has_schema_privilege($1::oid, 'vault', 'USAGE')
                    AND has_table_privilege($1::oid, 'vault.decrypted_secrets', 'SELECT'))";
    sandbox::as_extension_owner(|| query_value(query, &role.to_u32().to_string()))
}

/// Whether `vault.decrypted_secrets` is Vault's own view: a member of the extension `supabase_vault`, or owned by a
/// superuser in a schema that a superuser owns. If Vault is not installed, any role that may create schemas can create
/// a schema and a view of these names.
fn is_vault_trusted() -> bool {
    let query = "
        SELECT EXISTS (
          SELECT FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_roles view_owner ON view_owner.oid = c.relowner
            JOIN pg_roles schema_owner ON schema_owner.oid = n.nspowner
           WHERE n.nspname = $1 AND c.relname = 'decrypted_secrets' AND c.relkind = 'v'
             AND (view_owner.rolsuper AND schema_owner.rolsuper
                  OR EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                              WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                                AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'supabase_vault')))";
    sandbox::as_caller(|| query_value(query, "vault")).as_deref() == Some("t")
}

/// Runs a query with one parameter and returns the first value of its first row.
fn query_value(query: &str, argument: &str) -> Option<String> {
    // The scan that needs the key may be part of a parallel query, which allows no statement that could write.
    spi::read(query, &[Some(argument)]).or_raise().into_iter().next()?.into_iter().next()?
}

/// A user mapping, as the catalog has it.
pub struct UserMapping {
    pub oid: pg_sys::Oid,
    options: Options,
}

/// The user mapping of a role for a server, else that of PUBLIC. Unlike in `GetUserMapping`, it is no error if there is
/// none, because the key may come from elsewhere.
pub fn user_mapping(role: pg_sys::Oid, server: pg_sys::Oid) -> Option<UserMapping> {
    let cache = pg_sys::SysCacheIdentifier::USERMAPPINGUSERSERVER as i32;
    // InvalidOid stands for PUBLIC.
    for user in [role, pg_sys::InvalidOid] {
        // SAFETY: SearchSysCache2 returns null or a row of pg_user_mapping, which is pinned until ReleaseSysCache;
        // until then the oid and the options are copied. untransformRelOptions makes a list of DefElems of the column
        // umoptions.
        unsafe {
            let tuple = pg_sys::SearchSysCache2(cache, user.into(), server.into());
            if tuple.is_null() {
                continue;
            }
            let form: pg_sys::Form_pg_user_mapping = pg_sys::GETSTRUCT(tuple).cast();
            let oid = (*form).oid;
            let mut null = false;
            let attribute = pg_sys::Anum_pg_user_mapping_umoptions as i16;
            let options = pg_sys::SysCacheGetAttr(cache, tuple, attribute, &mut null);
            let options = if null { std::ptr::null_mut() } else { pg_sys::untransformRelOptions(options) };
            let options = options::from_def_elems(options);
            pg_sys::ReleaseSysCache(tuple);
            return Some(UserMapping { oid, options });
        }
    }
    None
}
