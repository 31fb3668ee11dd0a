import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import type { FragmentCommit } from '#contracts/fragment.js';
import { SystemClock } from '#kernel/clock.js';
import { uuidv7 } from '#kernel/ids.js';
import { openDatabase } from '#service/database.js';
import { catalogDefinition } from '../../apps/catalog/src/catalog.definition.js';

const BATCH = 256;
/** About as many rows as ours takes in a round. */
const BATCHES = 300;
/** Whose values are in memory at once. */
const BATCHES_AHEAD = 50;
const SCHEMA = 'bench';
const COPIES = 4;

const FRAGMENTS = `
  INSERT INTO fragment (fragment_id, image_id, copy, number, attempt, media_id, pool,
    archive_offset, archive_bytes, stored_bytes, digest, index_bytes, index_digest, frames, last,
    sealed_at)
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::bigint[], $6::text[],
    $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::bigint[], $13::text[],
    $14::int[], $15::boolean[], $16::timestamptz[])`;

const MESSAGES = `
  INSERT INTO outbox (message_id, subject, content_type, payload)
  SELECT * FROM unnest($17::text[], $18::text[], $19::text[], $20::json[])`;

/** What PostgreSQL is to take, fragment by fragment. */
export type Rows = 'fragments' | 'fragments with receipt and event';

const STATEMENTS: Record<Rows, string> = {
  fragments: `${FRAGMENTS} ON CONFLICT DO NOTHING`,
  'fragments with receipt and event': `
    WITH fragments AS (${FRAGMENTS} ON CONFLICT DO NOTHING RETURNING fragment_id) ${MESSAGES}`,
};

/**
 * How fast PostgreSQL alone takes what a commit puts in: one connection, one statement and one
 * transaction for each batch of 256, into tables and indexes like the catalog's, beside the catalog's
 * own in the same server. The values are made up before the clock runs.
 */
export class PostgresLimit {
  private number = 0;

  private constructor(
    private readonly database: DataSource,
    private readonly client: Client,
  ) {}

  static async open(url: string): Promise<PostgresLimit> {
    const database = await openDatabase(
      { HOLDFAST_DATABASE_URL: url, HOLDFAST_DATABASE_CONNECTIONS_MAX: 2 },
      { ...catalogDefinition.owns!, schema: SCHEMA },
    );
    const client = new Client({
      connectionString: url,
      options: `-c search_path=${SCHEMA}`,
    });
    await client.connect();
    const limit = new PostgresLimit(database, client);
    await limit.makeImages();
    return limit;
  }

  /** Fragments per second. The clock rests while values are made up. */
  async measure(rows: Rows): Promise<number> {
    await this.database.query('TRUNCATE fragment, outbox CASCADE');
    const withMessages = rows !== 'fragments';
    let ms = 0;
    for (let batches = 0; batches < BATCHES; batches += BATCHES_AHEAD) {
      const all = Array.from({ length: BATCHES_AHEAD }, () => this.values(withMessages));
      const begun = performance.now();
      for (const values of all) {
        await this.client.query({ name: rows, text: STATEMENTS[rows], values });
      }
      ms += performance.now() - begun;
    }
    return (BATCHES * BATCH * 1_000) / ms;
  }

  async close(): Promise<void> {
    await this.client.end();
    await this.database.destroy();
  }

  private async makeImages(): Promise<void> {
    for (let n = 1; n <= COPIES; n += 1) {
      await this.database.query(
        `INSERT INTO image (image_id, client, policy, schedule, kind, job, backup_time, retention,
           expires_at, chain_length, selections, selection_set, begun_at)
         VALUES ($1, $1, 'p', 's', 'full', $2, 1, '1d', now(), 1, '{}', '{}', now())`,
        [imageOf(n), n],
      );
      await this.database.query(
        `INSERT INTO image_copy (image_id, copy, attempt, job_attempt, unit, pool, media_id)
         VALUES ($1, 1, 1, 1, 'u', 'p', 'm1')`,
        [imageOf(n)],
      );
    }
  }

