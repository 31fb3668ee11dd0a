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

export const journalRecord = z.discriminatedUnion('type', [intent, sealed, judged]);
export type JournalRecord = z.infer<typeof journalRecord>;
export type IntentRecord = z.infer<typeof intent>;
export type SealedRecord = z.infer<typeof sealed>;
export type VerdictRecord = z.infer<typeof judged>;
