import { z } from 'zod';
import { RECEIPTS_PER_MESSAGE_MAX } from '#contracts/fragment.js';
import { fixedDuration } from '#service/duration-setting.js';
import { settingFacts } from '#service/settings/setting-facts.js';

export const catalogConfig = z.object({
  HOLDFAST_COMMITS_BATCH_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(RECEIPTS_PER_MESSAGE_MAX)
    .default(RECEIPTS_PER_MESSAGE_MAX)
    .register(settingFacts, {
      name: 'commits.batch-max',
      unit: 'commits',
      description:
        'commits that one transaction takes; their receipts for one media server go in one message',
      settable: false,
    }),
  HOLDFAST_COMMITS_LINGER_MS: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_000)
    .default(3)
    .register(settingFacts, {
      name: 'commits.linger-ms',
      unit: 'ms',
      description: 'how long a commit may wait for company',
      settable: false,
    }),
  HOLDFAST_INDEX_LOADS_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(8)
    .default(2)
    .register(settingFacts, {
      name: 'catalog.index-loads-max',
      unit: 'loads',
      description:
        'file indexes that are loaded at once; each takes up to two database connections, so no more run than these allow with one left',
      settable: false,
    }),
  HOLDFAST_CATALOG_BACKUP_FOLDER: z.string().min(1).optional().register(settingFacts, {
    name: 'catalog.backup-folder',
    unit: '',
    description: 'where catalog backups are written; without one they are refused',
    settable: false,
    allowed: 'an absolute path',
  }),
  HOLDFAST_RECONCILE_EVERY: fixedDuration('1h', {
    name: 'catalog.reconcile-every',
    description: 'how often all media servers are compared with the catalog without an occasion',
  }),
  HOLDFAST_CARE_EVERY: fixedDuration('10s', {
    name: 'catalog.care-every',
    description: 'how often another epoch, and damage that another copy can mend, are looked for',
  }),
  HOLDFAST_DELETE_GRACE: fixedDuration('24h', {
    name: 'deletion.grace',
    description: 'how long what is marked for deletion can be taken back',
  }),
  HOLDFAST_GRANT_EVERY: fixedDuration('10s', {
    name: 'deletion.grant-every',
    description: 'how often deletions are granted whose grace period is over',
  }),
  HOLDFAST_GRANT_RESEND: fixedDuration('10m', {
    name: 'deletion.grant-resend',
    description: 'after how long a grant is sent again that nobody has reported done',
  }),
  HOLDFAST_EXPIRE_EVERY: fixedDuration('1h', {
    name: 'catalog.expire-every',
    description: 'how often expired images, and pins that outlived their jobs, are looked for',
  }),
});
export type CatalogConfigValues = z.output<typeof catalogConfig>;

/** The configuration in the units that the code uses; its own injection token. */
export class CatalogConfig {
  constructor(private readonly values: CatalogConfigValues) {}

  get batchMax(): number {
    return this.values.HOLDFAST_COMMITS_BATCH_MAX;
  }

  get lingerMs(): number {
    return this.values.HOLDFAST_COMMITS_LINGER_MS;
  }

  get indexLoadsMax(): number {
    return this.values.HOLDFAST_INDEX_LOADS_MAX;
  }

  get backupFolder(): string | undefined {
    return this.values.HOLDFAST_CATALOG_BACKUP_FOLDER;
  }

  get reconcileEveryMs(): number {
    return this.values.HOLDFAST_RECONCILE_EVERY;
  }

  get careEveryMs(): number {
    return this.values.HOLDFAST_CARE_EVERY;
  }

  get deleteGraceMs(): number {
    return this.values.HOLDFAST_DELETE_GRACE;
  }

  get grantEveryMs(): number {
    return this.values.HOLDFAST_GRANT_EVERY;
  }

  get grantResendMs(): number {
    return this.values.HOLDFAST_GRANT_RESEND;
  }

  get expireEveryMs(): number {
    return this.values.HOLDFAST_EXPIRE_EVERY;
  }
}
