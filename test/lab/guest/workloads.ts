import { setTimeout as sleep } from 'node:timers/promises';

import type { ExpiryDecision } from '#contracts/catalog/expiry.js';
import type { ImageView } from '#contracts/image.js';
import type { JobView } from '#contracts/job.js';
import type { Expectation } from '../protocol.js';
import { until } from '../../support/until.js';
import { makeSourceTree, SELECTIONS } from './source-tree.js';
import { CLIENT, POOLS, type Stack } from './stack.js';

/** What one run of a workload has to work with. */
export interface Work {
  readonly stack: Pick<Stack, 'ask' | 'database'>;
  /** Of the source tree, which has just been made. */
  readonly generation: number;
  /** From 0 to 1: the one choice that a workload may take. */
  readonly chance: number;
  readonly begun: () => void;
  /** Says on which job what is to be expected of its image. */
  readonly submitted: (expectation: Expectation) => void;
}

/** On a disk, as a client's files are: a backup that goes on after a loss finds them again. */
export const SOURCE = '/run/disk/source';
const POLL_MS = 50;
/** The smallest that there may be: several fragments to each backup. */
const FRAGMENT_BYTES = 2 * 1024 * 1024;

/**
 * What is under way when the power goes. To add one: a function that asks the services for something and resolves when
 * that has ended, well or not; the lab calls it while it waits to cut the power.
 */
export const WORKLOADS: Readonly<Record<string, (work: Work) => Promise<void>>> = {
  full: (work) => backUp(work, 'full', SELECTIONS.all),
  differential: (work) => backUp(work, 'differential', SELECTIONS.all),
  /** Two at once: their fragments and journal records mix. */
  pair: async (work) => {
    await Promise.all([
      backUp(work, 'full', SELECTIONS.left),
      backUp(work, 'full', SELECTIONS.right),
    ]);
  },
  /** A further copy of some image: by the file system within a media server, or over the wire to the other one. */
  duplicate: async (work) => {
    const imageId = (await pickComplete(work))?.imageId;
    if (!imageId) return backUp(work, 'full', SELECTIONS.all);
    const toPool = work.chance < 0.5 ? POOLS.near : POOLS.far;
    const request = { imageId, toPool };
    const { job } = await work.stack.ask<{ job: number }>('jobs.duplicate', request);
    await untilDone(work.stack, job);
  },
  /** Half of the time one copy of an image, where there are several; else all of it. */
  expire: async (work) => {
    const image = await pickComplete(work);
    const one = image && image.copies > 1 && work.chance < 0.5 ? { copy: 1 } : { now: true };
    const isToGo = image && (await expire(work, { imageId: image.imageId, ...one }));
    // What others build on stays; then there is something to do all the same.
    if (!isToGo) return backUp(work, 'full', SELECTIONS.all);
    await until(async () => (await goingFragments(work.stack)) === 0, { what: 'the deletion' });
  },
};

export async function runWorkload(name: string, work: Work): Promise<void> {
  const workload = WORKLOADS[name];
  if (!workload) throw new Error(`There is no workload "${name}".`);
  makeSourceTree(SOURCE, work.generation);
  work.begun();
  await workload(work);
}

/** Makes the storage units that the workloads use. */
export async function furnish(stack: Pick<Stack, 'ask'>): Promise<void> {
  for (const [pool, mediaId] of [
    [POOLS.first, 'media1'],
    [POOLS.near, 'media1'],
    [POOLS.far, 'media2'],
  ] as const) {
    const unit = { name: `lab-${pool}`, mediaId, pool, fragmentBytesMax: FRAGMENT_BYTES };
    await stack.ask('broker.unit-put', { unit });
  }
}

/** Resolves with the job when it has ended. */
export async function untilDone(stack: Pick<Stack, 'ask'>, job: number): Promise<JobView> {
  for (;;) {
    const { job: view } = await stack.ask<{ job: JobView }>('jobs.get', { job });
    if (view.state === 'done') return view;
    await sleep(POLL_MS);
  }
}

async function expire({ stack }: Work, request: object): Promise<boolean> {
  const { decisions } = await stack.ask<{ decisions: ExpiryDecision[] }>(
    'catalog.image-expire',
    request,
  );
  return decisions.some(({ decision }) => decision === 'delete');
}

/** How many fragments are on their way out. */
export async function goingFragments({ database }: Pick<Stack, 'database'>): Promise<number> {
  const { rows } = await database.query<{ count: string }>(
    `SELECT count(*) FROM catalog.fragment
      WHERE state IN ('TO_BE_DELETED', 'DELETING') OR state = 'DAMAGED' AND deletable_at IS NOT NULL`,
  );
  return Number(rows[0]!.count);
}

async function pickComplete({ stack, chance }: Work): Promise<ImageView | undefined> {
  const { images } = await stack.ask<{ images: ImageView[] }>('catalog.images', { limit: 20 });
  const complete = images.filter(({ state }) => state === 'COMPLETE');
  // The chance decides between pools, too: use what is left of it.
  return complete[Math.floor(((chance * 1_000) % 1) * complete.length)];
}

async function backUp(
  { stack, generation, submitted }: Work,
  kind: 'full' | 'differential',
  part: string,
): Promise<void> {
  const selection = part === '' ? SOURCE : `${SOURCE}/${part}`;
  const request = { client: CLIENT, kind, selections: [selection], storage: `lab-${POOLS.first}` };
  const { job } = await stack.ask<{ job: number }>('jobs.backup', request);
  submitted({ job, selection, generation });
  await untilDone(stack, job);
}
