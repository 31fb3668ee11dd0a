import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestFolder {
  readonly path: string;
  dispose(): void;
}

/**
 * A new empty folder of a test's own. Its name says which process it belongs to, so that
 * `temporaryFolder` (test/support) clears up after one that was killed.
 */
export function testFolder(): TestFolder {
  const path = mkdtempSync(join(tmpdir(), `holdfast-test-${process.pid}.${startTime()}-`));
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) };
}

/** Of this process, in clock ticks since boot. What stands in brackets may hold anything. */
function startTime(): string {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
}

/**
 * A folder that is a file system of its own with so much room, and so many inodes (plenty if left out);
 * undefined where nothing may be mounted.
 */
export function smallVolume(bytes: number, inodes?: number): TestFolder | undefined {
  const folder = testFolder();
  try {
    const count = inodes === undefined ? '' : `,nr_inodes=${inodes}`;
    const options = `size=${bytes}${count},mode=0700`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder.path], {
      stdio: 'ignore',
    });
  } catch {
    folder.dispose();
    return undefined;
  }
  return {
    path: folder.path,
    dispose: () => {
      execFileSync('umount', [folder.path]);
      folder.dispose();
    },
  };
}

/** Takes all room that the file system of a folder has. @returns the file that has it */
export function takeAllRoom(folder: string): string {
  const path = join(folder, 'filler');
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch {
    return path;
  } finally {
    closeSync(file);
  }
}

const RESERVE_BYTES = 512 * 1024;
const OVERHEAD_BYTES = 128 * 1024;

/**
 * A folder with about so much room beside the reserve (plenty if left out): a real small file system
 * where one may be mounted, else a reserve that leaves so much.
 */
export function volumeWith(freeBytes?: number): { folder: TestFolder; reserveBytes: number } {
  if (freeBytes === undefined) return { folder: testFolder(), reserveBytes: 0 };
  const small = smallVolume(freeBytes + RESERVE_BYTES + OVERHEAD_BYTES);
  if (small) return { folder: small, reserveBytes: RESERVE_BYTES };
  const folder = testFolder();
  const { bavail, bsize } = statfsSync(folder.path);
  return { folder, reserveBytes: bavail * bsize - freeBytes };
}

/** The paths of the files in a folder that this process has open. */
export function openFiles(folder: string): string[] {
  return readdirSync('/proc/self/fd')
    .flatMap((descriptor) => {
      try {
        return [readlinkSync(`/proc/self/fd/${descriptor}`)];
      } catch {
        // Closed meanwhile, as that of this listing.
        return [];
      }
    })
    .filter((path) => path.startsWith(folder));
}
