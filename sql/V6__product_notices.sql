-- Who saw which notice how often. Names, columns and types are those of Mattermost 11.6; the time is in seconds.

CREATE TABLE IF NOT EXISTS productnoticeviewstate (
    userid varchar(26) NOT NULL,
    noticeid varchar(26) NOT NULL,
    viewed integer,
    "timestamp" bigint,
    PRIMARY KEY (userid, noticeid)
);
CREATE INDEX IF NOT EXISTS idx_notice_views_notice_id ON productnoticeviewstate (noticeid);
CREATE INDEX IF NOT EXISTS idx_notice_views_timestamp ON productnoticeviewstate ("timestamp");
