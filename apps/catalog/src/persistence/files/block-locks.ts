import { sleep } from '#kernel/backoff.js';
import { prepared } from '#outbox/prepared.js';
import type { Queries } from '../queries.js';

/*
 * Locks of the transaction on the blocks of file trees: who refers to blocks shares those of their
 * client, who removes some has them alone. The first of each pair stands for all clients.
 */
const ALL = `hashtext('file blocks'), 0`;
const OF_CLIENT = `hashtext('file blocks'), hashtext(client) | 1`;

const SHARE = prepared(`SELECT pg_advisory_xact_lock_shared(${ALL}),
  pg_advisory_xact_lock_shared(${OF_CLIENT}) FROM unnest($1::text[]) AS client`);

const TRY_SHARE = prepared(`SELECT client FROM unnest($1::text[]) AS client
  WHERE pg_try_advisory_xact_lock_shared(${ALL}) AND pg_try_advisory_xact_lock_shared(${OF_CLIENT})`);

/** No block of these clients goes until the transaction ends. */
export async function shareBlocks(db: Queries, clients: readonly string[]): Promise<void> {
  await db.query(SHARE, [[...new Set(clients)].sort()]);
}

/** Which of these clients that is so for; nobody is waited for who has blocks alone just now. */
export async function tryShareBlocks(
  db: Queries,
  clients: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db.query<{ client: string }[]>(TRY_SHARE, [[...new Set(clients)].sort()]);
  return new Set(rows.map(({ client }) => client));
}

/** False if somebody refers to blocks of the client just now. */
export async function tryBlocksAlone(db: Queries, client: string): Promise<boolean> {
  const [row] = await db.query<{ alone: boolean }[]>(
    `SELECT pg_try_advisory_xact_lock(${OF_CLIENT}) AS alone FROM (SELECT $1::text AS client) c`,
    [client],
  );
  return row!.alone;
}

/**
 * Waits for every load. Not in the queue at first, where all that begin would have to wait behind it, with
 * connections that the loads which it waits for may need.
 */
export async function allBlocksAlone(db: Queries): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const [row] = await db.query<{ alone: boolean }[]>(
      `SELECT pg_try_advisory_xact_lock(${ALL}) AS alone`,
    );
    if (row!.alone) return;
    await sleep(TRY_AGAIN_MS);
  }
  await db.query(`SELECT pg_advisory_xact_lock(${ALL})`);
}

const TRIES_MAX = 100;
const TRY_AGAIN_MS = 100;
