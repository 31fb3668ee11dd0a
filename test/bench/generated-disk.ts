import {
  readIndexRecord,
  type IndexRecord,
} from '../../apps/catalog/src/domain/files/index-record.js';

const FILES_PER_FOLDER = 8;
const FOLDERS_PER_PROJECT = 40;
const NAMES = ['index', 'main', 'util', 'test', 'types', 'readme', 'config', 'parser', 'server'];
const ENDS = ['.js', '.ts', '.json', '.md', '.c', '.h', '.map', '.txt'];

/**
 * A disk of a client as numbers make it: folders of eight files, 40 folders in a project, with sizes, times
 * and owners that look like those of files. Nothing of it is kept but which files were edited.
 */
export class GeneratedDisk {
  private readonly edits = new Map<number, number>();
  private readonly folders: number;
  private changes = 0;

  constructor(
    readonly number: number,
    readonly files: number,
  ) {
    this.folders = Math.ceil(files / FILES_PER_FOLDER);
  }

  /** Edits a share of the files, here and there. */
  change(share: number): void {
    this.changes += 1;
    const count = Math.round(this.files * share);
    for (let n = 0; n < count; n += 1) {
      this.edits.set(mixed(this.number, this.changes, n) % this.files, this.changes);
    }
  }

  /** The path of one of its files. */
  pathOf(n: number): string {
    const file = n % this.files;
    return `${this.folderPath(Math.floor(file / FILES_PER_FOLDER))}/${this.nameOf(file)}`;
  }

  /** Entries in archive order, cut into fragments of so many; an incremental's are those of the last change. */
  *parts(
    isFull: boolean,
    perFragment: number,
  ): Generator<(lines: number) => Generator<IndexRecord[]>> {
    const entries = this.entries(isFull);
    let isOver = false;
    function* batches(lines: number): Generator<IndexRecord[]> {
      for (let count = 0; count < perFragment && !isOver; count += lines) {
        const batch: IndexRecord[] = [];
        while (batch.length < lines && !isOver) {
          const next = entries.next();
          if (next.done) isOver = true;
          else batch.push(next.value);
        }
        if (batch.length > 0) yield batch;
      }
    }
    while (!isOver) yield batches;
  }

  private *entries(isFull: boolean): Generator<IndexRecord> {
    let project = -1;
    if (isFull) yield folder('srv');
    for (let n = 0; n < this.folders; n += 1) {
      const own = Math.floor(n / FOLDERS_PER_PROJECT);
      if (isFull && own !== project) yield folder(projectPath(own));
      project = own;
      if (isFull) yield folder(this.folderPath(n));
      const files: { name: string; record: IndexRecord }[] = [];
      for (let k = 0; k < FILES_PER_FOLDER; k += 1) {
        const file = n * FILES_PER_FOLDER + k;
        if (file >= this.files) break;
        const edit = this.edits.get(file) ?? 0;
        if (!isFull && (edit !== this.changes || edit === 0)) continue;
        files.push({ name: this.nameOf(file), record: this.record(file, edit) });
      }
      files.sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const { record } of files) yield record;
    }
  }

  private record(file: number, edit: number): IndexRecord {
    const random = mixed(this.number, file, edit);
    const size = random % 40_000;
    const mtime = `${1_500_000_000 + (random % 200_000_000)}${String(mixed(file, edit, 7) % 1e9).padStart(9, '0')}`;
    return readIndexRecord(
      `f\t${this.pathOf(file)}\t${size}\t${mtime}\t${random % 5 ? '644' : '755'}\t1000\t1000\t${file * 2_048}\t${size + 512}\t-\t`,
    );
  }

  private folderPath(n: number): string {
    const inProject = String(n % FOLDERS_PER_PROJECT).padStart(2, '0');
    return `${projectPath(Math.floor(n / FOLDERS_PER_PROJECT))}/part-${inProject}`;
  }

  private nameOf(file: number): string {
    const random = mixed(this.number, file, 3);
    return `${NAMES[random % NAMES.length]}-${file.toString(36)}${ENDS[(random >>> 8) % ENDS.length]}`;
  }
}

function projectPath(n: number): string {
  return `srv/project-${String(n).padStart(6, '0')}`;
}

function folder(path: string): IndexRecord {
  return readIndexRecord(`d\t${path}\t0\t1600000000000000000\t755\t0\t0\t0\t512\t-\t`);
}

function mixed(...values: readonly number[]): number {
  let hash = 0x9e3779b9;
  for (const value of values) {
    hash = Math.imul(hash ^ value, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}
