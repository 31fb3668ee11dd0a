import { CorruptIndex } from './corrupt-index.js';
import type { IndexRecord } from './index-record.js';
import { joinPath } from './glob.js';
import { entryLine } from './tree-block.js';
import type { NamedLine } from './tree-builder.js';
import { compareText } from './tree-key.js';

/** A folder that nothing more is to come of. */
export interface FinishedFolder {
  readonly directory: string;
  /** In order, each name once. */
  readonly lines: readonly NamedLine[];
}

interface OpenFolder {
  readonly directory: string;
  readonly lines: NamedLine[];
  /** So many of its lines hold on to no longer text. */
  settled: number;
}

/**
 * Takes entries in archive order and gives folders as they are finished. Holds what the folders that are
 * open have so far. A folder that is begun again, against the order, is given again.
 */
export class OpenFolders {
  private readonly open: OpenFolder[] = [];

  constructor(private readonly give: (folder: FinishedFolder) => void) {}

  /** @throws CorruptIndex where a folder has a name twice */
  add(record: IndexRecord): void {
    const { directory } = record;
    let folder = this.open.at(-1);
    while (folder && !holds(folder.directory, directory)) {
      this.close();
      folder = this.open.at(-1);
    }
    if (folder?.directory !== directory) {
      folder = { directory, lines: [], settled: 0 };
      this.open.push(folder);
    }
    folder!.lines.push({ name: record.name, line: entryLine(record) });
  }

  /** Lines are parts of the text that they were read from: copies let go of it. */
  settle(): void {
    for (const folder of this.open) {
      for (; folder.settled < folder.lines.length; folder.settled += 1) {
        const { name, line } = folder.lines[folder.settled]!;
        folder.lines[folder.settled] = { name: copyOf(name), line: copyOf(line) };
      }
    }
  }

  /** Nothing more is to come. @throws CorruptIndex where a folder has a name twice */
  end(): void {
    while (this.open.length > 0) this.close();
  }

  private close(): void {
    const { directory, lines } = this.open.pop()!;
    this.give({ directory, lines: inOrder(directory, lines) });
  }
}

function inOrder(directory: string, lines: NamedLine[]): readonly NamedLine[] {
  const isBefore = (n: number) => compareText(lines[n - 1]!.name, lines[n]!.name) < 0;
  if (lines.every((_, n) => n === 0 || isBefore(n))) return lines;
  const sorted = lines.sort((a, b) => compareText(a.name, b.name));
  const twice = sorted.find(({ name }, n) => n > 0 && sorted[n - 1]!.name === name);
  if (twice === undefined) return sorted;
  throw new CorruptIndex(`it has ${joinPath(directory, twice.name)} twice`);
}

function holds(above: string, directory: string): boolean {
  if (above === '' || above === directory) return true;
  return directory.startsWith(above) && directory[above.length] === '/';
}

function copyOf(text: string): string {
  return Buffer.from(text).toString();
}
