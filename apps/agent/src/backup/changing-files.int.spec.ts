import { FramesHere } from '#archive/frames/frame-maker.js';
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { temporaryFolder } from '../../../../test/support/temporary-folder.js';

import { listingPartPath } from './listing-file.js';
import { runBackup, type BackupOptions } from './run-backup.js';
import { BackupLab, shell } from './testing/backup-lab.js';
import { FolderSink } from './testing/folder-sink.js';
import type { DataFrame } from './fragment-sink.js';
import { SOURCE_READERS } from './testing/source-threads.js';

const RING = { buffers: 2, bufferBytes: 64 * 1024 };
const FILE_BYTES = 4 * 2 ** 20;

/** Takes one frame, then none until it is opened: meanwhile the reader stands in the midst of a file. */
class GatedSink extends FolderSink {
  #open: () => void = () => undefined;
  readonly #gate = new Promise<void>((resolve) => (this.#open = resolve));
  #reached: () => void = () => undefined;
  readonly reached = new Promise<void>((resolve) => (this.#reached = resolve));

  open(): void {
    this.#open();
  }

  override async frame(frame: DataFrame): Promise<void> {
    this.#reached();
    await this.#gate;
    await super.frame(frame);
  }
}

let folder: string;
let lab: BackupLab;

beforeAll(async () => {
  folder = await temporaryFolder();
  lab = new BackupLab(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function makeSource(name: string): string {
  const source = `${folder}/${name}`;
  mkdirSync(source);
  writeFileSync(`${source}/large`, randomFillSync(Buffer.alloc(FILE_BYTES)));
  writeFileSync(`${source}/next`, 'after it');
  return source;
}

/** Backs up while `change` happens in the midst of reading `large`. */
async function backUpWhile(
  name: string,
  change: (source: string) => void,
  fragmentBytesMax?: number,
) {
  const source = makeSource(name);
  const sink = new GatedSink(`${folder}/${name}-image`, fragmentBytesMax);
  const running = lab.backUp([source], { sink, ring: RING });
  await sink.reached;
  await delay(100); // the reader fills the ring and waits
  change(source);
  sink.open();
  const image = { ...(await running), sink };
  const lines = lab.index(image);
  const flagsOf = (file: string) => lines.find(({ path }) => path.endsWith(`/${file}`))?.flags;
  return {
    source,
    image,
    lines,
    flagsOf,
    restored: lab.restore(image, `${name}-restored`, source),
  };
}

const sizeOf = (path: string) => Number(shell('stat -c %s "$1"', path));

describe('a file that changes while it is read', () => {
  it('and shrinks is filled up with zeros, and the rest of the archive is sound', async () => {
    const { image, flagsOf, restored } = await backUpWhile('shrinks', (source) =>
      truncateSync(`${source}/large`, 2 ** 20),
    );
    expect(flagsOf('large')).toBe('mt');
    expect(image.result.status).toBe(1);
    expect(image.notes.map(({ text }) => text)).toEqual([
      expect.stringMatching(/large: ended at byte 1048576 /),
      expect.stringMatching(/large: shrank from 4194304 to 1048576 bytes/),
    ]);
    expect(sizeOf(`${restored}/large`)).toBe(FILE_BYTES);
    expect(shell('tail -c 3145728 "$1" | tr -d "\\000"', `${restored}/large`).length).toBe(0);
    expect(shell('cat "$1"', `${restored}/next`).toString()).toBe('after it');
  });

  it('and grows is cut at the size that was promised', async () => {
    const { image, flagsOf, restored, source } = await backUpWhile('grows', (from) =>
      appendFileSync(`${from}/large`, 'more and more'),
    );
    expect(flagsOf('large')).toBe('m');
    expect(image.result.status).toBe(1);
    shell('cmp -n 4194304 "$1" "$2"', `${source}/large`, `${restored}/large`);
    expect(sizeOf(`${restored}/large`)).toBe(FILE_BYTES);
  });

  it('and others that vanish meanwhile leave a note, not an entry', async () => {
    const { image, lines, source } = await backUpWhile('vanishes', (from) =>
      rmSync(`${from}/next`),
    );
    expect(image.result.status).toBe(1);
    expect(image.notes.map(({ text }) => text)).toEqual([
      `${source}/next: vanished before it was read`,
    ]);
    expect(lines.map(({ type }) => type)).toEqual(['d', 'f']);
  });

  it('is stored again by the next incremental', async () => {
    const { image, source } = await backUpWhile('again', (from) =>
      appendFileSync(`${from}/large`, 'x'),
    );
    const next = await lab.backUp([source], { base: image });
    expect(lab.index(next).map(({ path, flags }) => [path, flags])).toEqual([
      [`${source}/large`.slice(1), ''],
    ]);
  });

  it('is stored again, too, where its index line was sealed before that', async () => {
    const { image, flagsOf } = await backUpWhile(
      'sealed',
      (source) => truncateSync(`${source}/large`, 2 ** 20),
      300_000,
    );
    expect(image.result).toMatchObject({ status: 1 });
    expect(flagsOf('large')).toBe('');
    const lines = readFileSync(image.listing, 'latin1').split('\n');
    const [, , , , , , , ctime] = lines.find((line) => line.includes('/large\t'))!.split('\t');
    expect(ctime).toBe('0'); // to be read again
  });
});

describe('a folder whose place a symlink takes while it is read', () => {
  it('is stored as it was begun, and nothing of what the link leads to', async () => {
    const secret = `${folder}/secret`;
    mkdirSync(`${secret}/sub`, { recursive: true });
    for (const name of ['next', 'sub/file', 'sub/other', 'zz']) {
      writeFileSync(`${secret}/${name}`, 'not for them');
    }
    symlinkSync('not for them', `${secret}/link`);
    const { image, restored } = await backUpWhile('exchanged', (source) => {
      mkdirSync(`${source}/sub`);
      writeFileSync(`${source}/sub/file`, 'below it');
      symlinkSync('theirs', `${source}/link`);
      renameSync(source, `${source}-before`);
      symlinkSync(secret, source);
    });
    expect(lab.archive(image).includes('not for them')).toBe(false);
    expect(readFileSync(`${restored}/next`, 'utf8')).toBe('after it');
    expect(image.notes).toEqual([]);
  });
});

describe('a file that somebody holds a lease on', () => {
  /** Gives it up so many milliseconds after it was told to. */
  const HOLDER = `
    my ($file, $ms) = @ARGV;
    alarm 60; # should nobody end it
    open(FILE, '+<', $file) or die;
    $SIG{IO} = sub { select(undef, undef, undef, $ms / 1000); fcntl(FILE, 1024, 2) };
    fcntl(FILE, 1024, 1) or exit 1; # F_SETLEASE, F_WRLCK
    syswrite(STDOUT, 'leased');
    sleep 1 while 1;`;

  const backUpLeased = async (name: string, ms: number) => {
    const source = `${folder}/${name}`;
    mkdirSync(source);
    writeFileSync(`${source}/file`, 'what it holds');
    const holder = spawn('perl', ['-e', HOLDER, `${source}/file`, String(ms)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(holder.stdout, 'data');
      return { source, image: await lab.backUp([source]) };
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    }
  };

  it('is waited for', async () => {
    const { image } = await backUpLeased('leased', 100);
    expect([image.result.status, image.notes]).toEqual([0, []]);
    expect(lab.index(image)).toMatchObject([{ type: 'd' }, { type: 'f', size: 13, flags: '' }]);
  });

  it('is named where its holder does not answer', async () => {
    const { image, source } = await backUpLeased('kept', 50_000);
    expect(image.notes).toEqual([
      {
        level: 'warning',
        text: expect.stringMatching(/file: cannot be opened and is not .*\(EAGAIN\)/),
      },
    ]);
    const next = await lab.backUp([source], { base: image });
    expect(lab.index(next)).toMatchObject([{ type: 'f', size: 13 }]);
  });
});

describe('a tree that never stands still', () => {
  it('gives a sound archive every time', async () => {
    const source = `${folder}/restless`;
    mkdirSync(source);
    const script = `cd "$1"; while :; do for i in 1 2 3 4 5 6 7 8; do
      head -c $((RANDOM * 20)) /dev/zero | tr '\\\\0' x > "file-$i"; mv "file-$i" "other-$((RANDOM % 9))";
      : > "other-$((RANDOM % 9))"; ln -f "other-$((RANDOM % 9))" link 2>/dev/null; done; done`;
    const child = spawn('bash', ['-c', script, 'bash', source], { stdio: 'ignore' });
    try {
      for (let round = 0; round < 8; round++) {
        const image = await lab.backUp([source], { ring: RING });
        const listed = shell(
          'cat "$1"/*.tar.zst | zstd -dcq | tar -tf - | wc -l',
          image.sink.folder,
        );
        expect(Number(listed)).toBe(image.result.files);
        expect(lab.index(image).length).toBe(image.result.files);
        expect(image.result.status).toBe(image.notes.length > 0 ? 1 : 0);
      }
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
});

describe('a backup that cannot go on', () => {
  const options = (name: string, sink: FolderSink): BackupOptions => ({
    selections: [makeSource(name)],
    excludes: [],
    crossMountPoints: false,
    kind: 'full',
    newListingPath: `${folder}/${name}-listing`,
    ring: RING,
    frames: new FramesHere(1),
    sink,
    readers: SOURCE_READERS,
  });

  it('ends at once when it is stopped, wherever it waits', async () => {
    const sink = new GatedSink(`${folder}/stopped-image`);
    const stop = new AbortController();
    const all = options('stopped', sink);
    const running = runBackup({ ...all, signal: stop.signal });
    await sink.reached;
    stop.abort(new Error('stopped by an administrator'));
    await expect(running).rejects.toThrow('stopped by an administrator');
    expect(existsSync(listingPartPath(all.newListingPath))).toBe(true);
    sink.open();
  });

  it('fails with the error of its sink', async () => {
    class FullSink extends FolderSink {
      override seal(): Promise<void> {
        return Promise.reject(new Error('the volume is full'));
      }
    }
    const sink = new FullSink(`${folder}/full-image`, 2 ** 20);
    await expect(runBackup(options('full', sink))).rejects.toThrow('the volume is full');
  });

  it('refuses fragments that hold no frame', async () => {
    const sink = new FolderSink(`${folder}/tiny-image`, 1000);
    await expect(runBackup(options('tiny', sink))).rejects.toThrow(/too small/);
  });
});

describe('back-pressure', () => {
  it('makes the reader wait and is counted', async () => {
    const { image } = await backUpWhile('slow', () => undefined);
    expect(image.result.waits.forEmpty).toBeGreaterThan(0);
    expect(image.result.status).toBe(0);
  });
});
