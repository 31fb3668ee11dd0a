import { z } from 'zod';
import { mediaName, poolName } from '#contracts/names.js';
import { DURATION_ALLOWED, durationSetting, fixedDuration } from '#service/duration-setting.js';
import { settingFacts } from '#service/settings/setting-facts.js';

const RESERVE_BYTES_DEFAULT = 64 * 1024 * 1024;
/** A timer that is to go off later than in 2^31 ms goes off at once. */
const MOUNT_TIMEOUT_MS_MAX = 24 * 24 * 3_600_000;

const DEDUPLICATES = 'dedup:';

/** A folder, or `dedup:` and a folder for a volume that deduplicates. */
const place = z
  .string()
  .regex(/^(dedup:)?\//, 'a volume is an absolute path, or "dedup:" and one')
  .transform((text) =>
    text.startsWith(DEDUPLICATES)
      ? { path: text.slice(DEDUPLICATES.length), kind: 'chunks' as const }
      : { path: text, kind: 'directory' as const },
  );

/** `POOL=PLACE`, several with a comma in between. */
const volumeList = z
  .string()
  .transform((text) => text.split(',').map((one) => one.trim().split(/=(.*)/s)))
  .pipe(
    z
      .array(
        z
          .tuple([poolName, place])
          .rest(z.string())
          .transform(([pool, where]) => ({ pool, ...where })),
      )
      .min(1)
      .max(100),
  );

const libraryList = volumeList.refine(
  (all) => all.every(({ kind }) => kind === 'directory'),
  'a library does not deduplicate',
);

function poolOf({ pool }: { readonly pool: string }): string {
  return pool;
}

const NO_VOLUMES: z.output<typeof volumeList> = [];

const settings = z.object({
  /** This media server's name; it stays the same for as long as its volumes live. */
  HOLDFAST_MEDIA_ID: mediaName,
  HOLDFAST_MEDIA_VOLUMES: volumeList.default(NO_VOLUMES).register(settingFacts, {
    name: 'media.volumes',
    unit: '',
    description: 'the volumes of this media server; one with dedup: before its folder deduplicates',
    settable: false,
    allowed: 'POOL=FOLDER or POOL=dedup:FOLDER, several with a comma in between',
  }),
  HOLDFAST_MEDIA_LIBRARIES: libraryList.default(NO_VOLUMES).register(settingFacts, {
    name: 'media.libraries',
    unit: '',
    description: 'folders of libraries, each with the pool that its sequential volumes are',
    settable: false,
    allowed: 'POOL=FOLDER, several with a comma in between',
  }),
  HOLDFAST_MOUNT_TIMEOUT: durationSetting
    .refine((ms) => ms <= MOUNT_TIMEOUT_MS_MAX, 'is at most 24 days')
    .prefault('30m')
    .register(settingFacts, {
      name: 'media.mount-timeout',
      unit: '',
      description: 'how long a job waits for a volume that is not in its library',
      settable: false,
      allowed: `${DURATION_ALLOWED}; at most 24 days`,
    }),
  HOLDFAST_MEDIA_RESERVE_BYTES: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(RESERVE_BYTES_DEFAULT)
    .register(settingFacts, {
      name: 'media.reserve-bytes',
      unit: 'bytes',
      description: "left free on each volume's file system",
      settable: false,
    }),
  HOLDFAST_MEDIA_SPOOL_BYTES_MAX: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(0)
    .register(settingFacts, {
      name: 'media.spool-bytes-max',
      unit: 'bytes',
      description:
        'what the spool of each library holds at most; 0: all that its file system has, less the reserve',
      settable: false,
    }),
  HOLDFAST_TRASH_GRACE: fixedDuration('24h', {
    name: 'media.trash-grace',
    description:
      'how long deleted fragments lie in the trash, from which they can still be taken back',
  }),
  HOLDFAST_CHUNKS_COLLECT_EVERY: fixedDuration('1h', {
    name: 'media.collect-every',
    description: 'the rest between two collections of chunks that no fragment needs any more',
  }),
  HOLDFAST_MEDIA_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .register(settingFacts, {
      name: 'media.port',
      unit: '',
      description:
        'the data port; it listens on loopback only in this release, and 0 chooses a free one',
      settable: false,
    }),
  /** For tests: the place at which the process dies (see crash-point.ts). */
  HOLDFAST_CRASH_AT: z.string().optional(),
});

export const mediaConfig = settings
  .refine((one) => one.HOLDFAST_MEDIA_VOLUMES.length + one.HOLDFAST_MEDIA_LIBRARIES.length > 0, {
    path: ['HOLDFAST_MEDIA_VOLUMES'],
    message: 'a media server has a volume or a library',
  })
  // A cartridge of one would be at home in the other: each would have it in its own ledger.
  .refine(({ HOLDFAST_MEDIA_LIBRARIES: all }) => new Set(all.map(poolOf)).size === all.length, {
    path: ['HOLDFAST_MEDIA_LIBRARIES'],
    message: 'each library of a media server has a pool of its own',
  });
export type MediaConfigValues = z.output<typeof mediaConfig>;

/** The configuration in the units that the code uses; its own injection token. */
export class MediaConfig {
  constructor(private readonly values: MediaConfigValues) {}

  get mediaId(): string {
    return this.values.HOLDFAST_MEDIA_ID;
  }

  get volumes(): MediaConfigValues['HOLDFAST_MEDIA_VOLUMES'] {
    return this.values.HOLDFAST_MEDIA_VOLUMES;
  }

  get libraries(): readonly { readonly pool: string; readonly path: string }[] {
    return this.values.HOLDFAST_MEDIA_LIBRARIES;
  }

  get mountTimeoutMs(): number {
    return this.values.HOLDFAST_MOUNT_TIMEOUT;
  }

  get reserveBytes(): number {
    return this.values.HOLDFAST_MEDIA_RESERVE_BYTES;
  }

  /** Of each library. */
  get spoolBytesMax(): number {
    return this.values.HOLDFAST_MEDIA_SPOOL_BYTES_MAX || Number.MAX_SAFE_INTEGER;
  }

  get trashGraceMs(): number {
    return this.values.HOLDFAST_TRASH_GRACE;
  }

  get collectEveryMs(): number {
    return this.values.HOLDFAST_CHUNKS_COLLECT_EVERY;
  }

  get port(): number {
    return this.values.HOLDFAST_MEDIA_PORT;
  }

  get crashAt(): string | undefined {
    return this.values.HOLDFAST_CRASH_AT;
  }
}
