-- Linked, not doubled: a member of the core that was never seen takes over the row of the person that was made
-- here by hand, or that the core had under an id which is gone.

ALTER TABLE sync_configs ADD COLUMN link_members boolean NOT NULL DEFAULT true;
ALTER TABLE sync_logs ADD COLUMN members_linked integer NOT NULL DEFAULT 0;

ALTER TABLE sync_changes DROP CONSTRAINT sync_changes_kind_check;
ALTER TABLE sync_changes ADD CONSTRAINT sync_changes_kind_check
    CHECK (kind IN ('created', 'linked', 'updated', 'archived', 'unarchived', 'held', 'undecided'));

-- Every row that was taken over, and what it was before.
CREATE TABLE member_links (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campus_id          uuid NOT NULL REFERENCES campuses (id) ON DELETE CASCADE,
    member_id          uuid NOT NULL,               -- members.id
    external_member_id text COLLATE "C" NOT NULL,   -- the core's id from now on
    previous_id        text COLLATE "C",            -- the core's id before; null: made by hand
    linked_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON member_links (campus_id, external_member_id);

-- The last digits of a phone, which are the same in every way of writing it. Who has the same ones is compared
-- in full by the programs.
CREATE FUNCTION phone_tail(phone text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT right(regexp_replace(
        translate(phone, '０１２３４５６７８９٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹', '012345678901234567890123456789'),
        '[^0-9]', '', 'g'), 6)
$$;
-- A phone that changes costs its row the place in its page; nothing else that changes does.
CREATE INDEX members_by_phone ON members (campus_id, phone_tail(phone)) WHERE phone IS NOT NULL;
