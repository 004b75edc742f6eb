//! What nothing can be faster than: `psql` copies the same rows into the same kind of table, and
//! compares them in one query. No list is fetched for it, parsed, or mapped.

use std::{fmt::Write, path::PathBuf, process::Command, time::Instant};

use super::test_bed::TestBed;

/// The rows of each campus in a file.
pub(super) struct Floor {
    files: Vec<PathBuf>,
}

/// What it took.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) seconds: f64,
    pub(super) copy_seconds: f64,
    pub(super) diff_seconds: f64,
}

/// The staged columns as the members here would have them.
const ROWS: &str = "
    SELECT row_number() OVER () AS place, 1 AS seen_from, m.external_member_id AS member,
           CASE WHEN m.is_archived THEN 'i' ELSE 'a' END AS standing, m.name, m.phone, m.gender,
           m.birth_date, m.age, m.photo_url, m.category, p.sha256 AS photo, 127 AS spoken,
           decode(md5(m.id::text), 'hex') AS hash
    FROM members m LEFT JOIN member_photos p ON p.member_id = m.id";

const PREPARE: &str = r#"
SET work_mem = '64MB'; SET jit = off;
CREATE TEMPORARY TABLE listed (
    place bigint, seen_from bigint NOT NULL, member text COLLATE "C" NOT NULL, standing text NOT NULL,
    name text, phone text, gender text, birth_date date, age integer, photo_url text, category text,
    photo bytea, spoken integer NOT NULL, hash bytea NOT NULL);
"#;

const DIFF: &str = "
    SELECT count(*) FROM listed l
    FULL JOIN (SELECT m.*, p.sha256 FROM members m LEFT JOIN member_photos p ON p.member_id = m.id
               WHERE m.campus_id = 'CAMPUS') m ON m.external_member_id = l.member
    WHERE l.member IS NULL OR m.id IS NULL
       OR (l.name, l.phone, l.gender, l.birth_date, l.photo_url, l.category, l.photo, l.standing = 'i')
          IS DISTINCT FROM
          (m.name, m.phone, m.gender, m.birth_date, m.photo_url, m.category, m.sha256, m.is_archived);
";

const NOW: &str = "SELECT 'now', extract(epoch FROM clock_timestamp());\n";

impl Floor {
    /// Writes the files.
    pub(super) async fn lay(bed: &TestBed) -> Self {
        let mut script = String::new();
        let files = bed.campuses.iter().map(|campus| {
            let file = bed.system.folder().join(&campus.id);
            let rows = ROWS.replace('\n', " ");
            writeln!(
                script,
                "\\copy ({rows} WHERE m.campus_id = '{}') TO '{}'",
                campus.id,
                file.display()
            )
            .unwrap();
            file
        });
        let files = files.collect();
        psql(bed, &script).await;
        Self { files }
    }

    /// Copies and compares, one campus after the other.
    pub(super) async fn measure(&self, bed: &TestBed) -> Measured {
        let mut script = String::new();
        for (campus, file) in bed.campuses.iter().zip(&self.files) {
            let copy = format!("\\copy listed FROM '{}'\n", file.display());
            let diff = DIFF.replace("CAMPUS", &campus.id);
            script.extend([PREPARE, NOW, &copy, NOW, &diff, NOW, "DROP TABLE listed;\n"]);
        }
        let begun = Instant::now();
        let output = psql(bed, &script).await;
        let seconds = begun.elapsed().as_secs_f64();
        let times: Vec<f64> =
            output.lines().filter_map(|line| line.strip_prefix("now|")?.parse().ok()).collect();
        let took = |from: usize| times.chunks(3).map(|at| at[from + 1] - at[from]).sum();
        println!("floor: {seconds:.1} s");
        Measured { seconds, copy_seconds: took(0), diff_seconds: took(1) }
    }
}

async fn psql(bed: &TestBed, script: &str) -> String {
    let file = bed.system.folder().join("script.sql");
    std::fs::write(&file, script).unwrap();
    let mut command = Command::new("psql");
    command
        .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "-v", "ON_ERROR_STOP=1"])
        .arg("--file")
        .arg(file)
        .arg(bed.system.database.url());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
