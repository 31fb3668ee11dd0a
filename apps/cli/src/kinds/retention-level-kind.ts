import { z } from 'zod';
import {
  policyRetentionLevelPut,
  policyRetentionLevels,
  retentionLevel,
  type RetentionLevel,
} from '#contracts/policy.js';
import type { Cluster } from '../cluster/cluster.js';
import { findIn, type Kind } from './kind.js';

/** As all documents it has a name: its number. */
const document = z.strictObject({
  name: retentionLevel.shape.level.describe('the level that schedules name as their retention'),
  period: retentionLevel.shape.period.describe('how long images of this level are kept'),
});
type Level = z.infer<typeof document>;

async function list(cluster: Cluster): Promise<Level[]> {
  const { levels } = await cluster.ask(policyRetentionLevels, {});
  return levels.map(({ level, period }: RetentionLevel) => ({ name: level, period }));
}

export const retentionLevelKind: Kind<Level> = {
  kind: 'RetentionLevel',
  words: ['retention-levels', 'retention-level', 'retentionlevels', 'retentionlevel', 'levels'],
  summary: 'what a retention level, 0 to 24, stands for',
  schema: document,
  columns: [
    { title: 'LEVEL', right: true, cell: ({ name }) => name },
    { title: 'PERIOD', cell: ({ period }) => period },
  ],
  list,
  find: (cluster, name) => findIn(list(cluster), name),
  put: (cluster, { name, period }) => cluster.ask(policyRetentionLevelPut, { level: name, period }),
};
