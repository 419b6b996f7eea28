//! Whose key a query uses: the user mapping's, one of Supabase Vault's, the server's, or that of the environment.

use pgrx::pg_sys;
use secrecy::SecretString;

use crate::error::{FdwError, OrRaise};
use crate::options::{self, Options};
use crate::pg::{sandbox, spi};

/// The name of the environment variable that Clerk's own libraries read the key from.
const KEY_VARIABLE: &str = "CLERK_SECRET_KEY";

/// Where a server's key may be found, beside user mappings.
pub struct KeySource<'s> {
    pub server: &'s str,
    pub owner: pg_sys::Oid,
    pub options: &'s Options,
}

impl KeySource<'_> {
    /// The key, from the first place that has one.
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
        // The variable belongs to who runs the server process: a role without such power must not spend its key, and
        // nobody but Clerk is to see it unless the server says so.
        // SAFETY: a plain catalog look-up.
        if !unsafe { pg_sys::superuser_arg(self.owner) } {
            looked_at.push(format!("not the environment's {KEY_VARIABLE}, since no superuser owns the server"));
        } else if !options::takes_environment_key(self.options) {
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

/// The secret that Supabase Vault keeps under an id or a name. Each of the roles must be able to read it: whoever names
/// a secret, and says where it is sent, must not get hold of other people's through those who scan.
pub fn vault_secret(roles: &[pg_sys::Oid], option: &str, secret: &str) -> Result<String, String> {
    if !is_vault_trusted() {
        return Err("which is not installed in this database".to_owned());
    }
    for role in roles {
        if let Some(name) = cannot_read_vault(*role) {
            return Err(format!("which role \"{name}\" may not read"));
        }
    }
    // Where Supabase's wrappers take an id, they take a name as well.
    let condition = match option {
        "api_key_id" => "id::text = lower($1) OR name = $1",
        _ => "name = $1",
    };
    // In a subquery, so that there is a row where there is no secret.
    let query = format!("SELECT (SELECT decrypted_secret FROM vault.decrypted_secrets WHERE {condition} LIMIT 1)");
    let mut found = None;
    for role in roles {
        found = sandbox::run_as(*role, || ask(&query, secret));
        if found.is_none() {
            break;
        }
    }
    found.filter(|key| !key.is_empty()).ok_or("which has no such secret".to_owned())
}

/// The name of a role that has no right to read Vault.
fn cannot_read_vault(role: pg_sys::Oid) -> Option<String> {
    let query = "SELECT pg_get_userbyid($1::oid) WHERE NOT (has_schema_privilege($1::oid, 'vault', 'USAGE')
                    AND has_table_privilege($1::oid, 'vault.decrypted_secrets', 'SELECT'))";
    sandbox::as_extension_owner(|| ask(query, &role.to_u32().to_string()))
}

/// Whether `vault.decrypted_secrets` is Vault's own: a part of the extension `supabase_vault`, or a superuser's in a
/// superuser's schema. Where Vault is not installed, anybody who may make schemas can make one of that name.
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
    sandbox::as_caller(|| ask(query, "vault")).as_deref() == Some("t")
}

/// The one text that a query with one parameter gives.
fn ask(query: &str, argument: &str) -> Option<String> {
    // The scan may be part of a parallel query.
    spi::read(query, &[Some(argument)]).or_raise().into_iter().next()?.into_iter().next()?
}

pub struct UserMapping {
    pub oid: pg_sys::Oid,
    options: Options,
}

/// The role's user mapping, else that of PUBLIC. Unlike `GetUserMapping`, having none is no error: the key may come
/// from elsewhere.
pub fn user_mapping(role: pg_sys::Oid, server: pg_sys::Oid) -> Option<UserMapping> {
    let cache = pg_sys::SysCacheIdentifier::USERMAPPINGUSERSERVER as i32;
    for user in [role, pg_sys::InvalidOid] {
        // SAFETY: the tuple is valid from the look-up to its release, and the options are copied before.
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
            let options = options::read(options);
            pg_sys::ReleaseSysCache(tuple);
            return Some(UserMapping { oid, options });
        }
    }
    None
}
