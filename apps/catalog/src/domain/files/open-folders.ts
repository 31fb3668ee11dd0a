import { CorruptIndex } from './corrupt-index.js';
import type { IndexRecord } from './index-record.js';
import { joinPath } from './glob.js';
import { entryLine } from './tree-block.js';
import type { NamedLine } from './tree-builder.js';
import { compareText } from './tree-key.js';

/** What a folder holds, or a part of it. */
export interface FolderPart {
  readonly directory: string;
  /** In order, each name once. */
  readonly lines: readonly NamedLine[];
  readonly isFirst: boolean;
  /** Nothing more is to come of it. */
  readonly isLast: boolean;
}

interface OpenFolder {
  readonly directory: string;
  lines: NamedLine[];
  /** So many of its lines hold on to no longer text. */
  settled: number;
  isFirst: boolean;
}

/** Lines of an open folder that are held. */
const LINES_MAX = 8_192;

/**
 * Takes entries in archive order and gives folders as they are finished, large ones in parts. Holds what
 * the folders that are open have so far. A folder that is begun again, against the order, is given again.
 */
export class OpenFolders {
  private readonly open: OpenFolder[] = [];

  constructor(
    private readonly give: (part: FolderPart) => void,
    private readonly linesMax = LINES_MAX,
  ) {}

  /** @throws CorruptIndex where a folder has a name twice */
  add(record: IndexRecord): void {
    const { directory } = record;
    let folder = this.open.at(-1);
    while (folder && !holds(folder.directory, directory)) {
      this.close();
      folder = this.open.at(-1);
    }
    if (folder?.directory !== directory) {
      folder = { directory, lines: [], settled: 0, isFirst: true };
      this.open.push(folder);
    }
    if (folder!.lines.length >= this.linesMax) this.hand(folder!, false);
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
    this.hand(this.open.pop()!, true);
  }

  private hand(folder: OpenFolder, isLast: boolean): void {
    const { directory, lines, isFirst } = folder;
    this.give({ directory, lines: inOrder(directory, lines), isFirst, isLast });
    folder.lines = [];
    folder.settled = 0;
    folder.isFirst = false;
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
