import { z } from 'zod';

export const catalogConfig = z.object({
  /** Commits that one transaction takes. */
  HOLDFAST_COMMITS_BATCH_MAX: z.coerce.number().int().min(1).max(256).default(256),
  /** How long a commit may wait for company, in milliseconds. */
  HOLDFAST_COMMITS_LINGER_MS: z.coerce.number().int().min(0).max(1_000).default(3),
  /** File indexes that are loaded at once; each takes up to two database connections. */
  HOLDFAST_INDEX_LOADS_MAX: z.coerce.number().int().min(1).max(8).default(2),
  /** Where `catalog backup` puts its files; none: it says so. */
  HOLDFAST_CATALOG_BACKUP_FOLDER: z.string().min(1).optional(),
  /** How often all media servers are compared with the catalog without an occasion, in milliseconds. */
  HOLDFAST_RECONCILE_EVERY_MS: z.coerce.number().int().min(1_000).default(3_600_000),
  /** How often is looked for another epoch and for damage that another copy can mend, in milliseconds. */
  HOLDFAST_CARE_LOOK_MS: z.coerce.number().int().min(100).default(30_000),
});
export type CatalogConfigValues = z.infer<typeof catalogConfig>;

/** The configuration as an injection token. */
export class CatalogConfig {
  readonly batchMax: number;
  readonly lingerMs: number;
  readonly indexLoadsMax: number;
  readonly backupFolder: string | undefined;
  readonly reconcileEveryMs: number;
  readonly careLookMs: number;

  constructor(values: CatalogConfigValues) {
    this.batchMax = values.HOLDFAST_COMMITS_BATCH_MAX;
    this.lingerMs = values.HOLDFAST_COMMITS_LINGER_MS;
    this.indexLoadsMax = values.HOLDFAST_INDEX_LOADS_MAX;
    this.backupFolder = values.HOLDFAST_CATALOG_BACKUP_FOLDER;
    this.reconcileEveryMs = values.HOLDFAST_RECONCILE_EVERY_MS;
    this.careLookMs = values.HOLDFAST_CARE_LOOK_MS;
  }
}
