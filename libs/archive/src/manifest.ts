import { z } from 'zod';

const count = z.number().int().nonnegative();
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'is 64 hexadecimal digits');

/** What a rebuilt catalog has to know of an image beyond its fragments. */
const imageDetails = z.object({
  /** The job that made it; 0 if that is not known. */
  job: count,
  schedule: z.string(),
  retention: z.string(),
  /** Absolute paths as path text. */
  selections: z.array(z.string()),
  baseImageId: z.string().nullable(),
  keyword: z.string().optional(),
  /** Of one of several streams of a run: the run, and how many streams it has. */
  group: count.optional(),
  groupStreams: count.optional(),
  /** Of a synthetic full: the newest of the images that it was made from. */
  syntheticOf: z.string().optional(),
});

/**
 * What stands beside each fragment and is written last: with the manifests of its fragments alone an
 * image can be put back into a catalog. Sizes are bytes, `backupTime` unix seconds.
 */
export const manifestSchema = z
  .object({
    version: z.literal(1),
    fragmentId: z.string().min(1),
    imageId: z.string().min(1),
    copy: z.number().int().min(1).max(10),
    number: z.number().int().min(1),
    attempt: z.number().int().min(1),
    client: z.string().min(1),
    policy: z.string(),
    kind: z.string().min(1),
    backupTime: count,
    archiveOffset: count,
    archiveBytes: count,
    storedBytes: count,
    digest,
    indexBytes: count,
    indexDigest: digest,
    frames: count,
    last: z.boolean(),
    fragments: z.number().int().min(1).optional(),
    files: count.optional(),
    bytes: count.optional(),
    /** On the last fragment's file only: it may be long, so journals leave it out. */
    image: imageDetails.optional(),
  })
  .refine(
    (m) => !m.last || (m.fragments !== undefined && m.files !== undefined && m.bytes !== undefined),
    'the last manifest of an image has fragments, files and bytes',
  );

export type Manifest = z.infer<typeof manifestSchema>;
