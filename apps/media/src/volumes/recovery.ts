import type { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import type { FragmentName } from '#storage/fragment-name.js';
import { HostExhausted, hostError } from '#storage/errors.js';
import type { FragmentStore, TrashedFragment } from '#storage/fragment-store.js';
import { nameOf } from '../domain/journal-state.js';
import type { Ledger } from './ledger.js';
import { untilUnread } from './until-unread.js';

/** A volume at its start, before anyone works with it. */
export interface OpenedVolume {
  readonly store: FragmentStore;
  readonly ledger: Ledger;
}

/** What processes that died have begun and not sealed: it stays until a person removes it. */
export interface Leftovers {
  readonly fragments: number;
  /** Of their data; their indexes are left out. */
  readonly bytes: number;
}

/**
 * A process that died between the manifest and the journal left a whole fragment that the journal
 * has as begun. Its manifest says all that SEALED needs. One of which nothing is there was given up.
 * @returns what is there of the others
 */
export async function recoverSeals(
  { store, ledger }: OpenedVolume,
  clock: Clock,
): Promise<Leftovers> {
  let left: Leftovers = { fragments: 0, bytes: 0 };
  const begun: FragmentName[] = [];
  for (const [, state] of ledger.all()) {
    if (state.phase === 'INTENT') begun.push(state.intent);
  }
  for (const { imageId, copy, number, fragmentId } of begun) {
    const found = await store.stat({ imageId, copy, number, fragmentId });
    if (found === undefined) ledger.forget(fragmentId);
    if (found?.state === 'partial') {
      left = { fragments: left.fragments + 1, bytes: left.bytes + found.dataBytes };
    }
    if (found?.state !== 'sealed') continue;
    // The process may have died between the manifest's name and the sync of its folder.
    await store.settle(found.name);
    await ledger.sealed(found.manifest, clock.now().toISOString());
  }
  return left;
}

/**
 * What lies in the trash while the journal says otherwise: the journal is right.
 *
 * - It was condemned by this tombstone, and nothing is left in its place: it is removed.
 * - It was condemned, but is still there in part: nothing; it is claimed again first.
 * - It counts as there: a return from the trash was cut, and is finished.
 * - Of what the journal does not know nothing is touched.
 *
 * @returns what could not be read or finished, in words: it holds up nothing else, and the next start tries again.
 * Throws `HostExhausted`, which says nothing of the volume.
 */
export async function recoverTrash(volume: OpenedVolume): Promise<string[]> {
  const unsettled: string[] = [];
  const unread = (error: unknown) => void unsettled.push(unreadTrash(error));
  for await (const trashed of untilUnread(volume.store.trash(), unread)) {
    const { fragmentId, tombstoneId } = trashed;
    try {
      if (!(await settle(volume, trashed))) continue;
    } catch (error) {
      if (error instanceof HostExhausted) throw error;
      unsettled.push(`fragment ${fragmentId} in .trash/${tombstoneId}: ${messageOf(error)}`);
      continue;
    }
    await volume.ledger.removed(fragmentId, tombstoneId);
  }
  return unsettled;
}

/** @returns whether it is removed, which the journal does not say yet */
async function settle(
  { store, ledger }: OpenedVolume,
  { fragmentId, tombstoneId }: TrashedFragment,
): Promise<boolean> {
  const state = ledger.find(fragmentId);
  if (!state || state.phase === 'INTENT' || state.phase === 'REMOVED') return false;
  const found = await store.stat(nameOf(state));
  if (state.phase !== 'CONDEMNED') {
    if (found?.state !== 'sealed') await store.takeBack(tombstoneId, nameOf(state));
    return false;
  }
  if (state.tombstoneId !== tombstoneId || found) return false;
  await store.settle(nameOf(state));
  return true;
}

function unreadTrash(error: unknown): string {
  const short = hostError('whose trash is looked at', error);
  if (short) throw short;
  return `the trash: ${messageOf(error)}`;
}

/**
 * What was removed, of which the catalog knows that, and which the trash has given up, is nothing any more: else
 * a journal would grow with all that ever lay on the volume. A grant for it that comes once more is refused, and
 * the comparison with the catalog says that nothing is left. While not all of the trash can be read, all stays.
 */
export async function forgetRemoved({ store, ledger }: OpenedVolume): Promise<void> {
  const inTrash = new Set<string>();
  let isRead = true;
  const unread = () => void (isRead = false);
  for await (const { fragmentId } of untilUnread(store.trash(), unread)) inTrash.add(fragmentId);
  if (!isRead) return;
  for (const [fragmentId, state] of ledger.all()) {
    if (state.phase !== 'REMOVED' || !state.reported || inTrash.has(fragmentId)) continue;
    ledger.forget(fragmentId);
  }
}
