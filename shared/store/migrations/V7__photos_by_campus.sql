-- The nightly comparison reads the photos' hashes of one campus.
CREATE INDEX ON member_photos (campus_id);
