import { encodeIndexLine, type IndexLine } from '#archive/index-line.js';

/** An index line as text; whatever is not said is that of a small file. */
export function line(changes: Partial<IndexLine> & { path: string }): string {
  const place = { offset: changes.offset ?? 1_024, length: changes.length ?? 1_024 };
  return encodeIndexLine({
    type: 'f',
    size: 42,
    mtimeNs: '1700000000123456789',
    mode: 0o644,
    uid: 1_000,
    gid: 1_000,
    flags: '',
    target: '',
    deviceMajor: 0,
    deviceMinor: 0,
    ...place,
    own: place,
    ...changes,
  });
}

/**
 * The lines of a tree like a folder of packages: `count` entries in archive order, about one folder
 * for eight files, names that come again.
 */
export function treeLines(count: number, root: string): string[] {
  const lines = [line({ type: 'd', path: root })];
  for (let folder = 0; lines.length < count; folder += 1) {
    const path = `${root}/package-${String(folder).padStart(6, '0')}`;
    lines.push(line({ type: 'd', path }));
    for (let file = 0; file < 8 && lines.length < count; file += 1) {
      lines.push(
        line({
          path: `${path}/${NAMES[file]}`,
          size: folder * 100 + file,
          offset: lines.length * 2_048,
        }),
      );
    }
  }
  return lines;
}

const NAMES = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'index.d.ts',
  'index.js',
  'index.js.map',
  'package.json',
  'util.js',
] as const;
