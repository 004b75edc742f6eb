-- A pause of logins that we impose keeps the cause of what led to it: refused, away, bad_answer.
ALTER TABLE core_tokens ADD COLUMN pause_cause text;
