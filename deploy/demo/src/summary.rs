//! What `deploy/up` shows in the end: the row, and how to go on.

use std::{fmt, path::Path};

use core_sim::{WebhookBody, sign};
use serde_json::json;

use super::{demo::Demo, first_webhook::MemberRow, product::Product};

/// Everything worth telling.
pub(super) struct Summary<'a> {
    pub(super) product: &'a Product,
    pub(super) demo: &'a Demo,
    pub(super) row: &'a MemberRow,
    /// The operator's environment; none where everything ends now.
    pub(super) operator: Option<&'a Path>,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { product, demo, row, .. } = self;
        writeln!(out, "{row}")?;
        writeln!(out, "webhook URL     {}", product.webhook_url())?;
        writeln!(out, "webhook secret  {}", demo.secret)?;
        writeln!(out, "campus id       {}", demo.campus_id)?;
        writeln!(out, "simulated core  {}", product.core_url())?;
        writeln!(out, "\nPost a webhook as FaithFlow does:\n\n{}", self.post())?;
        writeln!(
            out,
            "\nOr rename the member in the simulated core, which then posts one itself:\n"
        )?;
        writeln!(out, "{}\n", self.rename())?;
        if let Some(environment) = self.operator {
            writeln!(out, "Operate it, in another terminal:\n\n{}\n", operate(environment))?;
            for (name, admin) in product.admin_addresses() {
                writeln!(out, "metrics         http://{admin}/metrics  ({name})")?;
            }
            writeln!(out, "\nCtrl-C stops everything; the data stay.")?;
        }
        Ok(())
    }
}

impl Summary<'_> {
    /// Works as it stands: the signature is of exactly the bytes that curl sends.
    fn post(&self) -> String {
        let body = WebhookBody::new("member.updated", &self.product.church_id, self.member_id());
        let body = body.to_bytes();
        let signature = sign(&self.demo.secret, &body);
        format!(
            "curl -i {} \\\n  -H 'Content-Type: application/json' \\\n  \
             -H 'X-Webhook-Signature: {signature}' \\\n  --data-raw '{}'",
            self.product.webhook_url(),
            String::from_utf8_lossy(&body)
        )
    }

    fn rename(&self) -> String {
        let change = json!({"full_name": "Maria Magdalena"});
        let core = self.product.core_url();
        format!("curl -X PATCH {core}/control/members/{} --data-raw '{change}'", self.member_id())
    }

    fn member_id(&self) -> &str {
        self.row.0.first().map_or("", |(_, id)| id)
    }
}

fn operate(environment: &Path) -> String {
    format!(
        ". {}\nfaithctl status\nfaithctl deliveries list          # then: faithctl deliveries show EVENT_ID",
        environment.display()
    )
}

/// A table of one row, headed by the column names.
impl fmt::Display for MemberRow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |(name, text): &(String, String)| name.len().max(text.chars().count());
        let line = |cell: fn(&(String, String)) -> &str| {
            let cells = self.0.iter().map(|column| format!(" {:1$} ", cell(column), width(column)));
            cells.collect::<Vec<_>>().join("|")
        };
        let rule: Vec<_> = self.0.iter().map(|column| "-".repeat(width(column) + 2)).collect();
        writeln!(out, "{}", line(|(name, _)| name).trim_end())?;
        writeln!(out, "{}", rule.join("+"))?;
        writeln!(out, "{}", line(|(_, text)| text).trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_headed_by_its_column_names() {
        let row = MemberRow(vec![
            ("external_member_id".to_owned(), "m-1".to_owned()),
            ("name".to_owned(), "José Çelik".to_owned()),
        ]);
        assert_eq!(
            row.to_string(),
            " external_member_id | name\n--------------------+------------\n m-1                | José Çelik\n"
        );
    }
}
