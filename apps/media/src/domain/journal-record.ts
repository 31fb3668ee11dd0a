import { z } from 'zod';
import { manifestSchema } from '#archive/manifest.js';
import { verdict } from '#contracts/fragment.js';

/** A fragment is about to be written: on the disk before its first byte. */
const intent = z.object({
  type: z.literal('INTENT'),
  fragmentId: z.uuid(),
  imageId: z.string(),
  copy: z.int(),
  number: z.int(),
  attempt: z.int(),
});

/** A fragment is whole on its medium: the point from which on it is offered until it has a verdict. */
const sealed = z.object({
  type: z.literal('SEALED'),
  manifest: manifestSchema,
  sealedAt: z.iso.datetime(),
});

/** What the catalog said of a sealed fragment. */
const judged = z.object({
  type: z.literal('VERDICT'),
  fragmentId: z.uuid(),
  verdict,
  catalogEpoch: z.string(),
});

/** The catalog has confirmed that these bytes may go: on the disk before they are moved. */
const condemned = z.object({
  type: z.literal('CONDEMNED'),
  fragmentId: z.uuid(),
  tombstoneId: z.uuid(),
});

/** The bytes lie in the trash of their tombstone, or are gone from it. */
const removed = z.object({
  type: z.literal('REMOVED'),
  fragmentId: z.uuid(),
  tombstoneId: z.uuid(),
});

/** The catalog has heard that the bytes are gone. */
const reported = z.object({ type: z.literal('REPORTED'), fragmentId: z.uuid() });

/**
 * The fragment is whole in its place and counts again: the catalog, having gone back in time, does
 * not stand by the tombstone any more.
 */
const takenBack = z.object({ type: z.literal('TAKEN_BACK'), fragmentId: z.uuid() });

export const journalRecord = z.discriminatedUnion('type', [
  intent,
  sealed,
  judged,
  condemned,
  removed,
  reported,
  takenBack,
]);
export type JournalRecord = z.infer<typeof journalRecord>;
export type IntentRecord = z.infer<typeof intent>;
