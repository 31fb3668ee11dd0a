import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fragmentState } from '#contracts/image.js';
import { bytesState, inventoryEntry, type InventoryEntry } from '#contracts/media.js';
import { provesRegression, reconcileFragment, type KnownRow } from './reconcile.js';

const ID = '01920000-0000-7000-8000-000000000001';
const DIGEST = 'ab'.repeat(32);

function rowOf(state: KnownRow['state']): KnownRow {
  return { ...slot, state, digest: DIGEST, storedBytes: 9 };
}
const slot = { fragmentId: ID, imageId: 'web1_1', copy: 1, number: 1 };

function entryOf(
  journal: InventoryEntry['journal'],
  bytes: InventoryEntry['bytes'] = 'whole',
  over: Partial<InventoryEntry> = {},
): InventoryEntry {
  return {
    ...{ ...slot, pool: 'main', journal, bytes, digest: DIGEST, storedBytes: 9 },
    ...{ catalogEpoch: 'e1', tombstoneId: null, reason: '' },
    ...over,
  };
}

const otherOf = (journal: InventoryEntry['journal']) =>
  entryOf(journal, 'whole', { storedBytes: 8 });

describe('reconciliation', () => {
  it.each<[string, KnownRow | undefined, InventoryEntry | undefined, string | undefined]>([
    ['agreement', rowOf('ACTIVE'), entryOf('COMMITTED'), undefined],
    ['a seal that is being offered', rowOf('ACTIVE'), entryOf('SEALED'), undefined],
    ['a seal that the catalog lacks', undefined, entryOf('SEALED'), 'offer-again'],
    ['a commit that the catalog forgot', undefined, entryOf('COMMITTED'), 'offer-again'],
    ['an orphan', undefined, entryOf('none'), 'quarantine'],
    ['bytes whose journal is lost', rowOf('ACTIVE'), entryOf('none'), 'adopt'],
    ['missing bytes', rowOf('ACTIVE'), entryOf('COMMITTED', 'missing'), 'mark-damaged'],
    ['nothing at all', rowOf('ACTIVE'), undefined, 'mark-damaged'],
    [
      'another content',
      rowOf('ACTIVE'),
      entryOf('COMMITTED', 'whole', { storedBytes: 8 }),
      'mark-damaged',
    ],
    ['damage that is no more', rowOf('DAMAGED'), entryOf('COMMITTED'), 'check-again'],
    ['damage that lasts', rowOf('DAMAGED'), entryOf('COMMITTED', 'missing'), undefined],
    ['what was given up', rowOf('GIVEN_UP'), entryOf('COMMITTED'), undefined],
    ['a fence that is no more', rowOf('ACTIVE'), entryOf('FENCED'), 'offer-again'],
    ['trash of what is needed', rowOf('ACTIVE'), entryOf('REMOVED', 'trash'), 'take-back'],
    ['trash of what is unknown', undefined, entryOf('REMOVED', 'trash'), 'take-back'],
    ['a grant that was lost', rowOf('DELETING'), entryOf('COMMITTED'), 'grant-again'],
    ['a report that was lost', rowOf('DELETING'), entryOf('REMOVED', 'missing'), 'grant-again'],
    ['a grant for nothing', rowOf('DELETING'), undefined, 'report-deleted'],
    ['bytes that are back', rowOf('DELETED'), entryOf('COMMITTED'), 'grant-again'],
    ['bytes that are back without a journal', rowOf('DELETED'), entryOf('none'), 'adopt'],
    ['a grant whose journal is lost', rowOf('DELETING'), entryOf('none'), 'adopt'],
    ['a lost grant of other bytes', rowOf('DELETING'), otherOf('none'), 'none'],
    ['a grant of other bytes', rowOf('DELETING'), otherOf('COMMITTED'), 'none'],
    ['other bytes of what is deleted', rowOf('DELETED'), otherOf('none'), 'none'],
    ['a lost grant of half its bytes', rowOf('DELETING'), entryOf('none', 'partial'), 'none'],
    ['a lost grant for nothing', rowOf('DELETING'), entryOf('none', 'missing'), 'report-deleted'],
    ['trash that lost its journal', rowOf('DELETED'), entryOf('none', 'trash'), 'take-back'],
    ['granted trash without a journal', rowOf('DELETING'), entryOf('none', 'trash'), 'take-back'],
    ['trash that waits for its end', rowOf('DELETED'), entryOf('REMOVED', 'trash'), undefined],
    ['what is gone, and was an orphan', rowOf('DELETED'), entryOf('none', 'missing'), undefined],
    ['what is gone', rowOf('DELETED'), entryOf('REMOVED', 'missing'), undefined],
    ['what is quarantined', rowOf('REFUSED'), entryOf('FENCED'), undefined],
    ['what could take the place of damage', rowOf('MISSED'), entryOf('SUPERSEDED'), 'offer-again'],
    [
      'what could, and is damaged too',
      rowOf('MISSED'),
      entryOf('SUPERSEDED', 'missing'),
      undefined,
    ],
    ['what is begun', undefined, entryOf('INTENT', 'partial'), undefined],
  ])('settles %s', (_, row, entry, action) => {
    expect(reconcileFragment(row, entry)?.action).toBe(action);
  });

  it('lets a deletion go on only where the catalog has granted it', () => {
    const states = fc.constantFrom(
      ...[...fragmentState.options, 'REFUSED' as const, 'MISSED' as const],
    );
    const journals = fc.constantFrom(...inventoryEntry.shape.journal.options);
    const row = fc.option(states.map(rowOf), { nil: undefined });
    const entry = fc.option(
      fc.tuple(journals, fc.constantFrom(...bytesState.options)).map(([j, b]) => entryOf(j, b)),
      { nil: undefined },
    );
    fc.assert(
      fc.property(row, entry, (known, seen) => {
        const action = reconcileFragment(known, seen)?.action;
        if (action === 'grant-again' || action === 'report-deleted') {
          expect(['DELETING', 'DELETED']).toContain(known?.state);
        }
        if (known?.state === 'ACTIVE' && seen?.bytes !== 'whole') {
          expect(['mark-damaged', 'take-back']).toContain(action);
        }
        // It would be refused, and dealt with again for ever.
        if (seen?.journal === 'none') {
          expect(action).not.toBe('grant-again');
        }
      }),
    );
  });

  it('knows a catalog that went back in time by what it forgot', () => {
    expect(provesRegression(undefined, entryOf('COMMITTED'), 'e1')).toBe(true);
    expect(provesRegression(undefined, entryOf('COMMITTED'), 'e2')).toBe(false);
    expect(provesRegression(undefined, entryOf('SEALED'), 'e1')).toBe(false);
    expect(provesRegression(rowOf('ACTIVE'), entryOf('COMMITTED'), 'e1')).toBe(false);
  });

  it('judges nothing missing while a volume is away', () => {
    for (const state of ['ACTIVE', 'TO_BE_DELETED', 'DELETING'] as const) {
      expect(reconcileFragment(rowOf(state), undefined, { isVolumeAway: true })).toBeUndefined();
    }
    const shown = entryOf('COMMITTED', 'missing');
    expect(reconcileFragment(rowOf('ACTIVE'), shown, { isVolumeAway: true })).toMatchObject({
      action: 'mark-damaged',
    });
  });
});
