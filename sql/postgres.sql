-- Types that only PostgreSQL has; run before the migrations, which both engines share.
DO $$ BEGIN
    CREATE TYPE team_type AS ENUM ('I', 'O');
EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN
    CREATE TYPE channel_type AS ENUM ('P', 'G', 'O', 'D');
EXCEPTION WHEN duplicate_object THEN NULL; END $$;
