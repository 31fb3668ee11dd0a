import { z } from 'zod';
import { endpoint } from '../contract.js';
import { imageId, mediaName, timestamp } from '../names.js';

/** One difference between catalog, journal and bytes, and the one way in which it ends. */
export const reconcileFinding = z.object({
  fragmentId: z.uuid(),
  imageId,
  copy: z.int(),
  number: z.int(),
  finding: z.string(),
  action: z.enum([
    'offer-again',
    'adopt',
    'take-back',
    'mark-damaged',
    'check-again',
    'grant-again',
    'report-deleted',
    'quarantine',
    'none',
  ]),
});
export type ReconcileFinding = z.infer<typeof reconcileFinding>;

export const catalogReconcile = endpoint('catalog', 'reconcile', {
  description:
    'Compares a page of fragments of one media server with the catalog and settles the differences',
  request: z.object({
    mediaId: mediaName,
    after: z.uuid().optional(),
    dryRun: z.boolean().default(false),
  }),
  response: z.object({
    checked: z.int(),
    findings: z.array(reconcileFinding),
    next: z.uuid().nullable(),
    /** Volumes that the media server had and does not show: what may be on them counts as there. */
    away: z.array(z.uuid()),
    /** Findings about which nothing was done: the fragment could not be read, or that has not come to an end yet. */
    unchecked: z.int().min(0).default(0),
  }),
});

export const catalogForgetVolume = endpoint('catalog', 'forget-volume', {
  description: 'Gives up a volume that will not come back: what was on it counts as missing then',
  request: z.object({ mediaId: mediaName, volumeId: z.uuid() }),
  response: z.object({}),
});

export const catalogImport = endpoint('catalog', 'import-storage', {
  description: 'Puts a page of fragments of one media server into the catalog from their manifests',
  request: z.object({
    mediaId: mediaName,
    after: z.uuid().optional(),
    dryRun: z.boolean().default(false),
  }),
  response: z.object({
    images: z.int(),
    fragments: z.int(),
    /** What could not be taken, with the reason. */
    refused: z.array(z.object({ fragmentId: z.string(), reason: z.string() })),
    next: z.uuid().nullable(),
  }),
});

/** How long whoever asks for a backup or a restore of the catalog waits: it takes as long as its size. */
export const CATALOG_WHOLE_MS_MAX = 3_600_000;

export const catalogBackup = endpoint('catalog', 'backup', {
  description: "Writes the whole catalog, as it is at one moment, to a file on the catalog's host",
  request: z.object({}),
  response: z.object({ path: z.string(), images: z.int(), fragments: z.int(), bytes: z.int() }),
});

export const catalogRestore = endpoint('catalog', 'restore', {
  description: 'Replaces the catalog by a file that `backup` wrote, under a new epoch',
  request: z.object({
    path: z.string().min(1).describe("the file, on the catalog's host"),
    confirm: z.literal(true),
  }),
  response: z.object({ images: z.int(), fragments: z.int(), catalogEpoch: z.string() }),
});

export const catalogState = endpoint('catalog', 'state', {
  description: 'Counts: fragments by state, pins, holds, what is parked or was refused, the epoch',
  request: z.object({}),
  response: z.object({
    catalogEpoch: z.string(),
    images: z.int(),
    fragments: z.record(z.string(), z.int()),
    pins: z.int(),
    holds: z.int(),
    parked: z.int(),
    /** By verdict. */
    refused: z.record(z.string(), z.int()),
    volumesAway: z.array(
      z.object({
        mediaId: mediaName,
        volumeId: z.uuid(),
        since: timestamp,
        /** Where it was when it was there; null where no media server has said so. */
        pool: z.string().nullable().default(null),
        path: z.string().nullable().default(null),
      }),
    ),
  }),
});
