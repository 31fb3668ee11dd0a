import { z } from 'zod';
import { manifestSchema } from '#archive/manifest.js';
import { volumeLabelText } from '../sequential/volume-format.js';

const barcode = z.string().min(1);
const bytes = z.int().nonnegative();

/** A cartridge without a volume of ours: never written, or somebody else's. */
const cartridge = z.object({
  type: z.literal('CARTRIDGE'),
  barcode,
  kind: z.enum(['blank', 'foreign']),
  capacityBytes: bytes,
  reason: z.string().default(''),
});

/** A volume begins on a cartridge; what was there before is gone. */
const labelled = z.object({
  type: z.literal('LABELLED'),
  barcode,
  volumeId: z.uuid(),
  label: volumeLabelText,
  capacityBytes: bytes,
  labelledAt: z.iso.datetime(),
});

/** A fragment is about to be written, from the end of data on: on the disk before its first block. */
const writing = z.object({
  type: z.literal('WRITING'),
  volumeId: z.uuid(),
  fragmentId: z.uuid(),
});

/** It is on the medium, its mark included. */
const written = z.object({
  type: z.literal('WRITTEN'),
  volumeId: z.uuid(),
  manifest: manifestSchema,
  /** Of its header. */
  position: z.int().nonnegative(),
  manifestBytes: bytes,
  at: z.iso.datetime(),
});

/** How far a volume is used, and whether it may be used on. */
const extent = z.object({
  type: z.literal('EXTENT'),
  volumeId: z.uuid(),
  endPosition: z.int().nonnegative(),
  writtenBytes: bytes,
  /** What really fits, once the end of the medium was met. */
  capacityBytes: bytes,
  full: z.boolean(),
  /** Why nothing more is written to it; a person resumes it. */
  suspended: z.string().nullable(),
});

const trashed = z.object({
  type: z.literal('TRASHED'),
  fragmentId: z.uuid(),
  tombstoneId: z.uuid(),
  at: z.iso.datetime(),
});

const takenBack = z.object({ type: z.literal('TAKEN_BACK'), fragmentId: z.uuid() });

/** Given up for good, out of the trash. Its bytes lie there until the volume begins anew. */
const gone = z.object({ type: z.literal('GONE'), fragmentId: z.uuid() });

/** A cartridge is not the library's any more; it held nothing. If it comes back, it is one that is not known. */
const retired = z.object({ type: z.literal('RETIRED'), barcode });

/** What the ledger of a library holds, on the media server's own disk. */
export const libraryRecord = z.discriminatedUnion('type', [
  cartridge,
  labelled,
  writing,
  written,
  extent,
  trashed,
  takenBack,
  gone,
  retired,
]);
export type LibraryRecord = z.output<typeof libraryRecord>;
