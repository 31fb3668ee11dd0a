import type { Cluster } from '../actors/cluster.js';
import { FRAGMENT, JOB, OUTBOX, slotOf, type FragmentRow } from '../actors/tables.js';

/**
 * I8: what is still open, in words, in a cluster that nothing troubles any more; nothing if every
 * sealed fragment has its verdict, every grant was carried out, every job has ended and every message
 * was sent.
 */
export function whatIsOpen(cluster: Cluster): string[] {
  const open: string[] = [];
  if (cluster.mediaPrograms().length < cluster.disks.size) return ['a media server is down'];
  for (const { ledger, mediaId } of cluster.mediaPrograms()) {
    if (!ledger) return [`${mediaId} is starting`];
    for (const [fragmentId, state] of ledger.all()) {
      if (state.phase === 'SEALED') open.push(`${fragmentId} on ${mediaId} has no verdict`);
      if (state.phase === 'CONDEMNED') open.push(`${fragmentId} on ${mediaId} is condemned`);
      if (state.phase === 'REMOVED' && !state.reported) {
        open.push(`${fragmentId} on ${mediaId} is removed and not reported`);
      }
    }
  }
  const { database } = cluster;
  for (const row of database.committed(FRAGMENT).values() as Iterable<FragmentRow>) {
    if (row.state === 'DELETING') open.push(`${slotOf(row)} is granted and not deleted`);
  }
  for (const planned of cluster.jobs) {
    const step = database.committed(JOB).get(String(planned.job))?.['step'];
    if (step !== 'done') open.push(`job ${planned.job} is ${String(step)}`);
  }
  const outgoing = database.committed(OUTBOX).size;
  if (outgoing > 0) open.push(`${outgoing} messages wait in the outbox`);
  return open;
}
