import {
  brokerGroupPut,
  brokerGroups,
  unitGroup,
  type UnitGroup,
} from '#contracts/broker/configuration.js';
import type { Cluster } from '../cluster/cluster.js';
import { findIn, type Kind } from './kind.js';

async function list(cluster: Cluster): Promise<UnitGroup[]> {
  return (await cluster.ask(brokerGroups, {})).groups;
}

export const storageUnitGroupKind: Kind<UnitGroup> = {
  kind: 'StorageUnitGroup',
  words: ['groups', 'group', 'storageunitgroups', 'storageunitgroup'],
  summary: 'storage units of which a job gets one',
  schema: unitGroup,
  columns: [
    { title: 'GROUP', cell: ({ name }) => name },
    { title: 'SELECTION', cell: ({ selection }) => selection },
    { title: 'UNITS', cell: ({ units }) => units.join(',') },
  ],
  list,
  find: (cluster, name) => findIn(list(cluster), name),
  put: (cluster, group) => cluster.ask(brokerGroupPut, { group }),
};