  private values(withMessages: boolean): string[] {
    const commits = Array.from({ length: BATCH }, () => this.nextCommit());
    const columns: unknown[][] = Object.values(COLUMNS).map((valueOf) => commits.map(valueOf));
    if (withMessages) {
      const messages = commits.flatMap((commit) => [receiptOf(commit), eventOf(commit)]);
      columns.push(
        messages.map(({ id }) => id),
        messages.map(({ subject }) => subject),
        messages.map(() => 'application/json'),
        messages.map(({ payload }) => JSON.stringify(payload)),
      );
    }
    return columns.map((column) => `{${column.map((value) => quoted(value)).join(',')}}`);
  }

  private nextCommit(): FragmentCommit {
    this.number += 1;
    return {
      fragmentId: uuidv7(clock.now()),
      imageId: imageOf((this.number % COPIES) + 1),
      copy: 1,
      number: this.number,
      attempt: 1,
      mediaId: 'm1',
      pool: 'default',
      archiveOffset: this.number * 1_000,
      archiveBytes: 1_000,
      storedBytes: 500,
      digest: this.number.toString(16).padStart(64, 'a'),
      indexBytes: 100,
      indexDigest: this.number.toString(16).padStart(64, 'b'),
      frames: 1,
      last: false,
      sealedAt: clock.now().toISOString(),
    };
  }
}

const clock = new SystemClock();

/** In the order of the statement. */
const COLUMNS: Record<keyof Omit<FragmentCommit, 'index'>, (commit: FragmentCommit) => unknown> = {
  fragmentId: (commit) => commit.fragmentId,
  imageId: (commit) => commit.imageId,
  copy: (commit) => commit.copy,
  number: (commit) => commit.number,
  attempt: (commit) => commit.attempt,
  mediaId: (commit) => commit.mediaId,
  pool: (commit) => commit.pool,
  archiveOffset: (commit) => commit.archiveOffset,
  archiveBytes: (commit) => commit.archiveBytes,
  storedBytes: (commit) => commit.storedBytes,
  digest: (commit) => commit.digest,
  indexBytes: (commit) => commit.indexBytes,
  indexDigest: (commit) => commit.indexDigest,
  frames: (commit) => commit.frames,
  last: (commit) => commit.last,
  sealedAt: (commit) => commit.sealedAt,
};

function receiptOf({ fragmentId, mediaId }: FragmentCommit) {
  return {
    id: uuidv7(clock.now()),
    subject: `hf.int.v1.frag.receipt.${mediaId}.${fragmentId}`,
    payload: {
      ...{ fragmentId, mediaId, verdict: 'COMMITTED' },
      catalogEpoch: '7000000000000000000-0123456789abcdef',
    },
  };
}

/** As if it were alone in its transaction. */
function eventOf(commit: FragmentCommit) {
  const id = uuidv7(clock.now());
  const { fragmentId, number, mediaId, pool, archiveBytes, storedBytes, digest, last } = commit;
  const { imageId, copy } = commit;
  const fragment = { fragmentId, number, mediaId, pool, archiveBytes, storedBytes, digest, last };
  return {
    id,
    subject: `hf.evt.v1.fragment.committed.${imageId}`,
    payload: {
      ...{ specversion: '1.0', id, source: '/holdfast/catalog' },
      ...{ type: 'io.holdfast.fragment.committed.v1', subject: imageId },
      ...{ time: clock.now().toISOString(), datacontenttype: 'application/json' },
      data: { imageId, copy, fragments: [fragment] },
    },
  };
}

function imageOf(n: number): string {
  return `bench_${n}`;
}

/** A value in an array literal. */
function quoted(value: unknown): string {
  return `"${String(value).replace(/["\\]/g, '\\$&')}"`;
}
