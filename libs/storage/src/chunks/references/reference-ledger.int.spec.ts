import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Journal } from '../../journal/journal.js';
import { testFolder } from '../../testing/small-volume.js';
import { referenceRecord, type ReferenceRecord } from './reference-record.js';
import { ReferenceLedger } from './reference-ledger.js';

describe('A ledger of references', () => {
  it('that cannot be condensed is whole for all that, and is condensed the next time', async () => {
    const folder = testFolder();
    try {
      const journal = await Journal.open<ReferenceRecord>({
        folder: folder.path,
        parse: (value) => referenceRecord.parse(value),
        onRecord: () => {},
        segmentBytesMax: 1,
      });
      for (let number = 1; number <= 8; number += 1) {
        await journal.append({ type: 'HELD', fragmentId: `f${number}`, number });
      }
      await journal.close();
      const inTheWay = join(folder.path, 'snapshot.log.partial');
      mkdirSync(inTheWay);
      const expectWhole = async () => {
        const ledger = await ReferenceLedger.open(folder.path);
        expect(ledger.state.all()).toHaveLength(8);
        await ledger.close();
      };
      await expectWhole();
      expect(readdirSync(folder.path)).not.toContain('snapshot.log');
      rmdirSync(inTheWay);
      await expectWhole();
      expect(readdirSync(folder.path)).toContain('snapshot.log');
    } finally {
      folder.dispose();
    }
  });
});
