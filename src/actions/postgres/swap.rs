//! Databases change their names: one goes aside, another takes its place. It knows no backup.

use super::{Server, identifier, literal, wait_for_turn};
use crate::action::ActionError;
use futures::future::join;
use std::collections::BTreeMap;

/// Runs what comes out of a question for one database, so that another becomes like it in all that a dump leaves out.
const LIKENESS: [&str; 6] = [
    "SELECT format('ALTER DATABASE %I OWNER TO %I', {to}, pg_get_userbyid(d.datdba)) FROM pg_database d WHERE d.datname = {from} \\gexec",
    "SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s', {to}, d.datconnlimit) FROM pg_database d WHERE d.datname = {from} \\gexec",
    "SELECT format('COMMENT ON DATABASE %I IS %L', {to}, shobj_description(d.oid, 'pg_database')) FROM pg_database d \
     WHERE d.datname = {from} AND shobj_description(d.oid, 'pg_database') IS NOT NULL \\gexec",
    "SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC, %I', {to}, pg_get_userbyid(d.datdba)) FROM pg_database d \
     WHERE d.datname = {from} AND d.datacl IS NOT NULL \\gexec",
    "SELECT format('GRANT %s ON DATABASE %I TO %s%s', a.privilege_type, {to}, \
     CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, \
     CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) \
     FROM pg_database d CROSS JOIN aclexplode(d.datacl) a WHERE d.datname = {from} \\gexec",
    // Settings that are lists are stored as they are written, all others as plain text.
    "SELECT format('ALTER %s SET %I TO %s', \
     CASE WHEN s.setrole = 0 THEN format('DATABASE %I', {to}) ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(s.setrole), {to}) END, \
     split_part(c, '=', 1), CASE WHEN lower(split_part(c, '=', 1)) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', \
     'session_preload_libraries', 'shared_preload_libraries', 'unix_socket_directories') \
     THEN substr(c, strpos(c, '=') + 1) ELSE quote_literal(substr(c, strpos(c, '=') + 1)) END) \
     FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase CROSS JOIN unnest(s.setconfig) c \
     WHERE d.datname = {from} \\gexec",
];

impl Server {
    /// Names the databases, each with the number that it keeps whatever it is called. A swap under this token that is still at work, of
    /// a bowline that is gone, is waited for.
    pub(in crate::actions) async fn databases(&self, token: &str) -> Result<BTreeMap<String, u32>, ActionError> {
        let sql = format!("SET statement_timeout = '20s';\n{}\nSELECT datname, oid FROM pg_database;\n", wait_for_turn(token));
        let lines = self.ask(&self.home, &sql).await?;
        let pairs = lines.iter().map(|line| line.rsplit_once('\t').and_then(|(name, oid)| Some((name.to_owned(), oid.parse().ok()?))));
        pairs.collect::<Option<_>>().ok_or_else(|| ActionError::permanent("psql's answer is not a list of databases"))
    }

    /// True when the server only follows another one, and takes no writes.
    pub(in crate::actions) async fn is_standby(&self) -> Result<bool, ActionError> {
        Ok(self.ask(&self.home, "SELECT pg_is_in_recovery();").await? == ["t"])
    }

    /// Gives a database the owner, privileges, settings and comment that this one has: a dump holds only what is within it.
    pub(in crate::actions) async fn make_alike(&self, other: &str) -> Result<(), ActionError> {
        let (from, to) = (literal(&self.database), literal(other));
        let sql: Vec<String> = LIKENESS.iter().map(|question| question.replace("{from}", &from).replace("{to}", &to)).collect();
        self.ask(&self.home, &sql.join("\n")).await.map(drop)
    }

    /// Gives the database the name `aside`, and the database `next` its name, both at once or neither. Whoever is connected loses the
    /// connection and finds the other database when they come again. Gives what psql complained of; only a look tells whether it is done.
    pub(in crate::actions) async fn swap(&self, token: &str, aside: &str, next: &str) -> Result<String, ActionError> {
        let (database, next_name) = (identifier(&self.database), identifier(next));
        let on_both = format!("datname IN ({}, {}) AND pid <> pg_backend_pid()", literal(&self.database), literal(next));
        // As arguments and not through its input: then a bowline that is killed cannot leave psql with half of them. None of them prints
        // anything, which nobody might be there to read. One that fails does not keep the last from letting people in again.
        let statements = [
            "SET statement_timeout = '30s'".to_owned(),
            wait_for_turn(token),
            format!("ALTER DATABASE {database} WITH ALLOW_CONNECTIONS false"),
            format!("DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE {on_both}; END $$"),
            // One message is one transaction.
            format!("ALTER DATABASE {database} RENAME TO {}; ALTER DATABASE {next_name} RENAME TO {database}", identifier(aside)),
            open(&self.database),
        ];
        let mut arguments = vec!["-X", "-q", "--dbname", &self.home];
        arguments.extend(statements.iter().flat_map(|statement| ["-c", statement]));
        let program = self.start("psql", &arguments, false).await?;
        let (_, end) = join(super::read_all(program.stdout), program.end).await;
        Ok(end?.errors)
    }

    /// Lets people in again, whom a swap has left outside.
    pub(in crate::actions) async fn let_in(&self, database: &str) -> Result<(), ActionError> {
        self.ask(&self.home, &format!("{};", open(database))).await.map(drop)
    }
}

fn open(database: &str) -> String {
    format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", identifier(database))
}
