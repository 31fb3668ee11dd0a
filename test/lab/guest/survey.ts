import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Blake3Hasher } from '@napi-rs/blake-hash';

import type { MediaServer } from '#contracts/broker.js';
import type { catalogReconcile } from '#contracts/catalog/care.js';
import type { ResponseOf } from '#contracts/contract.js';
import type { JobView } from '#contracts/job.js';
import { JournalFiles } from '#storage/journal/journal-files.js';
import { replaySegments, replaySnapshot } from '#storage/journal/journal-replay.js';
import { parseFileName } from '#storage/fragment-name.js';
import {
  journalRecord,
  type JournalRecord,
} from '../../../apps/media/src/domain/journal-record.js';
import {
  applyRecord,
  fragmentOf,
  type FragmentState,
} from '../../../apps/media/src/domain/journal-state.js';
import type { FragmentEvidence } from '../evidence.js';
import type { FailedJob, ImageEvidence, Survey } from '../protocol.js';
import type { Stack } from './stack.js';

type Draft = { -readonly [K in keyof FragmentEvidence]: FragmentEvidence[K] };
type Source = Pick<Stack, 'ask' | 'database'>;

/** Asks the three witnesses, each past the services: rows, journal files, and every byte on the media. */
export async function survey(stack: Source): Promise<Survey> {
  const fragments = new Map<string, Draft>();
  const draft = (fragmentId: string): Draft => {
    const found = fragments.get(fragmentId) ?? { fragmentId };
    fragments.set(fragmentId, found);
    return found;
  };
  await askCatalog(stack, draft);
  let bytesRead = 0;
  for (const path of await volumePaths(stack)) {
    for (const [id, state] of await readJournal(path)) draft(id).journal = journalEvidence(state);
    bytesRead += await readMedium(path, draft);
  }
  const images = await imagesOf(stack);
  const failedJobs = await failuresOf(stack);
  const unsettled = await unsettledOf(stack);
  return { images, fragments: [...fragments.values()], failedJobs, unsettled, bytesRead };
}

/** How many fragments are sealed and without a verdict, over all journals. */
export async function unjudged(stack: Source): Promise<number> {
  let count = 0;
  for (const path of await volumePaths(stack)) {
    for (const state of (await readJournal(path)).values()) {
      if (state.phase === 'SEALED') count += 1;
    }
  }
  return count;
}

async function volumePaths(stack: Source): Promise<string[]> {
  const { servers } = await stack.ask<{ servers: MediaServer[] }>('broker.servers');
  return servers.flatMap(({ volumes }) => volumes.map(({ path }) => path));
}

async function askCatalog(
  { database }: Source,
  draft: (fragmentId: string) => Draft,
): Promise<void> {
  const { rows } = await database.query<{ id: string } & NonNullable<FragmentEvidence['catalog']>>(
    `SELECT fragment_id AS id, image_id AS "imageId", copy, number, state, digest,
            index_digest AS "indexDigest", given_up_at IS NOT NULL AS "isGivenUp"
       FROM catalog.fragment`,
  );
  for (const { id, ...row } of rows) draft(id).catalog = row;
}

async function imagesOf(stack: Source): Promise<ImageEvidence[]> {
  const all: ImageEvidence[] = [];
  for (;;) {
    const last = all.at(-1);
    const page = { limit: 1_000, ...(last ? { before: last.imageId } : {}) };
    const { images } = await stack.ask<{ images: ImageEvidence[] }>('catalog.images', page);
    all.push(...images.map(({ imageId, job, state }) => ({ imageId, job, state })));
    if (images.length < page.limit) return all;
  }
}

/** What `holdfast catalog reconcile` would do; it is asked, and does nothing. */
async function unsettledOf(stack: Source): Promise<string[]> {
  type Page = ResponseOf<typeof catalogReconcile>;
  const unsettled: string[] = [];
  const { servers } = await stack.ask<{ servers: MediaServer[] }>('broker.servers');
  for (const { mediaId } of servers) {
    let after: string | null = null;
    do {
      const request = { mediaId, dryRun: true, ...(after ? { after } : {}) };
      const page: Page = await stack.ask<Page>('catalog.reconcile', request);
      for (const { fragmentId, finding, action } of page.findings) {
        // What is kept aside stays so until a person looks at it.
        if (action === 'none' || action === 'quarantine') continue;
        unsettled.push(`${fragmentId}: reconciliation would ${action}: ${finding}`);
      }
      after = page.next;
    } while (after !== null);
  }
  return unsettled;
}

/** Of the newest jobs. */
async function failuresOf(stack: Source): Promise<FailedJob[]> {
  const { jobs } = await stack.ask<{ jobs: JobView[] }>('jobs.list', { state: 'done', limit: 20 });
  return jobs.flatMap(({ job, status, message }) => (status ? [{ job, status, message }] : []));
}

/** The journal as it lies there; its media server has it open, and appends nothing meanwhile. */
async function readJournal(volume: string): Promise<Map<string, FragmentState>> {
  const states = new Map<string, FragmentState>();
  const onRecord = (record: JournalRecord): void => {
    const id = fragmentOf(record);
    states.set(id, applyRecord(states.get(id), record));
  };
  const parse = (value: unknown): JournalRecord => journalRecord.parse(value);
  const files = new JournalFiles(join(volume, 'journal'));
  const from = await replaySnapshot(files, parse, onRecord);
  const segments = (await files.segments()).filter((number) => number > from.segment);
  await replaySegments(files, { from, segments, mayBeTorn: true }, { parse, onRecord });
  return states;
}

function journalEvidence(state: FragmentState): NonNullable<FragmentEvidence['journal']> {
  if (state.phase === 'INTENT') return { phase: state.phase };
  const { digest, indexDigest } = state.manifest;
  const verdict = state.phase === 'JUDGED' ? { verdict: state.verdict } : {};
  return { phase: state.phase, digest, indexDigest, ...verdict };
}

/** Reads every file of every fragment on a volume; returns how many bytes that were. */
async function readMedium(volume: string, draft: (fragmentId: string) => Draft): Promise<number> {
  let bytesRead = 0;
  for (const folder of copyFolders(volume)) {
    for (const name of readdirSync(folder)) {
      const parsed = parseFileName(name);
      if (!parsed) continue;
      const { fragmentId, file, partial } = parsed;
      const fragment = draft(fragmentId);
      fragment.medium ??= {};
      if (partial) continue;
      if (file === 'manifest') {
        const manifestDigest = digestInManifest(join(folder, name), fragmentId);
        fragment.medium = { ...fragment.medium, manifestDigest };
        continue;
      }
      const { digest, bytes } = await digestOf(join(folder, name));
      bytesRead += bytes;
      const key = file === 'data' ? 'dataDigest' : 'indexDigest';
      fragment.medium = { ...fragment.medium, [key]: digest };
    }
  }
  return bytesRead;
}

function copyFolders(volume: string): string[] {
  const images = join(volume, 'images');
  return namesIn(images).flatMap((image) =>
    namesIn(join(images, image)).map((copy) => join(images, image, copy)),
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Empty where it cannot be read, or is another fragment's. */
function digestInManifest(path: string, id: string): string {
  try {
    const { fragmentId, digest } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
    return fragmentId === id && digest ? digest : '';
  } catch {
    return ''; // cut short, or zeros: what a lost page leaves
  }
}

async function digestOf(path: string): Promise<{ digest: string; bytes: number }> {
  const hasher = new Blake3Hasher();
  let bytes = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    hasher.update(piece as Buffer);
    bytes += (piece as Buffer).length;
  }
  return { digest: hasher.digest('hex'), bytes };
}
