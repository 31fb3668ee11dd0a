import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { TcpProxy } from '../support/tcp-proxy.js';
import { CommitCluster, type MediaProcess } from './commit-cluster.js';
import type { MediaOrder } from './commit-media.js';
import { atLeastOf, below, measurement, median, NO_GOAL, type Measurement } from './measurement.js';
import { PostgresLimit } from './postgres-limit.js';

const MEDIA = ['m1', 'm2', 'm3', 'm4'];
const ROUNDS = 5;
/** Of one round, at full load. */
const LOAD_MS = 4_000;
const WARM_MS = 1_500;
/** Fragments of one media server on their way at once. */
const UNDER_WAY = 512;
const PACED_PER_SECOND = 100;
const PACED_SECONDS = 20;
const OUTAGE_FRAGMENTS = 10_000;
/** Longer than a publish waits for its acknowledgement. */
const OUTAGE_MS = 12_000;

/** How fast fragments are committed, with everything in it that a real cluster has. */
export async function commitsBench(): Promise<Measurement[]> {
  const cluster = await CommitCluster.start(MEDIA);
  try {
    const media = await cluster.startMedia();
    const speed = await commitsPerSecond(cluster, media);
    const latency = await receiptLatency(media);
    await cluster.stopMedia(media);
    const recovery = await recoverySeconds(cluster);
    return [...speed, latency, recovery];
  } finally {
    await cluster.stop();
  }
}

/** Rounds of ours and of the limit in turn, so that both meet the machine in the same mood. */
async function commitsPerSecond(
  cluster: CommitCluster,
  media: readonly MediaProcess[],
): Promise<Measurement[]> {
  const limit = await PostgresLimit.open(cluster.postgres.url);
  const ours: number[] = [];
  const full: number[] = [];
  const bare: number[] = [];
  try {
    const load = { order: 'load', underWay: UNDER_WAY, warmMs: WARM_MS, ms: LOAD_MS } as const;
    // Compiled as in a process that has run for a while.
    await ask(media, () => load);
    for (let round = 0; round < ROUNDS; round += 1) {
      full.push(await limit.measure('fragments with receipt and event'));
      bare.push(await limit.measure('fragments'));
      const committed = (await ask(media, () => load)).flat();
      ours.push(committed.reduce((sum, one) => sum + one, 0) / (LOAD_MS / 1_000));
    }
  } finally {
    await limit.close();
  }
  const what = { measure: 'fragments committed end to end', unit: '/s', ours: median(ours) };
  return [
    measurement(
      { ...what, peers: { 'PostgreSQL alone, the same rows': median(full) } },
      atLeastOf(0.6),
    ),
    measurement(
      { ...what, peers: { 'PostgreSQL alone, without receipt and event': median(bare) } },
      NO_GOAL,
    ),
  ];
}

/** From SEALED in the journal to the receipt in it, at a steady pace. */
async function receiptLatency(media: readonly MediaProcess[]): Promise<Measurement> {
  const everyMs = (1_000 * media.length) / PACED_PER_SECOND;
  const times = await ask(media, (n) => ({
    order: 'pace',
    everyMs,
    firstMs: (n * everyMs) / media.length,
    fragments: (PACED_SECONDS * 1_000) / everyMs,
  }));
  const measure = `SEALED to receipt journalled, median, at ${PACED_PER_SECOND} commits/s`;
  return measurement({ measure, unit: 'ms', ours: median(times.flat()) }, below(20, 'ms'));
}

/** The link of every media server is cut, fragments are sealed all the same, the link comes back. */
async function recoverySeconds(cluster: CommitCluster): Promise<Measurement> {
  const link = await TcpProxy.start({ port: cluster.nats.port });
  const media = await cluster.startMedia(link.port);
  const before = await committedRows(cluster);
  const cutAt = performance.now();
  link.cut();
  await ask(media, () => ({ order: 'seal', fragments: OUTAGE_FRAGMENTS / media.length }));
  await sleep(Math.max(0, cutAt + OUTAGE_MS - performance.now()));
  const waited = await committedRows(cluster);
  if (waited !== before) throw new Error('The link was not cut.');
  const restoredAt = performance.now();
  link.restore();
  await ask(media, () => ({ order: 'settle' }));
  const ours = (performance.now() - restoredAt) / 1_000;
  const committed = (await committedRows(cluster)) - before;
  if (committed !== OUTAGE_FRAGMENTS) throw new Error(`${committed} rows came in.`);
  await cluster.stopMedia(media);
  await link.stop();
  const measure = `${OUTAGE_FRAGMENTS} fragments committed after the link's return`;
  return measurement({ measure, unit: 's', ours }, below(5, 's'));
}

function ask(
  media: readonly MediaProcess[],
  order: (n: number) => MediaOrder,
): Promise<number[][]> {
  return Promise.all(media.map((one, n) => one.carryOut(order(n))));
}

async function committedRows(cluster: CommitCluster): Promise<number> {
  const client = new Client({ connectionString: cluster.postgres.url });
  await client.connect();
  try {
    const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM catalog.fragment');
    return Number(rows[0]!.count);
  } finally {
    await client.end();
  }
}
