import type { OwnedSchema } from '#service/database.js';
import { HistoryEntity } from './history.entity.js';
import { Policies1790000000000 } from './migrations/1790000000000-policies.js';
import { Settings1790500000000 } from './migrations/1790500000000-settings.js';
import { Windows1796000000000 } from './migrations/1796000000000-windows.js';
import { IncompleteJobs1798000000000 } from './migrations/1798000000000-incomplete-jobs.js';
import { PolicyEntity } from './policy.entity.js';
import { RetentionLevelEntity } from './retention-level.entity.js';
import { RunningJobEntity } from './running-job.entity.js';
import { SuspensionEntity } from './suspension.entity.js';

export const policySchema: OwnedSchema = {
  schema: 'policy',
  entities: [PolicyEntity, HistoryEntity, RunningJobEntity, SuspensionEntity, RetentionLevelEntity],
  migrations: [
    Policies1790000000000,
    Settings1790500000000,
    Windows1796000000000,
    IncompleteJobs1798000000000,
  ],
};
