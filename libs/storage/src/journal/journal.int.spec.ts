import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VolumeFull, VolumeUnusable } from '../errors.js';
import { smallVolume, takeAllRoom, testFolder, type TestFolder } from '../testing/small-volume.js';
import { Journal, type Condenser } from './journal.js';
import { whyNotLocked } from './folder-lock.js';
import { lockByProcess } from './process-lock.js';

/** Of `statfs`: ext4. */
const EXT = 0xef53;

interface Note {
  readonly id: number;
  readonly text: string;
}

const parse = (value: unknown): Note => {
  const note = value as Note;
  if (typeof note.id !== 'number') throw new Error('id is missing');
  return note;
};
const note = (id: number, text = 'note'): Note => ({ id, text });

describe('A journal', () => {
  let folder: TestFolder;
  let path: string;
  beforeEach(() => {
    folder = testFolder();
    path = join(folder.path, 'journal');
  });
  afterEach(() => folder.dispose());

  const open = async (where = path, segmentBytesMax = 1_000_000) => {
    const notes: Note[] = [];
    const onRecord = (record: Note) => void notes.push(record);
    const journal = await Journal.open<Note>({ folder: where, parse, onRecord, segmentBytesMax });
    return { journal, notes };
  };
  const write = async (notes: readonly Note[], segmentBytesMax?: number) => {
    const { journal } = await open(path, segmentBytesMax);
    for (const one of notes) await journal.append(one);
    await journal.close();
  };
  const ids = async (where = path) => {
    const { journal, notes } = await open(where);
    await journal.close();
    return notes.map(({ id }) => id);
  };
  const segment = (number: number, where = path) =>
    join(where, `journal-${String(number).padStart(8, '0')}.log`);

  it('gives every record back in order, over restarts and segments', async () => {
    await write([note(1), note(2)], 50);
    await write([note(3), note(4), note(5)], 50);
    expect(await ids()).toEqual([1, 2, 3, 4, 5]);
    expect(readdirSync(path).filter((name) => name.startsWith('journal-')).length).toBe(3);
  });

  it('lets appends that wait share one write', async () => {
    const { journal } = await open();
    await Promise.all(Array.from({ length: 500 }, (_, id) => journal.append(note(id))));
    await journal.close();
    const file = readFileSync(segment(1));
    expect(file.toString('latin1').split('\xf7HFJ').length - 1).toBeLessThan(10);
    expect((await ids()).length).toBe(500);
  });

  it('loses only what was never acknowledged, wherever the last write was cut', async () => {
    await write([note(1), note(2), note(3, 'the last one')]);
    const whole = readFileSync(segment(1));
    const lastAt = whole.lastIndexOf('\xf7HFJ', undefined, 'latin1');
    const copy = join(folder.path, 'copy');
    for (let length = 0; length < whole.length; length += 1) {
      cpSync(path, copy, { recursive: true });
      writeFileSync(segment(1, copy), whole.subarray(0, length));
      const { journal, notes } = await open(copy);
      const expected = notes.map(({ id }) => id);
      expect(expected).toEqual([1, 2, 3].slice(0, expected.length));
      if (length >= lastAt) expect(expected).toEqual([1, 2]);
      await journal.append(note(9));
      await journal.close();
      expect(await ids(copy)).toEqual([...expected, 9]);
      rmSync(copy, { recursive: true });
    }
  });

  it('stops at a flipped byte in the middle and cuts one in the last write', async () => {
    await write([note(1), note(2), note(3)]);
    const whole = readFileSync(segment(1));
    const lastAt = whole.lastIndexOf('\xf7HFJ', undefined, 'latin1');
    const copy = join(folder.path, 'copy');
    for (let at = 0; at < whole.length; at += 1) {
      cpSync(path, copy, { recursive: true });
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 0x10;
      writeFileSync(segment(1, copy), flipped);
      if (at < lastAt) {
        await expect(open(copy)).rejects.toThrow(/damaged at byte/);
        expect(readFileSync(segment(1, copy)).equals(flipped)).toBe(true);
      } else {
        expect(await ids(copy)).toEqual([1, 2]);
      }
      rmSync(copy, { recursive: true });
    }
  });

  it('stops when a segment in the middle is torn or missing', async () => {
    await write([note(1), note(2), note(3), note(4)], 10);
    const whole = readFileSync(segment(2));
    writeFileSync(segment(2), whole.subarray(0, whole.length - 1));
    await expect(open()).rejects.toBeInstanceOf(VolumeUnusable);
    rmSync(segment(2));
    await expect(open()).rejects.toThrow(/segment 2 is missing/);
    writeFileSync(segment(2), '');
    await expect(open()).rejects.toThrow(/unit 3 stands where 2 belongs/);
  });

  it('stops at a record that it does not understand', async () => {
    const { journal } = await open();
    await journal.append({ nothing: true } as unknown as Note);
    await journal.close();
    await expect(open()).rejects.toThrow(/not understood: id is missing/);
  });

  it('is open in one place at a time', async () => {
    const { journal } = await open();
    await expect(open()).rejects.toThrow(/this media server has it open already/);
    await journal.close();
    const other = await lockedByAnother(path);
    await expect(open()).rejects.toThrow(/another media server process/);
    await other.end();
    await (await open()).journal.close();
  });

  it('is what the disk has: of a sync that failed the page cache may have kept more', async () => {
    const { journal } = await open();
    for (let id = 0; id < 100; id += 1) await journal.append(note(id, 'x'.repeat(4_000)));
    await journal.close();
    // Others do not say what they read, or have no disk.
    if (statfsSync(path).type !== EXT) return;
    const before = bytesFromDisk();
    expect(await ids()).toHaveLength(100);
    expect(bytesFromDisk() - before).toBeGreaterThan(400_000);
  });

  describe('when it is compacted', () => {
    /** Keeps the last note of each id. */
    const lastOfEach = (): Condenser<Note> => {
      const notes = new Map<number, Note>();
      return {
        apply: (record) => void notes.set(record.id, record),
        records: () => notes.values(),
      };
    };

    it('says the same with fewer records, and goes on', async () => {
      await write([note(1, 'a'), note(2, 'a'), note(1, 'b')], 10);
      const { journal } = await open();
      const appends = [journal.append(note(3, 'c')), journal.append(note(1, 'd'))];
      expect(await journal.compact(lastOfEach())).toBeGreaterThan(0);
      await Promise.all(appends);
      await journal.append(note(4, 'e'));
      await journal.close();
      const again = await open();
      const last = new Map(again.notes.map((one) => [one.id, one.text]));
      expect(Object.fromEntries(last)).toEqual({ 1: 'd', 2: 'a', 3: 'c', 4: 'e' });
      await again.journal.close();
      expect(await ids()).toEqual(again.notes.map(({ id }) => id));
    });

    it('loses nothing when it is interrupted between snapshot and retirement', async () => {
      await write([note(1), note(2), note(1)], 10);
      const before = join(folder.path, 'before');
      cpSync(path, before, { recursive: true });
      const { journal } = await open();
      await journal.compact(lastOfEach());
      await journal.close();
      for (const name of readdirSync(before)) {
        if (!existsSync(join(path, name))) cpSync(join(before, name), join(path, name));
      }
      expect(await ids()).toEqual([1, 2]);
      expect(readdirSync(path).filter((name) => name.startsWith('journal-')).length).toBe(1);
    });

    it('stops at a damaged snapshot', async () => {
      await write([note(1), note(2)], 10);
      const { journal } = await open();
      await journal.compact(lastOfEach());
      await journal.close();
      const whole = readFileSync(join(path, 'snapshot.log'));
      for (const length of [0, 10, whole.length - 1]) {
        writeFileSync(join(path, 'snapshot.log'), whole.subarray(0, length));
        await expect(open()).rejects.toThrow(/snapshot is damaged/);
      }
    });

    it('leaves a full volume as it was, and goes on', async () => {
      const small = smallVolume(256 * 1024);
      if (!small) return;
      try {
        const where = join(small.path, 'journal');
        const many = await open(where, 10);
        for (let id = 1; id <= 6; id += 1) await many.journal.append(note(id));
        await many.journal.close();
        // The next note of who opens it needs a block, too.
        writeFileSync(join(where, 'lock'), 'x'.repeat(4096));
        const filler = takeAllRoom(small.path);
        const { journal, notes } = await open(where);
        await journal.compactIfDue(lastOfEach());
        expect(notes.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]);
        expect(readdirSync(where).filter((name) => name.startsWith('snapshot'))).toEqual([]);
        rmSync(filler);
        await journal.append(note(7));
        await journal.close();
        const again = await open(where);
        await again.journal.compactIfDue(lastOfEach());
        await again.journal.close();
        expect(readdirSync(where)).toContain('snapshot.log');
        expect(await ids(where)).toEqual([1, 2, 3, 4, 5, 6, 7]);
      } finally {
        small.dispose();
      }
    });

    it('can be compacted again and again', async () => {
      for (let round = 1; round <= 4; round += 1) {
        const { journal } = await open();
        await journal.append(note(round, `round ${round}`));
        await journal.append(note(100, `round ${round}`));
        await journal.compact(lastOfEach());
        await journal.close();
      }
      expect((await ids()).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 100]);
    });
  });

  it('accepts nothing more after a failed write, and is whole when it is opened again', async () => {
    const small = smallVolume(256 * 1024);
    if (!small) return;
    try {
      const where = join(small.path, 'journal');
      const { journal } = await open(where);
      let done = 0;
      const fill = async () => {
        for (;;) {
          await journal.append(note(done, 'x'.repeat(4_000)));
          done += 1;
        }
      };
      await expect(fill()).rejects.toBeInstanceOf(VolumeFull);
      await expect(journal.append(note(0))).rejects.toBeInstanceOf(VolumeFull);
      await journal.close();
      const again = await ids(where);
      expect(again.slice(0, done)).toEqual(Array.from({ length: done }, (_, id) => id));
    } finally {
      small.dispose();
    }
  });
});

