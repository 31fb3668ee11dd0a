import { describe, expect, it } from '@jest/globals';
import { confirmGrant } from '#storage/confirmed-grant.js';
import { sampleManifest } from '../testing/sample-manifest.js';
import { applyRecord, type FragmentState } from './journal-state.js';
import { decideGrant } from './removal.js';

const manifest = sampleManifest(1);
const { fragmentId, digest, storedBytes } = manifest;
const tombstone = { fragmentId, digest, storedBytes };
const tombstoneId = '01920000-0000-7000-8000-0000000000aa';
const sealed: FragmentState = { phase: 'SEALED', manifest, sealedAt: '2026-01-01T00:00:00.000Z' };
const condemned = applyRecord(sealed, { type: 'CONDEMNED', fragmentId, tombstoneId });
const removed = applyRecord(condemned, { type: 'REMOVED', fragmentId, tombstoneId });

describe('a granted deletion', () => {
  it('is claimed for a fragment that the journal has, with this digest and size', () => {
    expect(decideGrant(sealed, tombstone)).toEqual({ type: 'claim' });
    expect(decideGrant(condemned, tombstone)).toEqual({ type: 'claim' });
  });

  it('is reported again for one that is gone', () => {
    expect(decideGrant(removed, tombstone)).toEqual({ type: 'report' });
  });

  it.each([
    ['is not known', undefined, tombstone],
    ['has another digest', sealed, { ...tombstone, digest: 'f'.repeat(64) }],
    ['has another size', sealed, { ...tombstone, storedBytes: storedBytes + 1 }],
  ])('is refused for one that %s', (_, state, grant) => {
    expect(decideGrant(state, grant)).toMatchObject({ type: 'refuse' });
  });

  it('removes nothing without the yes of the catalog', () => {
    expect(confirmGrant({ fragmentId, tombstoneId }, { confirmed: false })).toBeUndefined();
    expect(confirmGrant({ fragmentId, tombstoneId }, { confirmed: true })).toEqual({
      fragmentId,
      tombstoneId,
    });
  });

  it('is past every verdict, and can be taken back as sealed', () => {
    const verdict = {
      type: 'VERDICT',
      fragmentId,
      verdict: 'COMMITTED',
      catalogEpoch: 'e',
    } as const;
    expect(applyRecord(removed, verdict)).toEqual(removed);
    expect(applyRecord(removed, { type: 'TAKEN_BACK', fragmentId })).toEqual(sealed);
  });

  it('is no removal without having been condemned first', () => {
    const removal = { type: 'REMOVED', fragmentId, tombstoneId } as const;
    expect(() => applyRecord(sealed, removal)).toThrow(/not condemned/);
  });
});
