import { z } from 'zod';
import { RECEIPTS_PER_MESSAGE_MAX } from '#contracts/fragment.js';
import { durationSetting } from '#service/duration-setting.js';

export const catalogConfig = z.object({
  /** Commits that one transaction takes; their receipts for one media server go in one message. */
  HOLDFAST_COMMITS_BATCH_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(RECEIPTS_PER_MESSAGE_MAX)
    .default(RECEIPTS_PER_MESSAGE_MAX),
  /** How long a commit may wait for company, in milliseconds. */
  HOLDFAST_COMMITS_LINGER_MS: z.coerce.number().int().min(0).max(1_000).default(3),
  /** File indexes that are loaded at once; each takes up to two database connections. */
  HOLDFAST_INDEX_LOADS_MAX: z.coerce.number().int().min(1).max(8).default(2),
  /** Where `catalog backup` puts its files; none: it says so. */
  HOLDFAST_CATALOG_BACKUP_FOLDER: z.string().min(1).optional(),
  /** How often all media servers are compared with the catalog without an occasion. */
  HOLDFAST_RECONCILE_EVERY: durationSetting.prefault('1h'),
  /** How often is looked for another epoch and for damage that another copy can mend. */
  HOLDFAST_CARE_EVERY: durationSetting.prefault('10s'),
  /** How long what is marked for deletion can be taken back. */
  HOLDFAST_DELETE_GRACE: durationSetting.prefault('24h'),
  /** How often deletions are granted whose grace period is over. */
  HOLDFAST_GRANT_EVERY: durationSetting.prefault('10s'),
  /** After how long a grant is sent again that nobody has reported done. */
  HOLDFAST_GRANT_RESEND: durationSetting.prefault('10m'),
  /** How often expired images, and pins that outlived their jobs, are looked for. */
  HOLDFAST_EXPIRE_EVERY: durationSetting.prefault('1h'),
});
export type CatalogConfigValues = z.output<typeof catalogConfig>;

/** The configuration as an injection token. */
export class CatalogConfig {
  readonly batchMax: number;
  readonly lingerMs: number;
  readonly indexLoadsMax: number;
  readonly backupFolder: string | undefined;
  readonly reconcileEveryMs: number;
  readonly careEveryMs: number;
  readonly deleteGraceMs: number;
  readonly grantEveryMs: number;
  readonly grantResendMs: number;
  readonly expireEveryMs: number;

  constructor(values: CatalogConfigValues) {
    this.batchMax = values.HOLDFAST_COMMITS_BATCH_MAX;
    this.lingerMs = values.HOLDFAST_COMMITS_LINGER_MS;
    this.indexLoadsMax = values.HOLDFAST_INDEX_LOADS_MAX;
    this.backupFolder = values.HOLDFAST_CATALOG_BACKUP_FOLDER;
    this.reconcileEveryMs = values.HOLDFAST_RECONCILE_EVERY;
    this.careEveryMs = values.HOLDFAST_CARE_EVERY;
    this.deleteGraceMs = values.HOLDFAST_DELETE_GRACE;
    this.grantEveryMs = values.HOLDFAST_GRANT_EVERY;
    this.grantResendMs = values.HOLDFAST_GRANT_RESEND;
    this.expireEveryMs = values.HOLDFAST_EXPIRE_EVERY;
  }
}
