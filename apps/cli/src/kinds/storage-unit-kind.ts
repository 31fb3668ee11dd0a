import { brokerUnitPut, brokerUnits, storageUnit, type StorageUnit } from '#contracts/broker.js';
import type { Cluster } from '../cluster/cluster.js';
import { formatSize } from '../output/size.js';
import { findIn, specOf, type Kind } from './kind.js';

async function list(cluster: Cluster): Promise<StorageUnit[]> {
  return (await cluster.ask(brokerUnits, {})).units.map((unit) => specOf(storageUnit, unit));
}

export const storageUnitKind: Kind<StorageUnit> = {
  kind: 'StorageUnit',
  words: ['units', 'unit', 'storageunits', 'storageunit'],
  summary: 'where backups go: a pool of a media server, with limits',
  schema: storageUnit,
  columns: [
    { title: 'UNIT', cell: ({ name }) => name },
    { title: 'MEDIA SERVER', cell: ({ mediaId }) => mediaId },
    { title: 'POOL', cell: ({ pool }) => pool },
    { title: 'JOBS MAX', right: true, cell: ({ jobsMax }) => jobsMax },
    {
      title: 'FRAGMENT MAX',
      right: true,
      cell: ({ fragmentBytesMax }) => formatSize(fragmentBytesMax),
    },
  ],
  list,
  find: (cluster, name) => findIn(list(cluster), name),
  put: (cluster, unit) => cluster.ask(brokerUnitPut, { unit }),
};
