import type { ClientLimitView, PoolView, UnitGroup } from '#contracts/broker/configuration.js';
import type { Allocation, MediaServer, QueueEntry, UnitView } from '#contracts/broker.js';
import type { Client } from '../../cluster/all-clients.js';
import { formatSize } from '../../output/size.js';
import type { Column } from '../../output/table.js';
import { formatTime } from '../../output/time.js';

export interface Volume {
  readonly server: MediaServer;
  readonly volume: MediaServer['volumes'][number] | undefined;
}

export const ALLOCATIONS: readonly Column<Allocation>[] = [
  { title: 'JOB', right: true, cell: ({ job }) => job },
  { title: 'ATTEMPT', right: true, cell: ({ attempt }) => attempt },
  { title: 'PURPOSE', cell: ({ purpose }) => purpose },
  { title: 'CLIENT', cell: ({ client }) => client },
  { title: 'POLICY', cell: ({ policy }) => policy },
  { title: 'UNIT', cell: ({ unit }) => unit },
  { title: 'POOL', cell: ({ pool }) => pool },
  { title: 'MEDIA', cell: ({ media }) => media.map(({ mediaId }) => mediaId).join(',') },
  { title: 'GRANTED', cell: ({ grantedAt }) => formatTime(grantedAt) },
  { title: 'LEASE UNTIL', cell: ({ leaseUntil }) => formatTime(leaseUntil) },
  { title: 'ALLOCATION', cell: ({ allocationId }) => allocationId },
];

export const QUEUE: readonly Column<QueueEntry>[] = [
  { title: 'PLACE', right: true, cell: ({ position }) => position },
  { title: 'JOB', right: true, cell: ({ job }) => job },
  { title: 'ATTEMPT', right: true, cell: ({ attempt }) => attempt },
  { title: 'PRIORITY', right: true, cell: ({ priority }) => priority },
  { title: 'PURPOSE', cell: ({ purpose }) => purpose },
  { title: 'CLIENT', cell: ({ client }) => client },
  { title: 'POLICY', cell: ({ policy }) => policy },
  { title: 'STORAGE', cell: ({ unit, pool }) => unit ?? (pool === null ? null : `pool ${pool}`) },
  { title: 'SINCE', cell: ({ since }) => formatTime(since) },
  { title: 'WAITS FOR', cell: ({ wait }) => wait },
  { title: 'REASON', cell: ({ reason }) => reason },
];

export const SERVERS: readonly Column<Volume>[] = [
  { title: 'MEDIA SERVER', cell: ({ server }) => server.mediaId },
  {
    title: 'STATE',
    cell: ({ server }) => (server.drained ? `${server.state}, drained` : server.state),
  },
  { title: 'HOST', cell: ({ server }) => server.host },
  { title: 'DATA PORT', cell: ({ server }) => `${server.address.host}:${server.address.port}` },
  { title: 'LAST SEEN', cell: ({ server }) => formatTime(server.lastSeenAt) },
  { title: 'POOL', cell: ({ volume }) => volume?.pool },
  { title: 'FREE', right: true, cell: ({ volume }) => volume && formatSize(volume.freeBytes) },
  { title: 'TOTAL', right: true, cell: ({ volume }) => volume && formatSize(volume.totalBytes) },
  { title: 'PATH', cell: ({ volume }) => volume?.path },
  { title: 'TROUBLE', cell: ({ volume }) => volume?.trouble },
];

export const UNITS: readonly Column<UnitView>[] = [
  { title: 'UNIT', cell: ({ name }) => name },
  { title: 'MEDIA SERVER', cell: ({ mediaId }) => mediaId },
  { title: 'POOL', cell: ({ pool }) => pool },
  { title: 'JOBS', right: true, cell: ({ jobsActive, jobsMax }) => `${jobsActive}/${jobsMax}` },
  {
    title: 'STREAMS/DRIVE',
    right: true,
    cell: ({ maxStreamsPerDrive }) => String(maxStreamsPerDrive),
  },
  { title: 'STATE', cell: unitState },
  {
    title: 'HIGH/LOW WATER',
    right: true,
    cell: ({ highWaterPercent, lowWaterPercent }) => `${highWaterPercent}/${lowWaterPercent} %`,
  },
  {
    title: 'FRAGMENT MAX',
    right: true,
    cell: ({ fragmentBytesMax }) => formatSize(fragmentBytesMax),
  },
];

function unitState({ drained, full, onDemandOnly }: UnitView): string {
  const said = [drained && 'drained', full && 'full', onDemandOnly && 'on demand only'];
  return said.filter(Boolean).join(', ') || 'open';
}

export const CLIENTS: readonly Column<Client>[] = [
  { title: 'CLIENT', cell: ({ client }) => client },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'HOST', cell: ({ host }) => host },
  { title: 'VERSION', cell: ({ version }) => version },
  { title: 'LAST SEEN', cell: ({ lastSeenAt }) => formatTime(lastSeenAt) },
];

export const GROUPS: readonly Column<UnitGroup>[] = [
  { title: 'GROUP', cell: ({ name }) => name },
  { title: 'SELECTION', cell: ({ selection }) => selection },
  { title: 'UNITS', cell: ({ units }) => units.join(', ') },
];

export const POOLS: readonly Column<PoolView>[] = [
  { title: 'POOL', cell: ({ name }) => name },
  { title: 'CLASS', cell: (pool) => pool.class },
  { title: 'DECLARED', cell: ({ declared }) => (declared ? 'yes' : 'no') },
  { title: 'UNITS', cell: ({ units }) => units.join(', ') },
  { title: 'VOLUMES', right: true, cell: ({ volumes }) => volumes },
  { title: 'FREE', right: true, cell: ({ freeBytes }) => formatSize(freeBytes) },
  { title: 'TOTAL', right: true, cell: ({ totalBytes }) => formatSize(totalBytes) },
  { title: 'DESCRIPTION', cell: ({ description }) => description },
];

export const LIMITS: readonly Column<ClientLimitView>[] = [
  { title: 'CLIENT', cell: ({ client }) => client },
  { title: 'JOBS', right: true, cell: ({ jobsActive, jobsMax }) => `${jobsActive}/${jobsMax}` },
  { title: 'LIMIT', cell: ({ own }) => (own ? 'its own' : 'default') },
];
