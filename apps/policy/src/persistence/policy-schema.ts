import type { OwnedSchema } from '#service/database.js';
import { HistoryEntity } from './history.entity.js';
import { Policies1790000000000 } from './migrations/1790000000000-policies.js';
import { PolicyEntity } from './policy.entity.js';
import { RunningJobEntity } from './running-job.entity.js';

export const policySchema: OwnedSchema = {
  schema: 'policy',
  entities: [PolicyEntity, HistoryEntity, RunningJobEntity],
  migrations: [Policies1790000000000],
};
