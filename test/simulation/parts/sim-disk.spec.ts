import { describe, expect, it } from '@jest/globals';
import { Chance } from '../kernel/chance.js';
import { SimDisk } from './sim-disk.js';

/** What a hundred power losses leave of the same disk. */
function afterPowerLoss<T>(prepare: (disk: SimDisk) => void, look: (disk: SimDisk) => T): Set<T> {
  const seen = new Set<T>();
  for (let turn = 0; turn < 100; turn += 1) {
    const disk = new SimDisk();
    prepare(disk);
    disk.losePower(new Chance(`power ${turn}`));
    seen.add(look(disk));
  }
  return seen;
}

const named = (disk: SimDisk): string => disk.list('f').join();
const content = (disk: SimDisk): string => disk.read('f/a').toString('latin1');

function settled(disk: SimDisk): void {
  disk.create('f/a');
  disk.append('f/a', Buffer.from('ab'));
  disk.sync('f/a');
  disk.syncFolder('f');
}

describe('A simulated disk that loses power', () => {
  it('keeps what was synced, name and content', () => {
    expect(afterPowerLoss(settled, content)).toEqual(new Set(['ab']));
  });

  it('keeps any part of what was appended since, and may fill the rest with zeros', () => {
    const seen = afterPowerLoss((disk) => {
      settled(disk);
      disk.append('f/a', Buffer.from('cd'));
    }, content);
    expect(seen).toEqual(new Set(['ab', 'ab\0', 'ab\0\0', 'abc', 'abc\0', 'abcd']));
  });

  it('loses a name that was not synced, whatever was synced of the content', () => {
    const seen = afterPowerLoss((disk) => {
      disk.create('f/a');
      disk.sync('f/a');
    }, named);
    expect(seen).toEqual(new Set(['', 'a']));
  });

  it('undoes renames and removals in any order, but never loses a file between two names', () => {
    const seen = afterPowerLoss((disk) => {
      settled(disk);
      disk.create('f/b');
      disk.syncFolder('f');
      disk.rename('f/a', 'f/c');
      disk.remove('f/b');
    }, named);
    expect(seen).toEqual(new Set(['a,b', 'a', 'b,c', 'c']));
  });

  it('has the old file or the new one where one took the place of the other', () => {
    const seen = afterPowerLoss((disk) => {
      settled(disk);
      disk.create('f/new');
      disk.append('f/new', Buffer.from('xyz'));
      disk.sync('f/new');
      disk.syncFolder('f');
      disk.rename('f/new', 'f/a');
    }, content);
    expect(seen).toEqual(new Set(['ab', 'xyz']));
  });

  it('keeps nothing of a name for syncing another folder', () => {
    const seen = afterPowerLoss((disk) => {
      disk.create('f/a');
      disk.syncFolder('g');
    }, named);
    expect(seen).toEqual(new Set(['', 'a']));
  });
});
