import {
  brokerPoolPut,
  brokerPools,
  storagePool,
  type StoragePool,
} from '#contracts/broker/configuration.js';
import type { Cluster } from '../cluster/cluster.js';
import { findIn, specOf, type Kind } from './kind.js';

/** Those that somebody declared: of others, which only a volume names, there is nothing to say. */
async function list(cluster: Cluster): Promise<StoragePool[]> {
  const { pools } = await cluster.ask(brokerPools, {});
  return pools.filter(({ declared }) => declared).map((pool) => specOf(storagePool, pool));
}

export const storagePoolKind: Kind<StoragePool> = {
  kind: 'StoragePool',
  words: ['pools', 'pool', 'storagepools', 'storagepool'],
  summary: 'volumes of one purpose, on any media servers',
  schema: storagePool,
  columns: [
    { title: 'POOL', cell: ({ name }) => name },
    { title: 'CLASS', cell: (pool) => pool.class },
    { title: 'DESCRIPTION', cell: ({ description }) => description },
  ],
  list,
  find: (cluster, name) => findIn(list(cluster), name),
  put: (cluster, pool) => cluster.ask(brokerPoolPut, { pool }),
};
