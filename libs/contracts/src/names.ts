import { z } from 'zod';

/** What the field calls a name: letters, digits, `.`, `_`, `-`; starts with a letter or digit. */
function nameOf(kind: string) {
  const allowed = '1 to 63 letters, digits, ".", "_" or "-", and starts with a letter or digit';
  return z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, `a ${kind} has ${allowed}`)
    .meta({ allowed: `a ${kind}: ${allowed}` });
}

export const clientName = nameOf('client name');
export const policyName = nameOf('policy name');
export const scheduleName = nameOf('schedule name');
export const unitName = nameOf('storage unit name');
export const groupName = nameOf('storage unit group name');
export const poolName = nameOf('storage pool name');
export const holdName = nameOf('hold name');
export const mediaName = nameOf('media server name');

/** `<client>_<unix seconds of the backup>`. */
export const imageId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}_\d{1,12}$/, 'an image id is <client>_<unix time>');

const isStorable = (text: string) => !text.includes('\0') && !/\p{Surrogate}/u.test(text);

/** A text that PostgreSQL takes: whoever sends another one is told which, by name. */
export function storable(text: z.ZodString): z.ZodString {
  return text.refine(isStorable, {
    error: 'a text holds no NUL character and no half of a surrogate pair',
  });
}

/** The first `charactersMax` characters of a text, with U+FFFD for what `storable` does not take. */
export function madeStorable(text: string, charactersMax: number): string {
  return text.slice(0, charactersMax).replace(/\0|\p{Surrogate}/gu, '\uFFFD');
}

/** An object without further fields: one that is misspelt is refused, with those that there are. */
export function withoutOthers<T extends z.ZodRawShape>(fields: T): z.ZodObject<T, z.core.$strict> {
  return z.strictObject(fields, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined;
      const unknown = issue.keys.map((key) => `"${key}"`).join(', ');
      return `there is no field ${unknown}; allowed are ${Object.keys(fields).join(', ')}`;
    },
  });
}

/** A path as docs/formats.md "Path text" writes it. */
export const pathText = z.string().min(1).max(16_384);

export const absolutePath = storable(pathText)
  .regex(/^\//, 'a path must be absolute (start with "/")')
  .meta({ allowed: 'an absolute path (starts with "/")' });

export const jobNumber = z.int().positive();

/** An instant, as RFC 3339 in UTC with milliseconds. */
export const timestamp = z.iso.datetime({
  error: 'an instant is written in UTC, such as "2026-12-01T00:00:00Z"',
});

/** Streams of one request for a backup: each becomes a job of its own. */
export const STREAMS_MAX = 100;

/** Copies that an image may have, the first one included. They are numbered from 1. */
export const COPIES_MAX = 10;

/** Which image a backup makes. */
export const imageKind = z.enum(['full', 'differential', 'cumulative']);
export type ImageKind = z.infer<typeof imageKind>;

/** A word or sentence of the policy's that stays with its images, to find them by. */
export const keyword = storable(z.string().max(128));

/** What an image's last manifest says beyond its fragments: enough to put it back into a catalog. */
export const imageDetails = z.object({
  job: z.int().nonnegative(),
  schedule: scheduleName,
  retention: z.string(),
  selections: z.array(absolutePath),
  baseImageId: imageId.nullable(),
  keyword: keyword.optional(),
  /** The run that it is a stream of, where the run has several. */
  group: jobNumber.optional(),
  /** How many streams that run has. */
  groupStreams: z.int().min(1).optional(),
  /** Of a synthetic full: the newest of the images that it was made from. */
  syntheticOf: imageId.optional(),
});
export type ImageDetails = z.infer<typeof imageDetails>;

/** How many rows one page of a list may hold. */
export const PAGE_ROWS_MAX = 1_000;
/** Bytes of the rows of a page whose rows may be large, however many were asked for: an answer is one message. */
export const PAGE_BYTES_MAX = 900_000;
export const pageLimit = z.int().min(1).max(PAGE_ROWS_MAX).default(100);

/** A one-time token of the data port. */
export const dataToken = z.string().min(20).max(100);

/** Where a media server's data port is. */
export const dataAddress = z.object({
  host: z.string(),
  port: z.int().min(1).max(65_535),
  /** The port's name within its host: whoever runs there finds it without the network, and all others do not. */
  local: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, 'a local name has 1 to 100 letters, digits, ".", "_" or "-"')
    .optional(),
});
export type DataAddress = z.infer<typeof dataAddress>;

/** Streams that may share a drive: jobs whose fragments it writes by turns. */
export const streamsPerDrive = z.int().min(1).max(32);
