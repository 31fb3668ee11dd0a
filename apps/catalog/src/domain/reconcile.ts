import type { ReconcileFinding } from '#contracts/catalog/care.js';
import type { FragmentState } from '#contracts/image.js';
import type { InventoryEntry } from '#contracts/media.js';

/**
 * What the catalog has of a fragment. `REFUSED`: it was offered, and is kept in quarantine. `MISSED`: so is
 * it, but the one that held its number, with the very same bytes, is DAMAGED now, and nothing holds it.
 * `GIVEN_UP`: it is DAMAGED, and nobody wants it back.
 */
export interface KnownRow {
  readonly fragmentId: string;
  readonly imageId: string;
  readonly copy: number;
  readonly number: number;
  readonly state: FragmentState | 'REFUSED' | 'MISSED' | 'GIVEN_UP';
  readonly digest: string;
  readonly storedBytes: number;
}

export type Settlement = Pick<ReconcileFinding, 'finding' | 'action'>;

/**
 * How a difference between the three witnesses (catalog, journal, bytes) ends; undefined where they
 * agree, or where what is under way will settle it. Nothing here removes anything: a deletion goes on
 * only where the catalog had granted it, and what nobody knows is kept and told. While a volume of the
 * media server is away, what it does not show may be on that one.
 */
export function reconcileFragment(
  row: KnownRow | undefined,
  entry: InventoryEntry | undefined,
  { isVolumeAway = false } = {},
): Settlement | undefined {
  if (row && entry) return compare(row, entry);
  if (row) return isVolumeAway ? undefined : missingThere(row);
  return entry && unknownHere(entry);
}

function missingThere({ state }: KnownRow): Settlement | undefined {
  switch (state) {
    case 'ACTIVE':
    case 'TO_BE_DELETED':
      return {
        finding: `${state}, but its media server has nothing of it`,
        action: 'mark-damaged',
      };
    case 'DELETING':
      return {
        finding: 'its deletion is granted, and nothing is left of it',
        action: 'report-deleted',
      };
    case 'DAMAGED':
    case 'DELETED':
    case 'REFUSED':
    case 'MISSED':
    case 'GIVEN_UP':
      return undefined;
    default:
      return state satisfies never;
  }
}

function unknownHere({ journal, bytes }: InventoryEntry): Settlement | undefined {
  if (bytes === 'trash') {
    return { finding: 'in the trash, but not in the catalog', action: 'take-back' };
  }
  if (bytes !== 'whole') {
    return isWhole(journal)
      ? {
          finding: `${journal} in the journal, its bytes are ${bytes}, not in the catalog`,
          action: 'none',
        }
      : undefined;
  }
  switch (journal) {
    case 'none':
      return { finding: 'an orphan: neither journal nor catalog know it', action: 'quarantine' };
    case 'CONDEMNED':
      return { finding: 'condemned, but not in the catalog', action: 'take-back' };
    case 'INTENT':
    case 'REMOVED':
      return undefined;
    default:
      return { finding: `${journal} in the journal, not in the catalog`, action: 'offer-again' };
  }
}

function compare(row: KnownRow, entry: InventoryEntry): Settlement | undefined {
  switch (row.state) {
    case 'ACTIVE':
    case 'TO_BE_DELETED':
      return compareLive(row, entry);
    case 'DELETING':
    case 'DELETED':
      return compareGranted(row, entry);
    case 'REFUSED':
      return entry.journal === 'COMMITTED'
        ? { finding: 'refused, but COMMITTED in the journal', action: 'offer-again' }
        : undefined;
    case 'MISSED':
      // Offered, it is judged as any other: by its fence, and by who holds its number then.
      return entry.bytes === 'whole' && isAsCommitted(row, entry)
        ? { finding: 'refused, but what held its number is DAMAGED', action: 'offer-again' }
        : undefined;
    case 'DAMAGED':
      return entry.bytes === 'whole' && isAsCommitted(row, entry)
        ? { finding: 'DAMAGED, but it seems to be there again', action: 'check-again' }
        : undefined;
    case 'GIVEN_UP':
      return undefined;
    default:
      return row.state satisfies never;
  }
}

function compareLive(row: KnownRow, entry: InventoryEntry): Settlement | undefined {
  const { journal, bytes } = entry;
  if (bytes === 'trash') {
    return { finding: `${row.state}, but its bytes are in the trash`, action: 'take-back' };
  }
  if (bytes !== 'whole') {
    return { finding: `${row.state}, but its bytes are ${bytes}`, action: 'mark-damaged' };
  }
  if (!isAsCommitted(row, entry)) {
    return { finding: `${row.state}, but with another digest or size`, action: 'mark-damaged' };
  }
  switch (journal) {
    case 'none':
      return { finding: `${row.state}, but not in the journal`, action: 'adopt' };
    case 'CONDEMNED':
    case 'REMOVED':
      return { finding: `${row.state}, but ${journal} in the journal`, action: 'take-back' };
    case 'SUPERSEDED':
    case 'FENCED':
    case 'CORRUPT':
      return { finding: `${row.state}, but ${journal} in the journal`, action: 'offer-again' };
    case 'INTENT':
    case 'SEALED':
    case 'COMMITTED':
      return undefined;
    default:
      return journal satisfies never;
  }
}

function isAsCommitted(row: KnownRow, entry: InventoryEntry): boolean {
  return entry.digest === row.digest && entry.storedBytes === row.storedBytes;
}

function compareGranted(row: KnownRow, entry: InventoryEntry): Settlement | undefined {
  const { journal, bytes } = entry;
  if (bytes === 'whole' && !isAsCommitted(row, entry)) {
    return { finding: `${row.state}, but with another digest or size`, action: 'none' };
  }
  if (journal === 'none') return compareForgotten(row, entry);
  if (row.state === 'DELETED') {
    return bytes === 'whole' && journal !== 'REMOVED'
      ? { finding: 'DELETED, but its bytes are back', action: 'grant-again' }
      : undefined;
  }
  const finding =
    journal === 'REMOVED'
      ? 'its deletion is granted and done, but not reported'
      : `its deletion is granted, its bytes are ${bytes}`;
  return { finding, action: 'grant-again' };
}

/**
 * Granted, and its journal was lost: a media server removes nothing that its journal does not know, whoever
 * granted it. Taken in again it goes as any other; also out of the trash, since only the tombstone that the
 * catalog stands by now may have it there.
 */
function compareForgotten(row: KnownRow, { bytes }: InventoryEntry): Settlement | undefined {
  switch (bytes) {
    case 'whole':
      return { finding: `${row.state}, but not in the journal`, action: 'adopt' };
    case 'trash':
      return { finding: `${row.state}, in the trash, not in the journal`, action: 'take-back' };
    case 'missing':
      return missingThere(row);
    case 'damaged':
    case 'partial':
      return row.state === 'DELETING'
        ? { finding: `its deletion is granted, its bytes are ${bytes}`, action: 'none' }
        : undefined;
    default:
      return bytes satisfies never;
  }
}

function isWhole(journal: InventoryEntry['journal']): boolean {
  return !['none', 'INTENT', 'REMOVED'].includes(journal);
}

/**
 * True where a journal proves that the catalog has forgotten what it committed: it went back in time
 * without a new epoch.
 */
export function provesRegression(
  row: KnownRow | undefined,
  entry: InventoryEntry | undefined,
  catalogEpoch: string,
): boolean {
  return !row && entry?.journal === 'COMMITTED' && entry.catalogEpoch === catalogEpoch;
}
