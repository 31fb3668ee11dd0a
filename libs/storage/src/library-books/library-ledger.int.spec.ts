import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Journal } from '../journal/journal.js';
import { testFolder } from '../testing/small-volume.js';
import { LibraryLedger } from './library-ledger.js';
import { libraryRecord, type LibraryRecord } from './library-record.js';

describe('The ledger of a library', () => {
  it('that cannot be condensed is whole for all that, and is condensed the next time', async () => {
    const folder = testFolder();
    try {
      const journal = await Journal.open<LibraryRecord>({
        folder: folder.path,
        parse: (value) => libraryRecord.parse(value),
        onRecord: () => {},
        segmentBytesMax: 1,
      });
      const blank = { type: 'CARTRIDGE', kind: 'blank', capacityBytes: 1, reason: '' } as const;
      for (let number = 1; number <= 8; number += 1) {
        await journal.append({ ...blank, barcode: `T${number}` });
      }
      await journal.close();
      const inTheWay = join(folder.path, 'snapshot.log.partial');
      mkdirSync(inTheWay);
      const expectWhole = async () => {
        const ledger = await LibraryLedger.open(folder.path);
        expect(ledger.state.others.size).toBe(8);
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
