//! Checks every write of members that was applied: everything converges in the end, so that the end
//! proves nothing. Triggers record each write in the order of the locks that applied it.

use std::collections::HashMap;

use tokio_postgres::Client;

/// What records each applied interval, under the lock that applied it: the serial number is the
/// order. Applied by the superuser; the programs' roles need no right to it.
pub const RECORDER: &str = "
    CREATE TABLE applied_writes (
        place bigserial PRIMARY KEY, member text NOT NULL,
        seen_from bigint NOT NULL, seen_to bigint NOT NULL, unasked boolean NOT NULL
    );
    CREATE FUNCTION record_applied_write() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        IF TG_OP = 'INSERT' OR NEW.seen_from <> OLD.seen_from THEN
            INSERT INTO applied_writes (member, seen_from, seen_to, unasked)
            VALUES (NEW.external_member_id, NEW.seen_from, NEW.seen_to, NEW.unasked);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER record_applied_write AFTER INSERT OR UPDATE ON member_sync
        FOR EACH ROW EXECUTE FUNCTION record_applied_write();

    CREATE TABLE written_versions (place bigserial PRIMARY KEY, member text NOT NULL, name text);
    CREATE FUNCTION record_version() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        INSERT INTO written_versions (member, name) VALUES (NEW.external_member_id, NEW.name);
        RETURN NULL;
    END $$;
    CREATE TRIGGER record_version AFTER INSERT OR UPDATE OF name ON members
        FOR EACH ROW EXECUTE FUNCTION record_version();";

/// A write, in the order in which they were applied.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The core's id of the member.
    pub member: String,
    /// What was applied.
    pub write: Write,
}

/// What was applied to a member.
#[derive(Debug, Clone, Copy)]
pub enum Write {
    /// A read of the core, by its interval.
    Read {
        /// Drawn before it began.
        seen_from: i64,
        /// Drawn after it ended.
        seen_to: i64,
    },
    /// A delete that carries no read.
    Unasked,
    /// The version that a member's row was set to: the number at the end of its name.
    Version(u64),
}

/// Every write so far. Names end in `version N`, where N grows with each change of the member.
pub async fn read(client: &Client) -> Vec<Applied> {
    let intervals = client
        .query("SELECT member, seen_from, seen_to, unasked FROM applied_writes ORDER BY place", &[])
        .await
        .unwrap();
    let versions = client
        .query("SELECT member, name FROM written_versions ORDER BY place", &[])
        .await
        .unwrap();
    let intervals = intervals.iter().map(|row| Applied {
        member: row.get(0),
        write: if row.get(3) {
            Write::Unasked
        } else {
            Write::Read { seen_from: row.get(1), seen_to: row.get(2) }
        },
    });
    let versions = versions.iter().map(|row| Applied {
        member: row.get(0),
        write: Write::Version(
            row.get::<_, &str>(1).rsplit_once("version ").unwrap().1.parse().unwrap(),
        ),
    });
    intervals.chain(versions).collect()
}

/// No read may follow one that began after it ended, and no version an older one.
pub fn check(writes: &[Applied]) -> Result<(), String> {
    let mut last_read: HashMap<&str, i64> = HashMap::new();
    let mut last_version: HashMap<&str, u64> = HashMap::new();
    for Applied { member, write } in writes {
        match *write {
            Write::Unasked => {}
            Write::Read { seen_from, seen_to } => {
                if seen_to <= seen_from {
                    return Err(format!(
                        "member {member}: a read ended at {seen_to} before it began at {seen_from}"
                    ));
                }
                // The member's earlier reads that were applied all ended before this one began.
                if let Some(ended) = last_read.insert(member, seen_to)
                    && ended >= seen_from
                {
                    return Err(format!(
                        "member {member}: a read from {seen_from} was put over one that ended at {ended}"
                    ));
                }
            }
            Write::Version(version) => {
                if let Some(before) = last_version.insert(member, version)
                    && before > version
                {
                    return Err(format!(
                        "member {member}: version {version} was put over {before}"
                    ));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_oracle_sees_what_is_wrong() {
    let applied = |write| Applied { member: "m".into(), write };
    let read = |seen_from, seen_to| applied(Write::Read { seen_from, seen_to });
    assert!(check(&[read(1, 2), read(3, 4)]).is_ok());
    assert!(check(&[read(1, 4), read(3, 5)]).is_err(), "overlapping reads");
    assert!(check(&[read(3, 4), read(1, 2)]).is_err(), "an older read over a newer one");
    assert!(check(&[applied(Write::Version(2)), applied(Write::Version(1))]).is_err());
    assert!(check(&[read(1, 2), applied(Write::Unasked), read(3, 4)]).is_ok());
}
