-- What an id decided under a rule about age is remembered until the member's next birthday.

ALTER TABLE reconciled_rows ADD COLUMN until date; -- the first day on which it is not; null: no rule is about age
