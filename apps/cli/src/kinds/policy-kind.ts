import {
  policyGet,
  policyList,
  policyPut,
  policySpec,
  type PolicySpec,
} from '#contracts/policy.js';
import type { ResponseOf } from '#contracts/contract.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Column } from '../output/table.js';
import type { Kind } from './kind.js';

export const POLICY_COLUMNS: readonly Column<PolicySpec>[] = [
  { title: 'POLICY', cell: ({ name }) => name },
  { title: 'ACTIVE', cell: ({ active }) => (active ? 'yes' : 'no') },
  { title: 'CLIENTS', cell: ({ clients }) => shortList(clients) },
  { title: 'SELECTIONS', cell: ({ selections }) => shortList(selections) },
  { title: 'SCHEDULES', cell: ({ schedules }) => shortList(schedules.map(({ name }) => name)) },
  { title: 'STORAGE', cell: ({ storage }) => storage },
  { title: 'PRIORITY', right: true, cell: ({ priority }) => priority },
];

export const policyKind: Kind<PolicySpec> = {
  kind: 'Policy',
  words: ['policies', 'policy'],
  summary: 'what is backed up of which clients, when, and where to',
  schema: policySpec,
  columns: POLICY_COLUMNS,
  list: async (cluster) => (await allPolicies(cluster)).policies,
  async find(cluster, name) {
    try {
      return (await cluster.ask(policyGet, { name })).policy;
    } catch (error) {
      if (error instanceof PermanentError && error.status === STATUS.noSuchPolicy) return undefined;
      throw error;
    }
  },
  put: (cluster, policy) => cluster.ask(policyPut, { policy }),
};

/** All pages of the list. */
export async function allPolicies(cluster: Cluster): Promise<ResponseOf<typeof policyList>> {
  let answer = await cluster.ask(policyList, {});
  const policies = [...answer.policies];
  while (answer.next !== null) {
    answer = await cluster.ask(policyList, { after: answer.next });
    policies.push(...answer.policies);
  }
  return { ...answer, policies };
}

function shortList(values: readonly string[]): string {
  const more = values.length - 2;
  return values.slice(0, 2).join(',') + (more > 0 ? ` +${more}` : '');
}
