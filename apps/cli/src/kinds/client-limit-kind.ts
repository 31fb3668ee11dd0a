import { z } from 'zod';
import { brokerLimitPut, brokerLimits } from '#contracts/broker/configuration.js';
import { clientName } from '#contracts/names.js';
import type { Cluster } from '../cluster/cluster.js';
import { findIn, type Kind } from './kind.js';

const JOBS_MAX = 1_000;

/** As all documents it has a name: the client's. */
const clientLimit = z.strictObject({
  name: clientName.describe('the client'),
  jobsMax: z.int().min(1).max(JOBS_MAX).describe('backups of the client that may run at once'),
});
type ClientLimit = z.infer<typeof clientLimit>;

/** Limits of their own: the default for all others is the setting `clients.jobs-max-default`. */
async function list(cluster: Cluster): Promise<ClientLimit[]> {
  const { limits } = await cluster.ask(brokerLimits, {});
  return limits.filter(({ own }) => own).map(({ client, jobsMax }) => ({ name: client, jobsMax }));
}

export const clientLimitKind: Kind<ClientLimit> = {
  kind: 'ClientLimit',
  words: ['limits', 'limit', 'clientlimits', 'clientlimit', 'client-limits', 'client-limit'],
  summary: 'how many backups of a client may run at once',
  schema: clientLimit,
  columns: [
    { title: 'CLIENT', cell: ({ name }) => name },
    { title: 'JOBS MAX', right: true, cell: ({ jobsMax }) => jobsMax },
  ],
  list,
  find: (cluster, name) => findIn(list(cluster), name),
  put: (cluster, { name, jobsMax }) => cluster.ask(brokerLimitPut, { client: name, jobsMax }),
};
