import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sampleManifest } from '../testing/sample-manifest.js';
import type { JournalRecord } from './journal-record.js';
import { journalRecord } from './journal-record.js';
import { applyRecord, recordsFor, type FragmentState } from './journal-state.js';

const manifest = sampleManifest(1);
const { fragmentId, imageId, copy, number, attempt } = manifest;
const intent: JournalRecord = { type: 'INTENT', fragmentId, imageId, copy, number, attempt };
const sealed: JournalRecord = { type: 'SEALED', manifest, sealedAt: '2026-11-01T00:00:00.000Z' };
const verdict = (
  said: 'COMMITTED' | 'SUPERSEDED' | 'FENCED' | 'CORRUPT' | 'UNKNOWN_IMAGE',
  catalogEpoch = 'e1',
): JournalRecord => ({ type: 'VERDICT', fragmentId, verdict: said, catalogEpoch });

const fold = (records: readonly JournalRecord[]) =>
  records.reduce<FragmentState | undefined>(applyRecord, undefined);

describe('What the journal says of a fragment', () => {
  it('goes from INTENT over SEALED to its verdict', () => {
    expect(fold([intent])).toMatchObject({ phase: 'INTENT' });
    expect(fold([intent, sealed])).toMatchObject({ phase: 'SEALED', manifest });
    expect(fold([intent, sealed, verdict('COMMITTED')])).toMatchObject({
      phase: 'JUDGED',
      verdict: 'COMMITTED',
      catalogEpoch: 'e1',
      manifest,
    });
  });

  it('goes back to SEALED when the catalog has forgotten the image', () => {
    expect(
      fold([intent, sealed, verdict('COMMITTED'), verdict('UNKNOWN_IMAGE', 'e2')]),
    ).toMatchObject({ phase: 'SEALED', manifest });
  });

  it('is not guessed when records do not fit', () => {
    expect(() => fold([verdict('COMMITTED')])).toThrow(/never sealed/);
    expect(() => fold([intent, verdict('COMMITTED')])).toThrow(/never sealed/);
    const other = { ...sealed, manifest: { ...manifest, digest: 'f'.repeat(64) } };
    expect(() => fold([sealed, other as JournalRecord])).toThrow(/different content/);
  });

  it('is the same after it was condensed, and never loses a sealed fragment', () => {
    const verdicts = fc.constantFrom(
      'COMMITTED',
      'SUPERSEDED',
      'FENCED',
      'CORRUPT',
      'UNKNOWN_IMAGE',
    );
    const record = fc.oneof(
      fc.constant(intent),
      fc.constant(sealed),
      fc.tuple(verdicts, fc.constantFrom('e1', 'e2')).map(([v, e]) => verdict(v, e)),
    );
    fc.assert(
      fc.property(fc.array(record, { maxLength: 20 }), (behind) => {
        const state = fold([intent, sealed, ...behind])!;
        expect(state.phase).not.toBe('INTENT');
        expect(fold(recordsFor(state))).toEqual(state);
      }),
    );
  });

  const condemned: JournalRecord = { type: 'CONDEMNED', fragmentId, tombstoneId: 't1' };
  const removed: JournalRecord = { type: 'REMOVED', fragmentId, tombstoneId: 't1' };
  const reported: JournalRecord = { type: 'REPORTED', fragmentId };
  const gone = [intent, sealed, verdict('COMMITTED'), condemned, removed];

  it('stays what a tombstone has taken, until the catalog knows of that', () => {
    for (const before of [gone.slice(0, -1), gone]) {
      expect(fold([...before, sealed])).toEqual(fold(before));
    }
  });

  it('begins anew where it was removed, reported, and is there again', () => {
    const again = [...gone, reported, { ...sealed, sealedAt: '2026-12-01T00:00:00.000Z' }];
    expect(fold(again)).toEqual({
      ...{ phase: 'SEALED', manifest, sealedAt: '2026-12-01T00:00:00.000Z' },
    });
    expect(fold([...again, verdict('COMMITTED')])).toMatchObject({ phase: 'JUDGED' });
    const second = { tombstoneId: 't2' };
    const state = fold([...again, { ...condemned, ...second }, { ...removed, ...second }])!;
    expect(state).toMatchObject({ phase: 'REMOVED', ...second, reported: false });
    expect(fold(recordsFor(state))).toEqual(state);
  });

  it('can be written as JSON and read back', () => {
    for (const record of [intent, sealed, verdict('FENCED')]) {
      expect(journalRecord.parse(JSON.parse(JSON.stringify(record)))).toEqual(record);
    }
    expect(() => journalRecord.parse({ type: 'FORGOTTEN', fragmentId })).toThrow();
  });
});
