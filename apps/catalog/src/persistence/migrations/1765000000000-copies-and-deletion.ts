import type { MigrationInterface, QueryRunner } from 'typeorm';

const COPIES = `
  ALTER TABLE image ALTER COLUMN job DROP NOT NULL;
  CREATE INDEX image_expires ON image (expires_at, image_id);
  CREATE INDEX image_base ON image (base_image_id);

  ALTER TABLE image_copy
    ADD COLUMN job bigint,
    ADD COLUMN begun_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN completed_attempt bigint,
    ADD COLUMN granted_in text;
  UPDATE image_copy c SET job = i.job, begun_at = i.begun_at
  FROM image i WHERE i.image_id = c.image_id;
  UPDATE image_copy c SET completed_attempt = c.attempt
  FROM image_completion d WHERE d.image_id = c.image_id;
`;

/** What is past the live states has an index of its own, which a commit does not touch. */
const DELETION = `
  ALTER TABLE fragment
    ADD COLUMN state_reason text NOT NULL DEFAULT '',
    ADD COLUMN given_up_at timestamptz,
    ADD COLUMN deletable_at timestamptz,
    ADD COLUMN tombstone_id uuid,
    ADD COLUMN granted_at timestamptz,
    ADD COLUMN grant_sent_at timestamptz,
    ADD COLUMN deleted_at timestamptz;
  CREATE INDEX fragment_past_number ON fragment (image_id, copy, number)
    WHERE state IN ('DAMAGED', 'DELETING', 'DELETED');
  CREATE INDEX fragment_to_delete ON fragment (deletable_at)
    WHERE state IN ('TO_BE_DELETED', 'DAMAGED');
  CREATE INDEX fragment_granted ON fragment (grant_sent_at) WHERE state = 'DELETING';

  CREATE INDEX refused_fragment_image ON refused_fragment ((offer->>'imageId'));

  CREATE TABLE pin (
    fragment_id uuid NOT NULL,
    job bigint NOT NULL,
    pinned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (fragment_id, job),
    CONSTRAINT pin_fragment FOREIGN KEY (fragment_id) REFERENCES fragment (fragment_id)
  );
  CREATE INDEX pin_job ON pin (job);

  CREATE TABLE image_hold (
    image_id text NOT NULL,
    hold text NOT NULL,
    reason text NOT NULL,
    held_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (image_id, hold),
    CONSTRAINT image_hold_image FOREIGN KEY (image_id) REFERENCES image (image_id)
  );
`;

export class CopiesAndDeletion1765000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(COPIES + DELETION);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE pin, image_hold;
      DROP INDEX fragment_past_number, fragment_to_delete, fragment_granted, image_expires,
        image_base, refused_fragment_image;
      ALTER TABLE fragment DROP COLUMN state_reason, DROP COLUMN given_up_at,
        DROP COLUMN deletable_at, DROP COLUMN tombstone_id, DROP COLUMN granted_at,
        DROP COLUMN grant_sent_at, DROP COLUMN deleted_at;
      ALTER TABLE image_copy DROP COLUMN job, DROP COLUMN begun_at, DROP COLUMN completed_attempt,
        DROP COLUMN granted_in;
      UPDATE image SET job = 0 WHERE job IS NULL;
      ALTER TABLE image ALTER COLUMN job SET NOT NULL;
    `);
  }
}