describe('A lock that is not to be had', () => {
  const { EWOULDBLOCK, ENOLCK, EOPNOTSUPP } = constants.errno;

  it('says by whom the folder is open', () => {
    expect(whyNotLocked(EWOULDBLOCK, false)).toBe('another media server process has it open');
    expect(whyNotLocked(EWOULDBLOCK, true)).toMatch(/named once/);
  });

  it('says what is wrong where nobody has it open', () => {
    expect(whyNotLocked(ENOLCK, false)).toMatch(/cannot be locked \(ENOLCK\)/);
    expect(whyNotLocked(EOPNOTSUPP, false)).toMatch(/cannot be locked \(E\w+\)/);
    expect(whyNotLocked(99_999, false)).toMatch(/cannot be locked \(99999\)/);
  });
});

/** Bytes that the system had to get from a disk for this process. */
function bytesFromDisk(): number {
  return Number(/^read_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))![1]);
}

/** Another process that has the lock file of a folder locked. */
async function lockedByAnother(folder: string): Promise<{ end(): Promise<void> }> {
  const child = spawn('flock', ['-n', join(folder, 'lock'), 'sh', '-c', 'echo; exec cat']);
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  return {
    end: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

describe('The lock without flock', () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = testFolder();
  });
  afterEach(() => folder.dispose());

  it('is held by one at a time and can be released', async () => {
    const lock = await lockByProcess(folder.path);
    await expect(lockByProcess(folder.path)).rejects.toThrow(/this media server has it open/);
    await lock.release();
    await (await lockByProcess(folder.path)).release();
  });

  it('is taken over from a process that is dead, by one', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    writeFileSync(join(folder.path, 'lock-00000001'), `${child.pid} ${start} ${boot}`);
    await expect(lockByProcess(folder.path)).rejects.toThrow(/another media server process/);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    const tries = await Promise.allSettled([1, 2, 3].map(() => lockByProcess(folder.path)));
    expect(tries.filter(({ status }) => status === 'fulfilled').length).toBe(1);
  });
});
