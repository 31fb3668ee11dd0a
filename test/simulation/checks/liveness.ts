import type { Manifest } from '#archive/manifest.js';
import type { Cluster } from '../actors/cluster.js';
import { FILES, pathOf } from '../actors/media/sim-store.js';
import {
  COPY,
  copyKey,
  FRAGMENT,
  JOB,
  OUTBOX,
  REFUSED,
  slotOf,
  type CopyRow,
  type FragmentRow,
} from '../actors/tables.js';

/**
 * I8: what is still open, in words, in a cluster that nothing troubles any more; nothing if every
 * sealed fragment has its verdict, every grant was carried out, every job has ended and every message
 * was sent.
 */
export function whatIsOpen(cluster: Cluster): string[] {
  const open: string[] = [];
  const { database } = cluster;
  if (cluster.mediaPrograms().length < cluster.disks.size) return ['a media server is down'];
  for (const { ledger, mediaId } of cluster.mediaPrograms()) {
    if (!ledger) return [`${mediaId} is starting`];
    for (const [fragmentId, state] of ledger.all()) {
      if (state.phase === 'SEALED' && !isUnknown(cluster, state.manifest)) {
        open.push(`${fragmentId} on ${mediaId} has no verdict`);
      }
      const isThere = [FRAGMENT, REFUSED].some((table) =>
        database.committed(table).has(fragmentId),
      );
      if (state.phase === 'JUDGED' && !isThere) {
        open.push(`${fragmentId} on ${mediaId} is ${state.verdict}, and the catalog forgot it`);
      }
      if (state.phase === 'CONDEMNED') open.push(`${fragmentId} on ${mediaId} is condemned`);
      if (state.phase === 'REMOVED' && !state.reported) {
        open.push(`${fragmentId} on ${mediaId} is removed and not reported`);
      }
    }
  }
  for (const row of database.committed(FRAGMENT).values() as Iterable<FragmentRow>) {
    if (row.state === 'DELETING') open.push(`${slotOf(row)} is granted and not deleted`);
    const disk = cluster.disks.get(row.mediaId)!;
    const isThere = FILES.every((file) => disk.exists(pathOf(row, file)));
    if (row.state === 'ACTIVE' && !isThere) open.push(`${slotOf(row)} is ACTIVE and not there`);
  }
  for (const planned of cluster.jobs) {
    const step = database.committed(JOB).get(String(planned.job))?.['step'];
    // Undefined: nobody has asked for it, or what was asked is forgotten with the rest.
    if (step !== undefined && step !== 'done') open.push(`job ${planned.job} is ${String(step)}`);
  }
  const outgoing = database.committed(OUTBOX).size;
  if (outgoing > 0) open.push(`${outgoing} messages wait in the outbox`);
  return open;
}

/** The catalog has gone back to before it granted that attempt, and says so: UNKNOWN_IMAGE. */
function isUnknown({ database }: Cluster, manifest: Manifest): boolean {
  const copy = database.committed(COPY).get(copyKey(manifest)) as CopyRow | undefined;
  return copy === undefined || copy.attempt < manifest.attempt;
}
