import { z } from 'zod';
import { RECEIPTS_PER_MESSAGE_MAX } from '#contracts/fragment.js';

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
});
export type CatalogConfigValues = z.infer<typeof catalogConfig>;

/** The configuration as an injection token. */
export class CatalogConfig {
  readonly batchMax: number;
  readonly lingerMs: number;
  readonly indexLoadsMax: number;

  constructor(values: CatalogConfigValues) {
    this.batchMax = values.HOLDFAST_COMMITS_BATCH_MAX;
    this.lingerMs = values.HOLDFAST_COMMITS_LINGER_MS;
    this.indexLoadsMax = values.HOLDFAST_INDEX_LOADS_MAX;
  }
}
